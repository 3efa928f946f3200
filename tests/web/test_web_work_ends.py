"""Work ends: what was corrected or set aside needs nobody, what came back is open again."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.acceptance.harness import sheet, until
from tests.web.conftest import SEND, Live
from tests.web.test_web_fixing import child_of, dropped
from tests.web.test_web_machines import measures

BAD = "Nonesuch"


def of(live: Live, drop: str) -> dict[str, Any]:
    with live.client() as client:
        found: dict[str, Any] = client.get(f"/api/v1/drops/{drop}").json()
        return found


def to_do(live: Live) -> set[str]:
    with live.client() as client:
        asked = client.get("/api/v1/drops", params={"to_do": True, "limit": 200}).json()
        return {each["drop_id"] for each in asked["drops"]}


def needed(live: Live, courier: str = "generic") -> float:
    with live.client() as client:
        return measures(client).get(("shipdrop_rows_to_do", (("courier", courier),)), 0.0)


def corrected(live: Live, page: Page, drop: str, row: int, status: str) -> None:
    """Correct one row on the page, send it, and wait for the end of its drop."""
    before = len([d for d in live.root.delivered() if d.summary["parent"] == drop])
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_label(f"Row {row}, Status").fill(status)
    page.get_by_role("button", name=SEND).click()
    page.wait_for_url("**/uploads/*")
    child_of(live, drop, before)
    page.goto(f"{live.url}/drops/{drop}")


def test_a_corrected_file_needs_nobody_any_more(live: Live, page: Page) -> None:
    drop = dropped(live, "ends.csv", sheet([["END1", "Delivered"], ["END2", BAD], ["END3", BAD]]))
    assert of(live, drop)["need"] == 2
    assert drop in to_do(live)
    corrected(live, page, drop, 3, "Delivered")
    expect(page.get_by_text("1 of 2 rows corrected; 1 left.")).to_be_visible()
    fault = page.get_by_role("article").filter(has_text="STATUS_UNKNOWN")
    expect(fault).to_contain_text("1×")
    before = needed(live)
    corrected(live, page, drop, 4, "Delivered")
    expect(page.get_by_text("All 2 rows that needed you are done: 2 corrected.")).to_be_visible()
    expect(page.locator("#head .badge")).to_have_text("Corrected")
    expect(page.get_by_role("link", name="Correct rows")).to_have_count(0)
    told = of(live, drop)
    assert (told["need"], told["corrected"]) == (0, 2)
    assert drop not in to_do(live)
    until(lambda: needed(live) == before - 1, what="one row less in the measures")
    # One line for the family, and the filter for rejected rows does not find it.
    page.goto(f"{live.url}/drops?q=ends")
    expect(page.get_by_role("rowheader", name="ends.csv")).to_have_count(1)
    line = page.get_by_role("row").filter(has_text="ends.csv")
    expect(line).to_contain_text("Corrected")
    expect(line).to_contain_text("2 corrections")
    page.goto(f"{live.url}/drops?q=ends&needs=rejected")
    expect(page.get_by_text("No files match.")).to_be_visible()


def test_a_row_that_came_back_rejected_is_open_again_in_its_file(live: Live, page: Page) -> None:
    drop = dropped(live, "again.csv", sheet([["AGN1", "Delivered"], ["AGN2", BAD]]))
    rejects = live.root.of("again").path("rejects.csv").read_text("utf-8-sig")
    live.root.drop("again_1.csv", rejects.replace(f",{BAD}", ",Banana"))
    child = child_of(live, drop)
    page.goto(f"{live.url}/drops/{drop}")
    assert child.counts == {"rejected": 1}
    told = of(live, drop)
    assert (told["need"], told["corrected"]) == (1, 0)
    # The row is counted once: in the file it belongs to.
    assert of(live, child.id)["need"] == 0
    page.get_by_role("link", name="Correct rows").click()
    cell = page.get_by_label("Row 3, Status")
    expect(cell).to_have_value("Banana")
    expect(page.get_by_text('"Banana" is not a known status')).to_be_visible()
    expect(page.get_by_label("Send row 3")).not_to_be_checked()
    cell.fill("Delivered")
    page.get_by_role("button", name=SEND).click()
    page.wait_for_url("**/uploads/*")
    assert child_of(live, drop, 1).counts == {"accepted": 1}
    assert of(live, drop)["need"] == 0
    page.goto(f"{live.url}/drops/{child.id}")
    expect(page.locator("#head .badge")).not_to_have_text("Needs correcting")


def test_rejects_that_come_back_by_hand_count_for_the_first_file(live: Live) -> None:
    drop = dropped(live, "hand.csv", sheet([["HND1", "Delivered"], ["HND2", BAD], ["HND3", BAD]]))
    rejects = live.root.of("hand").path("rejects.csv").read_text("utf-8-sig")
    live.root.drop("hand_1.csv", rejects.replace(f",{BAD}", ",Delivered", 1).replace(BAD, "Banana"))
    first = live.drop_id("hand_1.csv")
    assert of(live, drop)["need"] == 1
    again = live.root.of("hand_1").path("rejects.csv").read_text("utf-8-sig")
    live.root.drop("hand_2.csv", again.replace("HND3,Banana", "HND3,Delivered"))
    live.drop_id("hand_2.csv")
    assert live.root.of("hand_2").summary["parent"] == first
    assert of(live, first)["need"] == 0
    assert of(live, drop)["need"] == 0
