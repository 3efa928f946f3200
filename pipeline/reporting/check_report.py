"""The part of ``check`` beyond the summary: faults per column, and the meaning of each status."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct, field

from pipeline.core.model import ResultBlock
from schemas.codes import ERRORS, INFORMATION, Code
from schemas.display import encodable

EXAMPLES = 3
"""First examples shown of each code in each column."""

STATUSES = 100
"""Distinct statuses shown, the most frequent first."""

_SHOWN = 100


class _Column(Struct):
    """The faults in the cells of one role."""

    header: str
    rows: int = 0
    counts: Counter[Code] = field(default_factory=Counter)
    examples: dict[Code, list[dict[str, Any]]] = field(default_factory=dict)


def preflight(
    blocks: Iterable[ResultBlock], columns: Mapping[tuple[str, ...], Mapping[str, int]]
) -> dict[str, Any]:
    """Give ``faults`` and ``statuses`` of a file's rows, fit for JSON.

    ``columns``: for each header of the file, role → index of its column. ``faults``: an object per
    column with a fault or warning (``column`` is its heading, ``rows`` counts rows with a fault),
    each code with its count and first examples. ``statuses``: how many rows of each status get
    which outcome.
    """
    found: dict[str, _Column] = {}
    statuses: Counter[tuple[str, str, str]] = Counter()
    for block in blocks:
        _gather(block, columns[block.headers], found)
        _count(block, statuses)
    return {
        "faults": [_fault(role, column) for role, column in found.items()],
        "statuses": [
            {
                "status": encodable(status[:_SHOWN]),
                "order_status": wire,
                "outcome": outcome,
                "count": count,
            }
            for (status, wire, outcome), count in statuses.most_common(STATUSES)
        ],
    }


def _gather(block: ResultBlock, roles: Mapping[str, int], found: dict[str, _Column]) -> None:
    encoded = block.table.column("codes").combine_chunks().dictionary_encode()
    numbers = encoded.indices.to_numpy(zero_copy_only=False)
    for number, label in enumerate(encoded.dictionary.to_pylist()):
        if not label:
            continue
        at = np.flatnonzero(numbers == number)
        hurt = set()
        for each in label.split(";"):
            name, _, role = each.partition(":")
            code = Code[name]
            if code in INFORMATION:
                continue
            place = roles.get(role)
            header = role if place is None else " ".join(block.headers[place].split())
            column = found.setdefault(role, _Column(header=header))
            column.counts[code] += len(at)
            if code in ERRORS and role not in hurt:
                hurt.add(role)
                column.rows += len(at)
            _exemplify(column.examples.setdefault(code, []), block, at, place)


def _exemplify(
    examples: list[dict[str, Any]], block: ResultBlock, at: np.ndarray[Any, Any], place: int | None
) -> None:
    """Add first examples. Labels are taken one after the other: keep the lowest rows."""
    rows = block.table.column("row")
    for position in at[:EXAMPLES].tolist():
        value = "" if place is None else block.cells[place][position].as_py()
        examples.append(
            {
                "sheet": encodable(block.sheet),
                "row": rows[position].as_py(),
                "value": encodable(value[:_SHOWN]),
            }
        )
    ours = [each for each in examples if each["sheet"] == block.sheet]
    others = [each for each in examples if each["sheet"] != block.sheet]
    examples[:] = (others + sorted(ours, key=lambda each: int(each["row"])))[:EXAMPLES]


def _count(block: ResultBlock, statuses: Counter[tuple[str, str, str]]) -> None:
    table = block.table.select(["source_status", "order_status", "outcome"])
    grouped = table.group_by(table.column_names).aggregate([([], "count_all")])
    for status, wire, outcome, count in zip(
        *(grouped.column(name).to_pylist() for name in (*table.column_names, "count_all")),
        strict=True,
    ):
        statuses[status, wire, outcome] += count


def _fault(role: str, column: _Column) -> dict[str, Any]:
    return {
        "column": encodable(column.header),
        "role": role,
        "rows": column.rows,
        "codes": [
            {
                "code": code.value,
                "count": count,
                "error": code in ERRORS,
                "examples": column.examples[code],
            }
            for code, count in column.counts.most_common()
        ],
    }
