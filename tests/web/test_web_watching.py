"""Looking: the list keeps itself up to date, filters stand in the address, orders are found."""

import re

from playwright.sync_api import BrowserContext, Dialog, Page, expect

from pipeline.sandbox.config import Faults, SandboxConfig
from tests.acceptance.harness import orders, sheet, until
from tests.web.conftest import Live, Open


def test_a_dropped_file_appears_by_itself_and_goes_through_before_ones_eyes(
    open_live: Open, page: Page
) -> None:
    slow = SandboxConfig(faults=Faults(latency_ms=2_000))
    with open_live(api=slow, api__concurrency=1, api__chunk_size=5) as live:
        page.goto(f"{live.url}/drops")
        expect(page.get_by_text("No files yet.")).to_be_visible()
        live.root.drop("slowly.csv", orders(60))
        page.get_by_role("link", name="slowly.csv").click(timeout=30_000)
        expect(page.locator("progress")).to_be_visible()
        seen = page.locator("#head .verdict")  # a reader is not told each second
        expect(seen).to_have_text(re.compile(r"Sending: [1-9]\d* of 60 rows"))
        live.api.set_faults(latency_ms=0)
        expect(seen).to_have_text(re.compile("Done. 60 rows were sent"), timeout=60_000)
        expect(page.get_by_role("heading", name="Rows")).to_be_visible()


def test_cancel_and_retry_are_the_requests_of_the_commands(
    open_live: Open, context: BrowserContext
) -> None:
    page = context.new_page()
    slow = SandboxConfig(faults=Faults(latency_ms=1500))
    with open_live(api=slow, api__concurrency=1, api__chunk_size=5) as live:
        live.root.drop("stopped.csv", orders(200))
        page.goto(f"{live.url}/drops")
        page.get_by_role("link", name="stopped.csv").click(timeout=30_000)
        asked: list[str] = []

        def answer(dialog: Dialog) -> None:
            asked.append(dialog.message)
            if len(asked) == 1:
                dialog.dismiss()
            else:
                dialog.accept()

        page.on("dialog", answer)
        page.get_by_role("button", name="Stop sending").click()
        expect(page.locator("#head .badge").first).to_have_text("Sending")
        page.get_by_role("button", name="Stop sending").click()
        expect(page.get_by_role("status")).to_have_text(re.compile("Cancelled"), timeout=30_000)
        expect(page.get_by_role("button", name="Stop sending")).to_have_count(0)
        assert len(asked) == 2
        assert "What was sent stays sent" in asked[0]
        expect(page.locator("#head .chip.o-unsent")).to_contain_text("Not sent")
        with live.client() as client:
            drop = client.get("/api/v1/drops").json()["drops"][0]["drop_id"]
            again = client.post(f"/api/v1/drops/{drop}/cancel")
            assert again.status_code == 409
            assert "nothing left" in again.json()["error"]
        live.api.set_faults(latency_ms=0)
        page.get_by_role("button", name="Retry").click()
        expect(page.get_by_role("status")).to_have_text(
            re.compile("Done. 200 rows were sent"), timeout=30_000
        )
        expect(page.get_by_role("button", name="Retry")).to_have_count(0)


def test_an_outage_shows_in_the_strip_with_its_reason(open_live: Open, page: Page) -> None:
    with open_live(api=SandboxConfig(faults=Faults(status_all=401))) as live:
        live.root.drop("held.csv", orders(5))
        page.goto(f"{live.url}/drops")
        strip = page.get_by_label("Health")
        expect(strip).to_contain_text("refuses our login", timeout=30_000)
        expect(strip).to_contain_text("401")
        expect(strip).to_contain_text("Rows waiting 5")
        with live.client() as client:
            ready = client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["checks"]["api"] is False
            assert "shipdrop_token_refused 1.0" in client.get("/metrics").text


def test_filters_and_search_narrow_the_list_and_stand_in_the_address(
    live: Live, page: Page
) -> None:
    live.root.drop("all_fine.csv", orders(3, prefix="FINE"))
    live.root.drop("some_bad.csv", sheet([["BAD1", "Delivered"], ["BAD2", "Dunno"]]))
    live.root.drop("100%_off_x.csv", orders(2, prefix="PCT"))
    for name in ("all_fine.csv", "some_bad.csv", "100%_off_x.csv"):
        live.drop_id(name)
    page.goto(f"{live.url}/drops")
    page.get_by_label("Row result").select_option("rejected")
    expect(page).to_have_url(re.compile("needs=rejected"))
    rows = page.locator("table.list tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("some_bad.csv")
    page.goto(f"{live.url}/drops?q=100%25_")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("100%_off_x.csv")
    page.goto(f"{live.url}/drops?state=refused")
    expect(page.get_by_text("No files match.")).to_be_visible()


def test_older_drops_are_a_page_away(live: Live, page: Page) -> None:
    for number in range(35):
        live.root.drop(f"page{number:02}.csv", orders(1, prefix=f"PG{number}"))
    with live.client() as client:
        until(
            lambda: (
                len(client.get("/api/v1/drops?q=page&state=completed&limit=200").json()["drops"])
                == 35
            ),
            what="35 drops through",
        )
    page.goto(f"{live.url}/drops?q=page")
    expect(page.locator("table.list tbody tr")).to_have_count(30)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("table.list tbody tr")).to_have_count(5)
    page.get_by_role("link", name="Newer").click()
    expect(page.locator("table.list tbody tr")).to_have_count(30)


def test_counts_and_codes_filter_the_rows_page_by_page(live: Live, page: Page) -> None:
    rows = [[f"ROW{n:03}", "Delivered" if n % 3 else "In Transit"] for n in range(180)]
    rows += [["ROWX", "Dunno, really"]]
    live.root.drop("rows.csv", sheet([[a, f'"{b}"'] for a, b in rows]))
    drop = live.drop_id("rows.csv")
    page.goto(f"{live.url}/drops/{drop}")
    grid = page.locator("table.grid tbody tr")
    expect(grid).to_have_count(50)
    page.get_by_label("Filter rows").get_by_role("link", name="60 No update needed").click()
    expect(grid).to_have_count(50)
    page.get_by_role("link", name="Next →").click()
    expect(grid).to_have_count(10)
    page.goto(f"{live.url}/drops/{drop}?code=STATUS_UNKNOWN:status")
    expect(grid).to_have_count(1)
    expect(grid.locator(".bad-cell")).to_have_text("Dunno, really")


def test_an_order_and_an_awb_tell_their_story_across_files(live: Live, page: Page) -> None:
    header = ("Order ID", "Status", "AWB")
    live.root.drop("first.csv", sheet([["STORY1", "Picked", "77012345678"]], header))
    live.drop_id("first.csv")
    live.root.drop("second.csv", sheet([["STORY1", "Delivered", "77012345678"]], header))
    live.drop_id("second.csv")
    page.goto(f"{live.url}/find")
    page.get_by_label("Order id or AWB").fill("STORY1")
    page.get_by_role("button", name="Find").click()
    expect(page.locator(".story > li")).to_have_count(2)
    expect(page.locator(".story")).to_contain_text("Delivered")
    page.get_by_label("Order id or AWB").fill("77012345678")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("found by AWB 77012345678")).to_be_visible()
    expect(page.locator(".story > li")).to_have_count(2)
    page.goto(f"{live.url}/find?q=7701234567")
    expect(page.get_by_text("No order or AWB")).to_be_visible()


def test_a_late_courier_is_told_with_what_is_expected(open_live: Open, page: Page) -> None:
    with open_live() as live:
        place = live.root.path / "couriers"
        place.mkdir()
        profile = (
            'name = "acme"\n[statuses]\ndelivery_done = ["Delivered"]\n[expect]\nby = "00:00"\n'
        )
        (place / "acme.toml").write_text(profile, "utf-8")
        page.goto(f"{live.url}/couriers")
        row = page.get_by_role("row", name="acme")

        def told() -> str:
            page.reload()
            return " ".join(row.all_inner_texts())

        until(lambda: "late since" in told(), what="the profile is read, and late")
        expect(row).to_contain_text("by 00:00, every day")
        live.root.drop("today.csv", orders(1), folder="acme")
        live.drop_id("today.csv")
        until(lambda: "late since" not in told(), what="no longer late")
        with page.expect_download() as download:
            row.get_by_role("link", name="template").click()
        assert download.value.suggested_filename == "acme-manifest.xlsx"
