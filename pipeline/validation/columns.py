"""Which column of a sheet is which: headers against the profile's aliases, never by position."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field

from pipeline.core.errors import DropRefused
from pipeline.core.free_text import without_absent
from pipeline.core.model import Block, Notice
from pipeline.validation.missing_headers import header_missing, of_messages, spoken
from pipeline.validation.order_ids import check_order_ids
from schemas.codes import Code
from schemas.courier import Profile
from schemas.display import quoted
from schemas.headings import (
    STATUSES_OF_MESSAGES,
    is_bare_order,
    is_earlier,
    is_instead,
    is_of_messages,
    is_of_person,
    is_place_or_thing,
    is_plain_order,
    names_order,
    other_subjects,
    words_of,
)
from schemas.normalise import ABSENT, fold, fold_header, kept
from schemas.parcels import AWB_SHAPE
from schemas.profile import is_awb_like
from schemas.similarity import alike
from schemas.vocabulary import DATE_ROLES, Role

CLOSE = 90.0
"""A header that is at least this alike to an alias is taken for it, with a warning."""

MARGIN = 5.0
"""By so much a close match must beat the closest alias of any other role."""

_SHORT = 4
"""Words with fewer letters are not misspelt ones."""

_MOST_NAMED = 10
"""Hidden columns that are named."""

_ID = Role.ORDER_ID
_SO_NAMED = frozenset({"order id", "orderid"})
_NOTHING = pa.array(sorted(ABSENT | {"-"}))

WORDS = "words"
"""A column that says in words what half a status code in the status column leaves open."""

REJECT_PREFIX = "_reject"
"""Our own columns in a corrected rejects file; they are not data."""


class Match(StrEnum):
    """The way in which a heading was recognised."""

    EXACT = "exact"  # the heading that the profile prefers, or the role's own name
    ALIAS = "alias"  # another heading that the profile knows
    EVIDENCE = "evidence"  # not known; its cells are only used to hold updates
    CLOSE = "close"  # not known, and close to one that is; always with HEADER_GUESSED


class ColumnMap(Struct, frozen=True, kw_only=True):
    """Role → column index, with the notices about it.

    ``headers`` are the sheet's headers as they stand in the file. ``helpers`` are the columns
    that only complete others (see ``Profile.helpers``). ``duplicates``: role → further columns with
    an equal header, which must not differ from it. ``rivals``: role → columns that could be
    the order id, or the AWB, as well as its own, and must not differ from it. ``matched``: role →
    how its heading was recognised. ``like``: column → the role that another column has, and the
    heading of it that this column's is close to. ``hidden``: columns that a person does not see;
    they stand back behind others.
    ``notices``: headers that were guessed, hidden columns. ``around``: what says where the whole
    sheet may have its direction from (``the tab "RTO"``) → its words.
    """

    columns: Mapping[Role, int]
    headers: tuple[str, ...]
    matched: Mapping[Role, Match] = field(default_factory=dict)
    helpers: Mapping[str, int] = field(default_factory=dict)
    duplicates: Mapping[Role, tuple[int, ...]] = field(default_factory=dict)
    rivals: Mapping[Role, tuple[int, ...]] = field(default_factory=dict)
    like: Mapping[int, tuple[Role, str]] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()
    notices: tuple[Notice, ...] = ()
    around: Mapping[str, str] = field(default_factory=dict)

    def header(self, role: Role) -> str:
        """Return the header of a role's column as the file has it.

        The role's name without a column.
        """
        at = self.columns.get(role)
        return role.value if at is None else " ".join(self.headers[at].split())

    def is_like(self, at: int, role: Role) -> bool:
        """Return whether a column's heading is close to one of a role that another column has."""
        return at in self.like and self.like[at][0] is role

    def unused(self) -> tuple[str, ...]:
        """Return the headers that stand for nothing here, but for our own ``_reject`` columns.

        A column that only repeats another under the same header is not listed either.
        """
        used = {*self.columns.values(), *self.helpers.values()}
        used.update(other for others in self.duplicates.values() for other in others)
        return tuple(
            " ".join(header.split())
            for at, header in enumerate(self.headers)
            if at not in used and data_header(header)
        )


def map_columns(
    headers: Sequence[str], profile: Profile, *, hidden: frozenset[int] = frozenset()
) -> ColumnMap:
    """Find a column for every role that the profile knows.

    A visible column goes before a hidden one (notice ``HIDDEN_COLUMN``). Exact alias first, in the
    profile's order of preference; then, for roles still without a column, a close match with a
    clear margin (notice ``HEADER_GUESSED``). Columns that begin with ``_reject`` are passed over.
    Raises ``DropRefused`` (``HEADER_NOT_FOUND``) when a role that the profile requires has no
    column.
    """
    folded = [data_header(header) for header in headers]
    seen = ["" if at in hidden else heading for at, heading in enumerate(folded)]
    columns = {**columns_of(folded, profile), **columns_of(seen, profile)}
    others = {at for role, at in columns.items() if role is not _ID}
    orders = _order_ids(folded, profile, taken=others, hidden=hidden)
    if orders:
        columns[_ID] = orders[0]
    helpers = {
        name: found
        for name, aliases in profile.helpers.items()
        if (found := _first(folded, aliases)) is not None
    }
    words = _words_of_codes(seen, columns, profile)
    helpers |= {} if words is None else {WORDS: words}
    matched = {role: _match(folded[at], role, profile) for role, at in columns.items()}
    notices = [] if hidden.isdisjoint(_named(folded)) else [_hidden_notice(headers, folded, hidden)]
    if orders and folded[orders[0]] not in profile.headers.get(_ID, ()):
        matched[_ID] = Match.CLOSE
        notices.append(_guessed(headers[orders[0]], _ID, "the order id"))
    near = _near(folded, profile, taken={*columns.values(), *helpers.values()})
    read_as = {role: folded[at] for role, at in columns.items()}
    for at, role, alias in _guesses(near):
        if role not in columns:
            columns[role], read_as[role] = at, alias
            matched[role] = Match.CLOSE
            notices.append(_guessed(headers[at], role, quoted(_shown(role, profile, alias))))
    missing = [role for role in profile.required if role not in columns]
    if missing:
        raise header_missing(missing, headers, profile)
    like = {
        at: (role, alias)
        for _, at, role, alias in near
        if columns.get(role, at) != at and folded[at] not in profile.nothing and at not in hidden
    }
    misspelt = {
        role: tuple(
            at
            for at, (its, alias) in like.items()
            if its is role
            and not _says_more(folded[at], alias)
            and _goes_before(alias, read_as[role], role, profile)
        )
        for role in (_ID, Role.AWB)
    }
    return ColumnMap(
        columns=columns,
        headers=tuple(headers),
        matched=matched,
        helpers=helpers,
        duplicates=_duplicates(seen, columns),
        rivals={**misspelt, _ID: orders[1:] + misspelt[_ID]},
        like=like,
        hidden=hidden,
        notices=tuple(notices),
    )


def _words_of_codes(
    seen: Sequence[str], columns: Mapping[Role, int], profile: Profile
) -> int | None:
    """Return the next best column of statuses, where the best one may have halves of codes alone.

    So it is where a courier's codes are joined from two columns, and the first is not there.
    """
    if not profile.statuses.joined or Role.STATUS not in columns or Role.STATUS_TYPE in columns:
        return None
    own = seen[columns[Role.STATUS]]
    return _first(seen, [each for each in profile.headers[Role.STATUS] if each != own])


def columns_of(folded: Sequence[str], profile: Profile) -> dict[Role, int]:
    """Return the column of each role whose heading, given folded, is one that the profile knows."""
    return {
        role: found
        for role, aliases in profile.headers.items()
        if (found := _first(folded, aliases)) is not None
    }


def order_id_columns(folded: Sequence[str], profile: Profile) -> set[int]:
    """Return the columns that ``map_columns`` may read as the order id, by whatever heading."""
    found = {*_order_ids(folded, profile, taken=())}
    found |= {at for at, role, _ in _guesses(_near(folded, profile, taken=())) if role is _ID}
    exact = columns_of(folded, profile).get(_ID)
    return found if exact is None else found | {exact}


def fits(headers: Sequence[str], profile: Profile, *, guess: bool = True) -> bool:
    """Return whether a header holds every role that the profile requires."""
    if is_of_messages(headers):
        return False
    folded = [data_header(header) for header in headers]
    missing = {
        role for role in profile.required if _first(folded, profile.headers.get(role, ())) is None
    }
    if guess and _ID in missing and _order_ids(folded, profile, taken=()):
        missing.remove(_ID)
    if not missing or not guess or len(missing) == len(profile.required):
        return not missing
    guessed = {role for _, role, _ in _guesses(_near(folded, profile, taken=()))}
    return missing <= guessed


def check_twins(block: Block, mapping: ColumnMap) -> None:
    """Refuse the file (``HEADER_DUPLICATE``) when two columns of one header differ in a row."""
    for role, others in mapping.duplicates.items():
        column = mapping.columns[role]
        first = block.cells[column]
        for other in others:
            differs = pc.not_equal(first, block.cells[other])
            if not pc.any(differs).as_py():
                continue
            at = pc.index(differs, True).as_py()
            one, two = (" ".join(mapping.headers[each].split()) for each in (column, other))
            called = f"called {quoted(two)}"
            if one != two:  # Status and Status (28-Nov)
                called = f"read as one, {quoted(one)} and {quoted(two)}"
            raise DropRefused(
                Code.HEADER_DUPLICATE,
                f"Two columns are {called}, and differ: in row {block.rows[at]} the one says "
                f"{quoted(first[at].as_py())}, the other {quoted(block.cells[other][at].as_py())}.",
                hint="Keep the one that is right, of statuses of two days the later one. Delete or "
                "rename the other, and upload the file again.",
            )


def check_rivals(block: Block, mapping: ColumnMap) -> None:
    """Refuse the file (``ID_COLUMN_AMBIGUOUS``) when two columns could be the same and differ.

    A row in which one of them is empty tells nothing; a second AWB tells without a first one too.
    """
    for role, others in mapping.rivals.items():
        for other in others:
            own, its = block.cells[mapping.columns[role]], block.cells[other]
            differs = _rival_cells(role, own, its)
            _, heading = mapping.like.get(other, (role, data_header(mapping.headers[other])))
            if role is _ID and _goes_behind(data_header(mapping.header(role)), heading):
                differs = pc.and_(differs, _are_receivers(own, its, alike=False))
            elif role is _ID and _stands_back(data_header(mapping.header(role)), heading):
                differs = pc.and_(differs, _are_receivers(own, its))
            if not pc.any(differs).as_py() or (role is _ID and _is_one_number(own, its)):
                continue
            at = pc.index(differs, True).as_py()
            first, second = (
                quoted(" ".join(mapping.headers[column].split()))
                for column in (mapping.columns[role], other)
            )
            raise DropRefused(
                Code.ID_COLUMN_AMBIGUOUS,
                f"Two columns could be the {spoken(role)}, {first} and {second}, and they differ: "
                f"in row {block.rows[at]} the one says {quoted(own[at].as_py())}, the other "
                f"{quoted(its[at].as_py())}.",
                hint=_BY_TWO_IDS if role is _ID else _BY_TWO_AWBS,
            )


def _is_one_number(own: pa.Array, its: pa.Array) -> bool:
    """Return whether a second column has one small number for all orders: *Sub Order* = 1."""
    found = pc.unique(without_absent(its).filter(pc.not_equal(without_absent(its), "")))
    is_small = pc.match_substring_regex(found, r"^\W*[0-9]{1,2}(?:\.0)?\W*$")
    return len(found) == 1 < len(pc.unique(own)) and bool(is_small[0].as_py())


def _stands_back(own: str, other: str) -> bool:
    """Return whether a column is another's order id by its heading: Order ID, Channel Order ID."""
    return own in _SO_NAMED and not (is_plain_order(other) or is_instead(other))


def _goes_behind(own: str, other: str) -> bool:
    """Return whether a column is of shipments or references, beside one that names the order."""
    words = words_of(other)
    return (
        names_order(own)
        and bool(words & {"shipment", "reference", "ref"})
        and not (words & {"order"} or is_instead(other))
    )


def _are_receivers(own: pa.Array, its: pa.Array, *, alike: bool = True) -> pa.Array:
    """Return where the second cell looks like an id of the API (docs/konnect-api.md).

    The first does not, or (``alike``) they are of one kind, so that nothing tells which is the
    API's.
    """
    kinds = [
        [pc.match_substring_regex(cells, shape) for shape in _OF_RECEIVER] for cells in (own, its)
    ]
    only = pc.and_not(pc.or_(*kinds[1]), pc.or_(*kinds[0]))
    return (
        pc.or_(only, pc.or_(*(pc.and_(*pair) for pair in zip(*kinds, strict=True))))
        if alike
        else only
    )


_OF_RECEIVER = (r"^\W*[0-9]{20}\W*$", r"(?i)^\W*FY[A-Z0-9_-]*[0-9][A-Z0-9_-]*\W*$")


def check_ids(block: Block, mapping: ColumnMap) -> None:
    """Refuse the file (``WRONG_COLUMN``) when its ids are its AWBs, phones, pin codes, or words."""
    heading = mapping.header(_ID)
    never = [
        (" ".join(name.split()), block.cells[at])
        for at, name in enumerate(mapping.headers)
        if at != mapping.columns[_ID]
        and (at == mapping.columns.get(Role.AWB) or is_of_person(data_header(name)))
    ]
    check_order_ids(block.cells[mapping.columns[_ID]], heading, never)


def check_messages(block: Block, mapping: ColumnMap) -> None:
    """Refuse a file without AWBs (``HEADER_NOT_FOUND``) whose statuses are those of messages."""
    if Role.AWB in mapping.columns:
        return
    cells = block.cells[mapping.columns[Role.STATUS]]
    read = [word for word in pc.unique(cells).to_pylist() if fold(word) in STATUSES_OF_MESSAGES]
    if read:
        raise of_messages(
            f"The column {quoted(mapping.header(Role.STATUS))} says {quoted(read[0])}"
        )


_BY_TWO_IDS = (
    "Leave only the column with the orders' own ids, or call the other one something else, and "
    "upload the file again. If this courier's files always have both, list the right heading under "
    "order_id in the courier's profile."
)
_BY_TWO_AWBS = (
    "Correct the heading that is misspelt, and upload the file again. If this courier writes it "
    "like that, list the right heading under awb in the courier's profile."
)


def _rival_cells(role: Role, own: pa.Array, its: pa.Array) -> pa.Array:
    """Return where two columns that could be the same differ."""
    texts = [pc.utf8_trim_whitespace(cells) for cells in (own, its)]
    filled = [pc.invert(pc.is_in(pc.utf8_lower(text), value_set=_NOTHING)) for text in texts]
    if role is Role.AWB:
        filled[0] = pc.match_substring_regex(its, AWB_SHAPE)
    return pc.and_(pc.not_equal(*texts), pc.and_(*filled))


@kept
def data_header(header: str) -> str:
    """Return a header folded for look-up; "" for a ``_reject`` column, which is no data."""
    return "" if is_ours(header) else fold_header(header)


def is_ours(header: str) -> bool:
    """Return whether a column is one that we write into a rejects file."""
    return header.strip().casefold().startswith(REJECT_PREFIX)


def _order_ids(
    folded: Sequence[str],
    profile: Profile,
    *,
    taken: Collection[int],
    hidden: Collection[int] = (),
) -> tuple[int, ...]:
    """Return the column of the order id, and those that could be it as well.

    Names with "order" go before the ids of shipments and references, visible columns before hidden
    ones. Nothing where the profile itself lists the headings, for then it orders them.
    """
    if _ID in profile.orders:
        return ()
    listed = profile.headers.get(_ID, ())
    named = [at for at, name in enumerate(folded) if name and folded.index(name) == at]
    ranks = {at: _rank(folded[at], listed) for at in named if at not in taken}
    ranked = sorted(
        (at in hidden, rank, listed.index(folded[at]) if folded[at] in listed else len(listed), at)
        for at, rank in ranks.items()
        if rank is not None
    )
    if not ranked:
        return ()
    _, best, _, own = ranked[0]

    def is_rival(rank: int, at: int) -> bool:
        if at in hidden:
            return rank < best
        return rank == best or (best == _BY_NAME and rank == _BY_ORDER)

    rivals = [at for _, rank, _, at in ranked[1:] if is_rival(rank, at) or is_instead(folded[at])]
    rivals += [at for at in ranks if ranks[at] is None and is_instead(folded[at])]
    rivals += [at for _, rank, _, at in ranked[1:] if best < _BY_OTHER == rank]
    if best == _BY_OTHER:
        rivals += [at for at in ranks if ranks[at] is None and is_bare_order(folded[at])]
    return (own, *rivals)


_BY_NAME, _BY_ORDER, _BY_OTHER = range(3)


def _rank(heading: str, listed: Sequence[str]) -> int | None:
    """Say how well a heading names the order id: in so many words, an order, another id."""
    if heading in _SO_NAMED:
        return _BY_NAME
    if names_order(heading) and not is_awb_like(heading):
        return _BY_ORDER
    if heading not in listed:
        return None
    return _BY_ORDER if words_of(heading) & {"order"} else _BY_OTHER


def _first(folded: Sequence[str], aliases: Sequence[str]) -> int | None:
    """Return the column with the most preferred alias; the leftmost of two equal ones."""
    return next((folded.index(alias) for alias in aliases if alias in folded), None)


def _named(folded: Sequence[str]) -> list[int]:
    return [at for at, heading in enumerate(folded) if heading]


def _hidden_notice(headers: Sequence[str], folded: Sequence[str], hidden: frozenset[int]) -> Notice:
    names = [quoted(" ".join(headers[at].split())) for at in _named(folded) if at in hidden]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return Notice(
        code=Code.HIDDEN_COLUMN,
        message=f"Hidden in the sheet: {', '.join(names[:_MOST_NAMED])}{more}. A hidden column is "
        "read only where no visible one says the same. Unhide or delete them to be sure.",
    )


def _match(heading: str, role: Role, profile: Profile) -> Match:
    preferred = (*profile.headers.get(role, ())[:1], fold_header(role.value))
    return Match.EXACT if heading in preferred else Match.ALIAS


def _duplicates(folded: Sequence[str], columns: Mapping[Role, int]) -> dict[Role, tuple[int, ...]]:
    duplicates = {}
    for role, at in columns.items():
        others = tuple(
            other for other, name in enumerate(folded) if other != at and name == folded[at] != ""
        )
        if others:
            duplicates[role] = others
    return duplicates


def _says_more(heading: str, alias: str) -> bool:
    """Return whether a heading close to a known one has a number or a subject of its own."""
    added = words_of(heading) - words_of(alias)
    return any(map(str.isdigit, "".join(added))) or (
        is_place_or_thing(heading) and not is_place_or_thing(alias)
    )


def _is_another_word(heading: str, alias: str) -> bool:
    """Return whether a heading has another word than a known one, or more of them: Border No."""
    own, its = words_of(heading.encode("ascii", "ignore").decode()), words_of(alias)  # Order IéD
    if len(own) < len(its):  # words run together: clientorder_id
        return False
    return len(own) > len(its) > 1 or any(
        each != other and each not in its and other in each for each in own for other in its
    )


def _lacks_a_letter(word: str, whole: str) -> bool:
    return any(whole[:at] + whole[at + 1 :] == word for at in range(len(whole)))


def _goes_before(alias: str, own: str, role: Role, profile: Profile) -> bool:
    """Return whether a column would be read for a role, or be a rival, were it called so."""
    listed = profile.headers.get(role, ())
    rank, best = _rank(alias, listed), _rank(own, listed)
    if role is not _ID or role in profile.orders or rank is None or best is None:
        return own not in listed or listed.index(alias) < listed.index(own)
    return rank <= best or (best == _BY_NAME and is_plain_order(alias))


_Near = tuple[float, int, Role, str]
"""How close a heading is, its column, and the role and the known heading that it is close to."""


def _near(folded: Sequence[str], profile: Profile, *, taken: Collection[int]) -> Sequence[_Near]:
    """Return the columns whose headings are close to a known one, the closest first."""
    owner = {alias: role for role, aliases in profile.headers.items() for alias in aliases}
    found = []
    for at, name in enumerate(folded):
        if at in taken or len(name) < 3 or name in owner:
            continue
        near = alike(name, owner, at_least=CLOSE - MARGIN)
        if not near or near[0][1] < CLOSE:
            continue
        alias, score = near[0][0], near[0][1]
        role = owner[alias]
        rival = max((each[1] for each in near if owner[each[0]] is not role), default=0.0)
        other = other_subjects(name) - words_of(alias)
        # "Delivered To" is no misspelt "Delivered On", "Event Tie" is a misspelt "Event Time".
        other |= {
            word
            for word in words_of(name) - words_of(alias)
            if role in DATE_ROLES and len(word) < _SHORT
            if _letters(name) != _letters(alias)  # Eve nt Time, Event Ti’me
            if not any(_lacks_a_letter(word, of) for of in words_of(alias))
        }
        if (
            score - rival >= MARGIN
            and not other
            and is_earlier(name) <= is_earlier(alias)
            and not (role is _ID and (is_awb_like(name) or _is_another_word(name, alias)))
        ):
            found.append((score, at, role, alias))
    return sorted(found, key=lambda each: (-each[0], each[1]))


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name))


def _guesses(near: Sequence[_Near]) -> list[tuple[int, Role, str]]:
    """Close matches as (column, role, alias), the closest first.

    None for a role to which two columns come about equally close: it may be the one or the other.
    """
    return [
        (at, role, alias)
        for score, at, role, alias in near
        if not any(
            other is role and place != at and abs(score - rival) < MARGIN
            for rival, place, other, _ in near
        )
    ]


def _shown(role: Role, profile: Profile, alias: str) -> str:
    written = profile.shown_headers.get(role, ())
    return next((name for name in written if fold_header(name) == alias), alias)


def _guessed(header: str, role: Role, shown: str) -> Notice:
    return Notice(
        code=Code.HEADER_GUESSED,
        column=role.value,
        message=f"Column {quoted(header)} was read as {shown}. If that is wrong, rename the column "
        "and upload the file again.",
    )
