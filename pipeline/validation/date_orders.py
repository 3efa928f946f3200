"""Day or month first: what a file's own dates prove about each of their columns.

A value such as 11/30/2026 is possible only month first. Where the courier's profile says day first,
its column is not what the profile says, and 10/11/2026 in it may be either.
"""

import re
from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from pipeline.core.model import Block
from schemas.courier import DateRule

Order = Literal["day", "month"]
Proof = tuple[int, Order, str]
"""Column, the order that one of its dates is only possible in, and that date's separator."""

_LONGEST = 10
_NUMERIC = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(?:20)?\d\d(?!\d)|(\d\d)(\d\d)20\d\d(?!\d)")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def proofs(block: Block, columns: Mapping[int, DateRule]) -> frozenset[Proof]:
    """Return what the dates of a block prove about columns, beyond what their rules say anyway."""
    found: set[Proof] = set()
    for column, rule in columns.items():
        if rule.read_as != "text":
            continue
        _, heads = _heads(block.cells[column])
        for head in heads:
            parts = _parts(head)
            if parts is not None:
                first, second, separator = parts
                day_first = rule.is_day_first(separator)
                if first > 12 and _is_day(first, second) and (rule.auto or not day_first):
                    found.add((column, "day", separator))
                elif second > 12 and _is_day(second, first) and (rule.auto or day_first):
                    found.add((column, "month", separator))
    return frozenset(found)


def as_proven(rule: DateRule, column: int, proven: Collection[Proof]) -> tuple[DateRule, bool]:
    """Return the rule to read a column by, and whether its two-way dates are in doubt."""
    if rule.read_as != "text":
        return rule, False
    mine = [(order, separator) for at, order, separator in proven if at == column]
    if rule.auto:
        orders = {order for order, _ in mine}
        return replace(rule, day_first=orders != {"month"}), len(orders) != 1
    return rule, any((order == "month") == rule.is_day_first(sep) for order, sep in mine)


def two_way(cells: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell of each date whether it is another one day first than month first."""
    index, heads = _heads(cells)
    both = np.zeros(len(heads) + 1, dtype=np.bool_)
    for at, head in enumerate(heads):
        parts = _parts(head)
        both[at] = parts is not None and parts[0] != parts[1] and max(parts[:2]) <= 12
    found: npt.NDArray[np.bool_] = both[index]
    return found


def _heads(cells: pa.Array) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the dates at the beginning of cells: of many times, few are distinct."""
    bare = pc.utf8_ltrim(cells, " '\u00a0\t")
    encoded = pc.utf8_slice_codeunits(bare, 0, _LONGEST).dictionary_encode()
    index = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return index, encoded.dictionary.to_pylist()


def _parts(head: str) -> tuple[int, int, str] | None:
    found = _NUMERIC.match(head)
    if found is None:
        return None
    if found[2]:
        return int(found[1]), int(found[3]), found[2]
    return int(found[4]), int(found[5]), ""


def _is_day(day: int, month: int) -> bool:
    return 1 <= month <= 12 and day <= _DAYS[month - 1]
