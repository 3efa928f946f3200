"""``summary.json`` and ``received.json``: a drop in one object, for people who script."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from pipeline.core.model import Drop, DropState, Notice, group_notices
from pipeline.core.summary import summary_of_parts
from schemas.codes import ERRORS, INFORMATION, Code
from schemas.display import encodable
from schemas.vocabulary import Outcome

_TELLABLE = {DropState.COMPLETED, DropState.REFUSED, DropState.OPEN, DropState.CANCELLED}


class SummaryFacts(Struct, frozen=True, kw_only=True):
    """Everything a summary tells.

    ``total`` and ``counts`` are in data rows; an outcome that is missing counts 0. ``notices``
    may hold several for one code and column: they are grouped. ``calls_sent`` counts every call
    that left, ``calls_retried`` those among them that repeated another. ``corrections`` is
    (rows of the rejects file this drop corrects, rows of them now sound) or None. ``refused`` is
    the reason the whole file was refused. ``files`` maps what a file is to its name. ``more``
    holds keys beyond the contract's: they are added after them and never replace one.
    """

    drop: Drop
    total: int = 0
    counts: Mapping[Outcome, int] = field(default_factory=dict)
    calls_sent: int = 0
    calls_retried: int = 0
    notices: tuple[Notice, ...] = ()
    blank: int = 0
    header: int = 0
    footer: int = 0
    corrections: tuple[int, int] | None = None
    refused: Notice | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def summary_object(facts: SummaryFacts) -> dict[str, Any]:
    """Give the object of ``summary.json`` (outside contract), fit for JSON.

    A refused drop has zeros for rows. Information that is neither error nor warning stands under
    ``notices``. Raises ValueError if ``total`` is not the sum of the outcomes, the drop's state
    is none that is allowed, or a time has no zone.
    """
    drop = facts.drop
    if drop.state not in _TELLABLE:
        raise ValueError(f"a drop that is {drop.state} has no summary yet")
    remarks = _remarks([*facts.notices, *_of_the_file(drop)])
    summary = summary_of_parts(
        drop,
        rows=_rows(facts),
        calls={"sent": facts.calls_sent, "retried": facts.calls_retried},
        remarks=remarks,
        skipped={"blank": facts.blank, "header": facts.header, "footer": facts.footer},
        corrections=_corrections(facts.corrections),
        refused=_refusal(facts.refused),
        files=facts.files,
        continues=drop.continues,
    )
    return summary | {key: value for key, value in facts.more.items() if key not in summary}


def _rows(facts: SummaryFacts) -> dict[str, int]:
    counts = {outcome: facts.counts.get(outcome, 0) for outcome in Outcome}
    if facts.total != sum(counts.values()):
        raise ValueError(f"{facts.total} rows, but {sum(counts.values())} outcomes")
    counted = {"total": facts.total, **{outcome.value: n for outcome, n in counts.items()}}
    return dict.fromkeys(counted, 0) if facts.drop.state is DropState.REFUSED else counted


def _remarks(notices: Iterable[Notice]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {"errors": [], "warnings": [], "notices": []}
    for notice in group_notices(notices):
        if notice.code in ERRORS:
            kind = "errors"
        else:
            kind = "notices" if notice.code in INFORMATION else "warnings"
        found[kind].append(_remark(notice))
    return found


def _remark(notice: Notice) -> dict[str, Any]:
    return {
        "code": notice.code.value,
        "column": notice.column,
        "count": notice.count,
        "example_row": notice.example_row,
        "message": encodable(notice.message),
    }


def with_changed_file(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object of a summary, with the note that the drop's file was changed later."""
    others = [each for each in summary["warnings"] if each["code"] != Code.FILE_CHANGED]
    return {**summary, "warnings": [*others, _remark(_CHANGED)]}


def _of_the_file(drop: Drop) -> Iterator[Notice]:
    """Yield the keys about the file itself: whether it changed or continues another."""
    if drop.facts.changed:
        yield _CHANGED
    if drop.continues:
        message = f"{Code.FILE_CONTINUED.what} It was drop {drop.continues}."
        yield Notice(code=Code.FILE_CONTINUED, message=message)


_CHANGED = Notice(code=Code.FILE_CHANGED, message=Code.FILE_CHANGED.what)


def _corrections(corrections: tuple[int, int] | None) -> dict[str, int] | None:
    if corrections is None:
        return None
    rows, fixed = corrections
    return {"rows": rows, "fixed": fixed}


def _refusal(refused: Notice | None) -> dict[str, str] | None:
    if refused is None:
        return None
    return {"code": refused.code.value, "message": encodable(refused.message)}
