"""Facts about the columns of an unfamiliar file, from which roles are guessed."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field

from pipeline.core.date_columns import read_times
from pipeline.core.errors import DropRefused
from pipeline.core.model import Block, Manifest, ReadTally, Sheet
from pipeline.validation.missing_headers import heading_row
from pipeline.validation.order_ids import canonical_ids
from pipeline.validation.status_resolution import status_cells
from schemas.codes import Code
from schemas.courier import DateRule, Profile
from schemas.headings import trimmed
from schemas.normalise import fold, fold_header, is_absent
from schemas.vocabulary import CellKind

MOST_DISTINCT = 300
"""A column with more different cells than this holds no statuses."""

_LONGEST = 120
SAMPLES = 3
"""Cells of a column that are kept as they stand."""

_ORDER_ID = (
    r"^[0-9]{15,25}$|^[A-Za-z]+[-_]?[0-9][A-Za-z0-9_-]{3,48}$|^[0-9]{5,14}$"
    r"|^[0-9]{5,25}[-_][A-Za-z0-9]{1,10}$"
)
_LONG_ID = r"^[0-9]{15,25}$"
_FYND_ID = r"(?i)^FY[A-Z0-9_-]*[0-9][A-Z0-9_-]*$"
_AWB = r"^[A-Z]{0,4}[0-9]{8,14}[A-Z]{0,2}$"
_PARTS = re.compile(r"\s*([0-9]{1,2})([-/. ])([0-9]{1,2})\2([0-9]{2}|[0-9]{4})(?![0-9])")
_UTC = ZoneInfo("UTC")


class Collector:
    """A ``HeaderFinder`` that knows no header and keeps the rows it was shown."""

    def __init__(self) -> None:
        self.rows: list[Sequence[str]] = []
        self.sheets: Sequence[tuple[str, int]] = ()

    def fits(self, cells: Sequence[str]) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return False: nothing is a header yet."""
        return False

    def is_status(self, cell: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return False: it knows no status."""
        return False

    def later(self, headers: Sequence[str]) -> None:
        """Do nothing: nothing is a header yet."""

    def refusal(
        self, seen: Sequence[Sequence[str]], sheets: Sequence[tuple[str, int]] = ()
    ) -> DropRefused:
        """Keep the rows; the refusal ends the reading."""
        self.rows, self.sheets = list(seen), [each for each in sheets if each[1]]
        return no_headings()

    def by_sheet(self) -> dict[str, list[Sequence[str]]]:
        """Return each sheet's first rows; "" is what a CSV has instead of a sheet's name."""
        if not self.sheets:
            return {"": self.rows}
        found, begin = {}, 0
        for name, count in self.sheets:
            found[name] = self.rows[begin : begin + count]
            begin += count
        return found


class HeadingWords:
    """A ``HeaderFinder`` that knows one row of headings, cell by cell."""

    def __init__(self, cells: Sequence[str]) -> None:
        self._cells = trimmed(cells)

    def fits(self, cells: Sequence[str]) -> bool:
        """Return True for that very row."""
        return trimmed(cells) == self._cells

    def is_status(self, cell: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return False: it knows no status."""
        return False

    def later(self, headers: Sequence[str]) -> None:
        """Do nothing: only an exact repeat is passed over."""

    def refusal(
        self,
        seen: Sequence[Sequence[str]],  # noqa: ARG002 - the protocol
        sheets: Sequence[tuple[str, int]] = (),  # noqa: ARG002 - the protocol
    ) -> DropRefused:
        """Build the refusal of a file in which the row is not found again."""
        return no_headings()


def no_headings() -> DropRefused:
    """Build the refusal of a file in which nothing looks like headings."""
    return DropRefused(
        Code.HEADER_NOT_FOUND,
        "None of the first rows of this file looks like a heading row.",
        hint="Give every column a heading in one row above the data.",
    )


def likely_header(
    sheets: Mapping[str, Sequence[Sequence[str]]],
    profiles: Iterable[Profile],
    named: Iterable[str] = (),
) -> tuple[str, Sequence[str]] | None:
    """Choose the sheet and its row of headings, the one with the most that are known; None: none.

    ``sheets``: the first rows of each. ``named``: headings that a person named.
    """
    known = {a for p in profiles for aliases in p.headers.values() for a in aliases}
    known |= {fold_header(heading) for heading in named}
    statuses = {status for p in profiles for status in p.statuses.shown}
    found = [
        (name, row) for name, rows in sheets.items() if (row := heading_row(rows, known, statuses))
    ]
    return max(
        found, key=lambda one: sum(fold_header(cell) in known for cell in one[1]), default=None
    )


class ColumnFacts(Struct, kw_only=True):
    """Counts of the cells of one column.

    ``filled``: cells that say something. ``ids``, ``long_ids``, ``fynd_ids``, ``awbs``: cells of
    such a shape. ``dates``: cells that can be read as a date, ``typed_dates`` those that were date
    cells.
    ``values``: folded → count, None for more than ``MOST_DISTINCT``. ``day_first``,
    ``month_first``: separator → cells in which only one of the two orders is possible.
    ``cells``: the first different ones.
    """

    header: str
    filled: int = 0
    ids: int = 0
    long_ids: int = 0
    fynd_ids: int = 0
    awbs: int = 0
    dates: int = 0
    typed_dates: int = 0
    values: Counter[str] | None = field(default_factory=Counter)
    day_first: Counter[str] = field(default_factory=Counter)
    month_first: Counter[str] = field(default_factory=Counter)
    either: Counter[str] = field(default_factory=Counter)
    cells: list[str] = field(default_factory=list)

    @property
    def is_of_fynd(self) -> bool:
        """Return whether nearly all of its cells are order ids as Fynd writes them: FY26A1003."""
        return self.share(self.fynd_ids) >= 0.8

    def share(self, count: int) -> float:
        """Return a count as a share of the cells that say something."""
        return count / self.filled if self.filled else 0.0

    @property
    def order(self) -> str:
        """Return the order of day and month that its dates prove; see ``SeenColumn.order``."""
        if self.day_first and self.month_first:
            return "both"
        if self.day_first or self.month_first:
            return "day_first" if self.day_first else "month_first"
        return "either" if self.either else ""


class Survey(Struct, frozen=True, kw_only=True):
    """A file's columns, and its data rows. ``tabs``: the name of each table and its rows."""

    columns: tuple[ColumnFacts, ...]
    rows: int
    tabs: tuple[tuple[str, int], ...] = ()


def survey(manifest: Manifest) -> Survey:
    """Look at every cell of the sheets that share the first one's header."""
    headers = manifest.sheets[0].headers
    columns = tuple(ColumnFacts(header=" ".join(header.split())) for header in headers)
    tabs = []
    for sheet in _alike(manifest):
        rows = 0
        for block in sheet.blocks(ReadTally()):
            rows += len(block)
            for at, facts in enumerate(columns):
                _look(block, at, facts)
        tabs.append((sheet.name, rows))
    return Survey(columns=columns, rows=sum(rows for _, rows in tabs), tabs=tuple(tabs))


def blocks_of(manifest: Manifest) -> Iterable[Block]:
    """Return the blocks of all sheets; each has the columns of the first one's header at least."""
    for sheet in _alike(manifest):
        yield from sheet.blocks(ReadTally())


def _alike(manifest: Manifest) -> list[Sheet]:
    width = len(manifest.sheets[0].headers)
    return [sheet for sheet in manifest.sheets if len(sheet.headers) == width]


def _look(block: Block, at: int, facts: ColumnFacts) -> None:
    cells, kinds = status_cells(block, at), block.kinds.get(at)
    ids = canonical_ids(cells, kinds)
    counted = ids.value_counts()
    values, counts = counted.field("values"), counted.field("counts").to_numpy()
    there = ~np.array([is_absent(fold(value)) for value in values.to_pylist()], dtype=bool)
    facts.filled += int(counts[there].sum())
    if len(facts.cells) < SAMPLES:
        said = values.filter(pa.array(there)).slice(0, SAMPLES).to_pylist()
        facts.cells = list(dict.fromkeys([*facts.cells, *said]))[:SAMPLES]

    def cells_like(pattern: str) -> int:
        hits = pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)
        return int(counts[hits & there].sum())

    facts.ids += cells_like(_ORDER_ID)
    facts.long_ids += cells_like(_LONG_ID)
    facts.fynd_ids += cells_like(_FYND_ID)
    facts.awbs += cells_like(_AWB)
    if kinds is not None:
        facts.typed_dates += int((kinds == CellKind.DATE).sum())
    day = read_times(values, None, DateRule(day_first=True), _UTC).read
    month = read_times(values, None, DateRule(day_first=False), _UTC).read
    facts.dates += int(counts[(day | month) & there].sum())
    for only, separators in (
        (day & ~month, facts.day_first),
        (month & ~day, facts.month_first),
        (day & month, facts.either),
    ):
        _separators(values, counts, only & there, separators)
    _count(values, counts, there, facts)


def _separators(
    values: pa.Array,
    counts: npt.NDArray[np.int64],
    rows: npt.NDArray[np.bool_],
    found: Counter[str],
) -> None:
    chosen = np.flatnonzero(rows)
    for value, count in zip(values.take(pa.array(chosen)).to_pylist(), counts[chosen], strict=True):
        parts = _PARTS.match(value)
        if parts:
            found[parts.group(2)] += int(count)


def _count(
    values: pa.Array,
    counts: npt.NDArray[np.int64],
    there: npt.NDArray[np.bool_],
    facts: ColumnFacts,
) -> None:
    if facts.values is None:
        return
    for value, count in zip(values.filter(pa.array(there)).to_pylist(), counts[there], strict=True):
        facts.values[fold(value)] += int(count)
        if len(facts.values) > MOST_DISTINCT:
            facts.values = None
            return


class StatusCount(Struct, frozen=True, kw_only=True):
    """One status beside one type and one direction, as the file writes them, and its rows.

    ``example``: the cells of the first row that has it.
    """

    status: str
    kind: str
    direction: str
    rows: int
    example: tuple[str, ...] = ()


def count_statuses(
    manifest: Manifest, status: int, kind: int | None, direction: int | None
) -> tuple[StatusCount, ...]:
    """Count the combinations of status, type and direction; the most frequent come first.

    The arguments are indices of columns. Spellings that mean the same to the look-up are one, shown
    in the most frequent spelling.
    """
    counted: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], tuple[str, ...]] = {}
    width = len(manifest.sheets[0].headers)
    for block in blocks_of(manifest):
        columns = {"status": status_cells(block, status)}
        columns["kind"] = _or_blank(block, kind)
        columns["direction"] = _or_blank(block, direction)
        table = pa.table({**columns, "at": np.arange(len(block))})
        grouped = table.group_by(list(columns)).aggregate([([], "count_all"), ("at", "min")])
        for row in grouped.to_pylist():
            key = (row["status"], row["kind"], row["direction"])
            counted[key] += row["count_all"]
            if key not in first:
                first[key] = _cells(block, row["at_min"], width)
    spelt: dict[tuple[str, str, str], StatusCount] = {}
    for (text, of_kind, way), rows in counted.most_common():
        key = (fold(text), fold(of_kind), fold(way))
        if is_absent(key[0]):
            continue
        known = spelt.get(key)
        spelt[key] = StatusCount(
            status=known.status if known else " ".join(text.split()),
            kind=known.kind if known else " ".join(of_kind.split()),
            direction=known.direction if known else " ".join(way.split()),
            rows=rows + (known.rows if known else 0),
            example=known.example if known else first[text, of_kind, way],
        )
    return tuple(sorted(spelt.values(), key=lambda each: -each.rows))


def _cells(block: Block, row: int, width: int) -> tuple[str, ...]:
    return tuple(str(status_cells(block, at)[row].as_py() or "")[:_LONGEST] for at in range(width))


def _or_blank(block: Block, at: int | None) -> pa.Array:
    return pa.repeat("", len(block)) if at is None else status_cells(block, at)
