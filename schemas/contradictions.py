"""Find what a profile says against the plain words that every courier means alike.

Such a profile loads: a courier may mean it so. But it is more often a slip, of which no row would
tell.
"""

from collections.abc import Iterator

from schemas.courier import Profile
from schemas.directions import direction_of, way_named
from schemas.profile import builtin_profiles
from schemas.statuses import NOTHING, Direction, agrees
from schemas.vocabulary import FINALS, Milestone

_BACK = frozenset({Direction.RTO, Direction.RETURN, Direction.BACK})


def contradictions(profile: Profile) -> Iterator[str]:
    """Yield in words what a profile says otherwise than the general rules.

    A status that is another milestone, or one that its own words speak against; a direction turned
    round.
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
