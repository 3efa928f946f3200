"""Set aside rows of earlier drops that came with a later one: they need no person any more.

A person may upload the corrected original, or send a file once more that was cut off.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.clock import Clock
from pipeline.core.corrections import with_aside, with_put_off
from pipeline.core.model import Drop, DropState, stamp
from pipeline.core.row_keys import RowKey, row_key
from pipeline.reporting.row_outcomes import OUTCOMES, DropOutcomes
from pipeline.storage.ledger import SqlLedger
from pipeline.storage.spool import Spools
from schemas.codes import Code
from schemas.display import shown
from schemas.parcels import parcel_of
from schemas.vocabulary import FINALS, Outcome, Role

_MOST = 50
"""Earlier drops with something left that are looked at, those of its name and the newest first."""

_CUT = frozenset({Code.TRUNCATED.value, Code.EMPTY_FILE.value})
_NOTHING_TO_SEND = f"{Code.NO_MILESTONE}:{Role.STATUS}"
_ACCEPTED = OUTCOMES.index(Outcome.ACCEPTED)
_COLUMNS = ("row", "order_id", "awb", "milestone", "sheet", "codes")

_Shipment = tuple[str, str]
"""Order id, and AWB as two files may both write it, "" without one."""

_Accepted = Mapping[_Shipment, frozenset[tuple[int, int]]]
"""Record number and milestone of the rows of a shipment that the API accepted."""


class CameSince(Struct, frozen=True, kw_only=True):
    """Looks at earlier drops of a folder when a later one is complete."""

    ledger: SqlLedger
    spools: Spools
    clock: Clock

    def look(self, drop: Drop, outcomes: DropOutcomes) -> None:
        """Set aside the rows of earlier drops that were accepted with this one.

        And a file of this name that had been cut off or empty, or refused for its many bad rows,
        which have all been accepted now. Raises StorageError.
        """
        some = self.ledger.overview.left_in(
            drop.folder, drop.source_file, before=drop.seq, limit=_MOST
        )
        left = {
            drop_id: table
            for _, drop_id, _ in some
            if drop_id != drop.parent and (table := self._kept(drop_id)) is not None
        }
        accepted = self._accepted(drop, outcomes, [*left.values()]) if left else {}
        at, why = stamp(self.clock.now()), f"came with {shown(drop.source_file)} ({drop.drop_id})"
        put_off = partial(with_put_off, note=(why, "", at))
        for seq, drop_id, name in some:
            same_name = name == drop.source_file
            earlier = self.ledger.find(drop_id) if same_name or accepted else None
            if earlier is None:
                continue
            if same_name and _was_cut(earlier):
                self.ledger.change_facts(seq, put_off)
            if drop_id not in left or not accepted:
                continue
            came = set(_came(left[drop_id], earlier, accepted, same_name=same_name))
            if earlier.state is not DropState.REFUSED and came:
                aside = partial(with_aside, rows=came, reason=why, who="", at=at)
                self.ledger.change_facts(seq, aside)
            elif earlier.state is DropState.REFUSED and len(came) == len(left[drop_id]):
                self.ledger.change_facts(seq, put_off)

    def _kept(self, drop_id: str) -> pa.Table | None:
        """Return the rows of an earlier drop that were kept, but for those that send nothing.

        None where there are none, or an earlier build kept less of them.
        """
        table = self.spools.kept(drop_id)
        if table is None or not {*_COLUMNS} <= {*table.column_names}:
            return None
        table = table.select(_COLUMNS)
        found = table.filter(pc.not_equal(table.column("codes"), _NOTHING_TO_SEND))
        return found if len(found) else None

    def _accepted(self, drop: Drop, outcomes: DropOutcomes, left: Sequence[pa.Table]) -> _Accepted:
        """Return what was accepted of a drop of the orders of some rows."""
        orders = pc.unique(pa.concat_tables(left).column("order_id"))
        spool, start = self.spools.of(drop), 0
        found: dict[_Shipment, set[tuple[int, int]]] = {}
        for number in range(len(drop.facts.sheets)):
            for batch in spool.blocks(number, ["row", "order_id", "awb", "status"]):
                outcome = pa.array(outcomes.outcome[start : start + batch.num_rows])
                start += batch.num_rows
                asked = pc.is_in(batch.column("order_id"), value_set=orders)
                rows = batch.filter(pc.and_(pc.equal(outcome, _ACCEPTED), asked)).to_pylist()
                for each in rows:
                    shipment = each["order_id"], parcel_of(each["awb"])
                    found.setdefault(shipment, set()).add((each["row"], each["status"]))
        return {shipment: frozenset(rows) for shipment, rows in found.items() if shipment[0]}


def _was_cut(drop: Drop) -> bool:
    refused = (drop.facts.summary or {}).get("refused") or {}
    return drop.state is DropState.REFUSED and refused.get("code") in _CUT


def _came(left: pa.Table, drop: Drop, accepted: _Accepted, *, same_name: bool) -> Iterator[RowKey]:
    """Yield the rows of an earlier drop that were accepted since.

    With their own status, which is their order's whichever parcel brought it; where that was not
    known, with a final one of their parcel, or as the row of this number in a file of the same
    name.
    """
    several = len(drop.facts.sheets) > 1
    of_orders = {(order, status) for (order, _), rows in accepted.items() for _, status in rows}
    orders = pa.array(sorted({order for order, _ in of_orders}), pa.string())
    for row in left.filter(pc.is_in(left.column("order_id"), value_set=orders)).to_pylist():
        known = accepted.get((row["order_id"], parcel_of(row["awb"])), frozenset())
        statuses = {status for _, status in known}
        if row["milestone"]:
            came = (row["order_id"], row["milestone"]) in of_orders
        else:
            there = same_name and any(number == row["row"] for number, _ in known)
            came = there or not statuses.isdisjoint(FINALS)
        if came:
            yield row_key(row["row"], row["sheet"] if several else "")
