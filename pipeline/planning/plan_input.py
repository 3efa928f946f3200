"""A file that was read, as planning takes it: its facts, and numbers from its spool."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.columns import PREPARED
from pipeline.core.errors import StorageError
from pipeline.core.file_facts import Facts
from pipeline.core.model import Disposition
from pipeline.planning.earlier_files import ParcelColumns
from pipeline.planning.parcels import siblings
from pipeline.planning.plan import NO_TIME, PlanInput
from pipeline.planning.sendable_rows import Orders
from pipeline.storage.spool import Spool
from pipeline.validation.profile_by_name import Choice
from pipeline.validation.rejects_file import codes_column
from schemas.courier import Profile
from schemas.parcels import ANY


class Prepared(Facts, frozen=True, kw_only=True):
    """A file as planning needs it: its facts, and a handful of numbers per row.

    ``sheet_of``: the sheet's number per row.
    """

    choice: Choice
    keys: PlanInput
    sheet_of: npt.NDArray[np.int16]


def load(facts: Facts, spool: Spool, profiles: Mapping[str, Profile]) -> Prepared:
    """Load what planning needs from the spool. Raises StorageError when it cannot be read."""
    sheets = [_columns(facts, number, spool) for number in range(len(facts.sheets))]
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


def _columns(facts: Facts, number: int, spool: Spool) -> dict[str, Any]:
    """Return one sheet's columns by name, and ``ids`` and ``awbs`` in pieces.

    All are copies: a column of a batch keeps the memory of the whole batch. ``vouched``: rows of a
    rejects file for which somebody has emptied the codes.
    """
    parts: dict[str, list[Any]] = {name: [_EMPTY[name]] for name in (*_READ, "vouched")}
    texts: dict[str, list[pa.Array]] = {"order_id": [], "awb": []}
    codes = codes_column(facts.sheets[number].headers)
    more = [] if codes is None else [f"c{codes}"]
    for batch in spool.blocks(number, [*texts, *_READ, *more]):
        for name in _READ:
            column = batch.column(name)
            filled = column.fill_null(NO_TIME) if name == "event_ms" else column
            parts[name].append(np.array(filled))
        for name, pieces in texts.items():
            pieces.append(pa.concat_arrays([batch.column(name), pa.array([], pa.string())]))
        vouched = np.zeros(batch.num_rows, np.bool_)
        if codes is not None:
            bare = pc.utf8_trim_whitespace(batch.column(f"c{codes}"))
            vouched = np.array(pc.equal(bare, ""))
        parts["vouched"].append(vouched)
    found = {name: np.concatenate(each) for name, each in parts.items()}
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
_EMPTY: dict[str, npt.NDArray[Any]] = {
    "sheet": np.empty(0, np.int16),
    "vouched": np.empty(0, np.bool_),
    **{name: np.empty(0, PREPARED.field(name).type.to_pandas_dtype()) for name in _READ},
}
