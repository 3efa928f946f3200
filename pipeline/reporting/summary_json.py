"""``summary.json`` and ``received.json``: a drop in one object, for people who script."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.display import encodable
from pipeline.core.model import CHANGED, Drop, DropState, Notice
from schemas.codes import ERRORS, INFORMATION, Code
from schemas.vocabulary import Outcome

#: Raised only when a script written for the earlier form would break.
SCHEMA: Final = 1

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
    is none that can be told, or a time has no zone.
    """
    drop = facts.drop
    if drop.state not in _TELLABLE:
        raise ValueError(f"a drop that is {drop.state} has no summary yet")
    remarks = _remarks([*facts.notices, *_of_the_file(drop)])
    told = {
        "schema": SCHEMA,
        "drop_id": drop.drop_id,
        "source_file": encodable(drop.source_file),
        "sha256": drop.sha256,
        "size": drop.size,
        "courier": encodable(drop.courier),
        "state": drop.state.value,
        "parent": drop.parent,
        "same_as": drop.same_as,
        "rows": _rows(facts),
        "calls": {"sent": facts.calls_sent, "retried": facts.calls_retried},
        "errors": remarks["errors"],
        "warnings": remarks["warnings"],
        "skipped": {"blank": facts.blank, "header": facts.header, "footer": facts.footer},
        "corrections": _corrections(facts.corrections),
        "refused": _refusal(facts.refused),
        "received_at": _time(drop.received_at),
        "started_at": _time(drop.started_at),
        "finished_at": _time(drop.finished_at),
        "files": {what: encodable(name) for what, name in facts.files.items()},
        "notices": remarks["notices"],  # ours: what is not the contract's comes after it
        "continues": drop.continues,
    }
    return told | {key: value for key, value in facts.more.items() if key not in told}


def summary_bytes(summary: Mapping[str, Any]) -> bytes:
    """Give ``summary.json``: what ``summary_object`` made, as JSON, indented by two."""
    return _json(summary)


def received_json(drop: Drop) -> bytes:
    """Give ``received.json``: the receipt that is written as soon as a file is claimed.

    ``sha256`` is null as long as the file has not been read.
    """
    return _json(
        {
            "schema": SCHEMA,
            "drop_id": drop.drop_id,
            "source_file": encodable(drop.source_file),
            "folder": encodable(drop.folder),
            "size": drop.size,
            "sha256": drop.sha256 or None,
            "received_at": _time(drop.received_at),
        }
    )


def group_notices(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """Make one notice of all that have the same code and column: counts added, first example kept.

    Notices without an example row concern the file: they are grouped only with the same words.
    The most frequent come first.
    """
    groups: dict[tuple[str, str, str], Notice] = {}
    for notice in notices:
        words = notice.message if notice.example_row is None else ""
        key = (notice.code, notice.column, words)
        first = groups.get(key)
        groups[key] = replace(first, count=first.count + notice.count) if first else notice
    return tuple(sorted(groups.values(), key=lambda each: -each.count))


def _rows(facts: SummaryFacts) -> dict[str, int]:
    counts = {outcome: facts.counts.get(outcome, 0) for outcome in Outcome}
    if facts.total != sum(counts.values()):
        raise ValueError(f"{facts.total} rows, but {sum(counts.values())} outcomes")
    told = {"total": facts.total, **{outcome.value: n for outcome, n in counts.items()}}
    return dict.fromkeys(told, 0) if facts.drop.state is DropState.REFUSED else told


def _remarks(notices: Iterable[Notice]) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {"errors": [], "warnings": [], "notices": []}
    for notice in group_notices(notices):
        if notice.code in ERRORS:
            kind = "errors"
        else:
            kind = "notices" if notice.code in INFORMATION else "warnings"
        told[kind].append(_remark(notice))
    return told


def _remark(notice: Notice) -> dict[str, Any]:
    return {
        "code": notice.code.value,
        "column": notice.column,
        "count": notice.count,
        "example_row": notice.example_row,
        "message": encodable(notice.message),
    }


def with_changed_file(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Give the object of a summary, and that the drop's file was written to after it was told."""
    others = [each for each in summary["warnings"] if each["code"] != Code.FILE_CHANGED]
    return {**summary, "warnings": [*others, _remark(_CHANGED)]}


def _of_the_file(drop: Drop) -> Iterator[Notice]:
    """Say what became of the file beside its being read."""
    if drop.facts.get(CHANGED):
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


def _time(moment: datetime | None) -> str | None:
    """UTC with milliseconds: ``2026-01-31T10:20:30.123Z``."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"the time {moment} has no zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: Mapping[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
