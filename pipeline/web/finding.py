"""Finding an order, or an AWB: the ledger knows orders; AWBs stand in the results files.

The results files are looked through newest first, for as long as a page may take; how far that came
is told, and where to go on.
"""

import csv
import io
import mmap
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from pipeline.core.formula_guard import guard_cell, unguard_cell
from pipeline.core.ports import DropLine, Search
from pipeline.service.order_history import trace_order
from pipeline.service.wiring import Site
from pipeline.web import drop_view

_LOOKING: Final = threading.BoundedSemaphore(2)
_SECONDS: Final = 3.0
_DROPS: Final = 50
_MOST_ORDERS: Final = 20
_LONGEST_LINE: Final = 64 * 1024


class Story(Struct, frozen=True, kw_only=True):
    """All that is known of one order. ``awbs``: the numbers that led here, if it was by AWB."""

    order_id: str
    seen: list[dict[str, Any]]


class Found(Struct, frozen=True, kw_only=True):
    """What was found. ``back_to``: how far the files were looked through for an AWB, None if all;
    ``before``: where to go on.
    """

    stories: list[Story]
    by_awb: bool = False
    back_to: datetime | None = None
    before: int | None = None


def find(site: Site, words: str, before: int | None = None) -> Found:
    """The story of an order id, else of the orders that an AWB stands beside."""
    if before is None and (seen := trace_order(site, words)):
        return Found(stories=[Story(order_id=words, seen=seen)])
    with _LOOKING:
        orders, stopped = _orders_with(site, words, before)
    return Found(
        stories=[Story(order_id=order, seen=trace_order(site, order)) for order in orders],
        by_awb=True,
        back_to=stopped.received_at if stopped else None,
        before=stopped.seq if stopped else None,
    )


def find_all(site: Site, words: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the story of an order id, else of all orders that an AWB stands beside."""
    found = find(site, words)
    stories = {story.order_id: story.seen for story in found.stories}
    while found.before is not None:
        found = find(site, words, found.before)
        stories |= {story.order_id: story.seen for story in found.stories}
    return list(stories.items())


def _orders_with(site: Site, awb: str, before: int | None) -> tuple[list[str], DropLine | None]:
    """The orders beside this AWB, and the last drop that was looked at when time ran out."""
    ends_at = site.clock.monotonic() + _SECONDS
    found: dict[str, None] = {}
    for drop in _drops(site, before):
        path = drop_view.outbox_file(site, drop, "results")
        for order in _orders_in(path, awb):
            found.setdefault(order)
        if site.clock.monotonic() > ends_at or len(found) >= _MOST_ORDERS:
            return list(found), drop
    return list(found), None


def _drops(site: Site, before: int | None) -> Iterator[DropLine]:
    while some := site.ledger.search(Search(before=before, limit=_DROPS)):
        yield from some
        before = some[-1].seq


def _orders_in(path: Path, awb: str) -> Iterator[str]:
    """The orders of a results file in whose ``awb`` column exactly this stands."""
    wanted = guard_cell(awb).encode()
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            header = _cells(data[: max(0, data.find(b"\n"))].removeprefix(b"\xef\xbb\xbf"))
            at = data.find(wanted)
            while at >= 0:
                begin = data.rfind(b"\n", max(0, at - _LONGEST_LINE), at) + 1
                end = data.find(b"\n", at, at + _LONGEST_LINE)
                told = dict(
                    zip(header, _cells(data[begin : end if end > 0 else None]), strict=False)
                )
                if told.get("awb") == awb and told.get("order_id"):
                    yield told["order_id"]
                at = data.find(wanted, end) if end > 0 else -1
    except (OSError, ValueError):  # not there, or empty
        return


def _cells(line: bytes) -> list[str]:
    try:
        row = next(csv.reader(io.StringIO(line.decode("utf-8", "replace"), newline="")), [])
    except csv.Error:
        return []
    return [unguard_cell(cell) for cell in row]
