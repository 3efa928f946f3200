"""Flow: in which wave and chunk each update travels, so that no order's steps overtake each other.

The legal moves are ``schemas.vocabulary.STEPS``. Inside a journey updates go by rank; the forward
journey goes before the customer's return, unless by its event times the return was over before
the forward journey began (hazards.md B).
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.findings import Finding
from pipeline.planning.order_history_rules import sent_in_doubt, waits_for_doubt
from pipeline.planning.sendable_rows import NO_TIME, WIDTH, Bits, Mask, Numbers, SendableRows, bit
from schemas.codes import Code
from schemas.vocabulary import STEPS, Journey, Milestone

_FORWARD = bit(*(m for m in Milestone if STEPS[m].journey is Journey.FORWARD))
_RETURN_OVER = bit(Milestone.RETURN_BAG_DELIVERED)
_NEVER = np.iinfo(np.int64).max


def _place(milestone: Milestone, present: int, first: Journey) -> int:
    """Return how many of the milestones that are present go before this one."""

    def key(each: Milestone) -> tuple[bool, int]:
        return STEPS[each].journey is not first, STEPS[each].rank

    return sum(1 for m in Milestone if present & bit(m) and key(m) < key(milestone))


#: journey that goes first × bits of an order's milestones × milestone → its place among them
_PLACE = np.zeros((len(Journey), 1 << WIDTH, WIDTH), dtype=np.int8)
for _first in Journey:
    for _present in range(1 << (max(Milestone) + 1)):
        for _milestone in Milestone:
            _PLACE[_first, _present, _milestone] = _place(_milestone, _present, _first)
_IS_END = np.isin(
    np.arange(WIDTH),
    [m for m in Milestone if STEPS[m].final and STEPS[m].journey is Journey.FORWARD],
)
_MANY = np.array([bits.bit_count() > 1 for bits in range(1 << WIDTH)])


class Updates(Struct, frozen=True, kw_only=True):
    """The updates to send, sorted by chunk and place in it.

    ``row``: the row that supplies an update's content; ``added``: a pickup that we add;
    ``waves``: per chunk, its wave; ``doubted``: per chunk, whether it holds what was sent before
    without an answer; ``waiting``: whether it waits for earlier steps that another file sent so.
    ``blocked``: how many of the last chunks have orders that another drop is to settle first.
    """

    row: npt.NDArray[np.int32]
    status: npt.NDArray[np.int8]
    added: Mask
    chunk: npt.NDArray[np.int32]
    pos: npt.NDArray[np.int8]
    waves: tuple[int, ...]
    doubted: tuple[bool, ...]
    waiting: tuple[bool, ...]
    blocked: int


def in_flow_order(
    work: SendableRows,
    *,
    accepted: Bits,
    unknown: Bits,
    pending: Bits,
    add_pickup: Mask | None,
    record: Numbers,
    chunk_size: int,
) -> tuple[Updates, list[Finding]]:
    """Lay out the updates; warn ``TIME_ORDER`` where times contradict the order of the steps.

    ``work`` has one candidate per order and milestone. ``accepted``: per order, the bits of what
    earlier drops got through; ``unknown``: of what they sent with an unknown result;
    ``pending``: of what they may still send: the updates of such an order go in waves behind all
    others. ``add_pickup``: candidates that need a pickup sent before them; ``record``: record
    number by row.
    """
    present = work.milestones()
    rows, order, status, added = work.rows, work.order, work.status, None
    if add_pickup is not None and add_pickup.any():
        extra = int(add_pickup.sum())
        rows = np.concatenate([rows, rows[add_pickup]])
        order = np.concatenate([order, order[add_pickup]])
        status = np.concatenate([status, np.full(extra, Milestone.BAG_PICKED, dtype=np.int8)])
        added = np.arange(len(rows)) >= len(rows) - extra
        present[order[added]] |= bit(Milestone.BAG_PICKED)
    first = _goes_first(work, present, accepted | pending)
    wave = _PLACE[first[order], present[order], status]
    every = SendableRows(rows=rows, order=order, status=status, event=work.event, names=work.names)
    kind = sent_in_doubt(every, unknown) + 2 * waits_for_doubt(every, unknown, accepted, present)
    blocked = pending[order] != 0
    behind = int(wave.max(initial=-1)) + 1
    # Held rows are compared with the ledger again before they go, which also shows their doubt.
    kind = np.where(blocked, 0, kind).astype(np.int8)
    at, chunk, pos, groups = _pack(wave + blocked * np.int8(behind), kind, rows, chunk_size)
    updates = Updates(
        row=rows[at],
        status=status[at],
        added=np.zeros(len(rows), dtype=np.bool_) if added is None else added[at],
        chunk=chunk,
        pos=pos,
        waves=tuple(wave for wave, _ in groups),
        doubted=tuple(bool(kind & 1) for _, kind in groups),
        waiting=tuple(bool(kind & 2) for _, kind in groups),
        blocked=sum(wave >= behind for wave, _ in groups),
    )
    return updates, _contradicting_times(work, wave[: len(work.rows)], record)


def lacks_pickup(work: SendableRows, picked: Mask) -> Mask:
    """Return candidates that end a forward journey without a reported pickup.

    ``picked``: per order, whether its pickup is known from elsewhere.
    """
    present = work.milestones()
    never = ~picked & (present & bit(Milestone.BAG_PICKED) == 0)
    lacking: Mask = _IS_END[work.status] & never[work.order]
    return lacking


def _goes_first(work: SendableRows, present: Bits, accepted: Bits) -> npt.NDArray[np.int8]:
    """Return per order, the journey that goes first. One that has begun goes on."""
    first = np.full(len(present), Journey.FORWARD, dtype=np.int8)
    both = (present & _FORWARD != 0) & (present & _RETURN_OVER != 0) & (accepted & _FORWARD == 0)
    if not both.any():
        return first
    some = work.only(both[work.order] & (work.event != NO_TIME))
    forward = _BY_JOURNEY[some.status] == Journey.FORWARD
    over = np.full(len(present), _NEVER)
    final = some.status == Milestone.RETURN_BAG_DELIVERED
    over[some.order[final]] = some.event[final]
    # The return's other steps count too: with one of them later, the times say nothing.
    np.maximum.at(over, some.order[~forward], some.event[~forward])
    began = np.full(len(present), _NEVER)
    np.minimum.at(began, some.order[forward], some.event[forward])
    first[(over < began) & (began != _NEVER)] = Journey.RETURN
    return first


_BY_JOURNEY = np.array(
    [Journey.FORWARD, *(STEPS[milestone].journey for milestone in Milestone)], dtype=np.int8
)


def _contradicting_times(
    work: SendableRows, wave: npt.NDArray[np.int8], record: Numbers
) -> list[Finding]:
    """Return TIME_ORDER where a step has an earlier time than one that goes before it."""
    many = np.flatnonzero(_MANY[work.milestones()][work.order] & (work.event != NO_TIME))
    many = many[np.lexsort((wave[many], work.order[many]))]
    order, event = work.order[many], work.event[many]
    late: list[npt.NDArray[np.int64]] = []
    than: list[npt.NDArray[np.int64]] = []
    held = np.zeros(len(many), dtype=np.bool_)
    for back in range(1, min(len(Milestone), len(many))):
        hit = (order[back:] == order[:-back]) & (event[back:] < event[:-back]) & ~held[back:]
        at = np.flatnonzero(hit) + back
        held[at] = True
        late.append(many[at])
        than.append(many[at - back])
    if not held.any():
        return []
    rows = work.rows[np.concatenate(late)].astype(np.int64)
    ascending = np.argsort(rows)
    rows, before = rows[ascending], work.rows[np.concatenate(than)][ascending]
    sentences = pc.binary_join_element_wise(
        "Row ",
        pa.array(record[rows]).cast(pa.string()),
        ": its time is before that of row ",
        pa.array(record[before]).cast(pa.string()),
        ", an earlier step of the same order. Sent in the order of the steps.",
        "",
    )
    return [Finding(code=Code.TIME_ORDER, column="event_time", rows=rows, sentences=sentences)]


def _pack(
    wave: npt.NDArray[np.int8],
    kind: npt.NDArray[np.int8],
    row: npt.NDArray[np.int32],
    chunk_size: int,
) -> tuple[Numbers, npt.NDArray[np.int32], npt.NDArray[np.int8], list[tuple[int, int]]]:
    """Cut each wave, in the file's order, into chunks; updates of each kind have their own.

    Returns the updates in the order of their chunks, the chunk and place of each, and for each
    chunk its wave and kind.
    """
    parts: list[Numbers] = []
    chunks: list[Numbers] = []
    places: list[Numbers] = []
    groups: list[tuple[int, int]] = []
    kinds = np.unique(kind).tolist()
    for number, each in product(range(int(wave.max()) + 1 if len(wave) else 0), kinds):
        of_wave = np.flatnonzero((wave == number) & (kind == each))
        of_wave = of_wave[np.argsort(row[of_wave], kind="stable")]
        place = np.arange(len(of_wave), dtype=np.int32)
        parts.append(of_wave)
        chunks.append(len(groups) + place // chunk_size)
        places.append(place % chunk_size)
        groups += [(number, each)] * (-(-len(of_wave) // chunk_size))
    return _one(parts, np.int64), _one(chunks, np.int32), _one(places, np.int8), groups


def _one(parts: Sequence[Numbers], kind: type[np.generic]) -> npt.NDArray[Any]:
    return np.concatenate(parts).astype(kind) if parts else np.zeros(0, dtype=kind)
