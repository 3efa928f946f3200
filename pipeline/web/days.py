"""A day: what came of each courier, what came late or not at all, what is left to do of it."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from pipeline.core.ports import Search
from pipeline.service.wiring import Site
from pipeline.web.tally import Counted, Tally
from schemas.courier import Profile
from schemas.vocabulary import Outcome

_MOST: Final = 100_000
HEAD: Final = (
    *("courier", "files", "first_file", "expected_by", "late", "rows"),
    *(outcome.value for outcome in Outcome),
    "left_to_do",
)


class CourierDay(Struct, frozen=True, kw_only=True):
    """A courier on a day. ``expected``: by when a file was expected, ``late``: none had come then.

    ``left``: rows of that day's files that need a person now.
    """

    courier: str
    title: str
    files: int
    first: datetime | None
    expected: datetime | None
    late: bool
    rows: Mapping[str, int]
    left: int

    @property
    def total(self) -> int:
        """Return all its rows."""
        return sum(self.rows.values())


def couriers_on(site: Site, tally: Tally, day: date) -> list[CourierDay]:
    """Return every courier that sent something on a day, or should have."""
    by_courier: dict[str, list[Counted]] = defaultdict(list)
    for each in tally.drops():
        if each.day == day:
            by_courier[each.courier].append(each)
    since, until = tally.span_of(day.isoformat())
    search = Search(since=since, until=until, to_do=True, limit=_MOST)
    left: Counter[str] = Counter()
    for line in site.ledger.search(search):
        left[line.courier] += line.need
    found = []
    for name in sorted(
        {*by_courier, *(n for n, p in site.profiles.items() if p.expect is not None)}
    ):
        one = _of_courier(site, name, day, by_courier.get(name, ()), left[name])
        if one.files or one.expected is not None:
            found.append(one)
    return found


def _of_courier(
    site: Site, name: str, day: date, files: Sequence[Counted], left: int
) -> CourierDay:
    profile = site.profiles.get(name)
    rows: Counter[str] = Counter()
    for each in files:
        rows.update(each.rows)
    first = min((each.received_at for each in files), default=None)
    expected = _expected(site, profile, day) if profile is not None else None
    over = expected is not None and site.clock.now() > expected
    return CourierDay(
        courier=name,
        title=profile.title if profile else name,
        files=len(files),
        first=first,
        expected=expected,
        late=over and expected is not None and (first is None or first > expected),
        rows=rows,
        left=left,
    )


def _expected(site: Site, profile: Profile, day: date) -> datetime | None:
    expect = profile.expect
    if expect is None or day.weekday() not in expect.days:
        return None
    zone = ZoneInfo(profile.zone or site.settings.manifest.timezone)
    return datetime.combine(day, expect.by, zone)


def as_csv(site: Site, lines: Sequence[CourierDay]) -> bytes:
    """Return a day as a spreadsheet opens it; times are those of the page."""
    zone = ZoneInfo(site.settings.manifest.timezone)
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow(HEAD)
    for each in lines:
        times = (
            f"{when.astimezone(zone):%Y-%m-%d %H:%M}" if when else ""
            for when in (each.first, each.expected)
        )
        counts = (each.rows.get(outcome.value, 0) for outcome in Outcome)
        late = "yes" if each.late else ("no" if each.expected else "")
        writer.writerow([each.courier, each.files, *times, late, each.total, *counts, each.left])
    return made.getvalue().encode("utf-8-sig")
