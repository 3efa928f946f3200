"""The guard against formulas in the CSV files we write, and its inverse.

A spreadsheet runs a cell that begins (after spaces) with ``= + - @``, a tab, CR or LF, or one of
their full-width forms. Such a cell gets a leading ``'``. So does a cell that already begins with
``'``: only then does stripping one ``'`` give every cell back as it was (hazards, section G).
Cells of a payload to the API or of an XLSX file are never guarded.
"""

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

#: The space and every other Unicode space separator: what a spreadsheet may skip.
SPACES = " \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_TRIGGERS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
#: Understood alike by Python's ``re`` and by RE2, which Arrow uses.
RISKY = f"^(?:[{SPACES}]*[{_TRIGGERS}]|')"
_GUARDED = f"^'(?:[{SPACES}]*[{_TRIGGERS}]|')"

_RISKY = re.compile(RISKY)


def guard_cell(text: str) -> str:
    """Return one cell as a CSV file of ours shows it; ``unguard_cell`` gives it back."""
    return f"'{text}" if _RISKY.match(text) else text


def unguard_cell(text: str) -> str:
    """Return the cell without one leading ``'``, if it has one."""
    return text.removeprefix("'")


def guard_array(column: pa.Array) -> pa.Array:
    """Return ``guard_cell`` for each cell of a string or large_string array without nulls."""
    risky = pc.match_substring_regex(column, RISKY)
    if not pc.any(risky).as_py():
        return column
    return pc.if_else(risky, _joined("'", column), column)


def unguard_array(column: pa.Array, *, only_guarded: bool = False) -> pa.Array:
    """Return ``unguard_cell`` for each cell of a string or large_string array without nulls.

    With ``only_guarded``, a ``'`` goes only where ``guard_cell`` would have put one: for a
    workbook, which may have been made from a guarded CSV file or not.
    """
    if only_guarded:
        guarded = pc.match_substring_regex(column, _GUARDED)
    else:
        guarded = pc.starts_with(column, "'")
    if not pc.any(guarded).as_py():
        return column
    return pc.if_else(guarded, pc.utf8_slice_codeunits(column, 1), column)


def _joined(prefix: str, column: pa.Array) -> Any:
    return pc.binary_join_element_wise(
        pa.scalar(prefix, column.type), column, pa.scalar("", column.type)
    )
