"""Which column of an unfamiliar file is probably which, and why: for a person to confirm.

Cells decide before headings: a heading may only be followed where its cells can be what it says.
"""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace
from rapidfuzz import fuzz

from pipeline.core.draft import RoleChoices
from pipeline.core.errors import UsageError
from pipeline.validation.columns import data_header
from pipeline.validation.draft.column_profile import ColumnFacts, Survey
from schemas.courier import GENERIC, Profile
from schemas.date_headings import event_meant
from schemas.direction_headings import RETURNS, look_of
from schemas.directions import LETTERS, PAIRS, direction_of
from schemas.display import quoted
from schemas.headings import is_place_or_thing, names_order, speaks_of_other, words_of
from schemas.looks import Asks
from schemas.normalise import FALSE_WORDS, TRUE_WORDS, fold, fold_header
from schemas.profile import is_awb_like
from schemas.similarity import did_you_mean
from schemas.statuses import Direction
from schemas.vocabulary import DATE_ROLES, Role
from schemas.word_lists import word_set

_SIMILAR = 0.6
"""From here on a heading counts as similar to one that is known."""

_ALIKE = 0.8
"""So similar a heading must be where any cells could be the role's."""

_NEARLY_ALL = 0.8
"""Such a share of directions makes a column one, whatever its heading."""

_FLAGS = frozenset({Role.AUTO_DISPATCH, Role.SELF_SHIP})
_PROGRESS = word_set(
    "activity event events haal milestone position progress scan stage status step update"
)
_NO_EVENTS = word_set(
    "book booked booking create created creation dispatch invoice manifest order ordered paid "
    "payment pickup placed purchase ship shipped"
)
_NO_STATUS = word_set("by type mode")
_PAID = word_set("paid unpaid refunded settled captured authorized remitted prepaid cod")
#: Cells of a status of the payment, where one of ``_PAID`` is among them.
_OF_MONEY = _PAID | word_set("pending failed partial partially due")
_MOST_STATUSES = 60
_OFTEN = 2.0
"""So often each status of a column stands in it, on average."""


class Guess(Struct, frozen=True, kw_only=True):
    """A role's column. ``sure``: a person named it, or its heading is known to stand for the role,
    nothing speaks against it, and no other column claims it; any other guess must be confirmed.
    ``evidence``: in words.
    """

    role: Role
    column: int
    header: str
    sure: bool
    evidence: str
    score: float


def guess_roles(
    seen: Survey, profiles: Mapping[str, Profile], choices: RoleChoices | None = None
) -> tuple[Guess, ...]:
    """Give each role the column for which most speaks, in the order of ``Role``.

    A heading stands for one role, a role has one column. An AWB is never offered as order id, a
    docket only where its cells are order ids as Fynd writes them.
    ``choices``: what a person says goes before. Raises UsageError for a heading that is not there.
    """
    choices = choices or RoleChoices()
    taken = {role: _named(role, heading, seen) for role, heading in choices.columns.items()}
    scored = [
        guess
        for at, facts in enumerate(seen.columns)
        for role in Role
        if role not in choices.none and (guess := _weigh(role, at, facts, profiles)) is not None
    ]
    scored.sort(key=lambda each: (-each.score, each.column))
    headings = {fold_header(guess.header) for guess in taken.values()}
    for guess in scored:
        heading = fold_header(guess.header)
        if guess.role not in taken and heading not in headings:
            taken[guess.role] = _doubted(guess, scored, seen)
            headings.add(heading)
    return tuple(taken[role] for role in Role if role in taken)


def is_no_event(heading: str) -> bool:
    """Return whether a heading speaks of another moment than that of a status."""
    return bool(words_of(heading) & _NO_EVENTS) or speaks_of_other(heading)


def _named(role: Role, heading: str, seen: Survey) -> Guess:
    wanted = fold_header(heading)
    if role is Role.ORDER_ID and is_awb_like(wanted):
        raise UsageError(f"{quoted(heading)} is an AWB, which is never the order id.")
    known = {fold_header(facts.header): facts.header for facts in seen.columns if facts.header}
    for at, facts in enumerate(seen.columns):
        if fold_header(facts.header) == wanted:
            return Guess(
                role=role,
                column=at,
                header=facts.header,
                sure=True,
                evidence="This is what you said.",
                score=0.0,
            )
    raise UsageError(f"There is no column {quoted(heading)}.", hint=did_you_mean(wanted, known))


def _doubted(guess: Guess, scored: Sequence[Guess], seen: Survey) -> Guess:
    """Return a guess that another column claims about as well as one that is not sure.

    So does one whose cells alone are order ids as Fynd writes them.
    """
    rivals = [
        each.header
        for each in scored
        if each.role is guess.role
        and each.column != guess.column
        and (each.sure or (not guess.sure and each.score >= guess.score - 0.1))
    ]
    if guess.role is Role.ORDER_ID and not seen.columns[guess.column].is_of_fynd:
        rivals += [each.header for each in seen.columns if each.is_of_fynd]
    if not rivals:
        return guess
    named = " or ".join(quoted(each) for each in dict.fromkeys(rivals[:3]))
    return replace(guess, sure=False, evidence=f"{guess.evidence} It could be {named} as well.")


def _weigh(
    role: Role, at: int, facts: ColumnFacts, profiles: Mapping[str, Profile]
) -> Guess | None:
    heading = data_header(facts.header)
    of_parcels = _is_of_parcels(facts.header) and not facts.is_of_fynd
    of_parcels |= is_awb_like(heading)
    if not heading or (role is Role.ORDER_ID and of_parcels):
        return None
    generic = profiles[GENERIC].headers.get(role, ())
    known = heading in generic
    if known:
        likeness, about = 1.2 - 0.2 * generic.index(heading) / len(generic), "The heading is known."
    else:
        likeness, about = _likeness(role, heading, profiles)
    shape, seen = _shape(role, facts, profiles)
    if not known and not _may_be(role, facts, likeness, shape, profiles):
        return None
    score = likeness if shape is None else (likeness + 2 * shape) / 3
    contradicted = shape is not None and facts.filled > 0 and shape < 0.5
    contradicted |= role is Role.STATUS and not facts.filled  # the statuses stand elsewhere
    return Guess(
        role=role,
        column=at,
        header=facts.header,
        sure=known and not contradicted,
        evidence=" ".join(part for part in (about, seen) if part),
        score=score + (known and not contradicted),
    )


def _may_be(
    role: Role,
    facts: ColumnFacts,
    likeness: float,
    shape: float | None,
    profiles: Mapping[str, Profile],
) -> bool:
    """Return whether a column whose heading generic does not know may be offered for a role."""
    words = words_of(facts.header)
    used = any(data_header(facts.header) in p.headers.get(role, ()) for p in profiles.values())
    if role is Role.STATUS_TYPE:
        return used or (likeness >= _ALIKE and words >= {"status", "type"})
    if role is Role.STATUS:
        return shape is not None and shape >= 0.5
    if speaks_of_other(facts.header) and not used:
        return False
    if role is Role.DIRECTION and (shape or 0) >= _NEARLY_ALL:
        return True
    if role is Role.ORDER_ID:
        named = _names_order(facts.header) or used
        plain = not is_place_or_thing(facts.header) and likeness < 1
        return (shape or 0) >= (0.5 if named else 0.8) and (named or plain)
    if role is Role.AWB:
        return ((shape or 0) >= 0.5 and (used or _is_of_parcels(facts.header))) or (
            (shape or 0) >= 0.6 and likeness >= _SIMILAR and not is_place_or_thing(facts.header)
        )
    if role is Role.EVENT_TIME and words & _NO_EVENTS:
        return False
    return likeness >= _ALIKE and (shape is None or shape >= 0.5)


def _likeness(role: Role, heading: str, profiles: Mapping[str, Profile]) -> tuple[float, str]:
    """Return how close a heading comes to one that some courier uses for the role, from 0 to 1."""
    best, nearest, whose = 0.0, "", ""
    for profile in profiles.values():
        for alias, shown in zip(
            profile.headers.get(role, ()), profile.shown_headers.get(role, ()), strict=False
        ):
            score = max(fuzz.ratio(heading, alias), fuzz.token_sort_ratio(heading, alias)) / 100
            if score > best:
                best, nearest, whose = score, shown, profile.title
    if best == 1.0:
        return 1.0, f"{whose} uses this heading for it."
    if role is Role.ORDER_ID and _names_order(heading):
        return 0.9, "The heading names an order."
    if role is Role.EVENT_TIME and event_meant(heading) is not None:
        return max(best, 0.85), "The heading speaks of the time of a status."
    if best < _SIMILAR:
        return 0.0, "The heading says nothing to us."
    return best, f"The heading is {best:.0%} like {quoted(nearest)}."


def _shape(
    role: Role, facts: ColumnFacts, profiles: Mapping[str, Profile]
) -> tuple[float | None, str]:
    """Return how far the cells speak for a role, from 0 to 1.

    None for a role any cells could have.
    """
    if role is Role.ORDER_ID:
        share = facts.share(facts.ids)
        reason = f"{facts.ids} of {facts.filled} cells look like order ids."
        return (share if facts.long_ids * 2 > facts.filled else 0.85 * share), reason
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
        flags = _counted(words, TRUE_WORDS | FALSE_WORDS)
        return facts.share(flags), f"{flags} of {facts.filled} cells say yes or no."
    if role is Role.DIRECTION:
        ways = _counted(words, _direction_words(facts, profiles[GENERIC].directions))
        return facts.share(ways), f"{ways} of {facts.filled} cells are known directions."
    if role is Role.STATUS_TYPE:
        types = {kind for each in profiles.values() for kind in each.statuses.shown_types}
        known = _counted(words, types)
        reason = f"{known} of {facts.filled} cells are types that some courier uses."
        return (0.0 if words is None or _number_share(facts) else facts.share(known)), reason
    return None, ""


def _names_order(heading: str) -> bool:
    return names_order(heading) or bool({*_words(heading)} & _ORDERS)


def _is_of_parcels(heading: str) -> bool:
    """Return whether a heading is of the parcels' own numbers: AWB, Docket No, पार्सल क्रमांक."""
    return is_awb_like(data_header(heading)) or bool({*_words(heading)} & _PARCELS)


def _words(heading: str) -> list[str]:
    return [*words_of(heading), *fold(heading).split()]


#: Words of headings for these numbers, also as people write them in their own scripts.
_PARCELS = word_set(
    fold(
        "docket dockets consignment cnote hawb lr parcel पार्सल डॉकेट डाकेट खेप பார்சல் పార్సెల్ "
        "ಪಾರ್ಸೆಲ್ পার্সেল પાર્સલ പാഴ്സൽ ਪਾਰਸਲ ପାର୍ସଲ پارسل"
    )
)
_ORDERS = word_set(fold("ऑर्डर आर्डर ஆர்டர் ఆర్డర్ ಆರ್ಡರ್ অর্ডার ઓર્ડર ഓർഡർ ਆਰਡਰ ଅର୍ଡର آرڈر"))


def _counted(words: Mapping[str, int] | None, known: Collection[str]) -> int:
    return sum(n for word, n in (words or {}).items() if word in known)


def _direction_words(facts: ColumnFacts, known: Collection[str]) -> set[str]:
    """Return the cells that are directions; yes and no, 1 and 0 only where the heading asks."""
    look = look_of(facts.header)
    asked = look is not None and look.asks is Asks.YES and look.way in RETURNS
    found = {word for word in known if asked or word not in TRUE_WORDS | FALSE_WORDS}
    ways = {word: way for word in facts.values or {} if (way := direction_of(word)) is not None}
    letters = LETTERS if look is not None and look.letters else {}
    pairs = {
        word: way for word, way in {**PAIRS, **letters}.items() if word in (facts.values or {})
    }
    every = {*ways.values(), *pairs.values()}
    both = Direction.FORWARD in every and len(every) > 1
    return found | {*ways} | ({*pairs} if both else set())


def _status_shape(facts: ColumnFacts, profiles: Mapping[str, Profile]) -> tuple[float, str]:
    """Return how far cells are statuses: known ones, or few words that each stand there often."""
    words = facts.values
    if words is None:
        return 0.0, "It has too many different cells for statuses."
    money = {word for word in words if words_of(word) & _OF_MONEY}
    if any(words_of(word) & _PAID for word in money) and facts.share(_counted(words, money)) > 0.5:
        return 0.0, "Its cells speak of payments."
    vocabulary = {word for each in profiles.values() for word in each.statuses.shown}
    known = _counted(
        words, {word for word in words if word in vocabulary and any(map(str.isalpha, word))}
    )
    reason = f"{known} of {facts.filled} cells are statuses that some courier uses."
    share = facts.share(known)
    names_status = "status" in words_of(facts.header)
    used = any(
        data_header(facts.header) in profile.headers.get(Role.STATUS, ())
        for profile in profiles.values()
    )
    heading = not (
        speaks_of_other(facts.header)
        or is_place_or_thing(facts.header)
        or words_of(facts.header) & _NO_STATUS
    )
    progress = bool(words_of(facts.header) & _PROGRESS)
    few = _are_few_words(facts, words)
    if share >= 0.5:
        return (share if heading or share > 0.9 else share / 2), reason
    if known and few and heading:
        return 0.9, reason
    reason = f"{reason} It has {len(words)} different cells."
    if few and heading:
        return (0.7 if progress else 0.5), reason
    # Numbers are statuses only under a heading that some courier has for its own.
    by_name = used or (names_status and heading and not _number_share(facts))
    return (0.5 if by_name and len(words) <= _MOST_STATUSES else 0.0), reason


def _are_few_words(facts: ColumnFacts, words: Mapping[str, int]) -> bool:
    """Return whether the cells are few words, each often, and no flags, ways or places."""
    if not 2 <= len(words) <= _MOST_STATUSES or facts.filled < _OFTEN * len(words):
        return False
    if facts.dates or facts.typed_dates or facts.ids or _number_share(facts) > 0:
        return False
    other = TRUE_WORDS | FALSE_WORDS | _STATES
    ways = sum(n for word, n in words.items() if word in other or direction_of(word) is not None)
    return facts.share(ways) < 0.5


def _number_share(facts: ColumnFacts) -> float:
    words: Mapping[str, int] = facts.values or {}
    return facts.share(sum(n for word, n in words.items() if not any(map(str.isalpha, word))))


_STATES_OF_INDIA = """
Andhra Pradesh, Arunachal Pradesh, Assam, Bihar, Chhattisgarh, Goa, Gujarat, Haryana, Himachal
Pradesh, Jharkhand, Karnataka, Kerala, Madhya Pradesh, Maharashtra, Manipur, Meghalaya, Mizoram,
Nagaland, Odisha, Orissa, Punjab, Rajasthan, Sikkim, Tamil Nadu, Telangana, Tripura, Uttar
Pradesh, Uttarakhand, West Bengal, Delhi, New Delhi, Chandigarh, Puducherry, Pondicherry, Ladakh,
Jammu and Kashmir, Jammu & Kashmir, Lakshadweep
"""
#: A column of states and union territories holds no statuses.
_STATES = frozenset(map(fold, _STATES_OF_INDIA.split(",")))
