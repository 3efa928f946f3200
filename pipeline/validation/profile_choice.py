"""Which courier's profile a file is read with, and where its header is."""

import re
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from itertools import zip_longest

from msgspec.structs import replace

from pipeline.core.errors import DropRefused
from pipeline.core.profile_by_name import (
    Choice,
    decided,
    read_as_notice,
    unknown,
    without_type,
)
from pipeline.validation.columns import columns_of, data_header, fits, order_id_columns
from pipeline.validation.missing_headers import (
    header_missing,
    heading_row,
    looks_like_data,
    of_messages,
)
from schemas.courier import GENERIC, Profile
from schemas.date_headings import event_meant
from schemas.direction_headings import look_of, plain_look
from schemas.directions import direction_of
from schemas.display import quoted
from schemas.headings import divides_a_heading, is_of_messages, names_number, trimmed, words_of
from schemas.looks import Look
from schemas.normalise import fold, fold_header
from schemas.notes import names_an_id
from schemas.status_headings import AsksStatus, asks_status
from schemas.statuses import NOTHING, UNCLEAR
from schemas.vocabulary import DATE_ROLES, Role

_LONGEST = 120
"""No heading that a profile knows is longer."""

_FEWEST = 2
"""So many words make a row of headings: every profile requires an order id and a status."""

_ALL, _HEADING_WORDS = 3, 3
"""So many columns make a row of words that nobody knows headings, and so many words one of them."""

_DIGIT = re.compile("[0-9]")
_TELLING = frozenset({Role.ORDER_ID, Role.AWB, Role.STATUS})


class ProfileHeaderFinder:
    """Recognises the header row of any of the profiles that a file may be read with."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._profiles = tuple(profiles)
        self._needed = _needed_by(self._profiles)

    def fits(self, cells: Sequence[str]) -> bool:
        """Return whether a row holds all roles that one of the profiles requires."""
        if len(cells) < _FEWEST:
            return False
        # Nearly every row that is asked about is a data row: without one exact heading of a
        # required role no profile fits, and one look tells that of all of them.
        if self._needed.isdisjoint(data_header(cell) for cell in cells if len(cell) < _LONGEST):
            return False
        return any(fits(cells, profile) for profile in self._profiles)

    def is_status(self, cell: str) -> bool:
        """Return whether a cell is a status, in words, of one of the profiles."""
        folded = fold(cell)
        return folded in _words_of(self._profiles)[0] and any(map(str.isalpha, folded))

    def later(self, headers: Sequence[str]) -> "LaterHeaders":
        """Return a test for heading rows below this header."""
        return _later(tuple(headers), self._profiles)

    def refusal(
        self,
        seen: Sequence[Sequence[str]],
        sheets: Sequence[tuple[str, int]] = (),  # noqa: ARG002 - the protocol's signature
    ) -> DropRefused:
        """Build ``HEADER_NOT_FOUND`` from the first rows of a file: seen, missing, nearest.

        Judges by the row that comes closest to being a header, against the profile of which the
        fewest roles are missing then. A row of data is never taken for headings.
        """
        known = {
            alias
            for profile in self._profiles
            for aliases in profile.headers.values()
            for alias in aliases
        }
        statuses = {status for profile in self._profiles for status in profile.statuses.shown}
        row = heading_row(seen, known, statuses)
        if is_of_messages(row):
            named = ", ".join(quoted(cell.strip()) for cell in row if cell.strip())
            return of_messages(f"The headings are {named}")
        profile = min(
            self._profiles, key=lambda each: (len(_lacking(row, each)), -len(each.required))
        )
        place = next((at for at, cells in enumerate(seen) if cells is row), len(seen))
        return header_missing(
            _lacking(row, profile) or profile.required, row, profile, below=seen[place + 1 :]
        )


_OF_WAYS = frozenset({Role.DIRECTION, Role.STATUS_TYPE, Role.SELF_SHIP})


class LaterHeaders:
    """Knows the heading rows below a header: its repeats, and those of another table.

    ``ids``, ``statuses``: the columns of the header in which a further one would show;
    ``may_be_ids``: those that may be read as the order id, by whatever heading. ``ways``: those
    that may tell a way or a fate. ``dates``: those with dates, by whatever heading. ``marked``:
    those in which a comment or a line through a cell speaks of its row.
    """

    def __init__(self, headers: Sequence[str], profiles: Sequence[Profile]) -> None:
        self._folded = _folded(headers)
        own = [profile for profile in profiles if fits(headers, profile)]
        self._profiles = own or list(profiles)
        self._roles = [columns_of(self._folded, profile) for profile in self._profiles]
        self.ids = self._columns(Role.ORDER_ID)
        self.may_be_ids: Sequence[int] = sorted(
            {at for each in self._profiles for at in order_id_columns(self._folded, each)}
        )
        self.statuses = self._columns(Role.STATUS)
        dated = {at for role in DATE_ROLES for at in self._columns(role)}
        self.dates: Sequence[int] = [
            at for at, name in enumerate(headers) if at in dated or event_meant(name) is not None
        ]
        of_rows = {at for role in (Role.AWB, Role.EVENT_TIME) for at in self._columns(role)}
        self.marked = of_rows | {*self.may_be_ids, *self.statuses}
        told = {at for role in {*Role} - _OF_WAYS for at in self._columns(role)}
        self.ways: Sequence[int] = [
            at
            for at, heading in enumerate(headers)
            if at not in told and (look_of(heading) or plain_look(heading))
        ]
        self._statuses, self._known = _words_of(tuple(profiles))

    def _columns(self, role: Role) -> Sequence[int]:
        return sorted({roles[role] for roles in self._roles if role in roles})

    def is_heading(self, cell: str) -> bool:
        """Return whether a cell is a heading that some profile knows."""
        return len(cell) < _LONGEST and data_header(cell) in self._known

    def is_header(self, cells: Sequence[str]) -> bool:
        """Return whether a row holds headings: all that a profile needs, or two and no data.

        One is enough if it is the order id's, or stands for another in the header's own column
        for ids or statuses: rows below would be read with what is no id, or no status, of theirs.
        """
        folded = [data_header(cell) for cell in cells if len(cell) < _LONGEST]
        known = [self._known[heading] for heading in folded if heading in self._known]
        if not known:
            return self._are_headings(cells)
        if any(fits(cells, profile) for profile in self._profiles):
            return True
        if any(looks_like_data(cell) for cell in cells):
            return False
        return _are_of_two(known) or self._heads_another(cells) or self._heads_other_things(cells)

    def is_shipment(self, cells: Sequence[str]) -> bool:
        """Return whether a row has an order id and a status where the header has theirs."""
        ids = " ".join(cells[at] for at in self.ids if at < len(cells))
        words = (fold(cells[at]) for at in self.statuses if at < len(cells))
        if not _DIGIT.search(ids) or self._statuses.isdisjoint(words):
            return False
        return names_an_id(ids) or sum(map(bool, cells)) > _FEWEST  # Delivered | 24 is a summary

    def _are_headings(self, cells: Sequence[str]) -> bool:
        """Return whether words that nobody knows are headings: one in each column, and no digit.

        Nearly every row of data has a digit in its ids or its time.
        """
        if _DIGIT.search("".join(cells)):
            return False
        words = [fold(cell) for cell in trimmed(cells)]
        every = len(words) == len(self._folded) >= _ALL and all(words)
        if not every or len({*words}) < len(words) or any(map(looks_like_data, cells)):
            return False
        short = all(len(word.split()) <= _HEADING_WORDS for word in words)
        no_digit = not any(map(str.isdigit, "".join(words)))
        return short and no_digit and self._statuses.isdisjoint(words)

    def _heads_another(self, cells: Sequence[str]) -> bool:
        words = [folded for cell in cells if (folded := fold(cell))]
        if len(words) < _FEWEST or not self._statuses.isdisjoint(words):
            return False
        roles = [self._known.get(data_header(cell), set()) for cell in cells]
        statuses = self.statuses or range(len(roles))  # the header's own may be misspelt
        return (
            any(Role.ORDER_ID in each for each in roles)
            or any(Role.AWB in roles[at] for at in self.ids if at < len(roles))
            or any(Role.STATUS in roles[at] for at in statuses if at < len(roles))
        )

    def _heads_other_things(self, cells: Sequence[str]) -> bool:
        """Return whether headings of an id and of a status stand in the header's own columns.

        No profile knows them (Return ID, Return Status), so that they are another table's.
        """
        ids = [cells[at] for at in self.ids if at < len(cells)]
        statuses = [cells[at] for at in self.statuses if at < len(cells)]
        return any(map(names_number, ids)) and any("status" in words_of(each) for each in statuses)

    def divides(self, cells: Sequence[str]) -> bool:
        """Return whether the row right below the header divides its headings (Previous, Current).

        It has no order id, no status and no data, and at least one of its cells stands where the
        header has nothing to say, or beside another under the same heading.
        """
        words = {at: cell.strip() for at, cell in enumerate(cells) if cell.strip()}
        if not words or any(at in words for at in self.ids):
            return False
        if any(map(self._is_data, words.values())):
            return False
        in_status = any(at in words for at in self.statuses)
        alone = [at for at in words if not self._heading(at)]
        if in_status and (alone or any(map(divides_a_heading, words.values()))):
            return True
        return len(words) > 1 and bool(alone)

    def _is_data(self, cell: str) -> bool:
        """Return whether a cell is data; RTO is a status, and a heading beside Forward."""
        is_status = fold(cell) in self._statuses and direction_of(fold(cell)) is None
        return is_status or looks_like_data(cell)

    def _heading(self, at: int) -> str:
        return self._folded[at] if at < len(self._folded) else ""

    def repeats(self, cells: Sequence[str]) -> bool:
        """Return whether a row has the header's roles in the header's columns.

        A column that would be heard otherwise (RTO Delivered Date below Delivered Date, or Shipment
        Type below nothing) is another one.
        """
        folded = _folded(cells)
        if folded == self._folded:
            return True
        roles = [columns_of(folded, profile) for profile in self._profiles]
        pairs = zip_longest(folded, self._folded, fillvalue="")
        return roles == self._roles and all(
            _evidence_of(one) == _evidence_of(other) for one, other in pairs
        )


@lru_cache(maxsize=64)  # a courier's files have the headings of yesterday
def _later(headers: tuple[str, ...], profiles: tuple[Profile, ...]) -> LaterHeaders:
    return LaterHeaders(headers, profiles)


@lru_cache(maxsize=16)
def _needed_by(profiles: tuple[Profile, ...]) -> Set[str]:
    """Return the headings of which at least one stands in a header that one of them fits."""
    return {
        alias
        for profile in profiles
        for role in profile.required
        for alias in profile.headers.get(role, ())
    }


@lru_cache(maxsize=16)
def _words_of(profiles: tuple[Profile, ...]) -> tuple[Set[str], Mapping[str, Set[Role]]]:
    """Return the statuses that the profiles know, and their headings with the roles of each."""
    statuses = {status for profile in profiles for status in profile.statuses.shown}
    known: dict[str, set[Role]] = {}
    for profile in profiles:
        for role, aliases in profile.headers.items():
            for alias in aliases:
                known.setdefault(alias, set()).add(role)
    return statuses, known


def _evidence_of(heading: str) -> tuple[Look | None, AsksStatus | None]:
    """Return the evidence that a column with this heading is looked through for."""
    return look_of(heading), asks_status(heading) if heading else AsksStatus.MOSTLY


def _folded(cells: Sequence[str]) -> list[str]:
    return [data_header(cell) for cell in trimmed(cells)]


def _are_of_two(known: Sequence[Set[Role]]) -> bool:
    """Return whether headings are of different roles, one of which says whose or which status."""
    roles = set().union(*known)
    return len(known) > 1 and len(roles) > 1 and not roles.isdisjoint(_TELLING)


def possible_profiles(
    *, file_name: str, named: str | None, profiles: Mapping[str, Profile], default: str
) -> tuple[Profile, ...]:
    """Return profiles whose header may be looked for: one when name or file name already decide."""
    choice = decided(file_name, named, profiles)
    if choice:
        return (choice.profile,) if named else _with_plain(choice.profile, profiles)
    first = (None if named else profiles.get(default)) or profiles[GENERIC]
    return (first, *(profile for profile in profiles.values() if profile is not first))


def choose_profile(
    headers: Sequence[str],
    *,
    file_name: str,
    named: str | None,
    profiles: Mapping[str, Profile],
    default: str,
) -> Choice:
    """Choose in the order of the contract.

    ``named`` (``--courier``, the sub-folder, or the parent of a corrected file); else a profile's
    file-name pattern; else the one courier profile that the header fits; else ``default``. For a
    name without a profile (notice ``COURIER_UNKNOWN``): the profile whose name it is near to, else
    the one that the header fits, else ``careful``.
    """
    choice = decided(file_name, named, profiles)
    if choice:
        if fits(headers, choice.profile):
            return _beside(headers, choice, profiles)
        return choice if named else _in_words(headers, choice, profiles)
    fitting = _owners(tuple(headers), tuple(profiles.values()), profiles[GENERIC])
    if len(fitting) == 1:
        why = "its header is this courier's"
        notices = (read_as_notice(fitting[0], why, named),) if named else ()
        return Choice(profile=fitting[0], why=why, notices=notices)
    if named:
        return Choice(
            profile=careful(profiles),
            why="the named courier has no profile",
            notices=(unknown(named, profiles),),
        )
    fallback = profiles.get(default) or profiles[GENERIC]
    return Choice(profile=fallback, why="nothing else decides (manifest.courier)")


def _with_plain(profile: Profile, profiles: Mapping[str, Profile]) -> tuple[Profile, ...]:
    """Return a profile, and ``generic`` beside one that also reads files without a status type."""
    return (profile, profiles[GENERIC]) if Role.STATUS_TYPE in profile.required else (profile,)


def _beside(headers: Sequence[str], choice: Choice, profiles: Mapping[str, Profile]) -> Choice:
    """Return the choice, with care where the header has what only another courier writes."""
    profile = choice.profile
    own = profile.signature.union(*(profile.headers[role] for role in profile.orders))
    for other in profiles.values():
        theirs = other.signature - own - profile.nothing
        heading = next((each for each in headers if fold_header(each) in theirs), None)
        if heading is not None and other is not profile and fits(headers, other, guess=False):
            ways = {**other.ways, **profile.ways}
            return replace(choice, profile=replace(profile, beside=(other, heading), ways=ways))
    return choice


def _in_words(headers: Sequence[str], choice: Choice, profiles: Mapping[str, Profile]) -> Choice:
    """Return the choice for a file in which only the courier's status type is missing.

    So its panel exports them, with the statuses in words. They are read with care: *Delivered* and
    *RTO Delivered* are plain, *RTO* and *Dispatched* are not, without a type.
    """
    without = tuple(each for each in choice.profile.required if each is not Role.STATUS_TYPE)
    if not fits(headers, replace(choice.profile, required=without)):
        return choice
    if len(without) == len(choice.profile.required) or not fits(headers, profiles[GENERIC]):
        return choice
    notice = without_type(choice.profile)
    return Choice(profile=careful(profiles), why=choice.why, notices=(*choice.notices, notice))


def careful(profiles: Mapping[str, Profile]) -> Profile:
    """Return ``generic`` for a courier that nobody knows.

    Words to which it gives a milestone and another courier another meaning are ambiguous in it.
    """
    generic = profiles[GENERIC]
    tables = [profile.statuses for profile in profiles.values()]
    clear = {
        status: meaning
        if meaning <= NOTHING or all(each.agrees_on(status, meaning) for each in tables)
        else UNCLEAR
        for status, meaning in generic.statuses.base.items()
    }
    return replace(generic, statuses=replace(generic.statuses, base=clear))


@lru_cache(maxsize=64)
def _owners(
    headers: tuple[str, ...], profiles: tuple[Profile, ...], generic: Profile
) -> Sequence[Profile]:
    """Return the couriers for each of which alone a header may speak."""
    return [profile for profile in profiles if _is_own(headers, profile, generic)]


def _is_own(headers: Sequence[str], profile: Profile, generic: Profile) -> bool:
    """Return whether a header speaks for one courier, not for any sheet.

    It holds all that the profile requires, and either a heading that only this courier writes
    (its ``signature``) or none of those that a generic sheet would need. A *Status Code* without a
    type beside it may be anybody's.
    """
    folded = {fold_header(header) for header in headers}
    if Role.STATUS_TYPE not in profile.required:
        headers = [header for header in headers if fold_header(header) not in _ANYBODYS]
    if profile.name == GENERIC or not fits(headers, profile, guess=False):
        return False
    if not profile.signature.isdisjoint(folded):
        return True
    return not fits(headers, generic, guess=False)


_ANYBODYS = frozenset({"status code", "statuscode"})


def _lacking(row: Sequence[str], profile: Profile) -> list[Role]:
    folded = {fold_header(cell) for cell in row}
    return [role for role in profile.required if folded.isdisjoint(profile.headers.get(role, ()))]
