"""A file whose details were removed since it is old: the page says so, and nothing breaks."""

from contextlib import closing
from datetime import timedelta

from pipeline.core.clock import Clock
from pipeline.core.model import SetAside
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from tests.acceptance.harness import sheet
from tests.fakes.manual_clock import ManualClock
from tests.web.conftest import Live, Open
from tests.web.test_web_fixing import dropped


def test_an_old_file_is_shown_with_what_is_left_of_it(open_live: Open) -> None:
    with open_live() as live:
        rows = sheet([["OLD00001", "Delivered"], ["OLD00002", "Nonesuch"], ["", "Delivered"]])
        drop = dropped(live, "old.csv", rows)
        refused = dropped(live, "nohead.csv", "a,b\n1,2\n")
        with live.client() as client:
            aside = {"rows": [4], "reason": "not ours", "who": "Asha"}
            assert client.post(f"/api/v1/drops/{drop}/set-aside", json=aside).status_code == 200
            verdict = client.get(f"/api/v1/drops/{drop}").json()["verdict"]
            later = ManualClock(Clock().now() + timedelta(days=200))
            flags = {"api": {"base_url": live.api.url}}
            settings = load(live.root.path, flags=flags)
            with closing(Site(live.root.path, settings, clock=later)) as site:
                assert site.retention.sweep().drops == 2
            told = client.get(f"/api/v1/drops/{drop}").json()
            assert told["tidied_at"]
            assert (told["verdict"], told["need"]) == (verdict, 1)
            assert told["summary"]["rows"]["rejected"] == 2
            for each in (drop, refused):
                page = client.get(f"/drops/{each}")
                assert page.status_code == 200
                assert "counts are left" in page.text
            (row,) = client.get(f"/api/v1/drops/{drop}/set-aside").json()["rows"]
            assert (row["row"], row["reason"], row["who"]) == (4, "", "")
            assert row["at"] is not None
            fix = client.get(f"/drops/{drop}/fix")
            assert fix.status_code < 500
            assert "cannot be corrected here any more" in fix.text
            assert "old.csv" in client.get("/drops").text
            assert client.get("/").status_code == 200


def test_a_row_that_was_set_aside_nobody_knows_when_is_shown(live: Live) -> None:
    drop = dropped(live, "when.csv", sheet([["WHEN1", "Nonesuch"], ["WHEN2", "Nonesuch"]]))
    settings = load(live.root.path, flags={"api": {"base_url": live.api.url}})
    with closing(Site(live.root.path, settings)) as site:
        found = site.ledger.find(drop)
        assert found is not None
        aside = (SetAside(2, "", "", ""),)  # as earlier builds tidied it
        site.ledger.save(found.noting(aside=aside))
    with live.client() as client:
        (row,) = client.get(f"/api/v1/drops/{drop}/set-aside").json()["rows"]
        assert (row["row"], row["at"]) == (2, None)
        fix = client.get(f"/drops/{drop}/fix")
        assert fix.status_code == 200
        assert "1 row set aside" in fix.text


def test_a_file_that_is_not_kept_any_more_is_not_offered_to_be_read_again(open_live: Open) -> None:
    with open_live() as live, live.client() as client:
        drop = dropped(live, "nohead.csv", "a,b\n1,2\n")
        assert ">Read again<" in client.get(f"/drops/{drop}").text
        later = ManualClock(Clock().now() + timedelta(days=200))
        flags = {"api": {"base_url": live.api.url}, "retention": {"archive_days": 30}}
        settings = load(live.root.path, flags=flags)
        with closing(Site(live.root.path, settings, clock=later)) as site:
            assert site.retention.sweep().originals == 1
        page = client.get(f"/drops/{drop}")
        assert page.status_code == 200
        assert ">Read again<" not in page.text
        asked = client.post(f"/api/v1/drops/{drop}/again")
        assert asked.status_code == 409
        assert "not kept any more" in asked.text
