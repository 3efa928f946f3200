"""A courier profile in words, for people who did not write it."""

from collections.abc import Mapping

from pipeline.milestones import Milestone
from schemas.courier import Profile
from schemas.statuses import Meaning


def describe_profile(profile: Profile) -> dict[str, list[str]]:
    """Heading → lines: columns by role, and statuses by what they lead to."""
    columns = [
        f"{role.value}: {', '.join(headers)}"
        for role, headers in profile.shown_headers.items()
        if headers
    ]
    described = {
        f"{profile.title} ({profile.name})": [],
        "Columns, the preferred heading first": columns,
    }
    table = profile.statuses
    described |= _by_meaning("", table.base, table.shown)
    for direction, statuses in table.by_direction.items():
        where = f" when the direction is {direction.value or 'blank'}"
        described |= _by_meaning(where, statuses, table.shown)
    for kind, statuses in table.by_type.items():
        described |= _by_meaning(f" with type {table.shown_types.get(kind, kind)}", statuses, table.shown)
    return described


def _by_meaning(
    where: str, statuses: Mapping[str, Meaning], shown: Mapping[str, str]
) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for key, meaning in statuses.items():
        grouped.setdefault(_words(meaning) + where, []).append(shown.get(key, key))
    return {heading: [", ".join(words)] for heading, words in grouped.items()}


def _words(meaning: Meaning) -> str:
    if meaning > 0:
        return f"Sent as {Milestone(meaning).wire}"
    return "No milestone, ignored" if meaning == 0 else "Ambiguous, rejected"
