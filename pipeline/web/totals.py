"""Totals over all drops: by day, courier, outcome and code; and which couriers are late.

Sums are kept in memory and brought up to date by looking only at drops that may have changed, so
that a page or a scrape costs little however long the ledger is. Those of closed drops lie in a file
too: without it the first look after a start would read every drop there is.
"""

import threading
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.drop_lines import DropCounts
from pipeline.core.errors import StorageError, UsageError
from pipeline.core.model import DropState
from pipeline.service.wiring import Site
from pipeline.web.state_files import place_of, write
from schemas.courier import DAYS, Profile

_EXAMPLES: Final = 5
_FORM: Final = 1
"""Grows when what is in the file changes; a file of another form is not read."""


if TYPE_CHECKING:
    _Seconds = array[float]
else:
    _Seconds = array  # Python 3.11 takes no type of its items, and msgspec reads this one


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
    seconds: _Seconds = field(default_factory=lambda: array("d"))
    examples: dict[str, Sequence[Counted]] = field(default_factory=dict)

    def copy(self) -> "Sums":
        """Return one that can be added to while others read this one."""
        return replace(
            self,
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
        self.last = max(self.last or one, one, key=by_number)
        self.states[drop.state.value] += 1
        self.rows.update(drop.rows)
        self.codes.update(drop.codes)
        if drop.state is DropState.COMPLETED and drop.finished_at is not None:
            self.seconds.append((drop.finished_at - drop.received_at).total_seconds())
        for code in drop.codes:
            self.examples[code] = newest((*self.examples.get(code, ()), one))


def newest(some: Iterable[Counted]) -> Sequence[Counted]:
    """Return the newest few of these, the newest first."""
    return sorted(some, key=by_number, reverse=True)[:_EXAMPLES]


def by_number(each: Counted) -> int:
    """Return the drop's number."""
    return each.seq


class SavedTotals(Struct, frozen=True, kw_only=True):
    """The sums of closed drops, and how far they go.

    ``newest``: the highest number of a drop, ``closing``: the highest ``drops.closing`` in them;
    ``under_way``: the numbers of drops up to ``newest`` that are not in them; ``zone``: that of the
    days. ``form``: that of the file.
    """

    zone: str
    newest: int
    closing: int
    under_way: Sequence[int]
    sums: Sequence[Sums]
    form: int = _FORM

    def write(self, path: Path) -> None:
        """Write the file as a whole. Raises StorageError."""
        write(path, msgspec.msgpack.encode(self, enc_hook=bytes))


def read_saved(path: Path, zone: str) -> SavedTotals | None:
    """Return what was written for days of this zone; None: nothing that can be used."""
    try:
        saved = msgspec.msgpack.decode(path.read_bytes(), type=SavedTotals, dec_hook=_decoded)
    except (OSError, msgspec.MsgspecError):
        return None
    return saved if (saved.form, saved.zone) == (_FORM, zone) else None


def _decoded(kind: type, value: Any) -> object:  # noqa: ANN401 - as msgspec hands it over
    """Return a value of a type that msgspec does not know itself: seconds, and counts by name."""
    return array("d", value) if kind is array else Counter(msgspec.convert(value, dict[str, int]))


_KEPT_SECONDS: Final = 2.0
_SAVED_SECONDS: Final = 3600.0
"""Interval at which the sums are written; a start reads again what was closed since."""
_A_DAY: Final = timedelta(days=1)


def day_named(text: str) -> date:
    """Return the day that ``2026-11-28`` names. Raises UsageError."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f'There is no day "{text[:20]}".', hint="As in 2026-11-28.") from error


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


def saved_in(root: Path) -> Path:
    """Return the file in which a page keeps its sums over a restart."""
    return place_of(root) / "totals.bin"


class DropTotals:
    """Safe from several threads. Sums of days, not drops, are kept: of these there may be millions.

    Drops under way are kept one by one. A day of which a drop is opened again is read anew, and so
    is one of which drops were removed as old: that is looked at after a start, and once a day.
    """

    def __init__(self, site: Site, *, saves: bool = False) -> None:
        """Take the site. ``saves``: write the sums to ``state/web/`` now and then."""
        self._site = site
        self._saves = saves
        self._path = saved_in(site.root)
        self._save_at = float("-inf")
        self._is_new = True
        self._compared_on = date.min
        self._zone = site.zone
        self._closed: Mapping[tuple[date, str], Sums] = {}
        self._open: Mapping[int, DropCounts] = {}
        self._was_open: Collection[int] = ()
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

    def totals_of(self, day: date, courier: str) -> Mapping[str, int]:
        """Return a day's files and rows by outcome: files, rows, accepted, …"""
        found: Counter[str] = Counter()
        for each in self.sums():
            if each.day == day and courier in {"", each.courier}:
                found["files"] += each.files
                found["rows"] += each.rows.total()
                found.update(each.rows)
        return found

    def rows(self) -> Counter[tuple[str, str]]:
        """Return rows by courier and outcome, of all drops."""
        return _by_courier((each.courier, each.rows) for each in self.sums())

    def files(self) -> Counter[tuple[str, str]]:
        """Return drops by courier and state."""
        return _by_courier((each.courier, each.states) for each in self.sums())

    def last_of(self) -> Mapping[str, Counted]:
        """Return courier → its newest drop."""
        found: dict[str, Counted] = {}
        for each in self.sums():
            if each.last is not None:
                found[each.courier] = max(
                    found.get(each.courier, each.last), each.last, key=by_number
                )
        return found

    def _catch_up(self) -> None:
        if self._is_new:
            self._take_saved()
        newest, closing = self._newest, self._closing
        under_way: dict[int, DropCounts] = {}
        more = _Book(self._closed)
        anew: set[date] = set()
        for drop in self._site.ledger.overview.changed(self._newest, self._closing):
            newest, closing = max(newest, drop.seq), max(closing, drop.closing)
            day = self.day_of(drop.received_at)
            if drop.seq <= self._newest and drop.seq not in self._was_open:
                anew.add(day)  # it was closed, and is in the sums
            elif drop.state.closed:
                more.add(day, drop)
            else:
                under_way[drop.seq] = drop
        closed = {**self._closed, **more}
        if self._compared_on != self.today():
            anew |= self._days_that_differ(closed)
            self._compared_on = self.today()
        for day in anew:
            closed = {key: sums for key, sums in closed.items() if key[0] != day}
            closed |= self._read(day, newest, under_way)
        is_changed = closing != self._closing or bool(anew)
        # A drop that was not finished and is gone now went back to waiting.
        self._closed, self._open, self._was_open = closed, under_way, under_way.keys()
        self._newest, self._closing = newest, closing
        self._is_new = False
        now = self._site.clock.monotonic()
        self._due = now + _KEPT_SECONDS
        if self._saves and is_changed and now >= self._save_at:
            self._save_at = now + _SAVED_SECONDS
            with suppress(StorageError):  # it is only sooner with it
                self._saved().write(self._path)

    def _take_saved(self) -> None:
        """Begin with the sums that were written, where they are about this ledger."""
        saved = read_saved(self._path, self._zone.key)
        lasts = [each.last for each in saved.sums if each.last] if saved else []
        if saved is None or not lasts:
            return
        last = max(lasts, key=by_number)
        if [each.seq for each in self._site.ledger.overview.lines([last.drop_id])] == [last.seq]:
            self._closed = {(each.day, each.courier): each for each in saved.sums}
            self._newest, self._closing = saved.newest, saved.closing
            self._was_open = saved.under_way

    def _saved(self) -> SavedTotals:
        return SavedTotals(
            zone=self._zone.key,
            newest=self._newest,
            closing=self._closing,
            under_way=list(self._open),
            sums=list(self._closed.values()),
        )

    def _days_that_differ(self, closed: Mapping[tuple[date, str], Sums]) -> set[date]:
        """Return the days of which the ledger has another number of closed drops."""
        files: Counter[date] = Counter()
        for (day, _), sums in closed.items():
            files[day] += sums.files
        days = sorted(files)
        spans = [(self._begin(day), self._begin(day + _A_DAY)) for day in days]
        there = self._site.ledger.overview.closed_in(spans)
        return {day for day, count in zip(days, there, strict=True) if count != files[day]}

    def _read(self, day: date, newest: int, under_way: dict[int, DropCounts]) -> _Book:
        """Return the sums of a day's closed drops; the others are put among those under way.

        Drops that are newer, or closed since, are seen at the next look.
        """
        book = _Book()
        for drop in self._site.ledger.overview.received(
            self._begin(day), self._begin(day + _A_DAY)
        ):
            if drop.seq > newest:
                continue
            if drop.state.closed:
                book.add(day, drop)
                under_way.pop(drop.seq, None)
            else:
                under_way[drop.seq] = drop
        return book


def _by_courier(some: Iterable[tuple[str, Counter[str]]]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for courier, counts in some:
        found.update({(courier, name): count for name, count in counts.items()})
    return found


class Courier(Struct, frozen=True, kw_only=True):
    """A courier as the page shows it. ``due``: the deadline that was missed, when late."""

    profile: Profile
    last: Counted | None
    expects: str
    late: bool
    due: datetime | None


def couriers(site: Site, totals: DropTotals) -> list[Courier]:
    """Return every courier that has a profile.

    Those that are late first, then those that sent last.
    """
    last_of = totals.last_of()
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
    zone = site.zone_of(profile)
    now = site.clock.now().astimezone(zone)
    came = last.received_at.astimezone(zone) if last else None
    late = expect is not None and expect.is_late(now, came)
    days = ""
    if expect is not None:
        names = [DAYS[day].capitalize() for day in sorted(expect.days)]
        other = f" {now:%Z}" if zone != site.zone else ""
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
