"""A file that was read, as planning takes it: its facts, and numbers from its spool."""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import StorageError
from pipeline.core.file_facts import Facts
from pipeline.core.model import Disposition, DropState
from pipeline.core.row_columns import PREPARED
from pipeline.planning.earlier_files import ParcelColumns
from pipeline.planning.parcels_of_orders import siblings
from pipeline.planning.plan import NO_TIME, PlanInput
from pipeline.planning.sendable_rows import Orders
from pipeline.storage.spool import Spool
from pipeline.validation.profile_by_name import Choice
from pipeline.validation.rejects_file import ROW_NUMBER, WordColumns, word_columns
from schemas.courier import Profile
from schemas.parcels import ANY, AROUND_AN_ID, AWB_LENGTH, CONFIRMED_CELL

StatesOf = Callable[[Collection[str]], Mapping[str, DropState]]
"""Says of drops in which state they are, as far as they are known."""

_PARENTS: Final = 500
"""Drops that a rejects file may name; in one that names more, emptied codes say nothing."""


class Prepared(Facts, frozen=True, kw_only=True):
    """A file as planning needs it: its facts, and a handful of numbers per row.

    ``sheet_of``: the sheet's number per row.
    """

    choice: Choice
    keys: PlanInput
    sheet_of: npt.NDArray[np.int16]


def load(facts: Facts, spool: Spool, profiles: Mapping[str, Profile], states: StatesOf) -> Prepared:
    """Load what planning needs from the spool. Raises StorageError when it cannot be read."""
    parents = _parents(facts, spool, states)
    sheets = [_columns(facts, number, spool, parents) for number in range(len(facts.sheets))]
    whole = {
        name: np.concatenate([_EMPTY[name], *(sheet[name] for sheet in sheets)]) for name in _EMPTY
    }
    ids, awbs = (
        pa.chunked_array([each for sheet in sheets for each in sheet[name]], pa.string())
        for name in ("ids", "awbs")
    )
    del sheets
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
                any_parcel=profile.parcels == ANY,
                zone=profile.zone,
            ),
            siblings=siblings(
                facts.sheets,
                spool,
                profile,
                orders=orders,
                status=whole["status"],
                disposition=whole["disposition"],
            ),
        ),
        sheet_of=whole["sheet"],
    )


def _parents(facts: Facts, spool: Spool, states: StatesOf) -> pa.Array:
    """Return the drops of whose rejects an emptied code is a person's word.

    None where one of them was refused whole: the rejects of such a file hold its sound rows too,
    without codes, and nobody has said anything about these.
    """
    named: set[str] = set()
    for number, sheet in enumerate(facts.sheets):
        ours = word_columns(sheet.headers)
        for batch in spool.blocks(number, [f"c{ours.drop}"]) if ours is not None else ():
            named.update(pc.unique(pc.utf8_trim_whitespace(batch.column(0))).to_pylist())
            if len(named) > _PARENTS:
                return pa.array([], pa.string())
    found = states(named - {""}) if named else {}
    return pa.array([] if DropState.REFUSED in found.values() else [*found], pa.string())


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


def _references(
    batch: pa.RecordBatch, ours: WordColumns | None, vouched: npt.NDArray[np.bool_]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Give the places of the vouched rows, each with the row of a file that it says it was."""
    places = np.flatnonzero(vouched)
    if ours is not None and len(places):
        cells = [batch.column(f"c{at}").take(pa.array(places)).to_pylist() for at in ours.reference]
        yield from zip(places.tolist(), zip(*cells, strict=True), strict=True)


def _columns(facts: Facts, number: int, spool: Spool, parents: pa.Array) -> dict[str, Any]:
    """Return one sheet's columns by name, and ``ids`` and ``awbs`` in pieces.

    All are copies: a column of a batch keeps the memory of the whole batch. ``parents``: drops of
    whose rejects emptied codes count.
    """
    parts: dict[str, list[Any]] = {name: [_EMPTY[name]] for name in (*_READ, *_SAID)}
    texts: dict[str, list[pa.Array]] = {"order_id": [], "awb": []}
    headers = facts.sheets[number].headers
    ours = word_columns(headers)
    more = [] if ours is None else [f"c{at}" for at in {ours.codes, *ours.reference}]
    spoken: dict[tuple[str, ...], dict[str, list[int]]] = {}
    for batch in spool.blocks(number, [*texts, *_READ, *more]):
        for name in _READ:
            column = batch.column(name)
            filled = column.fill_null(NO_TIME) if name == "event_ms" else column
            parts[name].append(np.array(filled))
        ids, awbs = batch.column("order_id"), pc.utf8_trim(batch.column("awb"), AROUND_AN_ID)
        cut = {"order_id": ids, "awb": pc.utf8_slice_codeunits(awbs, 0, AWB_LENGTH)}
        for name, column in cut.items():
            texts[name].append(pa.concat_arrays([column, pa.array([], pa.string())]))
        words = _words(batch, headers, parents)
        before = sum(map(len, parts["vouched"]))
        for place, reference in _references(batch, ours, words["vouched"]):
            order = ids[place].as_py()
            spoken.setdefault(reference, {}).setdefault(order, []).append(before + place)
        for name, mask in words.items():
            parts[name].append(mask)
    found = {name: np.concatenate(each) for name, each in parts.items()}
    for of_orders in spoken.values():
        if len(of_orders) > 1:  # a row was copied with the word that was meant for one of them
            for name in _SAID:
                found[name][list(chain.from_iterable(of_orders.values()))] = False
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
    }


_READ = ("row", "status", "event_ms", "disposition", "footer", "auto", "said")
_SAID = ("confirmed", "vouched")
_EMPTY: dict[str, npt.NDArray[Any]] = {
    "sheet": np.empty(0, np.int16),
    **{name: np.empty(0, np.bool_) for name in _SAID},
    **{name: np.empty(0, PREPARED.field(name).type.to_pandas_dtype()) for name in _READ},
}
