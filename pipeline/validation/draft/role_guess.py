"""Which column of an unfamiliar file is probably which, and why: for a person to confirm."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from rapidfuzz import fuzz

from pipeline.validation.columns import data_header
from pipeline.validation.draft.column_profile import ColumnFacts, Survey
from schemas.courier import GENERIC, Profile
from schemas.display import quoted
from schemas.folding import FALSE_WORDS, TRUE_WORDS, fold_header
from schemas.profile import is_awb_like
from schemas.vocabulary import DATE_ROLES, Role

_SIMILAR = 0.6
"""From here on a heading counts as similar to one that is known."""

_ENOUGH = 0.45
"""A column needs this much evidence to be offered for a role."""

_BY_SHAPE = frozenset({Role.ORDER_ID, Role.AWB, Role.STATUS})
"""Roles whose cells can speak for them although the heading says nothing."""

_FLAGS = frozenset({Role.AUTO_DISPATCH, Role.SELF_SHIP})


class Guess(Struct, frozen=True, kw_only=True):
    """A role's column. ``sure``: its heading is known to stand for the role, nothing speaks against
    it, and no other column claims it; any other guess must be confirmed. ``evidence``: in words.
    """

    role: Role
    column: int
    header: str
    sure: bool
    evidence: str
    score: float


def guess_roles(seen: Survey, profiles: Mapping[str, Profile]) -> tuple[Guess, ...]:
    """Give each role the column for which most speaks, in the order of ``Role``.

    A heading stands for one role, a role has one column. An AWB is never offered as order id.
    """
    scored = [
        guess
        for at, facts in enumerate(seen.columns)
        for role in Role
        if (guess := _weigh(role, at, facts, profiles)) is not None
    ]
    scored.sort(key=lambda each: (-each.score, each.column))
    taken: dict[Role, Guess] = {}
    headings: set[str] = set()
    for guess in scored:
        heading = fold_header(guess.header)
        if guess.role not in taken and heading not in headings:
            taken[guess.role] = _doubted(guess, scored)
            headings.add(heading)
    return tuple(taken[role] for role in Role if role in taken)


def _doubted(guess: Guess, scored: Sequence[Guess]) -> Guess:
    """A guess that another column claims with a known heading too is not sure."""
    rivals = [
        each.header
        for each in scored
        if each.role is guess.role and each.column != guess.column and each.sure
    ]
    if not rivals:
        return guess
    also = f"{guess.evidence} It could be {' or '.join(quoted(each) for each in rivals)} as well."
    return Guess(
        role=guess.role,
        column=guess.column,
        header=guess.header,
        sure=False,
        evidence=also,
        score=guess.score,
    )


def _weigh(
    role: Role, at: int, facts: ColumnFacts, profiles: Mapping[str, Profile]
) -> Guess | None:
    heading = data_header(facts.header)
    if not heading or (role is Role.ORDER_ID and is_awb_like(heading)):
        return None
    generic = profiles[GENERIC].headers.get(role, ())
    if heading in generic:
        likeness, about = 1.2 - 0.2 * generic.index(heading) / len(generic), "The heading is known."
    else:
        likeness, about = _likeness(role, heading, profiles)
    shape, seen = _shape(role, facts, profiles)
    known = heading in generic
    score = likeness if shape is None else (likeness + shape) / 2
    if shape is None:
        enough = known or likeness >= 0.8
    elif role in _BY_SHAPE:
        enough = known or score >= _ENOUGH
    else:
        enough = known or (likeness >= _SIMILAR and shape >= 0.5)
    if not enough:
        return None
    contradicted = shape is not None and facts.filled > 0 and shape < 0.5
    return Guess(
        role=role,
        column=at,
        header=facts.header,
        sure=known and not contradicted,
        evidence=" ".join(part for part in (about, seen) if part),
        score=score + known,
    )


def _likeness(role: Role, heading: str, profiles: Mapping[str, Profile]) -> tuple[float, str]:
    """How close a heading comes to one that some courier uses for the role, from 0 to 1."""
    best, nearest, whose = 0.0, "", ""
    for profile in profiles.values():
        for alias, shown in zip(
            profile.headers.get(role, ()), profile.shown_headers.get(role, ()), strict=False
        ):
            score = max(fuzz.ratio(heading, alias), fuzz.token_sort_ratio(heading, alias)) / 100
            if score > best:
                best, nearest, whose = score, shown, profile.title
    if best < _SIMILAR:
        return 0.0, "The heading says nothing to us."
    if best == 1.0:
        return 1.0, f"{whose} uses this heading for it."
    return best, f"The heading is {best:.0%} like {quoted(nearest)}."


def _shape(
    role: Role, facts: ColumnFacts, profiles: Mapping[str, Profile]
) -> tuple[float | None, str]:
    """How far the cells speak for a role, from 0 to 1; None for a role any cells could have."""
    if role is Role.ORDER_ID:
        share = facts.share(facts.ids)
        told = f"{facts.ids} of {facts.filled} cells look like order ids."
        return (share if facts.long_ids * 2 > facts.filled else 0.7 * share), told
    if role is Role.AWB:
        share = facts.share(facts.awbs)
        return share * 0.8, f"{facts.awbs} of {facts.filled} cells look like AWB numbers."
    if role is Role.STATUS:
        return _status_shape(facts, profiles)
    if role in DATE_ROLES:
        dates = max(facts.dates, facts.typed_dates)
        return facts.share(dates), f"{dates} of {facts.filled} cells are dates."
    words = facts.values
    if role in _FLAGS:
        flags = sum(n for word, n in (words or {}).items() if word in TRUE_WORDS | FALSE_WORDS)
        return facts.share(flags), f"{flags} of {facts.filled} cells say yes or no."
    if role is Role.DIRECTION:
        known = profiles[GENERIC].directions
        ways = sum(n for word, n in (words or {}).items() if word in known)
        return facts.share(ways), f"{ways} of {facts.filled} cells are known directions."
    if role is Role.STATUS_TYPE:
        few = words is not None and len(words) <= 20
        return (1.0 if few else 0.0), f"{len(words or ())} different cells." if few else ""
    return None, ""


def _status_shape(facts: ColumnFacts, profiles: Mapping[str, Profile]) -> tuple[float, str]:
    """Cells that are a status at some courier; a bare number alone says nothing."""
    words = facts.values
    if words is None:
        return 0.0, "It has too many different cells for statuses."
    vocabulary = {word for each in profiles.values() for word in each.statuses.shown}
    known = sum(
        n for word, n in words.items() if word in vocabulary and not word.replace(" ", "").isdigit()
    )
    told = f"{known} of {facts.filled} cells are statuses that some courier uses."
    few = len(words) <= max(3, facts.filled // 3) and not facts.dates and not facts.ids
    share = facts.share(known)
    if known:
        return max(share, 0.9 if few else 0.0), told
    return (0.5 if few else 0.0), f"{told} It has {len(words)} different cells."
