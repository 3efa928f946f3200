"""Find an order, or an AWB: the ledger knows orders; AWBs are in the results files.

The results files are looked through newest first, for as long as a page may take. The answer says
how far it looked, and where to go on.
"""

import csv
import mmap
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from pydantic import Field

from pipeline.core.drop_lines import DropLine, Search
from pipeline.core.formula_guard import guard_cell
from pipeline.service.order_history import trace_order
from pipeline.service.wiring import Site
from pipeline.web import drop_view
from pipeline.web.api_base import Answer, Text
from pipeline.web.sheets import cells_of
from pipeline.web.words import OUTCOMES, REPORTED

_LOOKING: Final = threading.BoundedSemaphore(2)
_SECONDS: Final = 3.0
_DROPS: Final = 50
_MOST_ORDERS: Final = 20
MOST_IDS: Final = 100
_AT_LENGTH: Final = 5
"""Orders that are shown with the lines of their results files."""
_SHORTEST: Final = 4
_BETWEEN: Final = re.compile(r"[\s,;\"']+")
_ID: Final = re.compile(r"[\w\-/#.]{4,100}")
_LONGEST_LINE: Final = 64 * 1024


class Story(Struct, frozen=True, kw_only=True):
    """The history of one order. ``asked``: the text that led here: its id or an AWB."""

    order_id: str
    asked: str
    seen: list[dict[str, Any]]

    @property
    def answer(self) -> "AnswerObject":
        """Return its outcome, in a sentence."""
        return answer_of(self.order_id, self.seen, self.asked)


class AnswerObject(Answer):
    """An order in a sentence. ``asked``: the text that led to it: its id or an AWB."""

    order_id: str
    asked: str
    said: str
    outcome: str
    at: datetime | None
    drop_id: str | None
    source_file: Text = Field(exclude=True)
    row: int = Field(exclude=True)


class Found(Struct, frozen=True, kw_only=True):
    """The orders, AWBs and files that a search found.

    ``missing``: texts that are neither an order id nor an AWB; ``like``: order ids that one text is
    a part of. ``back_to``: how far the files were looked through for an AWB, None if all;
    ``before``: where to go on.
    """

    stories: list[Story]
    missing: list[str]
    like: list[str]
    back_to: datetime | None = None
    before: int | None = None


def ids_in(words: str) -> list[str]:
    """Return the texts that were typed or pasted, each once."""
    return list(dict.fromkeys(_BETWEEN.sub(" ", words).split()))[:MOST_IDS]


def may_be_id(words: str) -> bool:
    """Return whether a text may be order ids or AWBs rather than a file's name."""
    ids = ids_in(words)
    return bool(ids) and all(_ID.fullmatch(each) and any(map(str.isdigit, each)) for each in ids)


def answers(site: Site, words: str) -> list[AnswerObject]:
    """Return the history of the typed orders, as far as the ledger alone can tell."""
    traced = ((each, trace_order(site, each, in_short=True)) for each in ids_in(words))
    return [answer_of(order_id, seen, order_id) for order_id, seen in traced if seen]


def find(site: Site, words: str, before: int | None = None) -> Found:
    """Return the stories of orders, by their ids, else by AWBs that stand beside them."""
    asked = ids_in(words)
    in_short = len(asked) > _AT_LENGTH
    stories, left = [], []
    for each in asked:
        seen = trace_order(site, each, in_short=in_short) if before is None else []
        if seen:
            stories.append(Story(order_id=each, asked=each, seen=seen))
        else:
            left.append(each)
    if not left:
        return Found(stories=stories, missing=[], like=[])
    with _LOOKING:
        orders, stopped = _orders_with(site, left, before)
    for order, awb in orders.items():
        seen = trace_order(site, order, in_short=in_short)
        stories.append(Story(order_id=order, asked=awb, seen=seen))
    missing = [each for each in left if each not in orders.values()]
    return Found(
        stories=stories,
        missing=missing,
        like=_like(site, missing[0]) if len(asked) == 1 and missing else [],
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


def _like(site: Site, text: str) -> list[str]:
    """Return order ids that begin with a text, else those that hold it."""
    if len(text) < _SHORTEST:
        return []
    begin = site.ledger.overview.orders_like(text, _MOST_ORDERS)
    return begin or site.ledger.overview.orders_like(text, _MOST_ORDERS, anywhere=True)


def answer_of(order_id: str, seen: Sequence[Mapping[str, Any]], asked: str) -> AnswerObject:
    """Return an order in a sentence: the last thing that was reported, else its last row."""
    reported = [each for each in seen if each["outcome"] == "accepted" and each["order_status"]]
    last = reported[-1] if reported else (seen[-1] if seen else {})
    status = str(last.get("order_status", ""))
    name = REPORTED.get(status, status)
    outcome = str(last.get("outcome", "not sent"))
    at = last.get("sent_at") or last.get("received_at")
    said = {
        "accepted": f"{name} was reported",
        "duplicate": f"{name} had been reported before",
        "failed": f"{name} was refused by Fynd",
        "unknown": f"It is not clear whether {name} was taken: check the order",
        "unsent": f"{name} is waiting to be sent",
        "rejected": "Its row must be corrected",
        "ignored": "Nothing needed to be reported",
    }.get(outcome, "Nothing was reported")
    if not seen:
        said = "Its row must be corrected, or nothing needed to be reported"
    return AnswerObject(
        order_id=order_id,
        asked=asked,
        said=said,
        outcome=outcome if outcome in OUTCOMES else "ignored",
        at=datetime.fromisoformat(at) if at else None,
        drop_id=str(last.get("drop_id", "")) or None,
        source_file=str(last.get("source_file", "")),
        row=int(last.get("row", 0)),
    )


def _orders_with(
    site: Site, awbs: Sequence[str], before: int | None
) -> tuple[dict[str, str], DropLine | None]:
    """Return order → AWB beside it, and the last drop that was looked at when time ran out."""
    ends_at = site.clock.monotonic() + _SECONDS
    found: dict[str, str] = {}
    for drop in _drops(site, before):
        path = drop_view.outbox_file(site, drop, "results")
        for awb in awbs:
            for order in _orders_in(path, awb):
                found.setdefault(order, awb)
        if site.clock.monotonic() > ends_at or len(found) >= max(_MOST_ORDERS, len(awbs)):
            return found, drop
    return found, None


def _drops(site: Site, before: int | None) -> Iterator[DropLine]:
    while some := site.ledger.overview.search(Search(before=before, limit=_DROPS)):
        yield from some
        before = some[-1].seq


def _orders_in(path: Path, awb: str) -> Iterator[str]:
    """Yield the orders of a results file in whose ``awb`` column exactly this stands."""
    wanted = guard_cell(awb).encode()
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            header = _cells(data[: max(0, data.find(b"\n"))].removeprefix(b"\xef\xbb\xbf"))
            at = data.find(wanted)
            while at >= 0:
                begin = data.rfind(b"\n", max(0, at - _LONGEST_LINE), at) + 1
                end = data.find(b"\n", at, at + _LONGEST_LINE)
                fields = dict(
                    zip(header, _cells(data[begin : end if end > 0 else None]), strict=False)
                )
                if fields.get("awb") == awb and fields.get("order_id"):
                    yield fields["order_id"]
                at = data.find(wanted, end) if end > 0 else -1
    except (OSError, ValueError):  # not there, or empty
        return


def _cells(line: bytes) -> Sequence[str]:
    try:
        return cells_of(line)
    except csv.Error:
        return ()
