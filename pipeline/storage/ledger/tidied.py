"""The facts of a drop whose rows are given up: its counts stay, what they were made of goes.

A drop's facts are some kilobytes: headings, notices, a summary in words. Once its rows are gone
nobody asks for them, and of ten thousand files a day they would be gigabytes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core.model import AGAIN, CHANGED, CONTINUES, TIDIED
from pipeline.core.summary import Summarised, summary_of_parts
from pipeline.storage.file_names import REPORTS, file_name
from schemas.codes import Code
from schemas.vocabulary import Outcome

_LEFT = (CONTINUES, CHANGED, AGAIN, "total", "fixed_rows", "returned", "put_off")
"""Facts that stay as they are: what the drop has to do with others, and what is left to do."""

_COUNTED = ("calls", "skipped")
_REMARKS = ("errors", "warnings", "notices")


def tidied(facts: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return what stays of a closed drop's facts; ``at``: when the rest went.

    Rows that were set aside stay so, without who did it and the reason, which may name people.
    """
    kept = {name: facts[name] for name in _LEFT if facts.get(name)}
    if facts.get("aside"):
        kept["aside"] = [[row, "", "", when] for row, _, _, when in facts["aside"]]
    if facts.get("summary"):
        kept["summary"] = _counts_of(facts["summary"])
    return {TIDIED: at, **kept}


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
    stored: Mapping[str, Any] | None, drop: Summarised, continues: str | None
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
    """Return what a code means; one that this Shipdrop does not know is its own word."""
    return Code[code].what if code in Code.__members__ else code
