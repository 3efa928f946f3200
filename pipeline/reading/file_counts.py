"""Facts gathered from the blocks of a file, and the rows that turn out to be a footer."""

from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.model import Disposition, Notice, ReadTally, SheetFacts
from pipeline.validation.evidence.traits import Traits
from pipeline.validation.odd_ids import OddIds
from pipeline.validation.sheet_dates import DateKinds, Proof
from schemas.codes import Code
from schemas.vocabulary import Role

_ID_BAD = f"{Code.ID_MISSING}:|{Code.ID_INVALID}:"


class FileTally(Struct):
    """Rows of a sheet, or of the whole file: all, with a bad id, rejected."""

    rows: int = 0
    id_bad: int = 0
    rejected: int = 0

    def add(self, codes: pa.ChunkedArray, disposition: pa.ChunkedArray, sign: int = 1) -> None:
        """Count rows by their codes and dispositions; ``sign`` -1 takes them back."""
        said = codes.filter(pc.not_equal(codes, ""))
        bad = pc.sum(pc.match_substring_regex(said, _ID_BAD)).as_py() if len(said) else 0
        self.rows += sign * len(codes)
        self.id_bad += sign * bad
        self.rejected += sign * int((disposition.to_numpy() == Disposition.REJECTED).sum())


class Gathered(Struct):
    """Collect counts, notices and proofs on the way through the blocks.

    ``data``: footers not counted. ``proven``: per sheet and profile, the order of day and month
    that its dates prove; ``unproven``: some of it was found only after rows of the sheet had been
    judged. ``traits``: per sheet and profile, as ``Evidence`` gathers them. ``sends``: rows with
    something to send; ``timed``: those among them with an event time.
    """

    sheets: list[SheetFacts] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    tally: ReadTally = field(default_factory=ReadTally)
    dates: DateKinds = field(default_factory=DateKinds)
    mixed: frozenset[Role] = frozenset()
    data: FileTally = field(default_factory=FileTally)
    footer: int = 0
    proven: dict[tuple[int, str], frozenset[Proof]] = field(default_factory=dict)
    traits: dict[tuple[int, str], Traits] = field(default_factory=dict)
    odd_ids: OddIds = field(default_factory=OddIds)
    unproven: bool = False
    sends: int = 0
    timed: int = 0

    @property
    def late(self) -> bool:
        """Return whether a later block speaks against rows that were judged before."""
        return self.unproven or self.odd_ids.late or any(each.late for each in self.traits.values())

    def prove(self, sheet: tuple[int, str], found: frozenset[Proof], *, first: bool) -> None:
        """Note the order of day and month that a block's dates prove."""
        known = self.proven.get(sheet, frozenset())
        self.unproven |= not first and not found <= known
        self.proven[sheet] = known | found

    def time(self, disposition: pa.ChunkedArray, event: pa.ChunkedArray) -> None:
        """Count the rows with something to send, and those of them with an event time."""
        sends = disposition.to_numpy() == Disposition.SEND
        self.sends += int(sends.sum())
        self.timed += int((sends & event.is_valid().to_numpy()).sum())


def ending_of(before: list[pa.Table], table: pa.Table) -> list[pa.Table]:
    """Return the rows below the last data row so far.

    Those that look like a footer are one only there (hazards.md E).
    """
    data = np.flatnonzero(~table.column("footer").to_numpy())
    if not len(data):
        return [*before, table]
    end = int(data[-1]) + 1
    return [table.slice(end)] if end < table.num_rows else []


def take_back_footers(table: pa.Table, gathered: Gathered) -> None:
    """Count these rows as footers; faults that were found in them are none."""
    codes = table.column("codes")
    gathered.footer += table.num_rows
    gathered.data.add(codes, table.column("disposition"), -1)
    labels = chain.from_iterable(each.split(";") for each in codes.to_pylist() if each)
    _take_back(gathered.notices, list(labels))


def _take_back(notices: list[Notice], labels: list[str]) -> None:
    """Take the faults of a row back that turned out to be a footer."""
    for label in labels:
        code, _, column = label.partition(":")
        for at in range(len(notices) - 1, -1, -1):
            notice = notices[at]
            if notice.code == code and notice.column == column:
                notices[at] = replace(notice, count=notice.count - 1)
                if not notices[at].count:
                    del notices[at]
                break
