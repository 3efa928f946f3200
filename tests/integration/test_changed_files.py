"""For how long a closed drop's file is looked at, on a clock of the test's own."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.core.model import DropFacts, DropState
from pipeline.service.changed_files import ChangedFiles
from pipeline.service.settings import Settings
from pipeline.service.wiring import Site
from pipeline.storage.changed_file_notes import ChangedFileNotes
from pipeline.storage.root_folders import place_of
from tests.fakes.ledger_plans import begun
from tests.fakes.manual_clock import ManualClock

HOUR = 3600.0


@dataclass
class Place:
    """A root with one closed drop whose file is watched."""

    root: Path
    kept: Path
    clock: ManualClock
    notes: ChangedFileNotes
    changed_files: ChangedFiles

    def look_for(self, seconds: float) -> list[tuple[str, str]]:
        """Look twice a minute; return what came back."""
        came = []
        for _ in range(int(seconds / 30)):
            self.clock.advance(30)
            came += self.changed_files.look()
        return came


@contextmanager
def placed(root: Path) -> Iterator[Place]:
    """A root with one drop that was closed just now."""
    clock = ManualClock()
    site = Site(root, Settings(), clock=clock)
    folders, ledger, notes = site.folders, site.ledger, site.changed_file_notes
    folders.prepare()
    began = begun(
        ledger,
        drop_id="d20261123t144123123k7qz",
        folder="",
        source_file="a.csv",
        received_at=clock.now() - timedelta(minutes=1),
    )
    kept = folders.kept(place_of(replace(began, state=DropState.COMPLETED)))
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"Order ID,Status\n1,Delivered\n")
    drop = replace(
        began,
        state=DropState.COMPLETED,
        finished_at=clock.now(),
        sha256=hashlib.sha256(kept.read_bytes()).hexdigest(),
        size=kept.stat().st_size,
        facts=DropFacts(mtime_ns=kept.stat().st_mtime_ns, summary={"warnings": []}),
    )
    ledger.save(drop)
    notes.watch(drop.drop_id)
    yield Place(
        root=root,
        kept=kept,
        clock=clock,
        notes=notes,
        changed_files=ChangedFiles(site),
    )
    site.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with placed(tmp_path) as made:
        yield made


def test_a_file_is_looked_at_for_as_long_as_somebody_has_it_open(place: Place) -> None:
    with place.kept.open("ab") as writer:
        assert place.look_for(3 * HOUR) == []
        assert place.notes.watched() != [], "three hours, and still open"
        writer.write(b"2,Delivered\n")
        writer.flush()
        assert place.look_for(3 * HOUR) == [("", "a.csv")]
    assert place.notes.watched() == []
    assert (place.root / "inbox" / "a.csv").read_bytes().endswith(b"1,Delivered\n2,Delivered\n")


def test_a_file_of_which_nobody_can_tell_is_looked_at_for_an_hour() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else for a moment")
    with tempfile.TemporaryDirectory() as made, placed(Path(made)) as place:
        for path in (place.root, *place.root.rglob("*")):
            os.chown(path, -1 if path == place.kept else 65534, -1)
        os.seteuid(65534)
        try:
            assert place.look_for(0.9 * HOUR) == []
            assert place.notes.watched() != []
            assert place.look_for(1.1 * HOUR) == []
            assert place.notes.watched() == []
        finally:
            os.seteuid(0)


def test_a_file_that_nobody_has_open_any_more_is_looked_at_once(place: Place) -> None:
    with place.kept.open("ab"):
        assert place.look_for(60) == []
        assert place.notes.watched() != []
    assert place.look_for(HOUR) == []
    assert place.notes.watched() == []


def test_a_file_that_comes_back_replaces_none_that_lies_there(place: Place) -> None:
    waiting = place.root / "inbox" / "a.csv"
    waiting.write_bytes(b"Order ID,Status\n9,Delivered\n")
    with place.kept.open("ab") as writer:
        writer.write(b"2,Delivered\n")
    assert place.look_for(60) == [("", "a (2).csv")]
    assert waiting.read_bytes() == b"Order ID,Status\n9,Delivered\n"
    assert waiting.with_name("a (2).csv").read_bytes().endswith(b"1,Delivered\n2,Delivered\n")
