"""The object of ``summary.json``, put together from its parts, and how JSON files are written."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from msgspec.structs import replace

from pipeline.core.drop_lines import DropLine
from pipeline.core.file_names import REPORTS, file_name
from pipeline.core.model import Drop, DropFacts
from schemas.codes import Code
from schemas.display import encodable
from schemas.vocabulary import Outcome

#: Raised only when a script written for the earlier form would break.
SCHEMA: Final = 1


def utc_text(moment: datetime | None) -> str | None:
    """Return UTC with milliseconds: ``2026-01-31T10:20:30.123Z``."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"the time {moment} has no zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_text(value: Mapping[str, Any]) -> bytes:
    """Return the object as JSON in UTF-8, indented by two, with a line end."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


Remarks = Mapping[str, Sequence[Mapping[str, Any]]]
"""The lists ``errors``, ``warnings`` and ``notices``."""


def summary_of_parts(
    drop: Drop | DropLine,
    *,
    rows: Mapping[str, int],
    calls: Mapping[str, int],
    remarks: Remarks,
    skipped: Mapping[str, int],
    corrections: Mapping[str, int] | None,
    refused: Mapping[str, str] | None,
    files: Mapping[str, str],
    continues: str | None,
) -> dict[str, Any]:
    """Return the object with the contract's keys in their order, fit for JSON.

    Raises ValueError when a time of the drop has no zone.
    """
    return {
        "schema": SCHEMA,
        "drop_id": drop.drop_id,
        "source_file": encodable(drop.source_file),
        "sha256": drop.sha256,
        "size": drop.size,
        "courier": encodable(drop.courier),
        "state": drop.state.value,
        "parent": drop.parent,
        "same_as": drop.same_as,
        "rows": dict(rows),
        "calls": dict(calls),
        "errors": remarks["errors"],
        "warnings": remarks["warnings"],
        "skipped": dict(skipped),
        "corrections": corrections,
        "refused": refused,
        "received_at": utc_text(drop.received_at),
        "started_at": utc_text(drop.started_at),
        "finished_at": utc_text(drop.finished_at),
        "files": {what: encodable(name) for what, name in files.items()},
        "notices": remarks["notices"],  # ours: what is not the contract's comes after it
        "continues": continues,
    }


_COUNTED = ("calls", "skipped")
_REMARKS = ("errors", "warnings", "notices")


def tidied(facts: DropFacts, at: str) -> DropFacts:
    """Return what stays of a closed drop's facts; ``at``: when the rest went.

    Links to other drops, and what is left to do, stay as they are. Rows that were set
    aside stay so, without who did it and the reason, which may name people.
    """
    return DropFacts(
        tidied=at,
        continues=facts.continues,
        changed=facts.changed,
        again=facts.again,
        to_correct=facts.to_correct,
        total=facts.total,
        fixed_rows=facts.fixed_rows,
        returned=facts.returned,
        put_off=facts.put_off,
        aside=tuple(replace(each, reason="", who="") for each in facts.aside),
        summary=_counts_of(facts.summary) if facts.summary else None,
    )


def _counts_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts and codes of a summary, without what is nothing."""
    refused = summary.get("refused")
    counts = {
        "rows": _not_zero(summary["rows"]),
        **{name: _not_zero(summary.get(name) or {}) for name in _COUNTED},
        **{name: _by_code(summary.get(name) or ()) for name in _REMARKS},
        "corrections": summary.get("corrections"),
        "refused": refused and refused["code"],
        "files": [what for what in summary.get("files", ()) if what in REPORTS],
    }
    return {name: value for name, value in counts.items() if value or name == "rows"}


def _not_zero(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _by_code(remarks: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in remarks:
        counts[each["code"]] = counts.get(each["code"], 0) + each["count"]
    return counts


def summary_left(
    stored: Mapping[str, Any] | None, drop: Drop | DropLine, continues: str | None
) -> Mapping[str, Any] | None:
    """Return the summary of a tidied drop with all keys of ``summary.json``.

    Codes have the words they have for everybody; columns and examples are gone.
    """
    if stored is None or "schema" in stored:  # it was added to since, and is whole
        return stored
    rows = {"total": 0, **{outcome.value: 0 for outcome in Outcome}}
    code = stored.get("refused")
    return summary_of_parts(
        drop,
        rows=rows | stored["rows"],
        calls={"sent": 0, "retried": 0} | stored.get("calls", {}),
        remarks={name: _remarks(stored.get(name, {})) for name in _REMARKS},
        skipped={"blank": 0, "header": 0, "footer": 0} | stored.get("skipped", {}),
        corrections=stored.get("corrections"),
        refused={"code": code, "message": _words_of(code)} if code else None,
        files={what: file_name(drop, REPORTS[what]) for what in stored.get("files", ())},
        continues=continues,
    )


def codes_in(
    errors: Sequence[Mapping[str, Any]] | Mapping[str, int] | None,
    refused: Mapping[str, str] | str | None,
) -> Mapping[str, int]:
    """Return the codes of a stored summary with their rows, whether it is whole or tidied."""
    counts = errors if isinstance(errors, Mapping) else _by_code(errors or ())
    if not refused:
        return counts
    return {**counts, (refused if isinstance(refused, str) else refused["code"]): 1}


def _remarks(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "code": code,
            "column": "",
            "count": count,
            "example_row": None,
            "message": _words_of(code),
        }
        for code, count in counts.items()
    ]


def _words_of(code: str) -> str:
    """Return what a code means; an unknown one is returned as it is."""
    return Code[code].what if code in Code.__members__ else code
