"""Reads courier profiles from TOML, strictly, and knows the built-in ones."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.courier import (
    DAYS,
    GENERIC,
    READ_AS,
    DateRule,
    Expectation,
    IdRule,
    Profile,
    pattern_of,
)
from schemas.limits import ID_LENGTH
from schemas.normalise import fold, fold_header
from schemas.parcels import ALL, ANY
from schemas.similarity import did_you_mean
from schemas.status_reader import MARK, read_statuses
from schemas.statuses import Direction
from schemas.toml_reader import Section, parse
from schemas.vocabulary import DATE_ROLES, Role

__all__ = ["GENERIC", "Profile", "builtin_profiles", "is_awb_like", "load_profile"]

HELPERS = ("clock", "rto_awb")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_AWB_WORDS = frozenset({"awb", "waybill", "airwaybill", "awbno", "awbnumber", "tracking", "lrn"})
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")
_DATE_FORMAT = re.compile(
    r"(?:(dd)([-/. ]?)(?:mm|mmm)\2(?:yy|yyyy)|(mm)([-/. ]?)dd\4(?:yy|yyyy)|(yyyy)([-/. ]?)mm\6dd)"
)
AUTO = "auto"
"""What ``day_first`` may say instead of true or false: the file's own dates decide."""
_SOME_DAY = datetime(2026, 6, 26, tzinfo=UTC)


def is_awb_like(folded_header: str) -> bool:
    """Return whether a header speaks of a waybill: such a column is never the order id."""
    return not _AWB_WORDS.isdisjoint(folded_header.replace("/", " ").split())


def load_profile(text: str, *, origin: str) -> Profile:
    """Read a profile from TOML; ``origin`` is the file's name, for messages.

    Headers and direction words that the file does not give are those of ``generic``, and so are
    the meanings of statuses that it does not name, unless it is a draft. Raises ``ProfileError``
    naming file, line (best effort) and key for anything unknown, contradictory or of the wrong
    type.
    """
    return _read(parse(text, origin=origin), base=_generic())


@cache
def builtin_profiles() -> Mapping[str, Profile]:
    """Name → profile, ``generic`` first, for every file in ``schemas/couriers``."""
    folder = resources.files("schemas") / "couriers"
    names = (entry.name for entry in folder.iterdir())
    files = sorted(name for name in names if name.endswith(".toml") and not name.startswith("."))
    profiles = {GENERIC: _generic()}
    for file in files:
        if file != f"{GENERIC}.toml":
            profile = load_profile((folder / file).read_text(encoding="utf-8"), origin=file)
            profiles[profile.name] = profile
    return profiles


@cache
def _generic() -> Profile:
    file = resources.files("schemas") / "couriers" / f"{GENERIC}.toml"
    return _read(parse(file.read_text(encoding="utf-8"), origin=f"{GENERIC}.toml"), base=None)


def _read(root: Section, *, base: Profile | None) -> Profile:
    name = root.text("name")
    orders = frozenset(role for role in Role if base and root.peek_table("headers", role.value))
    if not _NAME.fullmatch(name):
        raise root.error("name", "must be small letters, digits, - and _, at most 40 of them")
    shown, open_headers = _headers(root, base)
    asked = root.peek("required")
    required = _required(root)
    for role in required:
        if not shown.get(role) and role not in open_headers:
            raise root.error("required", f'names "{role.value}", which has no header in [headers]')
    dates = root.section("dates")
    direction = root.section("direction")
    statuses, open_statuses = read_statuses(root)
    if base and not open_statuses:
        statuses = statuses.knowing(base.statuses)
    open_required = tuple(f"required: {role}" for role in asked if role.startswith(MARK))
    profile = Profile(
        name=name,
        title=root.text("title", name),
        zone=_zone(root),
        file_names=tuple(pattern.casefold() for pattern in root.texts("file_names") or ()),
        file_time=_file_time(root),
        signature=frozenset(fold_header(header) for header in root.texts("signature") or ()),
        orders=orders,
        nothing=frozenset(
            each.casefold() if "*" in each else fold_header(each)
            for each in root.texts("nothing") or ()
        ),
        parcels=_parcels(root),
        auto_dispatch=root.flag("auto_dispatch", default=False),
        required=required,
        shown_headers=shown,
        headers=_spelled(shown),
        helpers=_helpers(root, shown),
        directions=_directions(direction, base),
        ways=_ways(root, base),
        filled_rto_awb=_filled(direction),
        statuses=statuses,
        ids=_ids(root),
        reasons=_reasons(root),
        reason_codes=_reason_codes(root),
        strict_dates=dates.flag("strict", default=False),
        date_output=_output(dates),
        dates=_dates(dates),
        unconfirmed_headers=open_headers,
        unconfirmed=(
            *(
                f"headers.{role}: {header}"
                for role, each in open_headers.items()
                for header in each
            ),
            *open_statuses,
            *(each.replace(MARK, "", 1) for each in open_required),
        ),
        expect=_expect(root),
    )
    for section in (root, dates, direction):
        section.done()
    return profile


def _folded(aliases: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fold_header(alias) for alias in aliases))


def _spelled(shown: "Headers") -> dict[Role, tuple[str, ...]]:
    """Return the headings of each role, folded; No is known as Number, too, and Date as Dt."""
    found = {role: _folded(aliases) for role, aliases in shown.items()}
    owned = {alias for aliases in found.values() for alias in aliases}
    for role, aliases in found.items():
        spelled = dict[str, None]()
        for alias in aliases:
            other = _SHORT.sub(_otherwise, alias)
            spelled |= dict.fromkeys((alias, *([] if other in owned else [other])))
        found[role] = tuple(spelled)
    return found


_SHORT = re.compile(r"\b(?:no|number|date|dt)\b")
_OTHERWISE = {"no": "number", "number": "no", "date": "dt", "dt": "date"}


def _otherwise(found: re.Match[str]) -> str:
    return _OTHERWISE[found[0]]


def _zone(root: Section) -> str:
    zone = root.text("zone")
    try:
        if zone:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: "Asia" is a folder
        hint = 'Write it like "Asia/Kolkata".'
        raise root.error("zone", f'names no time zone: "{zone}"', hint=hint) from error
    return zone


def _parcels(root: Section) -> str:
    word = root.text("parcels", ALL)
    if word not in {ALL, ANY}:
        raise root.error("parcels", f'must be "{ALL}" or "{ANY}"')
    return word


def _file_time(root: Section) -> str:
    written = root.text("file_time")
    try:
        if written:
            pattern_of(written)
    except ValueError as error:
        raise root.error("file_time", str(error)) from error
    return written


def _required(root: Section) -> tuple[Role, ...]:
    wanted = root.texts("required") or ()
    known = {role.value: role for role in Role}
    confirmed = [word for word in wanted if not word.startswith(MARK)]
    for word in (each.removeprefix(MARK).strip() for each in wanted):
        if word not in known:
            why = f'names no role: "{word}"'
            raise root.error("required", why, hint=did_you_mean(word, known), value=word)
    return tuple(dict.fromkeys((Role.ORDER_ID, Role.STATUS, *(known[word] for word in confirmed))))


Headers = dict[Role, tuple[str, ...]]


def _headers(root: Section, base: Profile | None) -> tuple[Headers, Headers]:
    """Return the headers of every role as they are written, and those that wait to be confirmed."""
    section = root.section("headers")
    found: Headers = {}
    unconfirmed: Headers = {}
    owner: dict[str, Role] = {}
    for role in Role:
        entries = section.texts(role.value)
        if entries is None:
            continue
        aliases = tuple(each for each in entries if not each.startswith(MARK))
        for alias in aliases:
            folded = fold_header(alias)
            if role is Role.ORDER_ID and is_awb_like(folded):
                why = f'an AWB is never the order id: "{alias}"'
                raise section.error(role.value, why, value=alias)
            if owner.setdefault(folded, role) is not role:
                why = f'"{alias}" already stands for {owner[folded]}'
                raise section.error(role.value, why, value=alias)
        found[role] = aliases
        marked = tuple(each.removeprefix(MARK).strip() for each in entries if each not in aliases)
        if marked:
            unconfirmed[role] = marked
    section.done("is not a role of a column")
    inherited = base.shown_headers if base else {}
    for role, aliases in inherited.items():
        if role not in found:
            found[role] = tuple(alias for alias in aliases if fold_header(alias) not in owner)
    return found, unconfirmed


def _helpers(root: Section, shown: Headers) -> dict[str, tuple[str, ...]]:
    section = root.section("helpers")
    written = {name: section.texts(name) or () for name in HELPERS}
    section.done()
    # A second AWB may stand for the first where there is no other: that is what it is.
    owner = {fold_header(a): role for role, each in shown.items() for a in each}
    for alias in written["clock"]:
        if fold_header(alias) in owner:
            why = f'"{alias}" already stands for {owner[fold_header(alias)]}'
            raise section.error("clock", why, value=alias)
    return {name: _folded(aliases) for name, aliases in written.items() if aliases}


def _directions(section: Section, base: Profile | None) -> dict[str, Direction]:
    own = _words_of_ways(section, (Direction.FORWARD, Direction.RETURN, Direction.RTO))
    return {**(base.directions if base else {}), **own}


def _ways(root: Section, base: Profile | None) -> dict[str, Mapping[str, Direction]]:
    section = root.section("ways")
    found: dict[str, Mapping[str, Direction]] = {}
    for heading in section.keys():  # noqa: SIM118 - not a mapping
        column = section.section(heading)
        words = _words_of_ways(column, _WAYS)
        column.done()
        found[fold_header(heading)] = words
    return {**(base.ways if base else {}), **found}


_WAYS = (
    Direction.FORWARD,
    Direction.RETURN,
    Direction.RTO,
    Direction.BACK,
    Direction.UNDELIVERED,
)


def _words_of_ways(section: Section, ways: Iterable[Direction]) -> dict[str, Direction]:
    found: dict[str, Direction] = {}
    for direction in ways:
        for word in section.texts(direction.value) or ():
            if found.setdefault(fold(word), direction) is not direction:
                why = f'"{word}" already stands for {found[fold(word)]}'
                raise section.error(direction.value, why, value=word)
    return found


def _filled(section: Section) -> Direction:
    word = section.text("filled_rto_awb")
    if word not in {"", Direction.RTO.value, Direction.MAYBE_RTO.value}:
        raise section.error("filled_rto_awb", 'must be "rto" or "maybe_rto"')
    return Direction(word)


def _ids(root: Section) -> IdRule:
    section = root.section("ids")
    shortest = section.count("min_length", 1)
    longest = section.count("max_length", ID_LENGTH)
    if not shortest <= longest <= ID_LENGTH:
        raise section.error("max_length", f"must lie between min_length and {ID_LENGTH}")
    rule = IdRule(
        digits_only=section.flag("digits_only", default=False),
        min_length=shortest,
        max_length=longest,
        as_shown=frozenset(section.texts("as_shown") or ()),
    )
    section.done()
    return rule


def _expect(root: Section) -> Expectation | None:
    section = root.section("expect")
    by, days = section.text("by"), section.texts("days")
    section.done()
    if not by and days is None:
        return None
    if not _CLOCK.fullmatch(by):
        raise section.error("by", 'must be a time of day such as "18:00"')
    for day in days or ():
        if day.casefold() not in DAYS:
            raise section.error("days", f'"{day}" is none of {", ".join(DAYS)}')
    hour, minute = map(int, by.split(":"))
    wanted = DAYS if days is None else [day.casefold() for day in days]
    return Expectation(by=time(hour, minute), days=frozenset(DAYS.index(day) for day in wanted))


def _reasons(root: Section) -> dict[str, int]:
    section = root.section("reasons")
    reasons: dict[str, int] = {}
    for text in section.keys():  # noqa: SIM118 - not a mapping
        number = section.whole(text)
        if reasons.setdefault(fold(text), number) != number:
            raise section.error(text, "also stands with another number, in another spelling")
    return reasons


def _reason_codes(root: Section) -> str:
    shape = root.text("reason_codes")
    try:
        re.compile(shape)
    except re.error as error:
        raise root.error("reason_codes", f"is not a regular expression: {error}") from error
    return shape


def _output(dates: Section) -> str:
    """Return how the API gets dates.

    A format that loses day, month or year would send wrong ones.
    """
    output = dates.text("output", "%Y-%m-%d")
    try:
        read = datetime.strptime(_SOME_DAY.strftime(output), output).date()  # noqa: DTZ007 - a date
    except ValueError:
        read = None
    if read != _SOME_DAY.date():
        why = f'is not a format of day, month and year: "{output}"'
        raise dates.error("output", why, hint='Write it like "%Y-%m-%d".')
    return output


def _dates(section: Section) -> dict[Role, DateRule]:
    day_first = section.flag_or("day_first", AUTO, default=True)
    return {
        role: _date_rule(section.section(role.value), day_first=day_first) for role in DATE_ROLES
    }


def _date_rule(section: Section, *, day_first: bool | None) -> DateRule:
    read_as = section.text("read_as", READ_AS[0])
    if read_as not in READ_AS:
        raise section.error("read_as", f"must be one of {', '.join(READ_AS)}")
    first: dict[str, set[str]] = {
        "dd": set(),
        "mm": set(),
        "yyyy": set(),
    }  # yyyy: read alike by all
    for form in section.texts("formats") or ():
        match = _DATE_FORMAT.fullmatch(form.casefold())
        if not match:
            why = f'"{form}" is not a date such as "dd-mm-yyyy"'
            raise section.error("formats", why, value=form)
        word, separator = [part for part in match.groups() if part is not None]
        first[word].add(separator)  # the year first is read alike by all
    for separator in first["dd"] & first["mm"]:
        why = f'says both day first and month first for dates with "{separator}"'
        raise section.error("formats", why, hint="Keep the one that the courier writes.")
    stated = section.holds("day_first")
    own = section.flag_or("day_first", AUTO, default=day_first is not False)
    auto = own is None or (day_first is None and not stated)
    rule = DateRule(
        day_first=own is not False,
        auto=auto,
        day_first_with=frozenset(first["dd"]),
        month_first_with=frozenset(first["mm"]),
        read_as=read_as,
    )
    section.done()
    return rule
