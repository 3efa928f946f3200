"""Reports by machine: what the page and its CSV show, in JSON."""

import csv
import io
from contextlib import closing

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.harness import orders, sheet
from tests.web.conftest import Live


def test_the_report_of_days_couriers_and_faults_is_the_pages(live: Live) -> None:
    live.root.drop("good.csv", orders(6, prefix="REP"))
    live.root.drop("bad.csv", sheet([["REPB1", "Delivered"], ["REPB2", "Nonesuch"]]), "dtdc")
    live.root.drop("refused.csv", "a,b\n1,2\n")
    drops = {name: live.drop_id(name) for name in ("good.csv", "bad.csv", "refused.csv")}
    with live.client() as client:
        told = client.get("/api/v1/reports", params={"days": 7}).json()
        assert told["total"] == {
            "files": 3,
            "rows": {"accepted": 7, "rejected": 1},
            "to_correct_percent": 12.5,
        }
        assert told["before"] == {"files": 0, "rows": {}, "to_correct_percent": 0}
        assert len(told["days"]) == 7
        assert told["days"][0]["files"] == 3
        assert told["days"][0]["rows"] == told["total"]["rows"]
        assert 0 < told["days"][0]["typical_seconds"] <= told["days"][0]["longest_seconds"]
        assert told["days"][1]["typical_seconds"] is None
        by_courier = {each["courier"]: each for each in told["couriers"]}
        assert by_courier["dtdc"]["rows"] == {"accepted": 1, "rejected": 1}
        problems = {each["code"]: each for each in told["problems"]}
        assert problems["HEADER_NOT_FOUND"]["of"] == "files"
        assert problems["HEADER_NOT_FOUND"]["drops"] == [drops["refused.csv"]]
        assert (problems["STATUS_UNKNOWN"]["count"], problems["STATUS_UNKNOWN"]["of"]) == (
            1,
            "rows",
        )
        assert all(each["most_ms"] >= 0 for each in told["hours"])

        one = client.get("/api/v1/reports", params={"days": 7, "courier": "dtdc"}).json()
        assert one["total"]["files"] == 1
        assert [each["courier"] for each in one["couriers"]] == ["dtdc"]

        text = client.get("/reports/days.csv", params={"days": 7}).content.decode("utf-8-sig")
        lines = list(csv.DictReader(io.StringIO(text)))
        for line, day in zip(lines, told["days"], strict=True):
            assert line["day"] == day["day"]
            assert int(line["files"]) == day["files"]
            assert int(line["rejected"]) == day["rows"].get("rejected", 0)


@pytest.mark.parametrize("query", ["days=0", "days=367", "days=x", f"courier={'x' * 61}"])
def test_what_is_no_report_is_said(live: Live, query: str) -> None:
    with live.client() as client:
        assert client.get(f"/api/v1/reports?{query}").status_code == 422
        assert client.get("/api/v1/reports?courier=%00nobody").json()["total"]["files"] == 0


def test_a_chart_is_read_by_keys_and_by_touch(live: Live, browser: Browser) -> None:
    """Each bar says its day and numbers, and leads to the files of that day."""
    live.root.drop("keys.csv", orders(3, prefix="KEY"))
    live.drop_id("keys.csv")
    context = browser.new_context(has_touch=True)
    with closing(context):
        page = context.new_page()
        page.goto(f"{live.url}/reports?days=7")
        chart = page.locator("[data-chart] .chart").first
        told = page.locator("[data-chart] .told").first
        today = page.locator("table tbody tr").first.locator("td, th").first.inner_text()
        chart.focus()
        page.keyboard.press("End")
        expect(told).to_contain_text(today.partition(",")[0])
        page.keyboard.press("Home")
        expect(told).not_to_contain_text(today.partition(",")[0])
        box = chart.bounding_box()
        assert box is not None
        page.touchscreen.tap(box["x"] + box["width"] * 0.93, box["y"] + box["height"] / 2)
        expect(told).to_contain_text(today.partition(",")[0])
        chart.focus()
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        page.wait_for_url("**/days/*")
