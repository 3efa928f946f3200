"""The list of things to do: for the first page, the badge and the API."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct
from pydantic import Field, InstanceOf

from pipeline.core.drop_lines import DropLine, Search
from pipeline.core.model import DropState, stamp
from pipeline.service.wiring import Site
from pipeline.web.api_base import Answer, Text
from pipeline.web.health_bar import HealthBar, WaitingObject
from pipeline.web.state_files import place_of, read_json, write_json
from pipeline.web.totals import DropTotals, couriers
from pipeline.web.words import headline

Kind = Literal["rows", "api", "refused", "waiting", "late"]
KINDS: Final[tuple[Kind, ...]] = ("rows", "refused", "waiting", "late", "api")
MOST: Final = 50
"""Drops that are listed one by one, the oldest."""
_MOST_PUT_OFF: Final = 1_000


class ToDoItem(Answer):
    """One thing to do. ``since``: null where unknown."""

    kind: Kind
    key: Text = Field(description="Its name among those of its kind: a drop, a courier, a place.")
    title: Text
    said: Text
    since: datetime | None
    rows: int = Field(description="Rows that are left.")
    drop_id: str | None
    drop: InstanceOf[DropLine] | None = Field(default=None, exclude=True)
    mark: str = Field(default="", exclude=True)
    """Distinguishes this occasion from the next of the same name."""


class PutOff(Struct, frozen=True, kw_only=True):
    """A late courier or a waiting file that a user set aside."""

    kind: str
    key: str
    mark: str
    reason: str
    who: str
    at: str


class ToDo:
    """Lists the things to do now. Thread-safe."""

    def __init__(self, site: Site, health_bar: HealthBar, totals: DropTotals) -> None:
        self._site = site
        self._health_bar = health_bar
        self._totals = totals
        self._lock = threading.Lock()
        self._path = place_of(site.root) / "put_off.json"

    def count(self) -> int:
        """Return how many things there are to do. Raises StorageError."""
        others = [*self._waiting(), *self._late(), *self._api()]
        return self.files() + len(self._without_put_off(others))

    def items(self) -> dict[Kind, list[ToDoItem]]:
        """Return all of them by kind, the oldest first. Raises StorageError."""
        found: dict[Kind, list[ToDoItem]] = {kind: [] for kind in KINDS}
        lines = self._site.ledger.overview.search(Search(to_do=True, limit=MOST, backward=True))
        others = self._without_put_off([*self._waiting(), *self._late(), *self._api()])
        for item in (*others, *map(_drop, lines)):
            found[item.kind].append(item)
        return found

    def after(self, drop_id: str) -> DropLine | None:
        """Return the next file to see to, the next younger than this one, else the oldest; None."""
        known = self._site.ledger.overview.lines([drop_id]) if drop_id else []
        number = known[0].seq if known else 0
        search = self._site.ledger.overview.search
        younger = search(Search(to_do=True, after=number, limit=1)) if known else []
        found = younger or search(Search(to_do=True, backward=True, limit=1))
        return next((each for each in found if each.drop_id != drop_id), None)

    def files(self) -> int:
        """Return how many files there are to see to, listed one by one or not."""
        return self._site.ledger.overview.hits(Search(to_do=True))

    def set_aside(self, item: ToDoItem, *, reason: str, who: str) -> None:
        """Leave something that is no drop, for this time. Raises StorageError."""
        at = stamp(self._site.clock.now())
        put_off = PutOff(
            kind=item.kind, key=item.key, mark=item.mark, reason=reason, who=who[:100], at=at
        )
        self._write([*self._others(item.kind, item.key), put_off])

    def take_back(self, kind: str, key: str) -> None:
        """Let it be seen to again. Raises StorageError."""
        self._write(self._others(kind, key))

    def put_off(self) -> list[PutOff]:
        """Return the items that are missing from the list because they were set aside."""
        there = {(e.kind, e.key, e.mark) for e in (*self._waiting(), *self._late())}
        return [each for each in self._read() if (each.kind, each.key, each.mark) in there]

    def _without_put_off(self, items: Sequence[ToDoItem]) -> list[ToDoItem]:
        off = {(each.kind, each.key, each.mark) for each in self._read()}
        return [each for each in items if (each.kind, each.key, each.mark) not in off]

    def _waiting(self) -> Iterator[ToDoItem]:
        return (_waits(each) for each in self._health_bar.waiting().files if each.late)

    def _late(self) -> Iterator[ToDoItem]:
        for each in couriers(self._site, self._totals):
            if each.late and each.due is not None:
                yield ToDoItem(
                    kind="late",
                    key=each.profile.name,
                    title=each.profile.title,
                    said=f"A file was expected {each.expects}.",
                    since=each.due,
                    rows=0,
                    drop_id=None,
                    mark=each.due.isoformat(),
                )

    def _api(self) -> Iterator[ToDoItem]:
        health = self._health_bar.health()
        if health.api in {"paused", "held"} and health.unsent and health.health_file is not None:
            yield ToDoItem(
                kind="api",
                key="sending",
                title="Sending is stopped",
                said=health.health_file.reason,
                since=None,
                rows=health.unsent,
                drop_id=None,
            )

    def _others(self, kind: str, key: str) -> list[PutOff]:
        return [each for each in self._read() if (each.kind, each.key) != (kind, key)]

    def _read(self) -> list[PutOff]:
        return read_json(self._path, list[PutOff]) or []

    def _write(self, put_off: Sequence[PutOff]) -> None:
        with self._lock:
            write_json(self._path, put_off[-_MOST_PUT_OFF:])


def _drop(line: DropLine) -> ToDoItem:
    rows: Mapping[str, int] = (line.summary or {}).get("rows", {})
    refused = (line.summary or {}).get("refused") or {}
    kind: Kind = "rows" if rows.get("rejected") else "api"
    said = ""
    if line.state is DropState.REFUSED:
        begun = line.fixed or line.aside
        kind, said = "refused", headline(line, None) if begun else str(refused.get("message", ""))
    return ToDoItem(
        kind=kind,
        key=line.drop_id,
        title=line.source_file,
        said=said,
        since=line.received_at,
        rows=line.need,
        drop_id=line.drop_id,
        drop=line,
    )


def _waits(file: WaitingObject) -> ToDoItem:
    place = f"{file.folder}/{file.name}" if file.folder else file.name
    return ToDoItem(
        kind="waiting",
        key=place,
        title=place,
        said=file.why,
        since=file.since,
        rows=0,
        drop_id=None,
        mark=file.mark,
    )
