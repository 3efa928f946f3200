"""Totals over all drops, added up while they end."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from pipeline.core.drop_lines import DropCounts
from pipeline.core.model import Drop, DropFacts, DropState
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from pipeline.storage.ledger.tables import drops
from pipeline.web.pages.reports import report_of
from pipeline.web.totals import DropTotals, saved_in
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


def test_whatever_becomes_of_drops_a_tally_that_lives_on_says_what_a_fresh_one_does(
    tmp_path: Path,
) -> None:
    """Drops are planned, closed, opened again by a retry, or go back; those of an old day, too.

    So does one that begins with what another has saved, at any moment since.
    """
    clock, dice = ManualClock(), Random(19)
    site = Site(tmp_path, load(tmp_path), clock=clock)
    kept, ledger = DropTotals(site, saves=True), site.ledger
    known: dict[int, Drop] = {}
    for turn in range(60):
        move = dice.choice(("come", "come", "close", "close", "open again", "go back"))
        closed = [each for each in known.values() if each.state.closed]
        under_way = [each for each in known.values() if not each.state.closed]
        new = [each for each in under_way if each.facts.summary is None]
        if move == "come":
            began = begun(
                ledger,
                drop_id=f"d{turn:02}",
                folder="",
                source_file=f"{turn}.csv",
                received_at=clock.now() - timedelta(days=dice.randrange(3)),
            )
            drop = replace(began, state=DropState.OPEN, courier=dice.choice(("acme", "bolt")))
        elif move == "close" and under_way:
            rows = {"accepted": dice.randrange(9), "rejected": turn}
            errors = [{"code": "ID_MISSING", "count": turn, "column": "", "message": ""}]
            drop = replace(
                dice.choice(under_way),
                state=DropState.COMPLETED,
                finished_at=clock.now(),
                facts=DropFacts(summary={"rows": rows, "errors": errors, "refused": None}),
            )
        elif move == "open again" and closed:
            drop = replace(dice.choice(closed), state=DropState.OPEN, finished_at=None)
        elif move == "go back" and new:
            drop = dice.choice(new)
            ledger.forget(drop)
            del known[drop.seq]
            continue
        else:
            continue
        ledger.save(drop)
        known[drop.seq] = drop
        if dice.random() < 0.6:  # else several things have changed by the next look
            clock.advance(3)
            kept.sums()
        if turn == 40:
            clock.advance(3600)
            kept.sums()
    clock.advance(3)
    later = DropTotals(site)
    later.sums()
    saved_in(tmp_path).unlink()
    fresh = DropTotals(site)
    for tally in (kept, later):
        assert tally.rows() == fresh.rows()
        assert tally.rows().total() > 100
        assert tally.files() == fresh.files()
        assert tally.last_of() == fresh.last_of()
        assert _told(site, tally) == _told(site, fresh)
        assert tally.files().total() == len(known)
    site.close()


def test_after_a_start_only_what_changed_is_read_and_old_drops_that_went_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    site = Site(tmp_path, load(tmp_path), clock=clock)
    ledger = site.ledger
    made = [_refused(site, clock, n) for n in range(5)]
    clock.advance(timedelta(days=2).total_seconds())
    made += [_refused(site, clock, n) for n in range(5, 40)]
    assert DropTotals(site, saves=True).files().total() == 40
    _refused(site, clock, 40)
    with ledger._db.write() as connection:
        connection.execute(drops.delete().where(drops.c.seq.in_([e.seq for e in made[:2]])))
    read: list[str] = []
    counts = type(ledger.overview)._counts

    def counted(self: object, *wanted: sa.ColumnElement[bool]) -> Iterator[DropCounts]:
        for each in counts(ledger.overview, *wanted):
            read.append(each.drop_id)
            yield each

    monkeypatch.setattr(type(ledger.overview), "_counts", counted)
    later = DropTotals(site)
    assert later.files().total() == 39
    assert set(read) == {"d2", "d3", "d4", "d40"}
    # Of another ledger nothing is believed.
    site.close()
    (tmp_path / "state" / "ledger.db").unlink()
    anew = Site(tmp_path, load(tmp_path), clock=clock)
    assert DropTotals(anew).files() == Counter()
    anew.close()


def _refused(site: Site, clock: ManualClock, number: int) -> Drop:
    drop = begun(
        site.ledger, drop_id=f"d{number}", folder="", source_file="a.csv", received_at=clock.now()
    )
    summary = {"rows": {"rejected": 1}, "refused": {"code": "EMPTY_FILE", "message": ""}}
    refused = replace(drop, state=DropState.REFUSED, facts=DropFacts(summary=summary))
    site.ledger.save(refused)
    return refused


def _told(site: Site, tally: DropTotals) -> object:
    report = report_of(site, tally, 5)
    couriers = sorted(report.couriers, key=lambda each: each.courier)
    return report.model_copy(update={"couriers": couriers})


def test_a_tally_keeps_sums_not_drops(tmp_path: Path) -> None:
    clock = ManualClock()
    site = Site(tmp_path, load(tmp_path), clock=clock)
    for n in range(40):
        _refused(site, clock, n)
    (sums,) = DropTotals(site).sums()
    assert (sums.files, sums.rows["rejected"], sums.codes["EMPTY_FILE"]) == (40, 40, 40)
    assert [each.drop_id for each in sums.examples["EMPTY_FILE"]] == [
        f"d{n}" for n in range(39, 34, -1)
    ]
    site.close()
