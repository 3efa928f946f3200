"""The records that all steps share: frozen, keyword-only, without behaviour that has effects.

Vocabulary: a *drop* is one file that was left in the inbox; its content is a *manifest*. A
*milestone* is a status the API accepts; an *update* is one order's milestone on its way to the
API; a *chunk* is up to 20 updates that travel in one call; a *wave* holds chunks that may travel
together; a *receipt* is what the ledger keeps of one call.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.row_keys import RowKey
from schemas.codes import Code

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


from schemas.courier import Profile

BLOCK_ROWS = 50_000
"""Most rows in a block. Steps pass blocks, so that memory does not grow with the file."""


class DropState(StrEnum):
    """The states of a drop, as the ledger has them."""

    CLAIMING = "claiming"  # intent recorded, rename not yet certain
    CLAIMED = "claimed"  # ours, in work/; nothing frozen
    OPEN = "open"  # planned and frozen; being sent, or waiting to go on
    COMPLETED = "completed"
    REFUSED = "refused"
    CANCELLED = "cancelled"

    @property
    def closed(self) -> bool:
        """Return True when nothing more will happen to the drop."""
        return self in {DropState.COMPLETED, DropState.REFUSED, DropState.CANCELLED}


class DropRequest(StrEnum):
    """A person's request for a drop, as the ledger keeps it."""

    NONE = ""
    RETRY = "retry"
    CANCEL = "cancel"


class Disposition(IntEnum):
    """The decision of validation and planning about a row before any call."""

    SEND = 0
    IGNORED = 1
    REJECTED = 2
    DUPLICATE = 3
    SHARED = 4  # repeats a row that is sent: shares its outcome
    SKIPPED = 5  # a footer: counted, not a data row


class RowFacts(Struct, frozen=True, kw_only=True):
    """Facts about a row that does not lie below the headings as others do.

    ``cells``: how many cells the record has, None where it has one for each heading. ``shown``:
    column → how a spreadsheet shows the number in it (``as 0012``), where that is not as it is
    stored; ``formats``: column → the number format that does so. ``counts_rows``: it is the last
    and tells, in its only cell, how many there are. ``crossed_out``: its id, AWB, status or time
    is; ``comment``: those on these cells, by a person, each on a line. ``odd_id``: its id, where
    that is unlike the other ids of the file.

    In a rejects file that came back: ``beyond``: text right of the last named column.
    ``damaged_id``: what a spreadsheet had made of its id before that was put back. ``codes``: those
    that it was rejected with; ``held_as``: its milestone then, 0 where that is not known.
    ``still_unclear``: its status was unclear, and no cell that tells what happened was changed
    since. ``around``: what its own file said of it elsewhere, as source, words and way.
    ``two_way``: roles of dates that were not taken there, and are as they were. ``moved``: a column
    that has the date of another one there, as source and cell. ``nobodys``: the cell was emptied
    that named its drop, as those of other rows do.
    """

    cells: int | None = None
    beyond: str = ""
    damaged_id: str | None = None
    codes: str = ""
    held_as: int = 0
    still_unclear: bool = False
    around: tuple[tuple[str, str, str], ...] = ()
    two_way: frozenset[str] = frozenset()
    moved: tuple[str, str] | None = None
    nobodys: bool = False
    shown: Mapping[int, str] = field(default_factory=dict)
    formats: Mapping[int, str] = field(default_factory=dict)
    counts_rows: bool = False
    crossed_out: bool = False
    comment: str = ""
    odd_id: str = ""


class Notice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A warning about the whole file, or a group of alike warnings of its rows."""

    code: Code
    message: str
    column: str = ""
    count: int = 1
    example_row: int | None = None


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


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds on a file. Sizes in bytes, rows in data rows over all sheets."""

    max_bytes: int = 1024 * 1024 * 1024
    max_rows: int = 2_000_000
    max_inflated_bytes: int = 4 * 1024 * 1024 * 1024
    max_members: int = 2_000
    max_columns: int = 1_000
    header_search_rows: int = 50


class Block(Struct, frozen=True, kw_only=True):
    """Up to ``BLOCK_ROWS`` consecutive data rows of one sheet, as text.

    ``rows``: record numbers as a spreadsheet shows them (first record 1). ``cells``: one string
    array per header, never null ("" for an empty cell). ``kinds``: for spreadsheets only, column
    index → ``CellKind`` per row, for columns that hold anything but text. ``extra``: position in
    the block → cells beyond the last header, where one of them holds something or
    most rows have none (``EMPTY_SURPLUS``). ``facts``: position
    in the block → what is particular about the row; the rules of ``schemas.manifest`` judge it.
    ``said``: where the direction may be said outside its column, as messages name it (``the column
    "Leg"``) → the cell that says it, "" for none. ``others``: further columns with statuses, named
    the same way → their cells that are statuses, "" for any other (``validation.evidence``).
    """

    rows: "npt.NDArray[np.int32]"
    cells: "tuple[pa.Array, ...]"
    kinds: "Mapping[int, npt.NDArray[np.int8]]" = field(default_factory=dict)
    extra: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    facts: Mapping[int, RowFacts] = field(default_factory=dict)
    said: "Mapping[str, pa.Array]" = field(default_factory=dict)
    others: "Mapping[str, pa.Array]" = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, places: "npt.NDArray[np.int64]") -> "Block":
        """Return some of its rows, in their order."""
        new_place = {old: new for new, old in enumerate(places.tolist())}

        def some(columns: "Mapping[Any, pa.Array]") -> "dict[Any, pa.Array]":
            return {key: column.take(places) for key, column in columns.items()}

        return replace(
            self,
            rows=self.rows[places],
            cells=tuple(column.take(places) for column in self.cells),
            kinds={column: kinds[places] for column, kinds in self.kinds.items()},
            extra={new_place[at]: each for at, each in self.extra.items() if at in new_place},
            facts={new_place[at]: each for at, each in self.facts.items() if at in new_place},
            said=some(self.said),
            others=some(self.others),
        )


class ReadTally(Struct, kw_only=True):
    """Counts of the records that a reader passed over; complete once its blocks are exhausted."""

    blank: int = 0
    header: int = 0


class Sheet(Struct, frozen=True, kw_only=True):
    """One table of a manifest: its header and, lazily, its rows.

    ``blocks`` yields the rows in order, block by block, and fills in the tally on the way; it may
    be called again. ``name`` is "" for CSV. ``header_row`` is the header's record number.
    ``title``: what stands alone in the last filled row above the header, "" without one.
    ``hidden``: the columns that a person does not see in it. ``comments``: column → that on its
    heading, where it speaks of the rows. ``table``: the name that a spreadsheet program has for it.
    """

    name: str
    header_row: int
    headers: tuple[str, ...]
    blocks: Callable[[ReadTally], Iterator[Block]]
    title: str = ""
    hidden: frozenset[int] = frozenset()
    comments: Mapping[int, str] = field(default_factory=dict)
    table: str = ""


class ListedIds(Struct, frozen=True, kw_only=True):
    """Ids that a tab without a table lists, and the words of its name or of a line on it."""

    tab: str
    words: str
    ids: frozenset[str]


class Manifest(Struct, frozen=True, kw_only=True):
    """A file that could be opened: its sheets with a header, and remarks about the whole.

    ``lists``: what its other tabs say of ids: cancelled ones, say.
    """

    sheets: tuple[Sheet, ...]
    notices: tuple[Notice, ...] = ()
    lists: tuple[ListedIds, ...] = ()
    kind: str = "csv"
    dialect: Mapping[str, str] = field(default_factory=dict)


class PreparedBlock(Struct, frozen=True, kw_only=True):
    """A block after mapping, validation and transformation.

    ``table`` has the schema ``row_columns.PREPARED``, one line per row of the block, in its order.
    ``notices`` groups the block's faults and warnings by code and column, for the summary.
    """

    table: "pa.Table"
    notices: tuple[Notice, ...] = ()


class ResultBlock(Struct, frozen=True, kw_only=True):
    """A block with the outcome of each of its rows; ``table`` has the columns ``RESULT``.

    ``cells`` and ``extra`` are the original text, as in ``Block``, for the rejects file.
    """

    sheet: str
    headers: tuple[str, ...]
    table: "pa.Table"
    cells: "tuple[pa.Array, ...]"
    extra: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


class SheetFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sheet as it was read: ``roles`` maps a role to its column's index.

    ``matched``: role → how its heading was recognised (``columns.Match``); ``unused``: the headings
    that stand for nothing. ``heard``: what else said something of the rows, as messages name it
    (``the column "Leg"``) → what about: ``direction`` or ``status``. An earlier Shipdrop kept none
    of these three.
    """

    name: str
    headers: tuple[str, ...]
    roles: Mapping[str, int]
    rows: int
    matched: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    heard: Mapping[str, str] = field(default_factory=dict)


class Skipped(Struct, frozen=True, kw_only=True):
    """Counts of the records of a file that are no data rows."""

    blank: int = 0
    header: int = 0
    footer: int = 0


class SetAside(Struct, frozen=True, array_like=True):
    """A row that was set aside; reason and name are "" once details were removed."""

    row: RowKey
    reason: str
    who: str
    at: str


class InboxAgain(Struct, frozen=True, kw_only=True):
    """The file of a closed drop was put into the inbox to be read again: there, by whom, when.

    ``after``: the highest ``seq`` of all drops before that.
    """

    at: str
    who: str
    folder: str
    name: str
    after: int


class DropFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of a drop besides its line; the ledger keeps them as JSON, by these names.

    At its claim: ``mtime_ns``, the file's modification time when it was hashed, and ``continues``,
    the earlier drop whose file this is: it was written to after it had been taken. ``changed``: it
    was written to after it was read.

    Once it was planned: ``sheets``, ``notices`` of reading and planning, ``skipped``,
    ``courier_why``, ``total`` of its data rows, ``spool``, the part of its folder in which the
    worker that planned it wrote, and ``waits_for``: the drops that have to settle some of its
    orders before its last rows can go.

    Once it was reported: ``summary``, the object of summary.json; ``last_report``, while it is
    open: a digest of that. ``to_correct``, if it was refused for its many bad rows: how many its
    rejects file has.

    Closed: ``fixed_rows``, its rows that were corrected in other drops; ``aside``, those that are
    left as they are; ``returned``, those that need a person in the drop it corrects, each as (row
    here, row there); ``put_off``, where nothing is to be done about it: reason, who, when;
    ``again``; ``tidied``: when its details were removed with its rows, ISO 8601; counts stay.
    """

    mtime_ns: int = -1
    continues: str | None = None
    changed: bool = False
    sheets: tuple[SheetFacts, ...] = ()
    notices: tuple[Notice, ...] = ()
    skipped: Skipped = Skipped()
    courier_why: str = ""
    total: int | None = None
    spool: str = ""
    waits_for: tuple[str, ...] = ()
    summary: Mapping[str, Any] | None = None
    last_report: str = ""
    to_correct: int = 0
    fixed_rows: tuple[RowKey, ...] = ()
    aside: tuple[SetAside, ...] = ()
    returned: tuple[tuple[RowKey, RowKey], ...] = ()
    put_off: tuple[str, str, str] | None = None
    again: InboxAgain | None = None
    tidied: str = ""

    @property
    def rows(self) -> Mapping[str, int]:
        """Return how many rows have each outcome by its last report; {} before the first."""
        return (self.summary or {}).get("rows") or {}

    @property
    def key_sheets(self) -> list[str]:
        """Return for each sheet what its rows' keys name: "" where there is only one."""
        names = [sheet.name for sheet in self.sheets]
        return names if len(names) > 1 else [""] * len(names)


class Drop(Struct, frozen=True, kw_only=True):
    """One file that was left in the inbox, as the ledger has it. Times are aware, UTC.

    ``seq``: its number, 0 until it has one. ``folder`` is the inbox sub-folder ("" for the inbox
    itself), ``source_file`` the name it was dropped under.
    """

    seq: int
    drop_id: str
    folder: str
    source_file: str
    state: DropState
    received_at: datetime
    size: int = 0
    sha256: str = ""
    courier: str = ""
    parent: str | None = None
    same_as: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    request: DropRequest = DropRequest.NONE
    facts: DropFacts = DropFacts()

    @property
    def continues(self) -> str | None:
        """Return the earlier drop whose file this is: it was written to after it had been taken."""
        return self.facts.continues

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Return the drops that have to settle some of its orders before its last rows can go."""
        return self.facts.waits_for

    def noting(self, **facts: object) -> "Drop":
        """Return the drop with these facts changed."""
        return replace(self, facts=replace(self.facts, **facts))

    def planned_with(self, facts: DropFacts) -> "Drop":
        """Return the drop with these facts, and with those that its claim knew."""
        known = self.facts
        return replace(
            self, facts=replace(facts, mtime_ns=known.mtime_ns, continues=known.continues)
        )


class ReadyFile(Struct, frozen=True, kw_only=True):
    """A settled file in the inbox. ``identity`` is (device, inode, size, mtime_ns)."""

    folder: str
    name: str
    identity: tuple[int, int, int, int]


def stamp(moment: datetime) -> str:
    """Return UTC, ISO 8601, milliseconds, ending in Z: how every file we write shows a time."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ReadingSettings(Struct, frozen=True, kw_only=True):
    """The settings of reading: profiles by name, limits, the zone of times without one."""

    profiles: Mapping[str, Profile]
    default: str
    limits: Limits
    timezone: str


class Source(Struct, frozen=True, kw_only=True):
    """A file to prepare. ``named``: the courier chosen for it; ``now``: when it was received."""

    path: Path
    name: str
    named: str | None
    now: datetime


class Facts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The facts about a file that was read to its end; its rows are in the spool.

    ``courier``: the name of the profile it was read with, and ``why``. ``total``: data rows,
    footers not counted. ``id_bad``: rows whose id is missing or invalid.
    """

    sheets: tuple[SheetFacts, ...]
    courier: str
    why: str
    total: int
    id_bad: int
    rejected: int
    notices: tuple[Notice, ...]
    blank: int
    header: int
    footer: int
    parent: str | None
    kind: str
