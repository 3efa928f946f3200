"""A file whose details were removed since it is old: the page says so, and nothing breaks."""

from contextlib import closing
from datetime import timedelta

from pipeline.core.clock import SystemClock
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from tests.acceptance.harness import sheet
from tests.fakes.manual_clock import ManualClock
from tests.web.conftest import Open
from tests.web.test_web_fixing import dropped


def test_an_old_file_is_shown_with_what_is_left_of_it(open_live: Open) -> None:
    with open_live() as live:
        rows = sheet([["OLD00001", "Delivered"], ["OLD00002", "Nonesuch"], ["", "Delivered"]])
        drop = dropped(live, "old.csv", rows)
        refused = dropped(live, "nohead.csv", "a,b\n1,2\n")
        with live.client() as client:
            verdict = client.get(f"/api/v1/drops/{drop}").json()["verdict"]
            later = ManualClock(SystemClock().now() + timedelta(days=200))
            flags = {"api": {"base_url": live.api.url}}
            settings = load(live.root.path, flags=flags)
            with closing(Site(live.root.path, settings, clock=later)) as site:
                assert site.retention.sweep().drops == 2
            told = client.get(f"/api/v1/drops/{drop}").json()
            assert told["tidied_at"]
            assert (told["verdict"], told["need"]) == (verdict, 2)
            assert told["summary"]["rows"]["rejected"] == 2
            for each in (drop, refused):
                page = client.get(f"/drops/{each}")
                assert page.status_code == 200
                assert "counts are left" in page.text
            fix = client.get(f"/drops/{drop}/fix")
            assert fix.status_code < 500
            assert "cannot be corrected here any more" in fix.text
            assert "old.csv" in client.get("/drops").text
            assert client.get("/").status_code == 200
