"""``summary.json`` and ``received.json``: a drop in one object, for people who script."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import asdict

from pipeline.core.model import Drop, DropState, Notice, Skipped, group_notices
from pipeline.core.summary import summary_of_parts
from schemas.codes import ERRORS, INFORMATION, Code
from schemas.display import encodable
from schemas.vocabulary import Outcome

_TELLABLE = {DropState.COMPLETED, DropState.REFUSED, DropState.OPEN, DropState.CANCELLED}
_NONE_SKIPPED = Skipped()
_NO_FILES: Mapping[str, str] = {}


def summary_object(
    drop: Drop,
    *,
    counts: Mapping[Outcome, int] | None = None,
    calls: tuple[int, int] = (0, 0),
    notices: Iterable[Notice] = (),
    skipped: Skipped = _NONE_SKIPPED,
    corrections: tuple[int, int] | None = None,
    refused: Notice | None = None,
    files: Mapping[str, str] = _NO_FILES,
    more: Mapping[str, Any] = _NO_FILES,
) -> dict[str, Any]:
    """Give the object of ``summary.json`` (outside contract), fit for JSON.

    ``counts``: data rows by outcome; one that is missing counts 0, and so does every one of a
    refused drop. ``calls``: how many left, and those among them that repeated another. ``notices``
    may hold several for one code and column: they are grouped, and information that is neither
    error nor warning stands under ``notices``. ``corrections``: rows of the rejects file this drop
    corrects, and rows of them now sound. ``refused``: why the whole file was refused. ``files``:
    what a file is → its name. ``more``: keys beyond the contract's, which never replace one. Raises
    ValueError if the drop's state is none that is allowed, or a time has no zone.
    """
    if drop.state not in _TELLABLE:
        raise ValueError(f"a drop that is {drop.state} has no summary yet")
    sent, retried = calls
    summary = summary_of_parts(
        drop,
        rows=_rows({} if drop.state is DropState.REFUSED else counts or {}),
        calls={"sent": sent, "retried": retried},
        remarks=_remarks([*notices, *_of_the_file(drop)]),
        skipped=asdict(skipped),
        corrections=None
        if corrections is None
        else {"rows": corrections[0], "fixed": corrections[1]},
        refused=_refusal(refused) if refused else None,
        files=files,
        continues=drop.continues,
    )
    return summary | {key: value for key, value in more.items() if key not in summary}


def _rows(counts: Mapping[Outcome, int]) -> dict[str, int]:
    by_outcome = {outcome.value: counts.get(outcome, 0) for outcome in Outcome}
    return {"total": sum(by_outcome.values()), **by_outcome}


def _refusal(refused: Notice) -> dict[str, str]:
    return {"code": refused.code.value, "message": encodable(refused.message)}


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
