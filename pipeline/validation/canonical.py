"""Text cells into the canonical frame of ``schemas.manifest``: facts, and nothing is judged."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.date_columns import (
    ABSENT,
    UNREADABLE,
    Times,
    read_times,
    with_clocks,
    with_years,
)
from pipeline.core.free_text import folded, lengths, read_reasons, with_reasons, without_absent
from pipeline.core.model import Block, RowFacts
from pipeline.validation.columns import ColumnMap
from pipeline.validation.evidence.sources import column_named
from pipeline.validation.order_ids import canonical_ids, crossed, unnumbered
from pipeline.validation.row_layout import error_cells, nul_cells, shapes, wider, without_status
from pipeline.validation.sheet_dates import (
    SERIAL,
    Proof,
    as_proven,
    concerns,
    events,
    in_doubt,
    newer,
    own_times,
    two_way,
)
from pipeline.validation.status_resolution import Statuses, resolve_statuses
from schemas.courier import DateRule, Profile
from schemas.date_headings import (
    begin_meant,
    failure_meant,
    is_past,
    told_apart,
    told_by,
    zone_named,
)
from schemas.limits import CLOCKS_OFF_MS, DAY_MS, FUTURE_HOURS, HOUR_MS, RANGE_DAYS, TEXT_LENGTH
from schemas.manifest import DateKind, Fact
from schemas.normalise import FALSE_WORDS, TRUE_WORDS, fold, is_absent
from schemas.parcels import BLOCKED_AS, BlockReason, is_confirmed
from schemas.status_headings import gives_status, speaks_of_failure
from schemas.statuses import Direction, StatusMeaning, agrees
from schemas.vocabulary import DATE_ROLES, NO_MILESTONE, STEPS, CellKind, Milestone, Role

_DATES = {
    Role.EVENT_TIME: (Fact.EVENT_TIME, Fact.EVENT_TIME_KIND, Fact.EVENT_TIME_ORDER),
    Role.PROMISED: (Fact.PROMISED, Fact.PROMISED_KIND, Fact.PROMISED_ORDER),
    Role.ESTIMATED: (Fact.ESTIMATED, Fact.ESTIMATED_KIND, Fact.ESTIMATED_ORDER),
}


_EARLY = {Role.PROMISED: Fact.PROMISED_EARLY, Role.ESTIMATED: Fact.ESTIMATED_EARLY}
_EARLY_DAYS = 60
_AHEAD_HOURS = 6
"""From which an event lies ahead by more than its zone, and beside a delivery date that has passed:
the two columns were exchanged."""


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
"""Sources of a fact, of which ``schemas.sentences`` makes its sentences."""


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
        """Return a role's cells as they stand in the file, all "" without a column."""
        at = self.mapping.columns.get(role)
        return pa.repeat("", len(self.block)) if at is None else self.block.cells[at]

    def values(self, role: Role) -> pa.Array:
        """Return a role's cells, those that are a formula's error left out."""
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
    proven: Collection[Proof] = (),
    ends: Sequence[int] = (),
) -> Canonical:
    """Collect the facts of every row; no row is dropped, no cell is judged.

    ``ends``: where the rows of each file end, when there are several files: ids of one say nothing
    of another's. ``now_ms``: when each row was received. ``timezone``: IANA name, for times without
    a zone when the profile names none. ``mixed``: date roles whose column mixes kinds of cells
    somewhere in the file, where the profile is strict about it. ``proven``: what the dates of the
    sheet prove about day and month.
    """
    facts = _Facts(block=block, mapping=mapping)
    zone = ZoneInfo(profile.zone or timezone)
    auto = auto_dispatched(block, mapping, profile)
    dates = _Dates(
        facts=facts, profile=profile, zone=zone, proven=proven, now_ms=int(now_ms.max(initial=0))
    )
    facts.block = replace(block, said={**block.said, **_later_failures(dates)})
    _put_rows(facts, profile)
    bare = unnumbered(facts.cells(Role.ORDER_ID))
    ids = _put_ids(facts, profile, bare)
    statuses = _put_statuses(facts, profile, auto)
    _put_statuses_for_ids(facts, ids, bare, statuses.milestones(), profile, ends)
    times = _put_dates(dates, statuses.milestones(), now_ms, mixed)
    reasons, texts = _put_texts(facts, profile, statuses.milestones())
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
        if column in each.shown and not _is_explained(each, column, profile)
    }
    facts.mark(Fact.SHOWN, otherwise, heading=mapping.header(Role.ORDER_ID))
    facts.mark(Fact.RESTORED, restored, heading=mapping.header(Role.ORDER_ID))
    for fact, column, shown in error_cells(block, mapping, profile):
        heading = " ".join(mapping.headers[column].split())
        facts.flag(fact, shown, Cells(heading=heading, cells=block.cells[column]))


def _is_explained(row: RowFacts, column: int, profile: Profile) -> bool:
    """Return whether the profile says what the number format of an id means, or that it is none."""
    code = row.formats.get(column, "")
    return bool(code) and (profile.means_nothing(code) or bool(_shown_id(row, column, profile)))


def _shown_id(row: RowFacts, column: int, profile: Profile) -> str:
    """Return an id as its cell shows it, where the profile says so; else ""."""
    known = row.formats.get(column) in profile.ids.as_shown
    shown = row.shown[column] if known else ""
    return shown.removeprefix("as ") if shown.startswith("as ") else ""


def _put_ids(facts: _Facts, profile: Profile, bare: npt.NDArray[np.int64]) -> pa.Array:
    """Put the ids, and what kind of cell each was: a 20-digit number keeps 15 digits."""
    at = facts.mapping.columns[Role.ORDER_ID]
    kinds = facts.block.kinds.get(at)
    ids = canonical_ids(facts.block.cells[at], kinds, bare=bare)
    id_kinds = np.zeros(len(facts.block), dtype=np.int8) if kinds is None else kinds
    rows = facts.block.facts.items() if profile.ids.as_shown else ()
    made = {place: shown for place, row in rows if (shown := _shown_id(row, at, profile))}
    if made:
        id_kinds = id_kinds.copy()
        id_kinds[[*made]] = CellKind.TEXT
        texts = ids.to_pylist()
        ids = pa.array([made.get(place, text) for place, text in enumerate(texts)], pa.string())
    both = pa.StructArray.from_arrays([ids, pa.array(id_kinds, pa.int8())], ["text", "kind"])
    facts.put(Fact.ID, both, role=Role.ORDER_ID)
    return ids


def _put_statuses(facts: _Facts, profile: Profile, auto: npt.NDArray[np.bool_]) -> Statuses:
    statuses = resolve_statuses(facts.block, facts.mapping, profile)
    meanings = statuses.meanings()
    meanings[without_status(facts.block, facts.mapping)] = StatusMeaning.BROKEN
    facts.columns[Fact.STATUS] = pa.array(meanings, pa.int8())
    facts.evidence[Fact.STATUS] = Records(
        heading=facts.mapping.header(Role.STATUS), index=statuses.index, distinct=statuses.cases
    )
    _put_held(facts, statuses.milestones())
    if auto.any():
        reported = auto & (statuses.milestones() == Milestone.BAG_PICKED)
        facts.flag(Fact.PICKUP_REPORTED, reported, _cells_of(facts, Role.AUTO_DISPATCH))
    return statuses


def _put_statuses_for_ids(
    facts: _Facts,
    ids: pa.Array,
    bare: npt.NDArray[np.int64],
    milestones: npt.NDArray[np.int8],
    profile: Profile,
    ends: Sequence[int],
) -> None:
    """Put which rows to be sent have a status, or an AWB, where their order id should be.

    And which have another id that is unlike those of the file. ``bare``: the ids without a number.
    """
    texts = {at: ids[at].as_py() for at in bare.tolist() if milestones[at]}
    known = {
        each: gives_status(each, profile.statuses, numbers=False) for each in {*texts.values()}
    }
    shifted = {at: (1, said) for at, said in texts.items() if known[said]}
    facts.mark(Fact.STATUS_FOR_ID, shifted)
    odd = {
        at: (1, each.odd_id)
        for at, each in facts.block.facts.items()
        if each.odd_id and milestones[at] and at not in shifted
    }
    facts.mark(Fact.ODD_ID, odd, heading=facts.mapping.header(Role.ORDER_ID))
    if Role.AWB in facts.mapping.columns:
        awbs = facts.cells(Role.AWB)
        swapped = crossed(ids, awbs)
        if swapped.any() and ends:
            files = [slice(*each) for each in pairwise((0, *ends))]
            swapped = np.concatenate([crossed(ids[each], awbs[each]) for each in files])
        facts.flag(Fact.AWB_FOR_ID, swapped & (milestones > 0), Cells(heading="", cells=ids))


def _put_held(facts: _Facts, milestones: npt.NDArray[np.int8]) -> None:
    """Put which statuses came back as they had been held; unclear ones only if they are final."""
    told = {
        at: each
        for at, each in facts.block.facts.items()
        if milestones[at] and not is_confirmed(each.codes)
    }
    final = {at: each for at, each in told.items() if STEPS[milestones[at]].final}
    held: dict[int, tuple[int, object]] = {}
    for at, each in final.items():
        against = next(
            (
                (source, words)
                for source, words, way in each.around
                if not agrees(milestones[at], Direction(way))
            ),
            None,
        )
        if each.still_unclear or against is not None:
            held[at] = (int(BlockReason.UNCLEAR), None if each.still_unclear else against)
    held |= {at: (int(BlockReason.MOVED), each.moved) for at, each in told.items() if each.moved}
    held |= {at: (int(BlockReason.UNCLEAR), ()) for at, each in told.items() if each.nobodys}
    held |= {
        at: (int(why), "")
        for at, each in told.items()
        for why, label in BLOCKED_AS.items()
        if label in each.codes.split(";") and (at in final or each.held_as == milestones[at])
    }
    facts.mark(Fact.BLOCKED, held)


class _Dates(Struct, frozen=True, kw_only=True):
    """The settings for reading the date columns of a sheet. ``now_ms``: when it was received."""

    facts: _Facts
    profile: Profile
    zone: ZoneInfo
    proven: Collection[Proof]
    now_ms: int

    def read(self, role: Role, column: int, cells: pa.Array) -> "_Read":
        """Read a column as dates of a role."""
        rule, doubtful = as_proven(self.profile.date_rule(role), column, self.proven)
        kinds = self.facts.block.kinds.get(column)
        named = zone_named(self.facts.mapping.headers[column])
        times = read_times(cells, kinds, rule, named or self.zone)
        if role is Role.EVENT_TIME and (times.ms == UNREADABLE).any():
            latest = datetime.fromtimestamp(self.now_ms / 1000, self.zone)
            whole = with_years(cells, latest + timedelta(hours=FUTURE_HOURS))
            times = read_times(whole, kinds, rule, named or self.zone)
        if named is not None and role is not Role.EVENT_TIME:
            # A day without a time of day is that day, wherever it is.
            days = np.array(pc.match_substring_regex(cells, r"\d:\d|\d{9}"), dtype=np.bool_)
            local = read_times(cells, kinds, rule, self.zone)
            times = Times(ms=np.where(days, times.ms, local.ms))
        two = np.zeros(len(cells), dtype=np.bool_)
        if doubtful:
            two = in_doubt(cells, kinds, column, self.proven) & times.read
        heading = " ".join(self.facts.mapping.headers[column].split())
        none = np.zeros(len(cells), dtype=np.bool_)
        return _Read(heading=heading, cells=cells, times=times, two_way=two, unlisted=none)

    def guard(self, column: int, now_ms: npt.NDArray[np.int64]) -> "_Read":
        """Read a column that no profile knows: where day and month may be swapped, in our favour.

        It only holds what is too old or lies ahead: that must be so in either order.
        """
        cells = _as_dates(_date_cells(self.facts.block, self.facts.mapping, column))
        read = self.read(Role.EVENT_TIME, column, cells)
        every = np.ones(len(cells), dtype=np.bool_)
        rule = self.profile.date_rule(Role.EVENT_TIME)
        far = read.times.read & ~_is_near(read.times.ms - now_ms)
        sound = read.times.read | (read.times.ms == ABSENT)
        if rule.read_as != "text" or (sound & ~far).all():
            return replace(read, two_way=~every, unlisted=every)
        other = DateRule(day_first=not rule.day_first)
        zone = zone_named(self.facts.mapping.headers[column]) or self.zone
        swapped = read_times(cells, self.facts.block.kinds.get(column), other, zone)
        if sound.all() and (read.times.read & ~swapped.read).any():
            return replace(read, two_way=~every, unlisted=every)  # a cell proves the order
        nearer = np.abs(swapped.ms - now_ms) < np.abs(read.times.ms - now_ms)
        nearer |= far & _is_near(swapped.ms - now_ms)
        ms = np.where(swapped.read & (~read.times.read | nearer), swapped.ms, read.times.ms)
        return replace(read, times=Times(ms=ms), two_way=~every, unlisted=every)

    def role(self, role: Role) -> "_Read | None":
        """Read the column of a role, a newer one before it; None without one."""
        block, mapping = self.facts.block, self.facts.mapping
        if role not in mapping.columns:
            return None
        own = mapping.columns[role]
        cells = block.cells[own]
        if role is Role.EVENT_TIME:
            cells = _date_cells(block, mapping, own)
            pair = told_apart(mapping.headers, own)
            if pair and not cells.equals(block.cells[own]):
                own = pair[0]  # what proves the order of day and month stands there
        found = self.read(role, own, cells)
        column = newer(mapping, role)
        return found if column is None else self.read(role, column, block.cells[column]).over(found)


def _is_near(age: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell of the ages of times, in milliseconds, whether they are neither too old nor ahead."""
    near: npt.NDArray[np.bool_] = age >= -RANGE_DAYS * DAY_MS
    return near & (age <= FUTURE_HOURS * HOUR_MS)


class _Read(Struct, frozen=True, kw_only=True):
    """A column as it was read. ``two_way``: instants that may be day or month first.

    ``unlisted``: rows whose time is from a column that no profile knows.
    """

    heading: str
    cells: pa.Array
    times: Times
    two_way: npt.NDArray[np.bool_]
    unlisted: npt.NDArray[np.bool_]

    def over(self, other: "_Read | None", rows: npt.NDArray[np.bool_] | None = None) -> "_Read":
        """Return the other one with our dates in its place where we have any.

        ``rows``: where the other one goes first, and ours only counts if it can be read.
        """
        if other is None:
            return self
        mine = self.times.ms != ABSENT if rows is None else rows
        if not mine.any():
            return other
        return _Read(
            heading=self.heading,
            cells=pc.if_else(pa.array(mine), self.cells, other.cells),
            times=Times(ms=np.where(mine, self.times.ms, other.times.ms)),
            two_way=np.where(mine, self.two_way, other.two_way),
            unlisted=np.where(mine, self.unlisted, other.unlisted),
        )


def _later_failures(dates: _Dates) -> dict[str, pa.Array]:
    """Return the dates of failed deliveries that are later than the row's event, as claims.

    And those of pickups and bookings that are days later. Dates that may be day or month first say
    nothing, nor does one on the day of an event without a time of day.
    """
    block, mapping = dates.facts.block, dates.facts.mapping
    used = {*mapping.columns.values()}
    columns = {
        at: 0 if fails else CLOCKS_OFF_MS
        for at, heading in enumerate(mapping.headers)
        if (fails := failure_meant(heading)) or (at not in used and begin_meant(heading))
    }
    event = dates.role(Role.EVENT_TIME) if columns else None
    if event is None:
        return {}
    alone = ~np.array(pc.match_substring_regex(event.cells, r"\d:\d|T\d|\d{9}"), dtype=np.bool_)
    end = event.times.ms + np.where(alone, DAY_MS - 1, 0)
    found = {}
    for at, slack in columns.items():
        failed = dates.read(Role.EVENT_TIME, at, block.cells[at])
        later = (
            event.times.read & failed.times.read & ~failed.two_way & (failed.times.ms - slack > end)
        )
        if slack and later.any():  # in whichever order day and month are
            other = DateRule(day_first=not dates.profile.date_rule(Role.EVENT_TIME).day_first)
            swapped = read_times(block.cells[at], block.kinds.get(at), other, dates.zone)
            later &= ~swapped.read | (swapped.ms - slack > end)
        if later.any():
            claims = pc.binary_join_element_wise(Direction.UNDELIVERED, block.cells[at], ":")
            column = column_named(mapping.headers, at)
            found[column] = pc.if_else(pa.array(later), claims, block.said.get(column, ""))
    return found


def _put_dates(
    dates: _Dates,
    milestones: npt.NDArray[np.int8],
    now_ms: npt.NDArray[np.int64],
    mixed: Collection[Role],
) -> dict[Role, Times]:
    facts, found = dates.facts, {}
    # A pickup without a time is not older than its file.
    begun = np.where(milestones == Milestone.BAG_PICKED, now_ms, ABSENT)
    ahead = np.zeros(len(now_ms), dtype=np.bool_)
    for role in DATE_ROLES:
        read = dates.role(role)
        if role is Role.EVENT_TIME:
            read = _with_events(read, dates, milestones, now_ms)
        if read is None:
            continue
        read = replace(read, two_way=read.two_way | _not_taken(read, role, facts.block))
        age, kind, order = _DATES[role]
        times, evidence = read.times, Cells(heading=read.heading, cells=read.cells)
        # A row for which there is nothing to send needs no guard.
        unasked = read.two_way | (read.unlisted & (milestones == 0))
        facts.columns[age] = pa.array(times.ms - now_ms, mask=~times.read | unasked)
        facts.evidence[age] = evidence
        date_kinds = np.where(times.ms == UNREADABLE, DateKind.UNREADABLE, DateKind.SOUND)
        if role in mixed:
            date_kinds[times.read] = DateKind.MIXED
        facts.flag(kind, date_kinds, evidence)
        facts.flag(order, read.two_way, evidence)
        if role is Role.EVENT_TIME:
            begun = np.where(times.read & ~read.two_way, times.ms, begun)
            ahead = begun - _AHEAD_HOURS * HOUR_MS > now_ms
        else:
            early = times.read & (times.ms < begun - _EARLY_DAYS * DAY_MS)
            early |= times.read & ahead & (times.ms < now_ms - DAY_MS)
            facts.flag(_EARLY[role], early, evidence)
        found[role] = times
    return found


def _not_taken(read: "_Read", role: Role, block: Block) -> npt.NDArray[np.bool_]:
    """Return which dates of rows that came back may be read two ways, as in their own file."""
    mask = np.zeros(len(block), dtype=np.bool_)
    mask[[at for at, each in block.facts.items() if role.value in each.two_way]] = True
    return mask & two_way(read.cells) & read.times.read if mask.any() else mask


def _with_events(
    read: _Read | None,
    dates: _Dates,
    milestones: npt.NDArray[np.int8],
    now_ms: npt.NDArray[np.int64],
) -> _Read | None:
    """Return event times; a row without one has that of a column that tells of its event.

    Such a column is not listed by name, so a cell of it that cannot be read says nothing. One of
    the row's own milestone, such as Delivered Date, goes first where it is too old or lies ahead:
    exports write the hour at which they were made under Last Updated.
    """
    none = np.zeros(len(dates.facts.block), dtype=np.bool_)
    nearest = dict(events(dates.facts.mapping))
    for column in dict.fromkeys((*nearest, *own_times(dates.facts.mapping, dates.profile))):
        other = dates.guard(column, now_ms)
        if read is None:
            read = replace(other, times=Times(ms=np.full(len(none), ABSENT, dtype=np.int64)))
        age = other.times.ms - now_ms
        own, may_be_planned = told_by(dates.facts.mapping.headers[column])
        wrong = (age < -RANGE_DAYS * DAY_MS) | (age > FUTURE_HOURS * HOUR_MS) & (not may_be_planned)
        sound = wrong & np.isin(milestones, [*own])
        if column in nearest:
            if is_past(dates.facts.mapping.headers[column]):  # one of the row's times is wrong
                sound |= (age > FUTURE_HOURS * HOUR_MS) & (milestones != NO_MILESTONE)
            sound |= concerns(milestones, nearest[column]) & (read.times.ms == ABSENT)
        read = other.over(read, sound & other.times.read)
    return read


def _as_dates(cells: pa.Array) -> pa.Array:
    """Return the cells with numbers of a moment as dates.

    Seconds and milliseconds since 1970, of this century, and ``SERIAL``.
    """
    bare = pc.utf8_trim_whitespace(cells)
    hit = pc.match_substring_regex(bare, SERIAL)
    if pc.any(hit).as_py():
        days = pc.subtract(bare.filter(hit).cast(pa.float64()), _UNIX_SERIAL)
        seconds = pc.round(pc.multiply(days, 86400)).cast(pa.int64())
        texts = pc.strftime(seconds.cast(pa.timestamp("s")), format="%Y-%m-%dT%H:%M:%S")
        bare = pc.replace_with_mask(bare, hit, texts)
    for pattern, unit in ((r"^1[0-9]{9}(?:\.0+)?$", "s"), (r"^1[0-9]{12}(?:\.0+)?$", "ms")):
        hit = pc.match_substring_regex(bare, pattern)
        if pc.any(hit).as_py():
            numbers = pc.replace_substring_regex(bare.filter(hit), r"\..*$", "").cast(pa.int64())
            texts = pc.strftime(
                numbers.cast(pa.timestamp(unit, tz="UTC")), format="%Y-%m-%dT%H:%M:%SZ"
            )
            if unit == "ms":
                texts = pc.replace_substring_regex(texts, r"\.[0-9]+Z$", "Z")
            bare = pc.replace_with_mask(bare, hit, texts)
    return bare


_UNIX_SERIAL = 25569
"""The number as which a spreadsheet stores the first day of 1970."""


def _date_cells(block: Block, mapping: ColumnMap, column: int) -> pa.Array:
    """Return a date column; a time of day in a column beside it completes its dates."""
    cells = block.cells[column]
    clock = mapping.helpers.get("clock")
    if clock is None or column != mapping.columns.get(Role.EVENT_TIME):
        pair = told_apart(mapping.headers, column)
        return with_clocks(block.cells[pair[0]], block.cells[pair[1]], cells) if pair else cells
    # HHMM loses its leading zeros in a spreadsheet: 930 is 09:30.
    digits = without_absent(block.cells[clock])
    packed = pc.match_substring_regex(digits, r"^[0-9]{1,4}$")
    padded = pc.if_else(packed, pc.utf8_lpad(digits, width=4, padding="0"), digits)
    joined = pc.binary_join_element_wise(cells, padded, "T")
    alone = pc.or_(pc.equal(digits, ""), pc.equal(cells, ""))
    return pc.if_else(alone, cells, joined)


def _of_failures(heading: str, cells: pa.Array) -> npt.NDArray[np.bool_]:
    """Return the cells of a column of reasons that tell why an attempt failed."""
    encoded = cells.dictionary_encode()
    said = [
        not is_absent(fold(cell)) and speaks_of_failure(heading, cell)
        for cell in encoded.dictionary.to_pylist()
    ]
    found = np.array(said, dtype=np.bool_)
    return found[encoded.indices.to_numpy(zero_copy_only=False)] if any(said) else np.array(False)


def _put_texts(
    facts: _Facts, profile: Profile, milestones: npt.NDArray[np.int8]
) -> tuple[pa.Array, dict[Role, pa.Array]]:
    """Put which reasons are no number or not of a delivery, and how long texts are."""
    cells = facts.values(Role.REASON_CODE)
    stale = _of_failures(facts.mapping.header(Role.REASON_CODE), cells)
    stale = stale & (milestones == Milestone.DELIVERY_DONE)
    if stale.any():
        facts.flag(Fact.REASON_STALE, stale, _cells_of(facts, Role.REASON_CODE))
        cells = pc.if_else(pa.array(stale), "", cells)
    numbers, words = read_reasons(cells, profile.reasons)
    odd = pc.not_equal(words, "").to_numpy(zero_copy_only=False)
    if profile.reason_codes:
        own = pc.match_substring_regex(words, rf"^\s*(?:{profile.reason_codes})\s*$")
        odd = odd & ~own.to_numpy(zero_copy_only=False)
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
    """Return True for rows whose cell for this role says no; for none without a column."""
    column = mapping.columns.get(role)
    if column is None:
        return np.zeros(len(block), dtype=np.bool_)
    return _among(folded(block.cells[column]), FALSE_WORDS)


def _among(words: pa.Array, known: frozenset[str]) -> npt.NDArray[np.bool_]:
    hits: npt.NDArray[np.bool_] = pc.is_in(
        words, value_set=pa.array(sorted(known), pa.string())
    ).to_numpy(zero_copy_only=False)
    return hits.copy()
