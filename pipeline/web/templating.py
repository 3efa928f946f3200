"""Templates: everything escaped, nothing guessed, and the words of the page at hand."""

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.templating import Jinja2Templates

from pipeline.service.wiring import Site
from pipeline.web import words
from pipeline.web.health_bar import HealthBar
from schemas.display import counted, shown

_HERE: Final = Path(__file__).parent


def compile_all(templates: Jinja2Templates) -> None:
    """Compile every template, before anybody asks.

    After a restart all open pages ask at once: each would compile them, and none would be answered
    meanwhile.
    """
    for name in templates.env.list_templates():
        templates.env.get_template(name)


def make_templates(site: Site, health_bar: HealthBar) -> Jinja2Templates:
    """Return the templates of one web page, with what they may call."""
    zone = site.zone
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )

    def moment(when: datetime) -> str:
        return words.moment(when, zone, site.clock.now())

    def courier(name: str) -> str:
        profile = site.profiles.get(name)
        return profile.title if profile else name

    environment.filters.update(
        courier=courier,
        outcome=words.outcome,
        named=words.file_name,
        plain=lambda text: words.in_plain_words(text, zone, site.clock.now()),
        number=words.number,
        on_page=words.on_page,
        shown=lambda text, limit=120: shown(text, limit),
        ago=words.ago,
        time=lambda at: f"{at.astimezone(zone):%H:%M}",
        chosen=lambda why: words.WHY.get(why, why),
        lower_first=lambda text: text[:1].lower() + text[1:],
        since=lambda when: words.ago(max(0.0, (site.clock.now() - when).total_seconds())),
        last=lambda seconds: "just now" if seconds < 5 else f"{words.ago(seconds)} ago",
        size=words.size,
        moment=moment,
        when=lambda at: moment(datetime.fromisoformat(at)),
        iso=lambda when: when.isoformat(timespec="seconds"),
        full=lambda when: f"{when.astimezone(zone):%-d %B %Y, %H:%M:%S %Z}",
    )
    environment.globals.update(
        counted=counted,
        outcomes=words.OUTCOMES,
        reported=words.REPORTED,
        requests=words.REQUESTS,
        day_name=words.day_name,
        zone_name=site.settings.manifest.timezone,
        health=health_bar.health,
        profile_fault=lambda: site.profiles.fault,
        scanned=lambda health_file: datetime.fromisoformat(health_file.scanned_at),
        address=address,
        asset=asset,
    )
    return Jinja2Templates(env=environment)


def address(path: str, **query: Any) -> str:  # noqa: ANN401 - whatever prints
    """Return a path with the parts of its query that say something."""
    given = {key: value for key, value in query.items() if value not in {None, ""}}
    return f"{path}?{urlencode(given)}" if given else path


@cache
def asset(name: str) -> str:
    """Return the address of a static file, with a mark of what it holds."""
    digest = hashlib.sha256((_HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"
