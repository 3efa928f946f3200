"""Totals over all drops, added up while they end."""

from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from pipeline.core.model import DropState
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from pipeline.web.totals import DropTotals
from tests.fakes.ledger_plans import begun
from tests.fakes.manual_clock import ManualClock


def test_a_drop_whose_report_took_long_stays_in_the_tally(tmp_path: Path) -> None:
    clock = ManualClock()
    site = Site(tmp_path, load(tmp_path), clock=clock)
    tally = DropTotals(site)
    drop = begun(site.ledger, drop_id="d1", folder="", source_file="a.csv", received_at=clock.now())
    drop = replace(drop, state=DropState.OPEN, courier="acme")
    site.ledger.save(drop)
    assert tally.files() == {("acme", "open"): 1}
    stamped = clock.now()
    clock.advance(timedelta(minutes=3).total_seconds())  # while its files are written
    assert tally.files() == {("acme", "open"): 1}
    site.ledger.save(replace(drop, state=DropState.COMPLETED, finished_at=stamped))
    clock.advance(3)
    assert tally.files() == {("acme", "completed"): 1}
    site.close()
