"""A courier profile in words, for people: what it says, and what may be a slip in it."""

from collections.abc import Iterator, Mapping

from schemas.courier import Profile
from schemas.directions import direction_of, way_named
from schemas.profile import builtin_profiles
from schemas.statuses import (
    NOTHING,
    UNCLEAR,
    UNCONFIRMED,
    WILDCARD,
    Direction,
    Meaning,
    agrees,
)
from schemas.vocabulary import FINALS, Milestone

_WORDS = {
    NOTHING: "No milestone, ignored",
    UNCLEAR: "Ambiguous, rejected",
    UNCONFIRMED: "Not confirmed yet, rejected",
}


def describe_profile(profile: Profile) -> dict[str, list[str]]:
    """Return heading → lines: choice, columns by role, dates, statuses by their meaning."""
    columns = [
        f"{role.value}{' (required)' if role in profile.required else ''}: {', '.join(headers)}"
        for role, headers in profile.shown_headers.items()
        if headers
    ]
    described = {f"{profile.title} ({profile.name})": _about(profile)}
    if profile.unconfirmed:
        described["Not confirmed yet, so it means nothing"] = list(profile.unconfirmed)
    described["Columns, the preferred heading first"] = columns
    table = profile.statuses
    described |= _by_meaning("", table.base, table.shown)
    if table.nothing_begins:
        begins = ", ".join(table.nothing_begins)
        described["No milestone, ignored, for every other status that begins with"] = [begins]
    for direction, statuses in table.by_direction.items():
        where = f" when the direction is {direction.value or 'blank'}"
        described |= _by_meaning(where, statuses, table.shown)
    for kind, statuses in table.by_type.items():
        where = f" with type {table.shown_types.get(kind, kind)}"
        described |= _by_meaning(where, statuses, table.shown)
    return described


def _about(profile: Profile) -> list[str]:
    """Return the lines about the profile as a whole."""
    lines = []
    if profile.file_names:
        lines.append(f"files called: {', '.join(profile.file_names)}")
    lines.append(f"times without a zone: {profile.zone or 'as manifest.timezone says'}")
    for role, rule in profile.dates.items():
        if role not in profile.shown_headers:
            continue
        forms = [f"dd{each}mm" for each in sorted(rule.day_first_with)]
        forms += [f"mm{each}dd" for each in sorted(rule.month_first_with)]
        order = "day first" if rule.day_first else "month first"
        if rule.read_as != "text":
            order = rule.read_as.replace("_", " ")
        lines.append(f"{role.value}: {', '.join([*forms, 'else ' * bool(forms) + order])}")
    ids = profile.ids
    if ids.digits_only or (ids.min_length, ids.max_length) != (1, 50):
        kind = "digits" if ids.digits_only else "characters"
        lines.append(f"order ids: {ids.min_length} to {ids.max_length} {kind}")
    if ids.as_shown:
        lines.append(f"order ids as cells show them: {', '.join(sorted(ids.as_shown))}")
    if profile.auto_dispatch:
        lines.append("every order is auto-dispatched: pickups are not sent")
    if profile.reasons:
        lines.append(f"reasons: {', '.join(f'{t} = {n}' for t, n in profile.reasons.items())}")
    return lines


def _by_meaning(
    where: str, statuses: Mapping[str, Meaning], shown: Mapping[str, str]
) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for key, meaning in statuses.items():
        word = "any other status" if key == WILDCARD else shown.get(key, key)
        grouped.setdefault(_words(meaning) + where, []).append(word)
    return {heading: [", ".join(words)] for heading, words in grouped.items()}


def _words(meaning: Meaning) -> str:
    if meaning > 0:
        return f"Sent as {Milestone(meaning).wire}"
    return _WORDS[meaning]


_BACK = frozenset({Direction.RTO, Direction.RETURN, Direction.BACK})


def contradictions(profile: Profile) -> Iterator[str]:
    """Yield in words what a profile says otherwise than the general rules.

    A status that is another milestone, or one that its own words speak against; a direction turned
    round. Such a profile loads: a courier may mean it so. But it is more often a slip, of which no
    row would tell.
    """
    general = builtin_profiles()["generic"].statuses.base
    for status, meaning in profile.statuses.base.items():
        if meaning <= NOTHING:
            continue
        usual, way = general.get(status, NOTHING), way_named(status)
        shown = profile.statuses.shown.get(status, status)
        told = f'the status "{shown}" counts as {Milestone(meaning).wire}'
        if usual in FINALS and usual != meaning:
            yield f"{told}, and is {Milestone(usual).wire} everywhere else"
        elif way in {Direction.FORWARD, Direction.RTO} and not agrees(meaning, way):
            yield f"{told}, though it names another way"
    for word, direction in profile.directions.items():
        ways = {direction_of(word), direction}
        if Direction.FORWARD in ways and ways & _BACK:
            yield f'the direction "{word}" counts as {direction.value}'
