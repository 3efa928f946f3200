"""The first page tells what there is to do; files are found by day, by order and by AWB."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.acceptance.harness import orders, sheet, until
from tests.web.conftest import Live, Open
from tests.web.test_web_fixing import dropped
from tests.web.test_web_machines import measures


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until this has the focus."""
    for _ in range(80):
        if wanted.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {wanted}")


def count(live: Live) -> int:
    with live.client() as client:
        return int(client.get("/api/v1/to-do").json()["count"])


def test_what_there_is_to_do_is_seen_done_and_set_aside_with_the_keyboard(
    open_live: Open, page: Page
) -> None:
    with open_live() as live:
        page.goto(live.url)
        expect(page.get_by_text("Nothing to do.")).to_be_visible()
        first = dropped(live, "first.csv", sheet([["T1", "Delivered"], ["T2", "Nonesuch"]]))
        second = dropped(live, "second.csv", sheet([["T3", "Nonesuch"], ["T4", "Delivered"]]))
        refused = dropped(live, "not_one.csv", "a,b\n1,2\n")
        assert count(live) == 3
        page.goto(live.url)
        expect(page.get_by_role("link", name="To do 3")).to_be_visible()
        card = page.get_by_role("region", name="Rows to correct 2")
        expect(card.get_by_role("listitem").first).to_contain_text("first.csv")
        expect(card).to_contain_text("2 rows left")
        expect(page.get_by_role("region", name="Refused files 1")).to_contain_text("not_one.csv")
        # The next file is a click away, from the list and from a file.
        card.get_by_role("link", name="Next after first.csv").click()
        page.wait_for_url(f"**/drops/{second}")
        page.get_by_role("link", name="Next to do").click()
        page.wait_for_url(f"**/drops/{refused}")
        # A refused file is set aside, with no mouse.
        page.goto(live.url)
        tab_to(page, page.get_by_label("Set aside not_one.csv"))
        page.keyboard.press("Enter")
        form = page.get_by_role("region", name="Refused files 1")
        tab_to(page, form.get_by_label("Reason"))
        page.keyboard.type("not ours")
        tab_to(page, form.get_by_role("button", name="Set aside"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="To do 2")).to_be_visible()
        expect(page.get_by_role("region", name="Refused files")).to_have_count(0)
        # Its page says so, and takes it back.
        page.goto(f"{live.url}/drops/{refused}")
        expect(page.get_by_text("Set aside: not ours")).to_be_visible()
        page.get_by_role("button", name="Take back").click()
        expect(page.get_by_role("link", name="To do 3")).to_be_visible()
        # So does the API, and the measures agree.
        with live.client() as client:
            assert measures(client)["shipdrop_rows_to_do", (("courier", "generic"),)] == 2
            order = {"kind": "rows", "key": first, "reason": "duplicate"}
            assert client.post("/api/v1/to-do/set-aside", json=order).status_code == 200
            assert client.get(f"/api/v1/drops/{first}").json()["need"] == 0
            assert measures(client)["shipdrop_rows_to_do", (("courier", "generic"),)] == 1
            again = client.post("/api/v1/to-do/set-aside", json=order)
            assert again.status_code == 409
            where = {"kind": "rows", "key": first}
            assert client.delete("/api/v1/to-do/set-aside", params=where).status_code == 200
            assert client.get(f"/api/v1/drops/{first}").json()["need"] == 1
        # A file that came again is to be seen to once.
        dropped(live, "not_one_again.csv", "a,b\n1,2\n")
        assert count(live) == 3


def test_a_late_courier_is_on_the_list_until_it_is_set_aside(open_live: Open, page: Page) -> None:
    with open_live() as live:
        (live.root.path / "couriers").mkdir()
        (live.root.path / "couriers" / "acme.toml").write_text(
            'name = "acme"\n[statuses]\ndelivery_done = ["Delivered"]\n[expect]\nby = "00:00"\n'
        )
        until(lambda: count(live) == 1, what="the courier is late")
        page.goto(live.url)
        card = page.get_by_role("region", name="Late couriers 1")
        card.get_by_label("Set aside acme").click()
        card.get_by_label("Reason").select_option("other")
        card.get_by_role("button", name="Set aside for today").click()
        expect(page.get_by_text("Nothing to do.")).to_be_visible()
        page.get_by_role("button", name="Take back").click()
        expect(page.get_by_role("region", name="Late couriers 1")).to_be_visible()


def test_a_file_that_waits_has_a_name_a_reason_and_what_to_do(open_live: Open, page: Page) -> None:
    with open_live(inbox__done_marker=".done") as live:
        inbox = live.root.path / "inbox"
        (inbox / "delhivery" / "deep").mkdir(parents=True)
        (inbox / "~$open.csv").write_text("lock")
        for name in ("open.csv", "alone.csv", "half.csv.part"):
            (inbox / name).write_text(orders(1), "utf-8")

        def told() -> str:
            with live.client() as client:
                return client.get("/waiting").text

        until(lambda: "close it there" in told(), what="the reason is told")
        page.goto(live.url)
        page.get_by_role("link", name="2 files waiting").click()
        row = page.get_by_role("row").filter(has_text="open.csv")
        expect(row).to_contain_text("close it there")
        expect(page.get_by_role("row").filter(has_text="alone.csv")).to_contain_text(
            "alone.csv.done"
        )
        never = page.get_by_role("region", name="Never taken")
        expect(never).to_contain_text("half.csv.part")
        expect(never).to_contain_text("Folders inside a courier's folder are not scanned")
        (inbox / "~$mine.csv").write_text("lock")
        # A file that was uploaded half a minute ago says on its own page why it waits.
        with live.client() as client:
            made = client.post("/api/v1/drops", files={"files": ("mine.csv", orders(1))}).json()

            def names() -> set[str]:
                return {each["name"] for each in client.get("/api/v1/waiting").json()["files"]}

            lying = {"open.csv", "alone.csv", "mine.csv"}
            until(lambda: names() >= lying, what="the page has looked into the inbox again")
        until(lambda: told().count("close it there") == 2, what="the service has seen it")
        page.goto(f"{live.url}/uploads/{made['upload']}")
        expect(page.get_by_text("Waiting to be read")).to_be_visible()
        earlier = (datetime.now(UTC) - timedelta(seconds=40)).isoformat()
        for path in (live.root.path / "state" / "web" / "uploads").rglob("*.json"):
            path.write_text(json.dumps({**json.loads(path.read_bytes()), "at": earlier}), "utf-8")
        expect(
            page.get_by_text("Not read yet. It is open in a spreadsheet program")
        ).to_be_visible()


def test_files_by_day_sorted_counted_and_found_from_one_box(live: Live, page: Page) -> None:
    head = ("Order ID", "Status", "AWB")
    for number in range(3):
        rows = [[f"BOX{number}{n}", "Delivered", f"9900{number}{n}4455"] for n in range(number + 1)]
        dropped(live, f"box_{number}.csv", sheet(rows, head))
    page.goto(f"{live.url}/drops")
    expect(page.locator("#hits")).to_have_text("3 files")
    day = page.get_by_role("heading", level=2).first
    expect(day).to_contain_text("3 files, 6 rows, 6 sent")
    page.get_by_role("link", name="File", exact=True).click()
    names = page.locator("table.list tbody th a")
    expect(names).to_have_text(["box_0.csv", "box_1.csv", "box_2.csv"])
    page.get_by_role("link", name="File ↑").click()
    expect(names).to_have_text(["box_2.csv", "box_1.csv", "box_0.csv"])
    expect(page.get_by_role("columnheader", name="File")).to_have_attribute(
        "aria-sort", "descending"
    )
    page.get_by_label("Days").get_by_role("link", name="Yesterday").click()
    expect(page.get_by_text("No files match.")).to_be_visible()
    page.get_by_label("Days").get_by_role("link", name="Today").click()
    expect(names).to_have_count(3)
    # One box: a file's name, an order id, an AWB, several ids pasted from a column.
    box = page.get_by_role("searchbox")
    box.fill("box_1")
    box.press("Enter")
    expect(names).to_have_text(["box_1.csv"])
    box.fill("BOX22")
    box.press("Enter")
    expect(page.get_by_role("region", name="Order")).to_contain_text(
        "BOX22: Delivered was reported"
    )
    box.fill("9900114455")
    box.press("Enter")
    page.wait_for_url("**/find?*")
    expect(page.get_by_text("found by AWB 9900114455")).to_be_visible()
    expect(page.locator("p.verdict")).to_contain_text("Delivered was reported")
    page.get_by_label("Order ID or AWB").fill("BOX00\nBOX10\nBOX99, 9900224455")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("table.list tbody tr")).to_have_count(3)
    expect(page.get_by_text("No order or AWB BOX99")).to_be_visible()
    page.goto(f"{live.url}/find?q=BOX2")
    expect(page.get_by_role("region", name="Order IDs like it")).to_contain_text("BOX22")
    # The day is a page, and a CSV.
    page.goto(f"{live.url}/drops")
    page.get_by_role("heading", level=2).first.get_by_role("link").click()
    row = page.get_by_role("row").filter(has_text="General rules")
    expect(row.first).to_contain_text("6")
    href = page.get_by_role("link", name="CSV", exact=True).get_attribute("href")
    with live.client() as client:
        lines = client.get(str(href)).text.splitlines()
        assert lines[0].startswith("\ufeffcourier,files,first_file")
        assert re.match(r"generic,3,\d{4}-\d\d-\d\d \d\d:\d\d,,,6,6,", lines[1])
        today = str(href).split("/")[2]
        told = client.get(f"/api/v1/days/{today}").json()["couriers"]
        assert [(each["courier"], each["files"], each["rows"]) for each in told] == [
            ("generic", 3, {"accepted": 6})
        ]
        found = client.get("/api/v1/orders", params={"q": "BOX00 9900114455 BOX99"}).json()
        assert {each["order_id"] for each in found["answers"]} == {"BOX00", "BOX11"}
        assert found["missing"] == ["BOX99"]
        assert client.get("/api/v1/drops", params={"when": "today"}).json()["hits"] == 3


def test_an_address_from_before_leads_to_the_list(live: Live) -> None:
    with live.client(follow_redirects=False) as client:
        moved = client.get("/?q=box&state=refused")
        assert (moved.status_code, moved.headers["location"]) == (307, "/drops?q=box&state=refused")
        assert client.get("/pictures?days=7").headers["location"] == "/reports?days=7"


@pytest.mark.parametrize(
    "path",
    [
        "/drops?page=0",
        "/drops?page=99999999999",
        "/drops?when=tomorrow",
        "/drops?when=2026-13-45",
        "/drops?when=9999-12-31",
        "/drops?when=0001-01-01",
        "/drops?sort=;drop",
        f"/drops?q={'x' * 3000}",
        "/drops?q=%00&courier=%00&state=%00",
        "/drops?q=%ff%fe%25_%5c",
        "/find?q=%00",
        f"/find?q={'9' * 5000}",
        "/find?q=x&before=99999999999999999999",
        "/days/2026-02-30",
        "/days/9999-12-31",
        "/days/0001-01-01",
        "/days/0001-01-01/couriers.csv",
        "/days/today",
        "/next?after=%00",
        f"/next?after={'a' * 500}",
        "/waiting?x=1",
        "/?said=%00",
        "/upload?courier=%00",
        "/reports?days=0",
        "/api/v1/days/2026-02-30",
        "/api/v1/orders?q=",
        "/api/v1/orders?q=%00",
        "/api/v1/drops?when=2026-99-99",
    ],
)
def test_no_parameter_is_an_error_of_ours(live: Live, path: str) -> None:
    with live.client() as client:
        answer = client.get(path)
    assert answer.status_code in {200, 303, 404, 422}, answer.text
