"""The order on disk: bytes, then names, then the ledger; and the summary last.

``kill -9`` keeps the page cache, so no kill can show it: here the calls themselves are noted.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from pipeline.core.errors import DropRefused
from pipeline.core.model import DropState
from pipeline.core.shipment import Closed, Ready
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from tests.acceptance.harness import orders, sheet
from tests.fakes.disk_recorder import record
from tests.fakes.steps_by_hand import claim, finish, plan, put

pytestmark = pytest.mark.usefixtures("forked_readers")

MIXED = sheet([("A1", "Delivered"), ("A2", "Nonesuch"), ("A3", "Delivered")])
"""Two rows to be sent and one that needs a person."""
MOSTLY_BAD = sheet([(f"B{row}", "Nonesuch" if row % 4 else "Delivered") for row in range(24)])
"""Refused, for most of its rows are: each comes back to be corrected."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "shipdrop.toml").write_text("[inbox]\nsettle_seconds = 0\n")
    with closing(Site(tmp_path, load(tmp_path))) as made:
        made.folders.prepare()
        yield made


def test_a_claimed_file_is_on_the_disk_before_the_ledger_says_it_is_ours(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(site, "a.csv", MIXED)
    put(site, "b.csv", orders(2), "acme")
    disk = record(monkeypatch, site.ledger)
    claim(site)
    drops = site.ledger.unfinished()
    assert [drop.state for drop in drops] == [DropState.CLAIMED] * 2
    done = disk.before_commit()
    for drop in drops:
        path = site.folders.claimed_path(drop.drop_id, drop.source_file)
        assert path is not None
        assert done.is_synced(path)
        place = site.inbox_path / drop.folder
        moved = next(at for at, each in enumerate(done.events) if each.path == path)
        after = {each.path for each in done.events[moved:] if each.what == "synced"}
        # The new name is there, and the old one is not, whatever happens to the power.
        assert {path.parent, path.parent.parent, place} <= after
    receipts = [path for path in done.named if path.name.endswith(".received.json")]
    assert len(receipts) == 2
    assert not set(done.named_before_synced()) & set(receipts)


def test_a_plan_is_on_the_disk_before_the_ledger_knows_of_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(site, "a.csv", MIXED)
    put(site, "b.csv", orders(2), "acme")
    claim(site)
    disk = record(monkeypatch, site.ledger)
    assert all(isinstance(step, Ready) for step in plan(site))
    done = disk.before_commit()
    kept = [path for path in site.spools.folder.glob("*/*") if path.name != "tries"]
    names = {path.name for path in kept}
    assert names == {"rows-00.arrow", "plan.arrow", "bodies.json"}
    for path in kept:
        assert done.is_synced(path), path
        assert done.is_synced(path.parent)
    assert done.is_synced(site.spools.folder)


def test_reports_are_on_the_disk_before_the_ledger_closes_a_drop_and_then_it_is_put_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(site, "a.csv", MIXED)
    put(site, "b.csv", orders(2), "acme")
    claim(site)
    assert all(isinstance(step, Ready) for step in plan(site))
    disk = record(monkeypatch, site.ledger)
    finish(site)
    done, after = disk.before_commit(), disk.after_commit()
    reports = {path for path in done.named if site.outbox_path in path.parents}
    assert {path.name.partition(".")[2] for path in reports} == {
        "results.csv",
        "rejects.csv",
        "rejects.xlsx",
        "summary.json",
    }
    assert {path.parent.name for path in reports} == {"outbox", "acme"}
    assert done.named_before_synced() == []
    assert done.unsynced_names() == []
    assert [path.name for path in after.named] == ["a.csv", "b.csv"]
    assert all("archive" in path.parts for path in after.named)
    assert after.unsynced_names() == []


@pytest.mark.parametrize(
    ("text", "state", "kinds"),
    [
        (MIXED, "completed", {"results", "rejects", "rejects_xlsx", "summary"}),
        (orders(2), "completed", {"results", "summary"}),
        (MOSTLY_BAD, "refused", {"refused", "rejects", "rejects_xlsx", "summary"}),
        ("a,b\n1,2\n", "refused", {"refused", "summary"}),
    ],
    ids=["with rejects", "all well", "too many rejects", "refused whole"],
)
def test_the_summary_is_written_last_and_the_other_files_are_there(
    site: Site, monkeypatch: pytest.MonkeyPatch, text: str, state: str, kinds: set[str]
) -> None:
    put(site, "a.csv", text, "acme")
    claim(site)
    seen: list[tuple[dict[str, str], set[str]]] = []

    def named(path: Path) -> None:
        if path.name.endswith(".summary.json"):
            summary = orjson.loads(path.read_bytes())
            assert summary["state"] == state
            seen.append((summary["files"], {each.name for each in path.parent.iterdir()}))

    disk = record(monkeypatch, site.ledger, named)
    (step,) = plan(site)
    if isinstance(step, Ready):
        finish(site)
    else:
        assert isinstance(step, (Closed, DropRefused))
    ((files, there),) = seen
    assert set(files) == kinds
    assert set(files.values()) <= there
    assert not [name for name in there if name.startswith(".")]
    reports = [path.name for path in disk.named if path.parent.name == "acme"]
    assert reports[-1] == files["summary"]
    assert set(reports) == set(files.values())
    too_soon = [*disk.named_before_synced(), *disk.unsynced_names()]
    assert not [path for path in too_soon if site.outbox_path in path.parents]
