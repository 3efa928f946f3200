"""The rows that may be sent, as numbers: planning makes them fewer step by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from schemas.vocabulary import Milestone

Numbers = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint8]

NO_TIME = int(np.iinfo(np.int64).min)
"""Stands where a row has no event time."""

WIDTH = 8
"""Room for every milestone, and what ``numpy.packbits`` makes one byte of."""


def bit(*milestones: Milestone) -> int:
    """Return the bits of these milestones, as ``SendableRows.milestones`` gives them."""
    return sum(1 << int(milestone) for milestone in milestones)


class SendableRows(Struct, frozen=True, kw_only=True):
    """Some rows of a drop, ascending. All arrays but ``names`` have a value per candidate.

    ``rows``: its place in the drop; ``order``: a number for its order, into ``names``; ``status``:
    its milestone; ``event``: milliseconds since the epoch or ``NO_TIME``.
    """

    rows: npt.NDArray[np.int32]
    order: npt.NDArray[np.int32]
    status: npt.NDArray[np.int8]
    event: npt.NDArray[np.int64]
    names: pa.Array

    def only(self, mask: Mask) -> "SendableRows":
        """Return those where the mask is true."""
        return SendableRows(
            rows=self.rows[mask],
            order=self.order[mask],
            status=self.status[mask],
            event=self.event[mask],
            names=self.names,
        )

    def ids(self, mask: Mask) -> pa.Array:
        """Return their order ids."""
        return self.names.take(pa.array(self.order[mask]))

    def milestones(self) -> Bits:
        """Return per order, the bits of the milestones among the candidates."""
        present = np.zeros((len(self.names), WIDTH), dtype=np.bool_)
        present[self.order, self.status] = True
        return np.packbits(present, axis=1, bitorder="little").ravel()


class Orders(Struct, frozen=True, kw_only=True):
    """The order of each row of a drop as a number into ``names``: each id is held once.

    ``names``: string array; other rows than those to be sent may have given some of them.
    """

    number: npt.NDArray[np.int32]
    names: pa.Array

    @classmethod
    def of(cls, order_id: pa.ChunkedArray | pa.Array) -> "Orders":
        """Number the ids, one per row of the drop."""
        encoded = pc.dictionary_encode(order_id)
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        return cls(number=np.array(encoded.indices, dtype=np.int32), names=encoded.dictionary)

    def of_rows(self, rows: Numbers | Mask) -> pa.Array:
        """Return the ids of some rows."""
        return self.names.take(pa.array(self.number[rows]))

    def among(self, rows: Numbers | Mask) -> pa.Array:
        """Return the distinct ids of some rows."""
        used = np.zeros(len(self.names), dtype=np.bool_)
        used[self.number[rows]] = True
        return self.names if used.all() else self.names.filter(pa.array(used))


def numbers_of(order_ids: Sequence[str], names: pa.Array) -> pa.Array:
    """Return the place of each id in ``names``, null for one that is not there."""
    if not order_ids:
        return pa.array([], pa.int32())  # Arrow would make a table of all names first
    return pc.index_in(pa.array(order_ids, pa.string()), value_set=names)


def select_rows(orders: Orders, rows: Numbers, status: Numbers, event: Numbers) -> SendableRows:
    """Take up these ``rows``; the other arguments have a value per row of the drop."""
    every = len(rows) == len(status)
    return SendableRows(
        rows=rows.astype(np.int32),
        order=orders.number if every else orders.number[rows],
        status=status[rows].astype(np.int8),
        event=(event if every else event[rows]).astype(np.int64, copy=False),
        names=orders.names,
    )
