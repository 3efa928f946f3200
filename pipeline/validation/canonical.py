"""Text cells into the canonical frame of ``schemas.manifest``: facts, and nothing is judged."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field

from pipeline.core.free_text import lengths, read_reasons, with_reasons, without_absent
from pipeline.core.model import Block
from pipeline.validation.boolean_columns import auto_dispatched, says_no
from pipeline.validation.columns import ColumnMap
from pipeline.validation.date_columns import UNREADABLE, Times, read_times
from pipeline.validation.order_ids import canonical_ids
from pipeline.validation.row_shape import error_cells, nul_cells, shapes, wider, without_status
from pipeline.validation.status_resolution import Statuses, resolve_statuses
from schemas.courier import Profile
from schemas.limits import TEXT_LENGTH
from schemas.manifest import DateKind, Fact
from schemas.parcels import HELD_AS
from schemas.statuses import Verdict
from schemas.vocabulary import DATE_ROLES, STEPS, CellKind, Milestone, Role

_DATES = {
    Role.EVENT_TIME: (Fact.EVENT_TIME, Fact.EVENT_TIME_KIND),
    Role.PROMISED: (Fact.PROMISED, Fact.PROMISED_KIND),
    Role.ESTIMATED: (Fact.ESTIMATED, Fact.ESTIMATED_KIND),
}


class Cells(Struct, frozen=True, kw_only=True):
    """A column's cells, as the file has them, that a fact was taken from."""

    heading: str
    cells: pa.Array

    def of(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], list[Any]]:
        """Return what stands in some rows: for each its place in a list without doubles."""
        encoded = self.cells.take(pa.array(rows)).dictionary_encode()
        return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()


class Records(Struct, frozen=True, kw_only=True):
    """Records of our own that a fact was taken from: ``index`` says which of them a row has.

    ``heading``: of the column, "" where they are about the whole row.
    """

    heading: str
    index: npt.NDArray[np.int64]
    distinct: Sequence[Any]

    def of(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], list[Any]]:
        """Return what some rows have: for each its place in a list without doubles."""
        used, places = np.unique(self.index[rows], return_inverse=True)
        return places, [self.distinct[at] for at in used.tolist()]


Evidence = Cells | Records
"""What a fact was taken from: what ``schemas.words`` make their sentences of."""


class Canonical(Struct, frozen=True, kw_only=True):
    """A block in canonical form.

    ``frame``: the facts, as ``schemas.manifest`` judges them. ``evidence``: what they were taken
    from. ``ids``: order ids with their wrappers off. ``statuses``: the resolved combinations.
    ``times``: the instants of each date role that has a column; ``zone``: where times without a
    zone are. ``reasons``: those that are numbers, as text. ``texts``: remarks, with the reasons
    that are none before them, and locations. ``auto``: rows whose order's pickup auto dispatch
    reports.
    """

    frame: pd.DataFrame
    evidence: Mapping[Fact, Evidence]
    ids: pa.Array
    statuses: Statuses
    times: Mapping[Role, Times]
    zone: ZoneInfo
    reasons: pa.Array
    texts: Mapping[Role, pa.Array]
    auto: npt.NDArray[np.bool_]


class _Facts(Struct, kw_only=True):
    """The columns of a frame that is being made, and the evidence for each."""

    block: Block
    mapping: ColumnMap
    columns: dict[Fact, pa.Array] = field(default_factory=dict)
    evidence: dict[Fact, Evidence] = field(default_factory=dict)

    def put(self, fact: Fact, values: pa.Array, *, role: Role) -> None:
        """Add a column that was taken from a role's cells."""
        self.columns[fact] = values
        self.evidence[fact] = Cells(heading=self.mapping.header(role), cells=self.cells(role))

    def flag(self, fact: Fact, flags: npt.NDArray[Any], evidence: Evidence) -> None:
        """Add a flag, unless it is nowhere set."""
        if flags.any():
            self.columns[fact] = pa.array(flags.astype(np.int8), pa.int8())
            self.evidence[fact] = evidence

    def mark(self, fact: Fact, found: Mapping[int, tuple[int, Any]], *, heading: str = "") -> None:
        """Set a flag in single rows: position → its value, and the evidence for it."""
        if not found:
            return
        flags, index = np.zeros((2, len(self.block)), dtype=np.int64)
        for number, (at, (value, _)) in enumerate(found.items()):
            flags[at], index[at] = value, number
        distinct = [evidence for _, evidence in found.values()]
        self.flag(fact, flags, Records(heading=heading, index=index, distinct=distinct))

    def cells(self, role: Role) -> pa.Array:
        """A role's cells as they stand in the file, all "" without a column."""
        at = self.mapping.columns.get(role)
        return pa.repeat("", len(self.block)) if at is None else self.block.cells[at]

    def values(self, role: Role) -> pa.Array:
        """A role's cells, those that are a formula's error left out."""
        at = self.mapping.columns.get(role, -1)
        cells, kinds = self.cells(role), self.block.kinds.get(at)
        if kinds is None or not (kinds == CellKind.ERROR).any():
            return cells
        return pc.if_else(pa.array(kinds == CellKind.ERROR), "", cells)


def normalise(
    block: Block,
    mapping: ColumnMap,
    profile: Profile,
    *,
    now_ms: npt.NDArray[np.int64],
    timezone: str,
    mixed: Collection[Role] = (),
) -> Canonical:
    """Collect the facts of every row; no row is dropped, no cell is judged.

    ``now_ms``: when each row was received. ``timezone``: IANA name, for times without a zone when
    the profile names none. ``mixed``: date roles whose column mixes kinds of cells somewhere in
    the file, where the profile is strict about it.
    """
    facts = _Facts(block=block, mapping=mapping)
    zone = ZoneInfo(profile.zone or timezone)
    auto = auto_dispatched(block, mapping, profile)
    _put_rows(facts, profile)
    ids = _put_ids(facts)
    statuses = _put_statuses(facts, profile, auto)
    times = _put_dates(facts, profile, zone, now_ms, mixed)
    reasons, texts = _put_texts(facts, profile)
    not_self_ship = says_no(block, mapping, Role.SELF_SHIP)
    facts.flag(Fact.NOT_SELF_SHIP, not_self_ship, _cells_of(facts, Role.SELF_SHIP))
    frame = pd.DataFrame(
        {
            fact.value: pd.arrays.ArrowExtensionArray(values)
            for fact, values in facts.columns.items()
        },
        copy=False,
    )
    return Canonical(
        frame=frame,
        evidence=facts.evidence,
        ids=ids,
        statuses=statuses,
        times=times,
        zone=zone,
        reasons=reasons,
        texts=texts,
        auto=auto,
    )


def _cells_of(facts: _Facts, role: Role) -> Cells:
    return Cells(heading=facts.mapping.header(role), cells=facts.cells(role))


def _put_rows(facts: _Facts, profile: Profile) -> None:
    """Put how the cells of each row lie, and which of them hold no value."""
    block, mapping = facts.block, facts.mapping
    facts.mark(Fact.SHAPE, shapes(block, mapping))
    facts.mark(Fact.WIDER, dict.fromkeys(wider(block), (1, None)))
    facts.mark(Fact.NUL, {at: (1, held) for at, held in nul_cells(block, mapping).items()})
    restored = {
        at: (1, each.damaged_id) for at, each in block.facts.items() if each.damaged_id is not None
    }
    column = mapping.columns[Role.ORDER_ID]
    otherwise = {
        at: (1, (each.shown[column], block.cells[column][at].as_py()))
        for at, each in block.facts.items()
        if column in each.shown
    }
    facts.mark(Fact.SHOWN, otherwise, heading=mapping.header(Role.ORDER_ID))
    facts.mark(Fact.RESTORED, restored, heading=mapping.header(Role.ORDER_ID))
    for fact, column, shown in error_cells(block, mapping, profile):
        heading = " ".join(mapping.headers[column].split())
        facts.flag(fact, shown, Cells(heading=heading, cells=block.cells[column]))


def _put_ids(facts: _Facts) -> pa.Array:
    """Put the ids, and what kind of cell each was: a 20-digit number keeps 15 digits."""
    at = facts.mapping.columns[Role.ORDER_ID]
    kinds = facts.block.kinds.get(at)
    ids = canonical_ids(facts.block.cells[at], kinds)
    told = np.zeros(len(facts.block), dtype=np.int8) if kinds is None else kinds
    both = pa.StructArray.from_arrays([ids, pa.array(told, pa.int8())], ["text", "kind"])
    facts.put(Fact.ID, both, role=Role.ORDER_ID)
    return ids


def _put_statuses(facts: _Facts, profile: Profile, auto: npt.NDArray[np.bool_]) -> Statuses:
    statuses = resolve_statuses(facts.block, facts.mapping, profile)
    verdicts = statuses.verdicts()
    verdicts[without_status(facts.block, facts.mapping)] = Verdict.BROKEN
    facts.columns[Fact.STATUS] = pa.array(verdicts, pa.int8())
    facts.evidence[Fact.STATUS] = Records(
        heading=facts.mapping.header(Role.STATUS), index=statuses.index, distinct=statuses.cases
    )
    _put_held(facts, statuses.milestones())
    if auto.any():
        reported = auto & (statuses.milestones() == Milestone.BAG_PICKED)
        facts.flag(Fact.PICKUP_REPORTED, reported, _cells_of(facts, Role.AUTO_DISPATCH))
    return statuses


def _put_held(facts: _Facts, milestones: npt.NDArray[np.int8]) -> None:
    """Put which final statuses came back as they had been held."""
    held = {
        at: (int(why), "")
        for at, each in facts.block.facts.items()
        for why, label in HELD_AS.items()
        if label in each.codes.split(";") and milestones[at] and STEPS[milestones[at]].final
    }
    facts.mark(Fact.HELD, held)


def _put_dates(
    facts: _Facts,
    profile: Profile,
    zone: ZoneInfo,
    now_ms: npt.NDArray[np.int64],
    mixed: Collection[Role],
) -> dict[Role, Times]:
    found = {}
    for role in DATE_ROLES:
        column = facts.mapping.columns.get(role)
        if column is None:
            continue
        cells = _date_cells(facts.block, facts.mapping, role)
        kinds = facts.block.kinds.get(column)
        times = read_times(cells, kinds, profile.date_rule(role), zone)
        age, kind = _DATES[role]
        facts.put(age, pa.array(times.ms - now_ms, mask=~times.read), role=role)
        told = np.where(times.ms == UNREADABLE, DateKind.UNREADABLE, DateKind.SOUND)
        if role in mixed:
            told[times.read] = DateKind.MIXED
        facts.flag(kind, told, facts.evidence[age])
        found[role] = times
    return found


def _date_cells(block: Block, mapping: ColumnMap, role: Role) -> pa.Array:
    """A date column; an event's date is completed by the time of day in a column beside it."""
    cells = block.cells[mapping.columns[role]]
    clock = mapping.helpers.get("clock")
    if role is not Role.EVENT_TIME or clock is None:
        return cells
    # HHMM loses its leading zeros in a spreadsheet: 930 is 09:30.
    digits = without_absent(block.cells[clock])
    packed = pc.match_substring_regex(digits, r"^[0-9]{1,4}$")
    padded = pc.if_else(packed, pc.utf8_lpad(digits, width=4, padding="0"), digits)
    joined = pc.binary_join_element_wise(cells, padded, "T")
    alone = pc.or_(pc.equal(digits, ""), pc.equal(cells, ""))
    return pc.if_else(alone, cells, joined)


def _put_texts(facts: _Facts, profile: Profile) -> tuple[pa.Array, dict[Role, pa.Array]]:
    """Put which reasons are no number, and how long remarks and locations are."""
    numbers, words = read_reasons(facts.values(Role.REASON_CODE), profile.reasons)
    odd = pc.not_equal(words, "").to_numpy(zero_copy_only=False)
    facts.flag(Fact.REASON_WORDS, odd, _cells_of(facts, Role.REASON_CODE))
    texts = {
        Role.REMARK: with_reasons(without_absent(facts.values(Role.REMARK)), words),
        Role.LOCATION: without_absent(facts.values(Role.LOCATION)),
    }
    for role, fact in ((Role.REMARK, Fact.REMARK_LENGTH), (Role.LOCATION, Fact.LOCATION_LENGTH)):
        counted = lengths(texts[role], limit=TEXT_LENGTH)
        if counted is not None:
            facts.put(fact, counted, role=role)
    return numbers, texts
