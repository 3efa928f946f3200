"""A file that was read, as planning takes it: its facts, and numbers from its spool."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

from pipeline.core.errors import StorageError
from pipeline.core.model import Disposition, DropState, Facts, SheetFacts
from pipeline.core.profile_by_name import Choice
from pipeline.core.rejects_file import (
    ROW_NUMBER,
    UNCLEAR,
    WordColumns,
    evidence_in,
    may_be_mended,
    reference,
    word_columns,
)
from pipeline.core.row_columns import PREPARED, TOO_OLD
from pipeline.core.row_keys import RowKey, number_of, row_key
from pipeline.planning.earlier_files import Mended, ParcelColumns
from pipeline.planning.parcels_of_orders import siblings
from pipeline.planning.plan import NO_TIME, PlanInput
from pipeline.planning.sendable_rows import Orders
from pipeline.storage.spool import Spool
from schemas.codes import Code, Kind
from schemas.courier import Profile
from schemas.normalise import fold
from schemas.parcels import (
    ANY,
    AROUND_AN_ID,
    AWB_LENGTH,
    CONFIRMED_CELL,
    Said,
    awb_key,
    item_heading,
)
from schemas.statuses import Direction
from schemas.vocabulary import Role

StatesOf = Callable[[Collection[str]], Mapping[str, DropState]]
"""Returns the states of drops, as far as they are known."""

IdsOf = Callable[[str], Mapping[int, Sequence[tuple[str, str]]]]
"""Returns a known drop's rows that were given back: number → their sheets and order ids."""

_PARENTS: Final = 500
"""Most drops that a rejects file may name; of one that names more, no CONFIRMED counts."""

_Named = tuple[str, RowKey]
"""The row that a row of a rejects file says it was, and its drop."""


class Prepared(Facts, frozen=True, kw_only=True):
    """A file as planning needs it: its facts, and a handful of numbers per row.

    ``sheet_of``: the sheet's number per row.
    """

    choice: Choice
    keys: PlanInput
    sheet_of: npt.NDArray[np.int16]


def load(
    facts: Facts,
    spool: Spool,
    profiles: Mapping[str, Profile],
    states: StatesOf,
    ids_of: IdsOf,
    *,
    source_file: str,
) -> Prepared:
    """Load what planning needs from the spool. Raises StorageError when it cannot be read."""
    known = _known(facts, spool, states)
    # The rejects of a file that was refused whole hold sound rows without codes.
    refused = DropState.REFUSED in known.values()
    parents = pa.array([] if refused else [*known], pa.string())
    every = range(len(facts.sheets))
    sheets = [_columns(facts, number, spool, parents, known) for number in every]
    _ignore_copied_confirmations(sheets, known, ids_of)
    whole = sheets[0]
    if len(sheets) != 1:
        whole = {n: np.concatenate([_EMPTY[n], *(sheet[n] for sheet in sheets)]) for n in _EMPTY}
    ids, awbs = (
        pa.chunked_array([each for sheet in sheets for each in sheet[name]], pa.string())
        for name in ("ids", "awbs")
    )
    orders, profile = Orders.of(ids), profiles[facts.courier]
    return Prepared(
        **{name: getattr(facts, name) for name in facts.__struct_fields__},
        choice=Choice(profile=profile, why=facts.why),
        keys=PlanInput(
            orders=orders,
            row=whole["row"],
            status=whole["status"],
            event_ms=whole["event_ms"],
            disposition=whole["disposition"],
            auto=whole["auto"],
            parcels=ParcelColumns(
                awbs=awbs,
                said=whole["said"],
                vouched=whole["vouched"],
                confirmed=whole["confirmed"],
                nameless=whole["nameless"],
                any_parcel=profile.parcels == ANY,
                zone=profile.zone,
                mends=frozenset(each for sheet in sheets for each in sheet["mends"]),
                source_file=source_file,
                latest=int(whole["event_ms"].max(initial=NO_TIME)),
                courier=facts.courier,
            ),
            siblings=siblings(
                facts.sheets,
                spool,
                profile,
                orders=orders,
                awbs=awbs,
                sheet_of=whole["sheet"],
                status=whole["status"],
                disposition=whole["disposition"],
            ),
            long_ago=whole["long_ago"] & (whole["disposition"] == Disposition.REJECTED),
            came_back=_came_back(facts.sheets, spool, profile, whole),
        ),
        sheet_of=whole["sheet"],
    )


def _came_back(
    sheets: Sequence[SheetFacts], spool: Spool, profile: Profile, whole: Mapping[str, Any]
) -> npt.NDArray[np.int8]:
    """Return the statuses by their own words of rows beside which a customer's return is named.

    Of those that were rejected for nothing else; 0 for others. A customer's return comes after a
    delivery, and says nothing against one that was accepted.
    """
    maybe = (whole["disposition"] == Disposition.REJECTED) & (whole["said"] == Said.MAYBE_BACK)
    found = np.zeros(len(maybe), np.int8)
    if not maybe.any():
        return found
    start = 0
    for number, sheet in enumerate(sheets):
        kind = sheet.roles.get(Role.STATUS_TYPE)
        columns = ["codes", "around", "source_status", *([] if kind is None else [f"c{kind}"])]
        for batch in spool.blocks(number, columns):
            places = np.flatnonzero(maybe[start : start + batch.num_rows])
            rows = batch.take(pa.array(places))
            cells = zip(*(rows.column(name).to_pylist() for name in columns), strict=True)
            for at, (codes, around, status, *kinds) in zip(places, cells, strict=True):
                if _faults(codes) == {UNCLEAR} and _names_return(around):
                    ruling = profile.statuses.rule(status, status_type="".join(kinds))
                    found[start + at] = ruling.milestone
            start += batch.num_rows
    return found


def _faults(codes: str) -> set[str]:
    """Return the codes in a cell for which its row is rejected."""
    return {each for each in codes.split(";") if each.split(":")[0] in _REJECTING}


def _names_return(around: str) -> bool:
    """Return whether all evidence about a row names a customer's return, or may."""
    kept = evidence_in(around)
    ways = {e.way for e in kept.around} | {e.way for e in kept.cells}
    return bool(ways - {Direction.BLANK}) and ways <= _RETURNS


def _known(facts: Facts, spool: Spool, states: StatesOf) -> Mapping[str, DropState]:
    """Return the drops that a rejects file names, those that there are, and their states."""
    named: set[str] = set()
    for number, sheet in enumerate(facts.sheets):
        ours = word_columns(sheet.headers)
        for batch in spool.blocks(number, [f"c{ours.drop}"]) if ours is not None else ():
            named.update(pc.unique(pc.utf8_trim_whitespace(batch.column(0))).to_pylist())
            if len(named) > _PARENTS:
                return {}
    return states(named - {""}) if named else {}


def _words(batch: pa.RecordBatch, headers: tuple[str, ...], parents: pa.Array) -> dict[str, Any]:
    """Return of which rows a person says that their status is true of the whole order.

    ``confirmed``: by the word for it; ``vouched``: so, or by emptied codes of a row that was
    rejected.
    """
    ours = word_columns(headers)
    if ours is None:
        nothing = np.zeros(batch.num_rows, np.bool_)
        return {"confirmed": nothing, "vouched": nothing}
    row, codes, drop = (
        pc.utf8_trim_whitespace(batch.column(f"c{at}")) for at in (ours.row, ours.codes, ours.drop)
    )
    confirmed = pc.match_substring_regex(codes, CONFIRMED_CELL)
    emptied = pc.and_(
        pc.and_(pc.equal(codes, ""), pc.match_substring_regex(row, f"^{ROW_NUMBER}$")),
        pc.is_in(drop, value_set=parents),
    )
    masks = {"confirmed": confirmed, "vouched": pc.or_(confirmed, emptied)}
    return {name: mask.to_numpy(zero_copy_only=False) for name, mask in masks.items()}


def _named(
    batch: pa.RecordBatch, ours: WordColumns | None, vouched: npt.NDArray[np.bool_]
) -> Iterator[tuple[int, _Named | None]]:
    """Give the places of the vouched rows, each with the row that it says it was; None: none."""
    places = np.flatnonzero(vouched)
    if ours is None or not len(places):
        return
    drops, rows, tabs = (
        [""] * len(places) if at is None else batch.column(f"c{at}").take(places).to_pylist()
        for at in (ours.drop, ours.row, ours.sheet)
    )
    for place, drop, row, tab in zip(places.tolist(), drops, rows, tabs, strict=True):
        found = reference(drop, row)
        yield place, found and (found[0], row_key(found[1], tab))


def _mends(
    batch: pa.RecordBatch, ours: WordColumns | None, known: Collection[str]
) -> Iterator[Mended]:
    """Give the rows of drops that are known which rows of a rejects file say they were.

    Each by its order and by its AWB, as the ledger has one whose order id was lost.
    """
    if ours is None or not known:
        return
    names = (f"c{ours.drop}", f"c{ours.row}", "order_id", "awb")
    columns = (batch.column(name).to_pylist() for name in names)
    for drop, row, order, awb in zip(*columns, strict=True):
        found = reference(drop, row)
        if found is not None and found[0] in known:
            yield *found, order
            if key := awb_key(awb[:AWB_LENGTH]):
                yield *found, key


def _nameless(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Return which rows name a way back, but no order: their order id was rejected."""
    back: npt.NDArray[np.bool_] = np.array(batch.column("said")) == Said.MAYBE_BACK
    if back.any():
        codes = batch.column("codes")
        back &= pc.match_substring_regex(codes, _NO_ORDER).to_numpy(zero_copy_only=False)
    return back


def _ignore_copied_confirmations(
    sheets: Iterable[Mapping[str, Any]], known: Collection[str], ids_of: IdsOf
) -> None:
    """Ignore CONFIRMED in a row that is not the rejected row it refers to, but a copy of its line.

    The row is recognised by its order id, or, where that was lost, by being the only one that
    refers to it.
    """
    kept = cache(ids_of)
    orders: dict[_Named | None, set[str]] = {}
    for sheet in sheets:
        for _, named, order in sheet["spoken"]:
            orders.setdefault(named, set()).add(order)
    if not orders:
        return

    def is_confirmed(named: _Named | None, order: str) -> bool:
        if named is None or named[0] not in known or len(orders[named]) > 1:
            return False
        there = kept(named[0]).get(number_of(named[1]), ())
        here = [each for each in there if row_key(number_of(named[1]), each[0]) == named[1]]
        return any(may_be_mended(original, order) for _, original in here or there)

    for sheet in sheets:
        nobodys = [place for place, *said in sheet["spoken"] if not is_confirmed(*said)]
        for name in _SAID:
            sheet[name][nobodys] = False


def _columns(
    facts: Facts, number: int, spool: Spool, parents: pa.Array, known: Collection[str]
) -> dict[str, Any]:
    """Return one sheet's columns by name, and ``ids`` and ``awbs`` in pieces.

    All are copies: a column of a batch keeps the memory of the whole batch. ``parents``: drops of
    whose rejects emptied codes count; ``known``: all that it names. ``spoken``: the vouched rows,
    each with the row that it says it was, and its order.
    """
    parts: dict[str, list[Any]] = {name: [_EMPTY[name]] for name in (*_READ, *_SAID, *_BY_CODES)}
    texts: dict[str, list[pa.Array]] = {"order_id": [], "awb": []}
    headers = facts.sheets[number].headers
    ours = word_columns(headers)
    more = [] if ours is None else [f"c{at}" for at in astuple(ours) if at is not None]
    spoken: list[tuple[int, _Named | None, str]] = []
    mends = set[Mended]()
    for batch in spool.blocks(number, [*texts, *_READ, "codes", *more]):
        for name in _READ:
            column = batch.column(name)
            filled = column.fill_null(NO_TIME) if name == "event_ms" else column
            parts[name].append(np.array(filled))
        parts["nameless"].append(_nameless(batch))
        of_age = pc.equal(batch.column("codes"), TOO_OLD)
        parts["long_ago"].append(of_age.to_numpy(zero_copy_only=False))
        ids, awbs = batch.column("order_id"), pc.utf8_trim(batch.column("awb"), AROUND_AN_ID)
        cut = {"order_id": ids, "awb": pc.utf8_slice_codeunits(awbs, 0, AWB_LENGTH)}
        for name, column in cut.items():
            texts[name].append(pa.concat_arrays([column, pa.array([], pa.string())]))
        mends.update(_mends(batch, ours, known))
        words = _words(batch, headers, parents)
        before = sum(map(len, parts["vouched"]))
        for place, named in _named(batch, ours, words["vouched"]):
            spoken.append((before + place, named, ids[place].as_py()))
        for name, mask in words.items():
            parts[name].append(mask)
    found = {name: np.concatenate(each) for name, each in parts.items()}
    _leave_out_cancelled_items(found["said"], facts.sheets[number], spool, number)
    rows = len(found["row"])
    if rows != facts.sheets[number].rows:
        raise StorageError(f"The spool {spool.folder} does not hold what was read.")
    # A footer, one below the sheet's last data row, is skipped however it was judged.
    data = np.flatnonzero(~found["footer"])
    found["disposition"][data[-1] + 1 if len(data) else 0 :] = Disposition.SKIPPED
    return {
        **found,
        "ids": texts["order_id"],
        "awbs": texts["awb"],
        "sheet": np.full(rows, number, dtype=np.int16),
        "spoken": spoken,
        "mends": mends,
    }


def _leave_out_cancelled_items(
    said: npt.NDArray[Any], sheet: SheetFacts, spool: Spool, number: int
) -> None:
    """Have a cancelled item say nothing of a parcel with other items of its order.

    Each row has an item, and that one is nowhere in the order but in rows that say so.
    """
    cancelled = np.flatnonzero(said == Said.CANCELLED)
    item = item_heading(sheet.headers, {*sheet.roles.values()}) if len(cancelled) else None
    if item is None:
        return
    parts: tuple[list[pa.Array], list[pa.Array]] = ([], [])
    for batch in spool.blocks(number, ["order_id", f"c{item}"]):
        for part, column in zip(parts, batch, strict=True):
            part.append(pa.concat_arrays([column, pa.array([], pa.string())]))
    orders, items = (pa.chunked_array(each, pa.string()) for each in parts)
    mine = orders.take(cancelled)
    others = np.flatnonzero(pc.is_in(orders, value_set=pc.unique(mine)).to_numpy())
    others = others[said[others] != Said.CANCELLED]
    shipped: dict[str, set[str]] = {}
    for order, cell in zip(
        orders.take(others).to_pylist(), items.take(others).to_pylist(), strict=True
    ):
        shipped.setdefault(order, set()).add(fold(cell))
    for at, order, cell in zip(
        cancelled, mine.to_pylist(), items.take(cancelled).to_pylist(), strict=True
    ):
        there = shipped.get(order, {""})
        if "" not in there and fold(cell) not in there | {""}:
            said[at] = Said.NOTHING


_NO_ORDER = rf"(?:^|;)(?:{Code.ID_MISSING}|{Code.ID_DAMAGED}|{Code.ID_INVALID}):"
_REJECTING = {code.value for code in Code if code.kind is Kind.REJECT}
_RETURNS = {Direction.BLANK, Direction.RETURN, Direction.MAYBE_RETURN, Direction.BACK}
_READ = ("row", "status", "event_ms", "disposition", "footer", "auto", "said")
_SAID = ("confirmed", "vouched")
_BY_CODES = ("nameless", "long_ago")
_EMPTY: dict[str, npt.NDArray[Any]] = {
    "sheet": np.empty(0, np.int16),
    **{name: np.empty(0, np.bool_) for name in (*_SAID, *_BY_CODES)},
    **{name: np.empty(0, PREPARED.field(name).type.to_pandas_dtype()) for name in _READ},
}
