"""Totals over all drops: by day, courier, outcome and code; and which couriers are late.

Kept in memory and brought up to date by looking only at drops that may have changed, so that a page
or a scrape costs little however long the ledger is.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from pipeline.core.errors import UsageError
from pipeline.core.model import DropState
from pipeline.core.ports import DropLine
from pipeline.service.wiring import Site
from schemas.courier import DAYS, Profile
from schemas.vocabulary import Outcome

_KEPT_SECONDS: Final = 2.0


def day_named(text: str) -> date:
    """Return the day that ``2026-11-28`` names. Raises UsageError."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f'There is no day "{text[:20]}".', hint="As in 2026-11-28.") from error


class Counted(Struct, frozen=True, kw_only=True):
    """The counts of one drop. ``seconds``: from its arrival to its end, once it is closed."""

    drop_id: str
    source_file: str
    received_at: datetime
    day: date
    courier: str
    state: DropState
    rows: Mapping[str, int]
    codes: Mapping[str, int]
    seconds: float | None


class DropTotals:
    """Safe from several threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._zone = ZoneInfo(site.settings.manifest.timezone)
        self._drops: dict[int, Counted] = {}
        self._open: set[int] = set()
        self._closing = 0
        self._due = float("-inf")
        self._lock = threading.Lock()

    def drops(self) -> list[Counted]:
        """Return every drop, oldest first, as of now or a moment ago."""
        with self._lock:
            if self._site.clock.monotonic() >= self._due:
                self._catch_up()
            return list(self._drops.values())

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
        for each in self.drops():
            if each.day == day and courier in {"", each.courier}:
                found["files"] += 1
                found["rows"] += sum(each.rows.values())
                found.update(each.rows)
        return found

    def rows(self) -> Counter[tuple[str, str]]:
        """Return rows by courier and outcome, of all drops."""
        found: Counter[tuple[str, str]] = Counter()
        for each in self.drops():
            for outcome, count in each.rows.items():
                found[each.courier, outcome] += count
        return found

    def files(self) -> Counter[tuple[str, str]]:
        """Return drops by courier and state."""
        return Counter((each.courier, each.state.value) for each in self.drops())

    def to_do(self) -> Counter[str]:
        """Return rows that need a person now, by courier."""
        return Counter({courier: rows for courier, (rows, _) in self._site.ledger.to_do().items()})

    def last_of(self) -> Mapping[str, Counted]:
        """Return courier → its newest drop."""
        return {each.courier: each for each in self.drops()}

    def _catch_up(self) -> None:
        newest = max(self._drops, default=0)
        changed = self._site.ledger.changed(newest, self._closing)
        # A drop that was not finished and is gone now went back to waiting.
        for seq in self._open - {line.seq for line in changed}:
            self._drops.pop(seq, None)
        for line in changed:
            self._drops[line.seq] = self._counted(line)
        self._open = {line.seq for line in changed if not line.state.closed}
        self._closing = max([self._closing, *(line.closing for line in changed)])
        self._due = self._site.clock.monotonic() + _KEPT_SECONDS

    def _counted(self, line: DropLine) -> Counted:
        summary = line.summary or {}
        rows = summary.get("rows", {})
        codes = {each["code"]: each["count"] for each in summary.get("errors", ())}
        refused = summary.get("refused")
        if refused:
            codes[refused["code"]] = 1
        done = line.finished_at if line.state is DropState.COMPLETED else None
        return Counted(
            drop_id=line.drop_id,
            source_file=line.source_file,
            received_at=line.received_at,
            day=line.received_at.astimezone(self._zone).date(),
            courier=line.courier,
            state=line.state,
            rows={o.value: rows[o.value] for o in Outcome if rows.get(o.value)},
            codes=codes,
            seconds=(done - line.received_at).total_seconds() if done else None,
        )


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
