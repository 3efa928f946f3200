"""Reads courier profiles from TOML, strictly, and knows the built-in ones."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.milestones import Milestone
from pipeline.model import Role
from schemas.courier import GENERIC, READ_AS, DateRule, IdRule, Profile
from schemas.folding import fold, fold_header
from schemas.statuses import NOTHING, UNCLEAR, WILDCARD, Direction, Meaning, StatusTable
from schemas.toml_reader import Section, parse

__all__ = ["GENERIC", "Profile", "builtin_profiles", "is_awb_like", "load_profile"]

HELPERS = ("clock", "rto_awb")
DATE_ROLES = (Role.EVENT_TIME, Role.PROMISED, Role.ESTIMATED)
_MEANINGS: Mapping[str, Meaning] = {
    **{milestone.wire: int(milestone) for milestone in Milestone},
    "no_milestone": NOTHING,
    "ambiguous": UNCLEAR,
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_RANGE = re.compile(r"(.*?)(\d+)\.\.(.*?)(\d+)")
_AWB_WORDS = frozenset({"awb", "waybill", "airwaybill", "awbno", "awbnumber", "tracking", "lrn"})
_DATE_FORMAT = re.compile(r"(dd|mm|yyyy)([-/. ]?)(dd|mm|mmm)\2(dd|yy|yyyy)")


def is_awb_like(folded_header: str) -> bool:
    """Tell whether a header speaks of a waybill: such a column is never the order id."""
    return not _AWB_WORDS.isdisjoint(folded_header.replace("/", " ").split())


def load_profile(text: str, *, origin: str) -> Profile:
    """Read a profile from TOML; ``origin`` is the file's name, for messages.

    Headers and direction words that the file does not give are those of ``generic``. Raises
    ``SettingsError`` naming file, line (best effort) and key for anything unknown, contradictory
    or of the wrong type.
    """
    return _read(parse(text, origin=origin), base=_generic())


@cache
def builtin_profiles() -> Mapping[str, Profile]:
    """Name → profile, ``generic`` first, for every file in ``schemas/couriers``."""
    folder = resources.files("schemas") / "couriers"
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
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
    if not _NAME.fullmatch(name):
        raise root.error("name", "must be small letters, digits, - and _, at most 40 of them")
    shown = _headers(root, base)
    dates = root.section("dates")
    direction = root.section("direction")
    profile = Profile(
        name=name,
        title=root.text("title", name),
        zone=_zone(root),
        file_names=tuple(pattern.casefold() for pattern in root.texts("file_names") or ()),
        signature=frozenset(fold_header(header) for header in root.texts("signature") or ()),
        auto_dispatch=root.flag("auto_dispatch", default=False),
        required=_required(root),
        shown_headers=shown,
        headers={role: _folded(aliases) for role, aliases in shown.items()},
        helpers=_helpers(root),
        directions=_directions(direction, base),
        filled_rto_awb=_filled(direction),
        statuses=_statuses(root),
        ids=_ids(root),
        reasons=_reasons(root),
        strict_dates=dates.flag("strict", default=False),
        date_output=dates.text("output", "%Y-%m-%d"),
        dates=_dates(dates),
    )
    for section in (root, dates, direction):
        section.done()
    if not profile.statuses.base and not profile.statuses.by_type:
        raise root.error("statuses", "is missing: no status means anything yet")
    return profile


def _folded(aliases: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fold_header(alias) for alias in aliases))


def _zone(root: Section) -> str:
    zone = root.text("zone")
    try:
        if zone:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise root.error("zone", f'names no time zone: "{zone}"') from error
    return zone


def _required(root: Section) -> tuple[Role, ...]:
    wanted = root.texts("required") or ()
    known = {role.value: role for role in Role}
    for word in wanted:
        if word not in known:
            raise root.error("required", f'names no role: "{word}"')
    return tuple(dict.fromkeys((Role.ORDER_ID, Role.STATUS, *(known[word] for word in wanted))))


def _headers(root: Section, base: Profile | None) -> dict[Role, tuple[str, ...]]:
    section = root.section("headers")
    found: dict[Role, tuple[str, ...]] = {}
    owner: dict[str, Role] = {}
    for role in Role:
        aliases = section.texts(role.value)
        if aliases is None:
            continue
        for alias in aliases:
            folded = fold_header(alias)
            if role is Role.ORDER_ID and is_awb_like(folded):
                raise section.error(role.value, f'an AWB is never the order id: "{alias}"')
            if owner.setdefault(folded, role) is not role:
                raise section.error(role.value, f'"{alias}" already stands for {owner[folded]}')
        found[role] = aliases
    section.done()
    inherited = base.shown_headers if base else {}
    for role, aliases in inherited.items():
        if role not in found:
            found[role] = tuple(alias for alias in aliases if fold_header(alias) not in owner)
    return found


def _helpers(root: Section) -> dict[str, tuple[str, ...]]:
    section = root.section("helpers")
    helpers = {name: _folded(section.texts(name) or ()) for name in HELPERS}
    section.done()
    return {name: aliases for name, aliases in helpers.items() if aliases}


def _directions(section: Section, base: Profile | None) -> dict[str, Direction]:
    words = dict(base.directions) if base else {}
    for direction in (Direction.FORWARD, Direction.RETURN, Direction.RTO):
        for word in section.texts(direction.value) or ():
            words[fold(word)] = direction
    return words


def _filled(section: Section) -> Direction:
    word = section.text("filled_rto_awb")
    if word not in {"", Direction.RTO.value, Direction.MAYBE_RTO.value}:
        raise section.error("filled_rto_awb", 'must be "rto" or "maybe_rto"')
    return Direction(word)


def _statuses(root: Section) -> StatusTable:
    shown: dict[str, str] = {}
    section = root.section("statuses")
    joined = section.flag("joined", default=False)
    sides = (Direction.BLANK, Direction.FORWARD, Direction.RETURN, Direction.RTO)
    by_direction = {
        side: _meanings(section.section(f"on_{side.value or 'blank'}"), shown) for side in sides
    }
    begins = _beginnings(section)
    base = _meanings(section, shown)
    types = root.section("types")
    by_type = {fold(kind): _meanings(types.section(kind), shown) for kind in types.keys()}  # noqa: SIM118 - not a mapping
    scans = root.section("scans")
    scan_types = frozenset(fold(kind) for kind in scans.texts("types") or ())
    return StatusTable(
        base=base,
        by_direction={side: table for side, table in by_direction.items() if table},
        by_type=by_type,
        joined=joined,
        scans=_meanings(scans, {}),
        scan_types=scan_types,
        nothing_begins=begins,
        shown=shown,
    )


def _beginnings(section: Section) -> tuple[str, ...]:
    """The families among the statuses without milestone: ``assigned_*`` begins ``assigned``."""
    entries = section.peek("no_milestone")
    families = [entry[:-1] for entry in entries if entry.endswith(WILDCARD) and entry != WILDCARD]
    return tuple(fold(family) for family in families)


def _meanings(section: Section, shown: dict[str, str]) -> dict[str, Meaning]:
    """Read one table of meaning → statuses into status → meaning, ranges last."""
    table: dict[str, Meaning] = {}
    ranges: list[tuple[str, Meaning]] = []
    for word, meaning in _MEANINGS.items():
        for status in section.texts(word) or ():
            if _RANGE.fullmatch(status):
                ranges.extend((each, meaning) for each in _expanded(section, word, status))
                continue
            if status.endswith(WILDCARD) and status != WILDCARD:
                if meaning != NOTHING or section.path != "statuses":
                    raise section.error(word, f'"{status}": only [statuses] no_milestone may use *')
                continue
            key = WILDCARD if status == WILDCARD else fold(status)
            if table.setdefault(key, meaning) != meaning:
                raise section.error(word, f'"{status}" also stands under another meaning')
            if key != WILDCARD:
                shown.setdefault(key, status)
    section.done()
    for status, meaning in ranges:
        table.setdefault(fold(status), meaning)
    return table


def _expanded(section: Section, word: str, status: str) -> list[str]:
    """``T-001..T-099`` as its 99 members, so that lookups stay exact."""
    match = _RANGE.fullmatch(status)
    first, low, last, high = match.groups() if match else ("", "1", "", "0")
    if first != last or len(low) != len(high) or int(low) > int(high):
        raise section.error(word, f'"{status}" is not a range such as "T-001..T-099"')
    return [f"{first}{number:0{len(low)}d}" for number in range(int(low), int(high) + 1)]


def _ids(root: Section) -> IdRule:
    section = root.section("ids")
    shortest, longest = section.count("min_length", 1) or 1, section.count("max_length", 50) or 50
    if not shortest <= longest <= 50:
        raise section.error("max_length", "must lie between min_length and 50")
    rule = IdRule(
        digits_only=section.flag("digits_only", default=False),
        min_length=shortest,
        max_length=longest,
    )
    section.done()
    return rule


def _reasons(root: Section) -> dict[str, int]:
    section = root.section("reasons")
    return {fold(text): section.whole(text) for text in section.keys()}  # noqa: SIM118 - not a mapping


def _dates(section: Section) -> dict[Role, DateRule]:
    day_first = section.flag("day_first", default=True)
    return {
        role: _date_rule(section.section(role.value), day_first=day_first) for role in DATE_ROLES
    }


def _date_rule(section: Section, *, day_first: bool) -> DateRule:
    read_as = section.text("read_as", READ_AS[0])
    if read_as not in READ_AS:
        raise section.error("read_as", f"must be one of {', '.join(READ_AS)}")
    first: dict[str, set[str]] = {"dd": set(), "mm": set(), "yyyy": set()}
    for form in section.texts("formats") or ():
        match = _DATE_FORMAT.fullmatch(form.casefold())
        if not match:
            raise section.error("formats", f'"{form}" is not a date such as "dd-mm-yyyy"')
        first[match.group(1)].add(match.group(2))
    rule = DateRule(
        day_first=section.flag("day_first", default=day_first),
        day_first_with=frozenset(first["dd"]),
        month_first_with=frozenset(first["mm"] - first["dd"]),
        read_as=read_as,
    )
    section.done()
    return rule
