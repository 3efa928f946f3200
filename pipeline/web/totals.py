"""Totals over all drops: by day, courier, outcome and code; and which couriers are late.

Sums are kept in memory and brought up to date by looking only at drops that may have changed, so
that a page or a scrape costs little however long the ledger is.
"""

import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from pipeline.core.errors import UsageError
from pipeline.core.model import DropState
from pipeline.core.ports import DropCounts
from pipeline.service.wiring import Site
from schemas.courier import DAYS, Profile

_KEPT_SECONDS: Final = 2.0
_EXAMPLES: Final = 5
_A_DAY: Final = timedelta(days=1)


def day_named(text: str) -> date:
    """Return the day that ``2026-11-28`` names. Raises UsageError."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f'There is no day "{text[:20]}".', hint="As in 2026-11-28.") from error


class Counted(Struct, frozen=True, kw_only=True):
    """One of the drops that were counted."""

    seq: int
    drop_id: str
    source_file: str
    received_at: datetime
    day: date


class Sums(Struct, kw_only=True):
    """Hold the sums of one courier's drops of one day.

    ``rows`` by outcome, ``states`` in files, ``codes`` in rows; ``seconds``: from the arrival of
    each to its end; ``examples``: the newest drops that have a code, the newest first.
    """

    day: date
    courier: str
    files: int = 0
    first: datetime | None = None
    last: Counted | None = None
    rows: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    examples: dict[str, Sequence[Counted]] = field(default_factory=dict)

    def copy(self) -> "Sums":
        """Return one that can be added to while others read this one."""
        return Sums(
            day=self.day,
            courier=self.courier,
            files=self.files,
            first=self.first,
            last=self.last,
            rows=self.rows.copy(),
            states=self.states.copy(),
            codes=self.codes.copy(),
            seconds=self.seconds[:],
            examples=self.examples.copy(),
        )

    def add(self, drop: DropCounts) -> None:
        """Add a drop of this day and courier."""
        one = Counted(
            seq=drop.seq,
            drop_id=drop.drop_id,
            source_file=drop.source_file,
            received_at=drop.received_at,
            day=self.day,
        )
        self.files += 1
        self.first = min(self.first or drop.received_at, drop.received_at)
        self.last = max(self.last or one, one, key=_by_number)
        self.states[drop.state.value] += 1
        _add(self.rows, drop.rows)
        _add(self.codes, drop.codes)
        if drop.state is DropState.COMPLETED and drop.finished_at is not None:
            self.seconds.append((drop.finished_at - drop.received_at).total_seconds())
        for code in drop.codes:
            self.examples[code] = newest((*self.examples.get(code, ()), one))


def newest(some: Iterable[Counted]) -> Sequence[Counted]:
    """Return the newest few of these, the newest first."""
    return sorted(some, key=_by_number, reverse=True)[:_EXAMPLES]


def _by_number(each: Counted) -> int:
    return each.seq


def _add(total: Counter[str], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        total[name] += count


class _Book(dict[tuple[date, str], Sums]):
    """Day and courier → sums; those of ``before`` are copied before they are added to."""

    def __init__(self, before: Mapping[tuple[date, str], Sums] = MappingProxyType({})) -> None:
        super().__init__()
        self._before = before

    def add(self, day: date, drop: DropCounts) -> None:
        key = day, drop.courier
        if key not in self:
            known = self._before.get(key)
            self[key] = known.copy() if known else Sums(day=day, courier=drop.courier)
        self[key].add(drop)


class DropTotals:
    """Safe from several threads. Sums of days, not drops, are kept: of these there may be millions.

    Drops under way are kept one by one. A day of which a drop is opened again is read anew.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._zone = ZoneInfo(site.settings.manifest.timezone)
        self._closed: Mapping[tuple[date, str], Sums] = {}
        self._open: Mapping[int, DropCounts] = {}
        self._newest = 0
        self._closing = 0
        self._due = float("-inf")
        self._lock = threading.Lock()

    def sums(self) -> Sequence[Sums]:
        """Return the sums of every day and courier, as of now or a moment ago; not to be changed.

        A courier may have two of a day: those of its drops under way are its own.
        """
        with self._lock:
            if self._site.clock.monotonic() >= self._due:
                self._catch_up()
            under_way = _Book()
            for drop in self._open.values():
                under_way.add(self.day_of(drop.received_at), drop)
            return [*self._closed.values(), *under_way.values()]

    def today(self) -> date:
        """Return today's date in the zone of the manifests."""
        return self._site.clock.now().astimezone(self._zone).date()

    def day_of(self, when: datetime) -> date:
        """Return the date of a moment in the zone of the manifests."""
        return when.astimezone(self._zone).date()

    def span_of(self, when: str) -> tuple[datetime | None, datetime | None]:
        """Return the first moment and the end of today, yesterday, week or a day; None: open.

        Raises UsageError.
        """
        if not when:
            return None, None
        today = self.today()
        first = {"today": today, "yesterday": today - timedelta(days=1)}.get(when)
        days = 1
        if when == "week":
            first, days = today - timedelta(days=6), 7
        if first is None:
            first = day_named(when)
        try:
            return self._begin(first), self._begin(first + timedelta(days=days))
        except OverflowError as error:
            raise UsageError(f"There is no day after {when}.") from error

    def _begin(self, day: date) -> datetime:
        return datetime.combine(day, datetime.min.time(), self._zone).astimezone(UTC)

    def totals_of(self, day: date, courier: str = "") -> Mapping[str, int]:
        """Return a day's files and rows by outcome: files, rows, accepted, …"""
        found: Counter[str] = Counter()
        for each in self.sums():
            if each.day == day and courier in {"", each.courier}:
                found["files"] += each.files
                found["rows"] += each.rows.total()
                _add(found, each.rows)
        return found

    def rows(self) -> Counter[tuple[str, str]]:
        """Return rows by courier and outcome, of all drops."""
        found: Counter[tuple[str, str]] = Counter()
        for each in self.sums():
            for outcome, count in each.rows.items():
                found[each.courier, outcome] += count
        return found

    def files(self) -> Counter[tuple[str, str]]:
        """Return drops by courier and state."""
        found: Counter[tuple[str, str]] = Counter()
        for each in self.sums():
            for state, count in each.states.items():
                found[each.courier, state] += count
        return found

    def to_do(self) -> Counter[str]:
        """Return rows that need a person now, by courier."""
        return Counter({courier: rows for courier, (rows, _) in self._site.ledger.to_do().items()})

    def last_of(self) -> Mapping[str, Counted]:
        """Return courier → its newest drop."""
        found: dict[str, Counted] = {}
        for each in self.sums():
            if each.last is not None:
                found[each.courier] = max(
                    found.get(each.courier, each.last), each.last, key=_by_number
                )
        return found

    def _catch_up(self) -> None:
        newest, closing = self._newest, self._closing
        under_way: dict[int, DropCounts] = {}
        more = _Book(self._closed)
        anew: set[date] = set()
        for drop in self._site.ledger.changed(self._newest, self._closing):
            newest, closing = max(newest, drop.seq), max(closing, drop.closing)
            day = self.day_of(drop.received_at)
            if drop.seq <= self._newest and drop.seq not in self._open:
                anew.add(day)  # it was closed, and is in the sums
            elif drop.state.closed:
                more.add(day, drop)
            else:
                under_way[drop.seq] = drop
        closed = {**self._closed, **more}
        for day in anew:
            closed = {key: sums for key, sums in closed.items() if key[0] != day}
            closed |= self._read(day, newest, under_way)
        # A drop that was not finished and is gone now went back to waiting.
        self._closed, self._open = closed, under_way
        self._newest, self._closing = newest, closing
        self._due = self._site.clock.monotonic() + _KEPT_SECONDS

    def _read(self, day: date, newest: int, under_way: dict[int, DropCounts]) -> _Book:
        """Return the sums of a day's closed drops; the others are put among those under way.

        Whatever is newer, or closed since, is seen at the next look.
        """
        book = _Book()
        for drop in self._site.ledger.received(self._begin(day), self._begin(day + _A_DAY)):
            if drop.seq > newest:
                continue
            if drop.state.closed:
                book.add(day, drop)
                under_way.pop(drop.seq, None)
            else:
                under_way[drop.seq] = drop
        return book


class Courier(Struct, frozen=True, kw_only=True):
    """A courier as the page shows it. ``due``: the deadline that was missed, when late."""

    profile: Profile
    last: Counted | None
    expects: str
    late: bool
    due: datetime | None


def couriers(site: Site, tally: DropTotals) -> list[Courier]:
    """Return every courier that has a profile.

    Those that are late first, then those that sent last.
    """
    last_of = tally.last_of()
    found = [_courier(site, profile, last_of.get(name)) for name, profile in site.profiles.items()]
    return sorted(
        found,
        key=lambda each: (
            not each.late,
            -each.last.received_at.timestamp() if each.last else 0,
            each.profile.name,
        ),
    )


def _courier(site: Site, profile: Profile, last: Counted | None) -> Courier:
    expect = profile.expect
    zone = ZoneInfo(profile.zone or site.settings.manifest.timezone)
    now = site.clock.now().astimezone(zone)
    came = last.received_at.astimezone(zone) if last else None
    late = expect is not None and expect.is_late(now, came)
    days = ""
    if expect is not None:
        names = [DAYS[day].capitalize() for day in sorted(expect.days)]
        other = f" {now:%Z}" if profile.zone not in {"", site.settings.manifest.timezone} else ""
        days = f"by {expect.by:%H:%M}{other}, " + (
            "every day" if len(names) == 7 else ", ".join(names)
        )
    return Courier(
        profile=profile,
        last=last,
        expects=days,
        late=late,
        due=expect.last_due(now) if expect and late else None,
    )
