"""Find late couriers: their profiles' expectations against the files that came."""

from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from pipeline.service.wiring import Site
from pipeline.web.tally import Counted, Tally
from schemas.courier import DAYS, Profile


class Courier(Struct, frozen=True, kw_only=True):
    """A courier as the page shows it. ``due``: the deadline that was missed, when late."""

    profile: Profile
    last: Counted | None
    expects: str
    late: bool
    due: datetime | None


def couriers(site: Site, tally: Tally) -> list[Courier]:
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
        days = f"by {expect.by:%H:%M}, " + ("every day" if len(names) == 7 else ", ".join(names))
    return Courier(
        profile=profile,
        last=last,
        expects=days,
        late=late,
        due=expect.last_due(now) if expect and late else None,
    )
