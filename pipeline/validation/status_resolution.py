"""A block's statuses: each distinct combination resolved once with the courier's own table."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.free_text import without_absent
from pipeline.core.model import Block
from pipeline.validation.columns import WORDS, ColumnMap
from pipeline.validation.evidence.sources import NAMES, cell_said, column_named, direction_said
from schemas.courier import Profile
from schemas.directions import (
    WAYS_BACK,
    is_at_seller,
    speaks_against,
    tells_of_attempt,
    way_named,
    words_in,
)
from schemas.display import quoted
from schemas.normalise import fold, is_absent
from schemas.parcels import (
    AWB_SHAPE,
    DAY,
    LIKE_AN_AWB,
    MOBILE,
    PIN_CODE,
    WITH_COUNTRY,
    is_at_hub,
)
from schemas.status_headings import gives_status, hides_status, misspells_another
from schemas.statuses import (
    Direction,
    Doubt,
    Ruling,
    StatusCase,
    StatusMeaning,
    StatusTable,
    agrees,
)
from schemas.vocabulary import CellKind, Milestone, Role

_PLAIN = frozenset({Direction.FORWARD, Direction.RETURN, Direction.RTO})
_TOLD = _PLAIN | {Direction.BACK}
"""Beside one of these the name of a file says nothing; a filled RTO AWB only may be one."""


class Statuses(Struct, frozen=True, kw_only=True):
    """Per row an index into the distinct combinations of the block, each of them resolved."""

    index: npt.NDArray[np.int64]
    cases: tuple[StatusCase, ...]

    def meanings(self) -> npt.NDArray[np.int8]:
        """Return the ``StatusMeaning`` on each row."""
        return np.array([each.ruling.meaning for each in self.cases], dtype=np.int8)[self.index]

    def milestones(self) -> npt.NDArray[np.int8]:
        """Return the milestone's number per row, 0 without one."""
        return np.array([each.ruling.milestone for each in self.cases], dtype=np.int8)[self.index]

    def ways(self) -> pa.Array:
        """Return the way back that anything about a row names, "" for none."""
        ways = pa.array([each.way.value for each in self.cases], pa.string())
        return ways.take(pa.array(self.index))


def resolve_statuses(block: Block, mapping: ColumnMap, profile: Profile) -> Statuses:
    """Combine status, type, direction and scan of every row, and resolve each combination."""
    second = mapping.helpers.get("rto_awb")
    awb = "" if second is None else column_named(mapping.headers, second)
    columns = [
        _with_words(
            status_cells(block, mapping.columns[Role.STATUS]),
            _cells(block, mapping.helpers.get(WORDS)),
            profile,
        ),
        _cells(block, mapping.columns.get(Role.STATUS_TYPE)),
        _cells(block, mapping.columns.get(Role.DIRECTION)),
        *_second_awbs(block, second, profile, own=block.said.get(awb)),
        _scans(block, mapping.columns.get(Role.REASON_CODE), profile),
        *block.others.values(),
        *block.said.values(),
    ]
    index, combinations = _distinct(columns, len(block))
    others, sources = tuple(block.others), tuple(block.said)
    seldom = {
        source
        for source, said in block.said.items()
        if 2 * pc.sum(pc.not_equal(said, "")).as_py() <= len(block)
    }
    kinds = mapping.columns.get(Role.STATUS_TYPE)
    of_type = "" if kinds is None else column_named(mapping.headers, kinds)
    cases = []
    for status, kind, direction, rto_awb, no_awb, scan, *more in combinations:
        cells = _RowCells(
            status=status,
            kind=kind,
            direction=direction,
            rto_awb=rto_awb,
            no_awb=no_awb,
            scan=scan,
            others=tuple(zip(others, more, strict=False)),
            said=tuple(zip(sources, more[len(others) :], strict=True)),
        )
        cases.append(_resolve(cells, awb, of_type, seldom, profile))
    return Statuses(index=index, cases=tuple(cases))


def status_cells(block: Block, at: int) -> pa.Array:
    """Return the status column; a number shown as ``7`` may arrive as ``7.0``."""
    cells = block.cells[at]
    kinds = block.kinds.get(at)
    if kinds is None or not (kinds == CellKind.NUMBER).any():
        return cells
    bare = pc.replace_substring_regex(cells, r"^([0-9]+)\.0$", r"\1")
    return pc.if_else(pa.array(kinds == CellKind.NUMBER), bare, cells)


def _with_words(codes: pa.Array, words: pa.Array | None, profile: Profile) -> pa.Array:
    """Return the statuses, where one is a number without a meaning in the words beside it."""
    if words is None:
        return codes
    encoded = codes.dictionary_encode()
    bare = [
        profile.statuses.rule(each).doubt is Doubt.NUMBER for each in encoded.dictionary.to_pylist()
    ]
    if not any(bare):
        return codes
    open_ = pa.array(bare, pa.bool_()).take(encoded.indices)
    return pc.if_else(pc.and_(open_, pc.not_equal(without_absent(words), "")), words, codes)


def _cells(block: Block, at: int | None) -> pa.Array | None:
    return None if at is None else block.cells[at]


def _second_awbs(
    block: Block, at: int | None, profile: Profile, *, own: pa.Array | None
) -> tuple[pa.Array | None, pa.Array | None]:
    """Return "1" where there is a second AWB, for profiles to which that means a way back.

    And the cells that are filled with what is no AWB, such as the date of a row that is shifted.
    ``own``: filled where it is the row's own AWB, and says nothing.
    """
    if at is None or not profile.filled_rto_awb:
        return None, None
    cells = without_absent(block.cells[at])
    cells = cells if own is None else pc.if_else(pc.equal(own, ""), cells, "")
    filled = pc.invert(pc.is_in(cells, value_set=pa.array(["", "0"])))
    sound = pc.and_(filled, pc.match_substring_regex(cells, AWB_SHAPE))
    sound = pc.and_(sound, pc.match_substring_regex(cells, LIKE_AN_AWB))
    phones = pc.any(pc.match_substring_regex(cells, WITH_COUNTRY)).as_py()
    for other in (DAY, PIN_CODE, *([MOBILE] if phones else [])):
        sound = pc.and_not(sound, pc.match_substring_regex(cells, other))
    return pc.if_else(sound, "1", ""), pc.if_else(pc.and_not(filled, sound), cells, "")


def _scans(block: Block, at: int | None, profile: Profile) -> pa.Array | None:
    """Return the reason column's cells that are scans of this profile; "" for all others."""
    scans = profile.statuses.scans
    if at is None or not scans:
        return None
    encoded = block.cells[at].dictionary_encode()
    kept = [cell if fold(cell) in scans else "" for cell in encoded.dictionary.to_pylist()]
    return pa.array(kept, pa.string()).take(encoded.indices)


def _distinct(
    columns: list[pa.Array | None], length: int
) -> tuple[npt.NDArray[np.int64], list[tuple[str, ...]]]:
    """Number the distinct combinations of some columns; a column that is not there is all ""."""
    combined = np.zeros(length, dtype=np.int64)
    for column in columns:
        if column is None:
            continue
        encoded = column.dictionary_encode()
        size = max(len(encoded.dictionary), 1)
        # Renumbered after each column, so that the product of sizes cannot overflow.
        joint = combined * size + encoded.indices.to_numpy(zero_copy_only=False)
        numbered = pa.array(joint).dictionary_encode().indices
        combined = numbered.to_numpy(zero_copy_only=False).astype(np.int64)
    count = int(combined.max()) + 1 if length else 0
    first = np.zeros(count, dtype=np.int64)
    first[combined[::-1]] = np.arange(length - 1, -1, -1)
    rows = pa.array(first)
    parts = [[""] * count if each is None else each.take(rows).to_pylist() for each in columns]
    return combined, list(zip(*parts, strict=True))


class _RowCells(Struct, frozen=True, kw_only=True):
    """The cells of a row that tell its status.

    ``rto_awb``: "1" for a second AWB that means a way back; ``no_awb``: what stands there and is no
    AWB. ``others``: further columns of statuses, ``said``: places that say a direction, each with
    its cell.
    """

    status: str
    kind: str
    direction: str
    rto_awb: str
    no_awb: str
    scan: str
    others: tuple[tuple[str, str], ...]
    said: tuple[tuple[str, str], ...]


class _Claim(Struct, frozen=True, kw_only=True):
    """A direction that the file says outside the column for it."""

    source: str
    cell: str
    direction: Direction


class _Table(Struct, frozen=True, kw_only=True):
    """A courier's statuses as they are read in a row of this type, direction and scan."""

    statuses: StatusTable
    kind: str
    direction: Direction
    scan: str

    def rule(self, text: str) -> Ruling:
        """Return the ruling on the row's own status."""
        return self.statuses.rule(
            text, status_type=self.kind, direction=self.direction, scan=self.scan
        )

    def rule_elsewhere(self, text: str, way: Direction | None) -> Ruling:
        """Return the ruling on a status of another column. ``way``: the one that its heading names.

        It may say in words what the row's own says in a code of its type.
        """
        if way is Direction.RTO and way_named(text) is None:
            return self.statuses.rule(f"RTO {text}")
        first = self.rule(text)
        plain = first.meaning is StatusMeaning.UNKNOWN
        plain |= self.statuses.joined and first.doubt is Doubt.TYPE
        return self.statuses.rule(text, direction=self.direction) if plain and self.kind else first

    def mean_the_same(self, one: str, other: str) -> bool:
        """Return whether two statuses are one on the way out.

        "8" and "Delivered" of a return: its code is known for it, its words on the way out only.
        """
        out = [self.statuses.rule(each, direction=Direction.FORWARD) for each in (one, other)]
        return out[0].milestone == out[1].milestone > 0


def _resolve(
    cells: _RowCells, awb: str, of_type: str, seldom: Collection[str], profile: Profile
) -> StatusCase:
    """Return the ruling on a row's status, and the direction or status that it was decided by.

    ``awb``, ``of_type``: the columns of the second AWB and the status type, as messages name them;
    ``seldom``: what says a direction of few rows only, so that it is no column of directions.
    """
    if profile.statuses.joined and gives_status(cells.kind, profile.statuses, numbers=False):
        # A group in words (Delivered, RTO) is a further status, and no half of a code.
        cells = replace(cells, kind="", others=(*cells.others, (of_type, cells.kind)))
    claims, named = _claims(cells, awb)
    if profile.statuses.rule(cells.status).milestone in _RETURNS:
        claims = [*map(_to_seller, claims)]
    stated = _Claim(
        source="",
        cell=cells.direction,
        direction=profile.direction(cells.direction, has_rto_awb=bool(cells.rto_awb)),
    )
    taken = stated if stated.direction is not Direction.BLANK else _only_plain(claims) or stated
    scan = "" if speaks_against(cells.status, Milestone.BAG_PICKED) else cells.scan
    table = _Table(statuses=profile.statuses, kind=cells.kind, direction=taken.direction, scan=scan)
    ruling = table.rule(cells.status)
    against = _claim_against(ruling, claims, named)
    if against is None and taken.source in seldom:
        # Claims of few rows may contradict a milestone, and make no other one of it.
        alone = replace(table, direction=Direction.BLANK).rule(cells.status)
        against = taken if ruling.milestone != alone.milestone > 0 < ruling.milestone else None
    other = None if against else _other_status(cells, ruling, table)
    if against is not None:
        taken = against
        ruling = Ruling(meaning=StatusMeaning.AMBIGUOUS, doubt=Doubt.EVIDENCE)
    elif other is not None:
        taken = _Claim(source=other[0], cell=other[1], direction=taken.direction)
        ruling = Ruling(meaning=StatusMeaning.AMBIGUOUS, doubt=Doubt.OTHER)
    elif profile.beside and ruling.milestone:
        courier, heading = profile.beside
        if _denies(courier, cells, ruling, table):
            source = f"{courier.title}, whose heading {quoted(heading)} the file has"
            taken = replace(taken, source=source)
            ruling = Ruling(meaning=StatusMeaning.AMBIGUOUS, doubt=Doubt.COURIER)
    return StatusCase(
        status=cells.status,
        kind=cells.kind,
        direction_cell=taken.cell,
        direction=taken.direction,
        ruling=ruling,
        source=taken.source,
        way=_way_back(stated, claims, named),
    )


def _to_seller(claim: _Claim) -> _Claim:
    """Return a claim as one of either way back where it says that the seller has it, and not RTO.

    What a customer sends back is returned to the seller, too.
    """
    is_back = claim.direction is Direction.RTO and is_at_seller(claim.cell)
    return replace(claim, direction=Direction.BACK) if is_back else claim


def _denies(courier: Profile, cells: _RowCells, ruling: Ruling, table: _Table) -> bool:
    """Return whether another courier means something else by a row's status or type."""
    types = courier.statuses.by_type
    known = not types or fold(cells.kind) in types
    theirs = replace(table, statuses=courier.statuses).rule(cells.status)
    return known and theirs.milestone != ruling.milestone


def _way_back(stated: _Claim, claims: Sequence[_Claim], named: Sequence[_Claim]) -> Direction:
    """Return RTO or RETURN where anything about a row speaks of such a way, BLANK elsewhere."""
    said = {stated.direction, *(each.direction for each in claims)}
    if not said & _TOLD:
        said |= {each.direction for each in named}
    if said & {Direction.RTO, Direction.MAYBE_RTO}:
        return Direction.RTO
    back = said & {Direction.RETURN, Direction.MAYBE_RETURN, Direction.BACK}
    return Direction.RETURN if back else Direction.BLANK


def _only_plain(claims: Sequence[_Claim]) -> _Claim | None:
    """Return the nearest claim that gives a row its direction, where all plain ones agree."""
    plain = [each for each in claims if each.direction in _PLAIN and each.source not in NAMES]
    return plain[0] if len({each.direction for each in plain}) == 1 else None


def _claim_against(
    ruling: Ruling, claims: Sequence[_Claim], named: Sequence[_Claim]
) -> _Claim | None:
    """Return the nearest claim that a milestone contradicts; ``named``: those of names."""
    if ruling.meaning is not StatusMeaning.MILESTONE:
        return None
    outward = ruling.milestone in {Milestone.BAG_PICKED, Milestone.DELIVERY_DONE}
    told = any(each.direction in _TOLD for each in claims)
    every = (*claims, *(named if outward and not told else ()))
    return next((each for each in every if not agrees(ruling.milestone, each.direction)), None)


def _other_status(cells: _RowCells, ruling: Ruling, table: _Table) -> tuple[str, str] | None:
    """Return the first further status of a row that comes to another milestone, with its source."""
    for source, cell in cells.others:
        # RTO Status: Delivered, but not Delivered/RTO: Delivered
        way = None if "delivered" in fold(source) else way_named(source)
        if not cell or (way is None and fold(cell) == fold(cells.status)):
            continue
        found = table.rule_elsewhere(cell, way)
        by_way = found.doubt in {Doubt.DIRECTION, Doubt.BLANK}
        same = by_way and table.mean_the_same(cells.status, cell)
        if _differ(ruling, found, cell, table.statuses) and not same:
            return source, cell
    return None


def _differ(ruling: Ruling, other: Ruling, words: str, table: StatusTable) -> bool:
    """Return whether two statuses of a row come to different milestones.

    One that is understood and one that may mean two things differ too, unless the other only says
    less (RTO beside RTO Delivered, In Transit beside Picked Up). A status that is missing says
    nothing against another, an unknown one only if its ``words`` do.
    """
    if ruling.meaning not in {StatusMeaning.MILESTONE, StatusMeaning.NO_MILESTONE}:
        return False
    if is_absent(fold(words)):  # under a misspelt heading of the status
        return ruling.meaning is StatusMeaning.MILESTONE
    if other.meaning is StatusMeaning.UNKNOWN:
        return ruling.meaning is StatusMeaning.MILESTONE and (
            hides_status(words, table)
            or speaks_against(words, ruling.milestone)
            or (ruling.milestone == Milestone.DELIVERY_DONE and tells_of_attempt(words))
            or misspells_another(words, ruling.milestone, table)
        )
    out = table.rule(words, direction=Direction.FORWARD).milestone
    if ruling.milestone in _RETURNS and out == Milestone.DELIVERY_DONE:
        return False  # what a customer sends back was delivered before
    if fold(words) in _BEFORE.get(ruling.milestone, ()):
        return False
    if ruling.milestone == Milestone.BAG_PICKED and is_at_hub(words):
        return False
    if other.meaning is StatusMeaning.AMBIGUOUS:
        return ruling.meaning is StatusMeaning.MILESTONE and not _says_less(words, ruling.milestone)
    if ruling.milestone and words_in(fold(words)) <= WAYS_BACK:  # Shadowfax's own RTO has begun
        return not _says_less(words, ruling.milestone)
    return (
        other.meaning in {StatusMeaning.MILESTONE, StatusMeaning.NO_MILESTONE}
        and ruling.milestone != other.milestone
    )


#: Milestone → statuses, folded, that say less of such a parcel, or are of a step behind it.
_BEFORE: Mapping[int, Collection[str]] = {
    Milestone.BAG_PICKED: frozenset(
        {"dispatched", "in transit", "intransit", "out for delivery", "shipped", "undelivered"}
    ),
    Milestone.RETURN_BAG_IN_TRANSIT: frozenset({"in transit", "intransit"}),
}
_RETURNS = frozenset({Milestone.RETURN_BAG_IN_TRANSIT, Milestone.RETURN_BAG_DELIVERED})


def _says_less(words: str, milestone: int) -> bool:
    """Return whether a status only names the way back to which a milestone belongs."""
    way = way_named(words)
    back = way in {Direction.RTO, Direction.RETURN, Direction.BACK}
    return back and agrees(milestone, Direction.RTO if way is Direction.RTO else Direction.BACK)


def _claims(cells: _RowCells, awb: str) -> tuple[list[_Claim], list[_Claim]]:
    """Return the claims about a row, nearest to it first, and those of them that are names'.

    Names are among the claims only where nothing else speaks.
    """
    every = [
        _Claim(source=source, cell=cell_said(source, cell), direction=direction_said(source, cell))
        for source, cell in cells.said
        if cell
    ]
    named = [each for each in every if each.source in NAMES]
    claims = [each for each in every if each not in named] or list(named)
    if cells.no_awb:
        claims.append(_Claim(source=awb, cell=cells.no_awb, direction=Direction.MAYBE_RTO))
    return claims, named
