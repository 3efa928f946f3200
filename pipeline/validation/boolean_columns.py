"""Columns that say yes or no, and date columns that say it in two ways."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field

from pipeline.core.free_text import folded
from pipeline.core.model import Block, Notice
from pipeline.validation.columns import ColumnMap
from schemas.codes import Code
from schemas.courier import Profile
from schemas.folding import FALSE_WORDS, TRUE_WORDS
from schemas.vocabulary import DATE_ROLES, CellKind, Role

_FIRST = 64


def auto_dispatched(block: Block, mapping: ColumnMap, profile: Profile) -> npt.NDArray[np.bool_]:
    """Return True for rows whose order was auto-dispatched, so that its pickup is known already.

    The row's own column goes before the profile's ``auto_dispatch`` (docs/konnect-api.md).
    """
    column = mapping.columns.get(Role.AUTO_DISPATCH)
    if column is None:
        return np.full(len(block), profile.auto_dispatch)
    words = folded(block.cells[column])
    said = _among(words, TRUE_WORDS)
    if profile.auto_dispatch:
        said |= ~_among(words, FALSE_WORDS)
    return said


def says_no(block: Block, mapping: ColumnMap, role: Role) -> npt.NDArray[np.bool_]:
    """True for rows whose cell for this role says no; for none without a column."""
    column = mapping.columns.get(role)
    if column is None:
        return np.zeros(len(block), dtype=np.bool_)
    return _among(folded(block.cells[column]), FALSE_WORDS)


class DateKinds(Struct, kw_only=True):
    """How the dates of a file's columns are kept, gathered over its blocks.

    A column that mixes date cells with dates typed as text was probably opened by a spreadsheet in
    another locale, which swapped day and month where it could (hazards, section D). A block alone
    cannot tell: the two kinds may lie 50,000 rows apart.
    """

    _headers: dict[Role, str] = field(default_factory=dict)
    _first: dict[Role, int] = field(default_factory=dict)
    _count: dict[Role, int] = field(default_factory=dict)
    _typed: set[Role] = field(default_factory=set)

    def see(self, block: Block, mapping: ColumnMap) -> None:
        """Take a block's date columns into account."""
        for role in DATE_ROLES:
            column = mapping.columns.get(role)
            if column is None:
                continue
            kinds = block.kinds.get(column)
            dates = np.flatnonzero(kinds == CellKind.DATE) if kinds is not None else None
            if dates is not None and len(dates):
                self._headers.setdefault(role, mapping.header(role))
                self._first.setdefault(role, int(block.rows[dates[0]]))
                self._count[role] = self._count.get(role, 0) + len(dates)
            if role not in self._typed and _holds_typed_dates(block.cells[column], kinds):
                self._typed.add(role)

    def mixed(self) -> frozenset[Role]:
        """The date roles whose column holds both kinds."""
        return frozenset(role for role in self._count if role in self._typed)

    def notices(self) -> tuple[Notice, ...]:
        """A warning for each mixed column; the count is that of its date cells."""
        return tuple(
            Notice(
                code=Code.DATE_MIXED,
                column=role.value,
                count=self._count[role],
                example_row=self._first[role],
                message=f"Column {self._headers[role]} mixes date cells with dates typed as "
                "text: a spreadsheet has probably swapped day and month where it could. Compare "
                "the dates with their source, and format the column as text.",
            )
            for role in DATE_ROLES
            if role in self.mixed()
        )


def _holds_typed_dates(cells: pa.Array, kinds: npt.NDArray[np.int8] | None) -> bool:
    if kinds is not None:
        cells = cells.filter(pa.array(kinds == CellKind.TEXT))
    # A column of dates shows it by its first cells.
    return any(
        pc.any(pc.match_substring_regex(some, "[0-9]")).as_py()
        for some in (cells.slice(0, _FIRST), cells.slice(_FIRST))
    )


def _among(words: pa.Array, known: frozenset[str]) -> npt.NDArray[np.bool_]:
    hits: npt.NDArray[np.bool_] = pc.is_in(
        words, value_set=pa.array(sorted(known), pa.string())
    ).to_numpy(zero_copy_only=False)
    return hits.copy()
