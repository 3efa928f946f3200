"""The parcels of an order that several rows of a file are about.

Facts are taken from the spool (``siblings``); two rules judge them. A final status goes only when
every parcel of the order that is not cancelled has it, and not when a later scan of the same parcel
takes it back. Only one file is looked at here; ``planning.earlier_files`` has the others.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.date_columns import clock_alone, with_clocks
from pipeline.core.findings import Finding
from pipeline.core.model import Disposition, SheetFacts
from pipeline.planning.sendable_rows import NO_TIME, Mask, Numbers, Orders
from pipeline.storage.spool import Spool
from schemas.codes import Code
from schemas.courier import Profile
from schemas.date_headings import told_apart
from schemas.display import quoted
from schemas.headings import age_of
from schemas.limits import CLOCKS_OFF_MS, DAY_MS, ID_SHAPE
from schemas.parcels import (
    ANY,
    AROUND_AN_ID,
    AWB_SHAPE,
    CONFIRMED,
    NO_ID,
    NUMBERED,
    TO_CONFIRM,
    Said,
    boxes_in,
    goes_back,
    is_before_pickup,
    is_cancelled,
    is_lost,
    is_not_delivered,
    is_not_picked,
    is_of_several,
    is_on_paper,
    is_return,
    parcel_heading,
    piece_heading,
    same_parcel_unknown,
    split_heading,
)
from schemas.statuses import Direction
from schemas.tab_days import days_of
from schemas.vocabulary import FINALS, NO_MILESTONE, STEPS, Journey, Milestone, Role

_DATE_ALONE = re.compile(r"(?!.*:)(?:\D*\d){0,8}\D*")
_MIDNIGHT = re.compile(r".*\b00:00(?::00(?:\.0+)?)?\b.*")
_RETURNS = [m for m in Milestone if STEPS[m].journey is Journey.RETURN]
_NEVER = np.iinfo(np.int64).max


class Siblings(Struct, frozen=True, kw_only=True):
    """The rows of orders that several rows of a file name, one of them to be sent.

    Per row: ``rows``, its place in the drop, ascending; ``order``: the number of its order;
    ``adopted``: whether it is that of another row, as its own id is lost; ``parcel``: a number for
    its parcel among all of the drop, -1 where the row does not tell; ``said``: its status, into
    ``statuses``;
    ``back``: whether it is of a customer's return; ``dated``: whether its event has a date alone;
    ``clock``: the time of day of an event that has no date, else ``NO_TIME``;
    ``clocked``: whether it has a time of day. ``damaged``: its AWB, where it is one that
    parcels may share, else "". ``sheet``: its tab, into ``sheets``.
    ``age``: whether it stands on a tab that holds instead of others by its name (1) or not (-1);
    ``day``: the place of its tab among those that are named as days, -1 for others.
    ``least``: how many parcels its order has at least, by what it says of it: Box 1 of 2, Is Split;
    ``counted``: whether it has just so many: Box 1 of 2.
    ``parcels``: how messages name each parcel. ``any_parcel``: one parcel speaks for its order.
    """

    rows: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    adopted: Mask
    parcel: npt.NDArray[np.int64]
    said: npt.NDArray[np.int64]
    back: Mask
    dated: Mask
    clock: Numbers
    clocked: Mask
    damaged: npt.NDArray[np.str_]
    sheet: npt.NDArray[np.int64]
    sheets: Sequence[str]
    age: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    least: npt.NDArray[np.int64]
    counted: Mask
    parcels: pa.Array
    statuses: Sequence[str]
    any_parcel: bool

    def which(self, tells: Callable[[str], bool]) -> Mask:
        """Return the rows of whose status this is true."""
        return np.array([tells(each) for each in self.statuses], dtype=np.bool_)[self.said]


def siblings(
    sheets: Sequence[SheetFacts],
    spool: Spool,
    profile: Profile,
    *,
    orders: Orders,
    awbs: pa.ChunkedArray,
    sheet_of: npt.NDArray[np.int16],
    status: Numbers,
    disposition: Numbers,
) -> Siblings | None:
    """Read the parcels of those rows; None where no order has such rows."""
    numbers_of_orders = _with_adopted(
        orders,
        awbs,
        sheet_of,
        disposition == Disposition.REJECTED,
        are_items=lambda: _are_items(sheets, spool, profile),
    )
    counted, least = np.concatenate(
        [_least(number, sheet, spool, profile) for number, sheet in enumerate(sheets)], axis=1
    )
    rows = _rows(orders, numbers_of_orders, status, disposition, least > 1)
    if not len(rows):
        return None
    read = [_of_sheet(number, sheets, rows, spool, profile) for number in range(len(sheets))]
    awb, item, piece, said, way, when = (
        pa.chunked_array(each, pa.string()) for each in zip(*read, strict=True)
    )
    numbers, statuses = _numbered(said)
    ways, directions = _numbered(way)
    sheet = np.repeat(np.arange(len(sheets)), [len(each[0]) for each in read])
    returns = [profile.direction(cell) is Direction.RETURN for cell in directions]
    understood = disposition[rows] == Disposition.IGNORED
    words = np.array([is_return(each) for each in statuses], dtype=np.bool_)[numbers]
    milestones = np.isin(status[rows], _RETURNS)
    number = numbers_of_orders[rows].astype(np.int64)
    parcel, parcels = _parcels(number, _with_pieces(number, awb, piece), item)
    dated = _date_alone(when, profile)
    return Siblings(
        rows=rows,
        order=number,
        adopted=number != orders.number[rows],
        parcel=parcel,
        said=numbers,
        back=np.array(returns, dtype=np.bool_)[ways] | (words & understood) | milestones,
        dated=dated,
        clocked=~dated & ~_matching(when, _MIDNIGHT),
        clock=_clocks(when),
        damaged=_damaged(awb),
        sheet=sheet,
        sheets=[each.name for each in sheets],
        age=np.array([age_of(each.name) for each in sheets])[sheet],
        day=np.array(days_of([each.name for each in sheets]))[sheet],
        least=least[rows],
        counted=counted[rows] > 0,
        parcels=parcels,
        statuses=statuses,
        any_parcel=profile.parcels == ANY,
    )


def _rows(
    orders: Orders, number: Numbers, status: Numbers, disposition: Numbers, of_several: Mask
) -> npt.NDArray[np.int64]:
    count = np.bincount(number, minlength=len(orders.names))
    count[number[of_several]] += 1
    several = count > 1
    if not several.any():
        return np.zeros(0, np.int64)
    ends = (status != NO_MILESTONE) & (disposition == Disposition.SEND)
    wanted = np.zeros(len(orders.names), dtype=np.bool_)
    wanted[number[ends]] = True
    wanted &= several & pc.not_equal(orders.names, "").to_numpy(zero_copy_only=False)
    return np.flatnonzero(wanted[number] & (disposition != Disposition.SKIPPED))


def _with_adopted(
    orders: Orders,
    awbs: pa.ChunkedArray,
    sheet_of: npt.NDArray[np.int16],
    rejected: Mask,
    *,
    are_items: Callable[[], Mask],
) -> npt.NDArray[np.int32]:
    """Return the number of each row's order; where its id is lost, that of the row it belongs to.

    It belongs to a row of the same AWB, or, where its id is empty, as in cells that were merged, to
    the one above. So does an item without an AWB, which may stand beside the first of them alone.
    """
    if not rejected.any():
        return orders.number
    sound = pc.match_substring_regex(orders.names, ID_SHAPE).to_numpy(zero_copy_only=False)
    has_id = sound[orders.number]
    if not (rejected & ~has_id).any():
        return orders.number
    awb, ids = _keyed(awbs)
    is_awb = pc.match_substring_regex(ids, AWB_SHAPE).to_numpy(zero_copy_only=False)
    awb = np.where(np.append(is_awb, False)[awb], awb, -1)
    owner = np.full(len(ids) + 1, -1, dtype=np.int64)  # the last is of rows without an AWB
    named = np.flatnonzero(has_id & (awb >= 0))[::-1]
    owner[awb[named]] = orders.number[named]
    empty = pc.match_substring_regex(orders.names, _AS_ABOVE).to_numpy(zero_copy_only=False)
    merged = rejected & empty[orders.number]
    bare = merged & (awb < 0)
    bare &= are_items() if bare.any() else False
    lost = np.flatnonzero((rejected & ~has_id & (awb >= 0)) | bare)
    above = np.maximum.accumulate(np.where(merged, -1, np.arange(len(merged))))
    is_below = (above[lost] >= 0) & merged[lost]
    is_below &= has_id[above[lost]] & (sheet_of[above[lost]] == sheet_of[lost])
    found = np.where(is_below, orders.number[above[lost]], -1)
    found = np.where(owner[awb[lost]] >= 0, owner[awb[lost]], found)
    number = orders.number.copy()
    number[lost[found >= 0]] = found[found >= 0]
    return number


_AS_ABOVE = r"(?i)^[ \"'〃`=]*(?:-?do-?|ditto|same|as above)?[ \"'〃]*$"
"""An id cell that says no more than that it is the one above."""


def _are_items(sheets: Sequence[SheetFacts], spool: Spool, profile: Profile) -> Mask:
    """Return which rows of a file are of an item, and have a status of their own."""
    found = []
    for number, sheet in enumerate(sheets):
        item = parcel_heading(sheet.headers, _taken(sheet, profile))
        if item is None:
            found.append(np.zeros(sheet.rows, dtype=np.bool_))
            continue
        for batch in spool.blocks(number, ["source_status", f"c{item}"]):
            status, goods = (pc.match_substring_regex(each, _AS_ABOVE) for each in batch.columns)
            found.append(~pc.or_(status, goods).to_numpy(zero_copy_only=False))
    return np.concatenate(found)


def _least(number: int, sheet: SheetFacts, spool: Spool, profile: Profile) -> npt.NDArray[np.int64]:
    """Return how many parcels its order has by each row of a sheet, and how many at least.

    0 where the row does not tell.
    """
    taken = _taken(sheet, profile)
    box, split = piece_heading(sheet.headers, taken), split_heading(sheet.headers, taken)
    columns: dict[str, Callable[[str], int]] = {}
    if box is not None:
        columns[f"c{box[0]}"] = partial(boxes_in, heading=sheet.headers[box[0]])
    if split is not None:
        columns[f"c{split}"] = partial(_told, heading=sheet.headers[split])
    found = np.zeros((2, sheet.rows), dtype=np.int64)
    start = 0
    for batch in spool.blocks(number, [*columns]) if columns else ():
        rows = slice(start, start + batch.num_rows)
        for (name, counted), cells in zip(columns.items(), batch.columns, strict=True):
            index, texts = _numbered(pa.chunked_array([cells]))
            told = np.array([counted(each) for each in texts], dtype=np.int64)[index]
            of = slice(0 if name != f"c{split}" else 1, 2)
            found[of, rows] = np.maximum(found[of, rows], told)
        start = rows.stop
    return found


def _told(cell: str, heading: str) -> int:
    """Return how many parcels a cell tells of under a heading such as Split."""
    return boxes_in(cell, heading) or 2 * is_of_several(cell, heading)


def _taken(sheet: SheetFacts, profile: Profile) -> set[int]:
    """Return the columns of a sheet that have a role, or mean nothing."""
    nothing = {at for at, heading in enumerate(sheet.headers) if profile.means_nothing(heading)}
    return {*sheet.roles.values()} | nothing


def _of_sheet(
    number: int,
    sheets: Sequence[SheetFacts],
    rows: npt.NDArray[np.int64],
    spool: Spool,
    profile: Profile,
) -> list[pa.Array]:
    """Return AWB, item, box, status, direction and event time of the rows that lie on a sheet."""
    sheet, start = sheets[number], sum(each.rows for each in sheets[:number])
    taken = _taken(sheet, profile)
    item = parcel_heading(sheet.headers, taken)
    piece = piece_heading(sheet.headers, taken)
    columns = [
        "awb",
        "" if item is None else f"c{item}",
        "" if piece is None else f"c{piece[0]}",
        "source_status",
        *(
            f"c{sheet.roles[role]}" if role in sheet.roles else ""
            for role in (Role.DIRECTION, Role.EVENT_TIME)
        ),
    ]
    event = sheet.roles.get(Role.EVENT_TIME)
    pair = None if event is None else told_apart(sheet.headers, event)
    columns += [f"c{at}" for at in pair or ()]
    wanted = list(dict.fromkeys(name for name in columns if name))
    parts: list[list[pa.Array]] = [[pa.array([], pa.string())] for _ in columns]
    for batch in spool.blocks(number, wanted):
        first, last = np.searchsorted(rows, (start, start + batch.num_rows)).tolist()
        places = pa.array(rows[first:last] - start)
        for part, column in zip(parts, columns, strict=True):
            part.append(batch.column(column).take(places) if column else pa.repeat("", len(places)))
        start += batch.num_rows
    *found, when = [pa.concat_arrays(each) for each in parts[: len(parts) - len(pair or ())]]
    if pair:
        date, clock = (pa.concat_arrays(each) for each in parts[-2:])
        when = with_clocks(date, clock, when)
    if piece is not None and not piece[1]:
        found[2] = pc.if_else(pc.match_substring_regex(found[2], NUMBERED), found[2], "")
    if item is None:
        found[1] = found[2]  # without an AWB a box is an item like any other
    return [*found, when]


def _numbered(texts: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return for each text its place in a list without doubles, and that list."""
    encoded = pc.dictionary_encode(texts).combine_chunks()
    index = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return index, encoded.dictionary.to_pylist()


def _date_alone(cells: pa.ChunkedArray, profile: Profile) -> Mask:
    if profile.helpers.get("clock") or profile.date_rule(Role.EVENT_TIME).read_as != "text":
        return np.zeros(len(cells), dtype=np.bool_)
    return _matching(cells, _DATE_ALONE)


def _matching(cells: pa.ChunkedArray, pattern: re.Pattern[str]) -> Mask:
    index, texts = _numbered(cells)
    found: Mask = np.array([bool(pattern.fullmatch(each.strip())) for each in texts], np.bool_)
    return found[index]


def _damaged(awbs: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    """Return the AWBs that parcels may share, since a spreadsheet damaged them; "" for others."""
    index, texts = _numbered(awbs)
    unknown = zip(texts, same_parcel_unknown(texts), strict=True)
    return np.array([text if shared else "" for text, shared in unknown], dtype=np.str_)[index]


def _with_pieces(
    order: npt.NDArray[np.int64], awbs: pa.ChunkedArray, pieces: pa.ChunkedArray
) -> pa.ChunkedArray:
    """Return the AWBs, with the box where each row of an order's AWB tells its box: "A1, 1 of 2".

    A box alone is an item like any other.
    """
    awb, _ = _keyed(awbs)
    piece, _ = _keyed(pieces)
    if not ((awb >= 0) & (piece >= 0)).any():
        return awbs
    _, pair = np.unique(np.stack([order, awb]), axis=1, return_inverse=True)
    pair = pair.reshape(-1)
    untold = np.zeros(len(order), dtype=np.bool_)
    untold[pair[piece < 0]] = True
    told = pa.array((awb >= 0) & ~untold[pair])
    joined = pc.binary_join_element_wise(
        pc.utf8_trim(awbs, AROUND_AN_ID), pc.utf8_trim(pieces, AROUND_AN_ID), ", "
    )
    return pa.chunked_array([pc.if_else(told, joined.combine_chunks(), awbs.combine_chunks())])


def _clocks(cells: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return the times of day of cells without a date, ``NO_TIME`` for others."""
    index, texts = _numbered(cells)
    clocks = map(clock_alone, texts)
    found = np.array([NO_TIME if each is None else each for each in clocks], dtype=np.int64)
    return found[index] if len(found) else np.zeros(0, dtype=np.int64)


def _parcels(
    order: npt.NDArray[np.int64], awbs: pa.ChunkedArray, items: pa.ChunkedArray
) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Return the parcel of each row, -1 where it does not tell, and how each is named.

    A row without an AWB is of the parcel that its item has elsewhere in the order, else the item
    is one; without either it is of its order's only parcel, where there is but one.
    """
    awb, awb_ids = _keyed(awbs)
    item, item_ids = _keyed(items)
    width = len(awb_ids) + len(item_ids) + 1
    parcel = np.where((awb < 0) & (item >= 0), item + len(awb_ids), awb)
    both = np.flatnonzero((awb >= 0) & (item >= 0))
    lost = np.flatnonzero((awb < 0) & (item >= 0))
    if len(both) and len(lost):
        known, first = np.unique(order[both] * width + item[both], return_index=True)
        wanted = order[lost] * width + item[lost]
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        same = known[at] == wanted
        parcel[lost[same]] = awb[both[first[at[same]]]]
    has_parcel = np.flatnonzero(parcel >= 0)
    pairs, where, number = np.unique(
        order[has_parcel] * width + parcel[has_parcel], return_index=True, return_inverse=True
    )
    found = np.full(len(order), -1, dtype=np.int64)
    found[has_parcel] = number
    owner = pairs // width
    orders, first, count = np.unique(owner, return_index=True, return_counts=True)
    only = np.full(int(order.max()) + 1, -1, dtype=np.int64)
    only[orders[count == 1]] = first[count == 1]
    rows = pa.array(has_parcel[where])
    shown = pc.if_else(pa.array(pairs % width < len(awb_ids)), awbs.take(rows), items.take(rows))
    return np.where(found < 0, only[order], found), pc.utf8_trim(shown, AROUND_AN_ID)


def _keyed(cells: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Return a number for each id, equal for equal ids, -1 for none; and the ids."""
    bare = pc.utf8_lower(pc.utf8_trim(cells, AROUND_AN_ID))
    bare = pc.replace_substring_regex(bare, r"^([0-9]+)\.0$", r"\1")
    encoded = pc.dictionary_encode(bare).combine_chunks()
    index = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    nothing = pc.match_substring_regex(encoded.dictionary, NO_ID).to_numpy(zero_copy_only=False)
    return np.where(nothing[index], -1, index) if len(nothing) else index, encoded.dictionary


# The rules.


class ParcelRows(Struct, frozen=True, kw_only=True):
    """Some rows of a drop, as both rules need them: a value per row of ``given.rows``.

    ``said``: ``Said``, as numbers. ``confirmed``: a person has written that the row's status is
    true of the whole order.
    """

    given: Siblings
    order: npt.NDArray[np.int64]
    status: Numbers
    sends: Mask
    said: Numbers
    event: Numbers
    record: Numbers
    confirmed: Mask

    def final(self, milestone: Milestone) -> Mask:
        """Return the rows that would send this status."""
        found: Mask = self.sends & (self.status == milestone)
        return found

    def row(self, at: int, beside: int) -> str:
        """Return how a message about one row names another: with its sheet, if that is another."""
        given = self.given
        sheet = given.sheets[given.sheet[at]]
        of = "" if given.sheet[at] == given.sheet[beside] else f" of sheet {quoted(sheet)}"
        return f"row {self.record[at]}{of}"

    def held(self, code: Code, column: Role, hit: Mask, other: Sequence[str]) -> Finding:
        """Return the finding about the rows that are held; ``other``: a sentence for each."""
        sentences = pc.binary_join_element_wise(
            "Row ", pa.array(self.record[hit]).cast(pa.string()), pa.array(other, pa.string()), ""
        )
        rows = self.given.rows[hit]
        return Finding(code=code, column=column.value, rows=rows, sentences=sentences)


EndedElsewhere = Callable[[int, int, Sequence[int]], int]
"""Counts the parcels of an order (its number) that have a final status by earlier files, and are
not those of its rows in this one."""


def open_parcels(rows: ParcelRows, elsewhere: EndedElsewhere) -> list[Finding]:
    """Hold a final status that not all parcels of the order have which are not cancelled.

    Parcels of the other journey, of a customer's return or on the way out, do not count; nor does
    one that a return was picked up as, when it is delivered as another: couriers give new AWBs.
    """
    given = rows.given
    if given.any_parcel:
        return []
    unsure = [*_unsure(rows), *_untold(rows, elsewhere)]
    if len(given.parcels) < 2:
        return unsure
    parcel, many = given.parcel, len(given.parcels)
    owner = np.zeros(many, dtype=np.int64)
    has_parcel = parcel >= 0
    owner[parcel[has_parcel]] = rows.order[has_parcel]
    cancelled = _cancelled(rows)
    found = []
    for final in FINALS:
        mine = rows.final(final)
        outward = STEPS[final].journey is Journey.FORWARD
        other = given.back if outward else rows.status != 0
        told = mine | (given.adopted & (rows.status == final))
        there = _any(told, parcel, many) | cancelled | _any(other, parcel, many)
        one = np.full(int(rows.order.max()) + 1, -1, dtype=np.int64)
        missing = np.flatnonzero(~there)[::-1]
        one[owner[missing]] = missing
        hit = mine & ~rows.confirmed & (one[rows.order] >= 0)
        if hit.any():
            reached = np.flatnonzero(~told & (rows.status == final) & has_parcel)
            held = _first(reached, parcel, many)
            details = [
                f": {final.wire} is not sent, because "
                f"{_not_there(rows, quoted(given.parcels[other].as_py()), at, int(held[other]))} "
                f"If they have, tick the row {TO_CONFIRM}."
                for at, other in zip(
                    np.flatnonzero(hit).tolist(), one[rows.order[hit]].tolist(), strict=True
                )
            ]
            found.append(rows.held(Code.PARCELS_OPEN, Role.AWB, hit, details))
    return [*found, *unsure]


def _untold(rows: ParcelRows, elsewhere: EndedElsewhere) -> list[Finding]:
    """Hold a final status where fewer parcels of the order are told of than there are.

    Those that came to it in earlier files count where the rows tell how many there are in all.
    """
    given, many = rows.given, int(rows.order.max()) + 1
    least = np.zeros(many, dtype=np.int64)
    np.maximum.at(least, rows.order, given.least)
    pairs = np.unique(np.stack([rows.order, given.parcel]), axis=1)[0]
    told = np.maximum(np.bincount(pairs, minlength=many), 1)
    short = rows.sends & np.isin(rows.status, FINALS) & ~rows.confirmed
    hit = short & (told < least)[rows.order]
    counted = np.zeros(many, dtype=np.bool_)
    counted[rows.order[hit & given.counted]] = True
    of_order: dict[int, list[int]] = {}
    for at in np.flatnonzero(counted[rows.order]).tolist():
        of_order.setdefault(int(rows.order[at]), []).append(int(given.rows[at]))
    for at in np.flatnonzero(hit & counted[rows.order]).tolist():
        order = int(rows.order[at])
        others = elsewhere(order, int(rows.status[at]), of_order[order])
        hit[at] = told[order] + others < least[order]
    if not hit.any():
        return []
    details = [
        f": {Milestone(rows.status[at]).wire} is not sent, because the order has "
        f"{least[rows.order[at]]} parcels or more, and the file tells of {told[rows.order[at]]}. "
        "A later file with the others, by their AWBs, sends it. If all have reached it, tick the "
        f"row {TO_CONFIRM}."
        for at in np.flatnonzero(hit).tolist()
    ]
    return [rows.held(Code.PARCELS_OPEN, Role.AWB, hit, details)]


def _not_there(rows: ParcelRows, other: str, at: int, held: int) -> str:
    """Return why another parcel leaves a row open; ``held``: the row that is not sent, or -1."""
    if held < 0:
        return (
            f"{other}, another parcel of the order, has not reached it in this file. A later file "
            "in which it has sends it."
        )
    return (
        f"{rows.row(held, at)} is not sent itself, and is about {other}, another parcel of the "
        "order. Settle that row too: tick it, or correct it, so that all of them have reached the "
        "status."
    )


def _unsure(rows: ParcelRows) -> list[Finding]:
    """Hold a final status beside another row of the order that may be of another parcel.

    Both have an AWB that a spreadsheet damaged, which does not show that they are the same.
    """
    given = rows.given
    damaged = given.damaged != ""
    if not damaged.any():
        return []
    found = []
    for final in FINALS:
        mine = rows.final(final)
        other = given.back if STEPS[final].journey is Journey.FORWARD else rows.status != 0
        beside = damaged & (rows.status != final) & ~other & ~given.which(is_cancelled)
        first = _first(np.flatnonzero(beside), rows.order, int(rows.order.max()) + 1)
        hit = mine & damaged & ~rows.confirmed & (first[rows.order] >= 0)
        if hit.any():
            details = [
                f": {final.wire} is not sent, because the AWB {quoted(str(given.damaged[at]))} is "
                f"damaged: {rows.row(by, at)} of the order, which says "
                f"{quoted(given.statuses[given.said[by]])}, may be another "
                "parcel. Put the full AWBs in from the original, as text. If this row is true of "
                f"the whole order, tick it {TO_CONFIRM}."
                for at, by in zip(np.flatnonzero(hit).tolist(), first[rows.order[hit]], strict=True)
            ]
            found.append(rows.held(Code.PARCELS_OPEN, Role.AWB, hit, details))
    return found


def taken_back(rows: ParcelRows) -> list[Finding]:
    """Hold a final status where a later scan of the same parcel is none.

    Events with only a time of day are of one day.

    What is done on paper (a proof of delivery, the money) takes nothing back, nor does a return by
    the customer.
    """
    clock = np.where(rows.event == NO_TIME, rows.given.clock, NO_TIME)
    return [
        *_taken_back(rows, rows.event, rows.given.dated),
        *(
            _taken_back(rows, clock, np.zeros(len(clock), dtype=np.bool_))
            if (clock != NO_TIME).any()
            else ()
        ),
    ]


def _taken_back(rows: ParcelRows, event: Numbers, dated: Mask) -> list[Finding]:
    given = rows.given
    of, size = _one_parcel(rows)
    scans = (rows.status == 0) & ~rows.sends & (event != NO_TIME) & (of >= 0)
    scans &= given.which(lambda said: bool(said.strip()) and not is_on_paper(said))
    scans &= ~((rows.said == Said.NOTHING) & given.which(is_cancelled))  # an item of the parcel
    unclear = np.isin(rows.said, (Said.DENIED, Said.UNCLEAR)) & (of >= 0)
    scans |= unclear & ~rows.sends & (event != NO_TIME)
    returned = np.zeros(int(rows.order.max()) + 1, dtype=np.bool_)
    returned[rows.order[np.isin(rows.status, _RETURNS)]] = True
    found = []
    for final in FINALS:
        mine = rows.final(final) & (event != NO_TIME) & (of >= 0)
        against = scans.copy()
        if final is Milestone.DELIVERY_DONE:
            mine &= ~returned[rows.order]
            against &= ~given.back
        last = np.full(size, NO_TIME, dtype=np.int64)
        end = event + np.where(dated, DAY_MS - 1, 0)
        np.maximum.at(last, of[mine], end[mine])
        later = event > last[of]
        if final is Milestone.DELIVERY_DONE:
            denied = against & given.clocked & given.which(is_not_delivered)
            later |= denied & (event == last[of])
        late = np.flatnonzero(against & (last[of] != NO_TIME) & later)[::-1]
        which = np.full(size, -1, dtype=np.int64)
        which[of[late]] = late
        hit = mine & ~rows.confirmed & (which[of] >= 0)
        if hit.any():
            details = [
                f": {final.wire} is not sent, because {rows.row(by, at)} says "
                f"{quoted(given.statuses[given.said[by]])} of the same shipment "
                f"{'later' if event[by] > event[at] else 'at the same time'}"
                f"{', and another cell of it otherwise' if unclear[by] else ''}. Find out "
                f"which is true. If it is this row, tick it {TO_CONFIRM}."
                for at, by in zip(np.flatnonzero(hit).tolist(), which[of[hit]], strict=True)
            ]
            found.append(rows.held(Code.STATUS_CONFLICT, Role.EVENT_TIME, hit, details))
    return found


def began_later(rows: ParcelRows) -> list[Finding]:
    """Hold an end, and an earlier step of the same parcel that is days later by its time.

    One of the two is wrong. Less is the clock of a scanner, and told by TIME_ORDER alone.
    """
    given, timed = rows.given, rows.event != NO_TIME
    of, size = _one_parcel(rows)
    found = []
    for final in FINALS:
        mine = np.flatnonzero(rows.final(final) & timed & (of >= 0))
        before = [m for m in Milestone if STEPS[m].journey is STEPS[final].journey and m < final]
        steps = rows.sends & np.isin(rows.status, before) & ~np.isin(rows.status, FINALS)
        last = np.full(size, _NEVER, dtype=np.int64)
        last[of[mine]] = NO_TIME
        np.maximum.at(last, of[mine], rows.event[mine] + np.where(given.dated[mine], DAY_MS, 0))
        late = np.flatnonzero(steps & timed & (of >= 0) & (rows.event - CLOCKS_OFF_MS > last[of]))
        if not len(late):
            continue
        ends, begun = _first(mine, of, size), _first(late, of, size)
        hit = np.zeros(len(of), dtype=np.bool_)
        hit[[*late, *mine[begun[of[mine]] >= 0]]] = True
        hit &= ~rows.confirmed
        details = [
            f": {Milestone(rows.status[at]).wire} is not sent, because {rows.row(by, at)} says "
            f"{quoted(given.statuses[given.said[by]])} of the same shipment days "
            f"{'before' if rows.status[at] != final else 'later'}. Find out which is true. If it "
            f"is this row, tick it {TO_CONFIRM}."
            for at in np.flatnonzero(hit).tolist()
            for by in ((begun if rows.status[at] == final else ends)[of[at]],)
        ]
        found.append(rows.held(Code.STATUS_CONFLICT, Role.EVENT_TIME, hit, details))
    return found


def not_picked(rows: ParcelRows) -> list[Finding]:
    """Hold a pickup, at the seller or the customer, whose parcel's latest row denies it.

    Any later scan shows that there was one; so does one without a time. Without times a shipment
    that was cancelled counts; a pickup that failed once may have come about since.
    """
    given, timed = rows.given, rows.event != NO_TIME
    of, size = _one_parcel(rows)
    of_parcel = (rows.said != Said.NOTHING) | ~given.which(is_cancelled)  # or of another item
    none = (rows.status == NO_MILESTONE) & (of >= 0) & given.which(is_not_picked) & of_parcel
    scans = ~none & of_parcel & (of >= 0) & ~given.which(is_on_paper)
    last = np.full(size, NO_TIME, dtype=np.int64)
    end = rows.event + np.where(given.dated, DAY_MS - 1, 0)
    np.maximum.at(last, of[scans & timed], end[scans & timed])
    late = none & np.where(timed, rows.event > last[of], given.which(_calls_off))
    found = []
    for step in (Milestone.BAG_PICKED, Milestone.RETURN_BAG_IN_TRANSIT):
        way = given.back == (STEPS[step].journey is Journey.RETURN)
        further = way & (rows.status != step) & ~given.which(is_before_pickup)
        moved = _any(scans & ~timed & further, of, size)
        first = _first(np.flatnonzero(late & way), of, size)
        hit = rows.final(step) & (of >= 0) & ~rows.confirmed & (first[of] >= 0) & ~moved[of]
        if hit.any():
            details = [
                f": {step.wire} is not sent, because {rows.row(by, at)} says "
                f"{quoted(given.statuses[given.said[by]])} of the same shipment. Find out which is "
                f"true. If it is this row, tick it {TO_CONFIRM}."
                for at, by in zip(np.flatnonzero(hit).tolist(), first[of[hit]], strict=True)
            ]
            found.append(rows.held(Code.STATUS_CONFLICT, Role.EVENT_TIME, hit, details))
    return found


def _calls_off(status: str) -> bool:
    return "cancel" in status.casefold()


def turned_back(rows: ParcelRows, told: Mask) -> list[Finding]:
    """Hold a delivery of a parcel that, by another row, goes back to the seller or was cancelled.

    Many couriers call it delivered when it is back there. A customer's return says so only where
    it began before the delivery, and no earlier file has reported that (``told``, by order). One
    that was lost may be found again, so that counts where no times show that it was lost before.

    Nor is a return sent of what goes back to the seller and was never delivered: many write Return
    for RTO.
    """
    given = rows.given
    of, size = _one_parcel(rows)
    mine = rows.final(Milestone.DELIVERY_DONE) & (of >= 0) & ~given.back & ~rows.confirmed
    by_rto = (rows.said == Said.ON_ITS_WAY_BACK) | ((rows.status == 0) & given.which(goes_back))
    by_rto &= ~_called_off(rows, of, size)
    back = by_rto | np.isin(rows.said, (Said.CANCELLED, Said.MAYBE_BACK))
    first = _first(np.flatnonzero(back & (of >= 0)), of, size)
    returns = np.flatnonzero(given.back & (of >= 0) & (rows.event != NO_TIME))
    earliest = _first(returns[np.argsort(rows.event[returns], kind="stable")], of, size)
    before = (earliest[of] >= 0) & (rows.event > rows.event[earliest[of]]) & ~told[rows.order]
    lost = (rows.status == 0) & (of >= 0) & given.which(is_lost)
    untimed = _first(np.flatnonzero(lost & (rows.event == NO_TIME)), of, size)
    gone = np.where(rows.event == NO_TIME, _first(np.flatnonzero(lost), of, size)[of], untimed[of])
    other = np.where(first[of] >= 0, first[of], np.where(before, earliest[of], gone))
    hit = mine & (other >= 0)
    sent = rows.final(Milestone.DELIVERY_DONE) & ~hit
    delivered = told | _any(sent, rows.order, len(told))
    rto = _first(np.flatnonzero((by_rto | (rows.said == Said.CANCELLED)) & (of >= 0)), of, size)
    called_return = rows.sends & np.isin(rows.status, _RETURNS) & (of >= 0) & ~rows.confirmed
    called_return &= (rto[of] >= 0) & ~delivered[rows.order]
    other = np.where(called_return, rto[of], other)
    hit |= called_return
    if not hit.any():
        return []
    details = [
        f": {Milestone(rows.status[at]).wire} is not sent, because {rows.row(by, at)} says "
        f"{_of_way_back(given.statuses[given.said[by]])}. If the seller has it, correct the "
        f"status. If the customer {'had' if called_return[at] else 'has'} it, tick the row "
        f"{TO_CONFIRM}."
        for at, by in zip(np.flatnonzero(hit).tolist(), other[hit], strict=True)
    ]
    return [rows.held(Code.STATUS_CONFLICT, Role.EVENT_TIME, hit, details)]


def _called_off(rows: ParcelRows, of: Numbers, size: int) -> Mask:
    """Return rows of a way back to the seller that a later one calls off: RTO Cancelled."""
    again = np.flatnonzero((rows.said == Said.ON_ITS_WAY_AGAIN) & (of >= 0))
    last = np.full(size, NO_TIME, dtype=np.int64)
    np.maximum.at(last, of[again], rows.event[again])
    begun = (rows.said == Said.ON_ITS_WAY_BACK) & (rows.event != NO_TIME)
    called_off: Mask = begun & (of >= 0) & (last[of] > rows.event)
    return called_off


def _of_way_back(status: str) -> str:
    """Return the words about a row with this status: another of its cells may name the way."""
    shown = f"{quoted(status)} of the same shipment"
    if goes_back(status) or is_cancelled(status) or is_return(status):
        return f"{shown}: it may have come back to the seller"
    if is_lost(status):
        return f"{shown}, and no times tell which was the last"
    return f"{shown}, and elsewhere that it goes back to the seller"


def _first(
    at: npt.NDArray[np.int64], of: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.int64]:
    """Return for each parcel the first of these rows that is of it, -1 without one."""
    first = np.full(size, -1, dtype=np.int64)
    first[of[at[::-1]]] = at[::-1]
    return first


def superseded(rows: ParcelRows) -> list[Finding]:
    """Hold a final status where another tab, which holds instead by its name, says otherwise.

    An earlier step, or none, and not that status as well. What is done on paper and a return by the
    customer say nothing of a delivery. Of two tabs that are named as days the later one holds,
    for rows without times.
    """
    given = rows.given
    untimed = rows.event == NO_TIME
    return [
        *_superseded(rows, given.age, np.ones(len(given.rows), dtype=np.bool_)),
        *_superseded(rows, given.day, untimed & (given.day >= 0)),
    ]


def _superseded(rows: ParcelRows, age: npt.NDArray[np.int64], some: Mask) -> list[Finding]:
    given = rows.given
    if len(np.unique(age[some])) < 2:
        return []
    of, size = _one_parcel(rows)
    some = some & (of >= 0)
    others = ~np.isin(rows.status, FINALS) & some
    others &= given.which(lambda said: bool(said.strip()) and not is_on_paper(said))
    found = []
    for final in FINALS:
        mine = rows.final(final) & some
        against = others & ~given.back if final is Milestone.DELIVERY_DONE else others
        newest = _newest(against, age, of, size)
        hit = mine & (newest[of] > _newest(mine, age, of, size)[of])
        if not hit.any():
            continue
        at = np.flatnonzero(against & (age == newest[of]))
        first = _first(at, of, size)
        details = [
            f": it is not sent, because {rows.row(by, at)}, which is the newer one by its name, "
            f"says {quoted(given.statuses[given.said[by]])} of the same shipment. Find out which "
            f"is true. If it is this row, write {CONFIRMED} under _reject_codes and upload the row "
            "again."
            for at, by in zip(np.flatnonzero(hit).tolist(), first[of[hit]], strict=True)
        ]
        found.append(rows.held(Code.STATUS_CONFLICT, Role.STATUS, hit, details))
    return found


def _newest(
    some: Mask, age: npt.NDArray[np.int64], of: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.int64]:
    """Return for each parcel the age of the newest tab on which it has one of these rows."""
    newest = np.full(size, -2, dtype=np.int64)
    np.maximum.at(newest, of[some], age[some])
    return newest


def _one_parcel(rows: ParcelRows) -> tuple[npt.NDArray[np.int64], int]:
    """Return which parcel each row is of, -1 for none, and how many there are.

    ParcelRows of orders that name no parcel at all are of one; of several parcels they are of none.
    """
    given, many = rows.given, len(rows.given.parcels)
    named = np.zeros(int(rows.order.max()) + 1, dtype=np.bool_)
    named[rows.order[given.parcel >= 0]] = True
    of = np.where(
        given.parcel < 0, np.where(named[rows.order], -1, many + rows.order), given.parcel
    )
    return of, many + len(named)


def _cancelled(rows: ParcelRows) -> Mask:
    """Return the parcels whose latest row says that they were cancelled."""
    parcel, many = rows.given.parcel, len(rows.given.parcels)
    says = rows.given.which(is_cancelled)
    last = np.full((2, many), NO_TIME, dtype=np.int64)
    for number, some in enumerate((says, ~says)):
        of = some & (parcel >= 0)
        np.maximum.at(last[number], parcel[of], rows.event[of])
    ended: Mask = _any(says, parcel, many) & (last[0] >= last[1])
    return ended


def _any(mask: Mask, group: npt.NDArray[np.int64], size: int) -> Mask:
    """Return for each group whether one of its rows is in the mask."""
    found = np.zeros(size, dtype=np.bool_)
    found[group[mask & (group >= 0)]] = True
    return found
