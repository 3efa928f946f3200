"""A file refused for its many bad rows: what is sound goes, what is wrong stays, and work ends."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.harness import sheet, until
from tests.web.conftest import Live
from tests.web.test_web_fixing import child_of, dropped
from tests.web.test_web_work_ends import needed, of, to_do

BAD, SOUND, ROWS = "Nonesuch", 8, 24


def refused(live: Live, prefix: str) -> str:
    """A file of 24 rows, the first 8 of which are sound: its drop."""
    rows = [[f"{prefix}{n:02}", "Delivered" if n < SOUND else BAD] for n in range(ROWS)]
    drop = dropped(live, f"{prefix.lower()}.csv", sheet(rows))
    assert of(live, drop)["state"] == "refused"
    return drop


def corrected(live: Live, drop: str, *rows: int) -> dict[str, Any]:
    """Correct these rows; return how far all are."""
    base = f"/api/v1/drops/{drop}/corrections"
    order = {"column": "Status", "rows": rows, "values": ["Delivered"] * len(rows)}
    with live.client() as client:
        told: dict[str, Any] = client.post(f"{base}/paste", json=order).json()["counts"]
        return told


@pytest.mark.console("409")
def test_send_leaves_wrong_rows_until_few_enough_are_left(live: Live, page: Page) -> None:
    before = needed(live)
    drop = refused(live, "RFA")
    assert of(live, drop)["need"] == ROWS
    until(lambda: needed(live) == before + ROWS, what="its rows are counted")
    fix = f"{live.url}/drops/{drop}/fix"
    assert corrected(live, drop, 10, 11) == {
        "ready": 10,
        "wrong": 0,
        "untouched": 14,
        "left_out": 0,
    }
    page.goto(fix)
    expect(page.get_by_label("Send row 2", exact=True)).to_be_checked()
    expect(page.get_by_label("Send row 12", exact=True)).not_to_be_checked()
    page.get_by_role("button", name="Send 10 rows").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "14 of 24 rows are still wrong, more than half of them, so nothing was sent."
    )
    # Nothing is lost, and no file went out that could only be refused again.
    assert of(live, drop)["need"] == ROWS
    assert not [each for each in live.root.delivered() if each.summary["parent"] == drop]
    assert corrected(live, drop, 12, 13)["ready"] == 12
    page.goto(fix)
    page.get_by_label("Row 14, Status").fill("Still nonesuch")
    page.get_by_role("button", name="Send 12 rows").click()
    expect(page.get_by_role("status").first).to_contain_text(
        "12 rows went out. 1 row is still wrong and stays here, not sent."
    )
    assert child_of(live, drop).counts == {"accepted": 12}
    until(lambda: of(live, drop)["need"] == 12, what="what went is counted")
    page.goto(f"{live.url}/drops/{drop}")
    expect(page.get_by_text("12 of 24 rows corrected; 12 left.")).to_be_visible()
    expect(page.locator("#head .badge")).to_have_text("Refused")
    assert drop in to_do(live)
    page.goto(live.url)
    item = page.get_by_role("listitem").filter(has_text="rfa.csv")
    expect(item).to_contain_text("12 of 24 rows corrected; 12 left.")
    page.goto(f"{live.url}/drops?q=rfa.csv")
    line = page.get_by_role("row").filter(has_text="rfa.csv")
    expect(line).to_contain_text("24 rows · 12 corrected · 12 left")


def test_a_refused_file_is_done_when_all_its_rows_are(live: Live, page: Page) -> None:
    drop = refused(live, "RFB")
    order = {"rows": [25], "reason": "not ours", "who": "Asha"}
    with live.client() as client:
        told = client.post(f"/api/v1/drops/{drop}/set-aside", json=order)
        assert (told.status_code, told.json()["need"]) == (200, ROWS - 1), told.text
    page.goto(f"{live.url}/drops/{drop}/fix?column=1&value={BAD}")
    first = page.locator("tbody[data-row]").first
    expect(first).to_have_attribute("data-row", "2")  # a column that is pasted fits the file
    page.get_by_role("link", name="Show wrong rows first").click()
    expect(first).to_have_attribute("data-row", str(SOUND + 2))
    page.goto(f"{live.url}/drops/{drop}/fix?column=1&value={BAD}")
    page.get_by_label("New value").fill("Delivered")
    page.get_by_role("button", name="Replace in 15 rows").click()
    page.get_by_role("button", name="Send 23 rows").click()
    expect(page.get_by_text("Done. 23 rows were sent")).to_be_visible()
    until(lambda: of(live, drop)["need"] == 0, what="all are dealt with")
    assert drop not in to_do(live)
    page.goto(f"{live.url}/drops/{drop}")
    expect(
        page.get_by_text("All 24 rows that needed you are done: 23 corrected, 1 set aside.")
    ).to_be_visible()
    expect(page.locator("#head .badge")).to_have_text("Corrected")


def test_its_rejects_by_hand_end_the_work_too(live: Live) -> None:
    drop = refused(live, "RFC")
    rejects = live.root.of("rfc").path("rejects.csv").read_text("utf-8-sig")
    live.root.drop("rfc_mended.csv", rejects.replace(f",{BAD}", ",Delivered"))
    live.drop_id("rfc_mended.csv")
    until(lambda: of(live, drop)["need"] == 0, what="all are dealt with")
    assert drop not in to_do(live)


def test_a_file_that_came_again_counts_no_rows_for_its_first(live: Live) -> None:
    drop = refused(live, "RFD")
    text = sheet([[f"RFD{n:02}", "Delivered" if n < SOUND else BAD] for n in range(ROWS)])
    again = dropped(live, "rfd_again.csv", text)
    assert (of(live, drop)["need"], of(live, again)["need"]) == (0, ROWS)
    assert to_do(live) & {drop, again} == {again}


def test_a_sound_row_stays_with_a_wrong_one_of_its_order(live: Live) -> None:
    header = ("Order ID", "AWB", "Status")
    rows = [[f"RFE{n:02}", f"RFEAWB{n:02}", BAD if n > 7 else "Delivered"] for n in range(20)]
    # The order of the second row has another parcel, about which nobody knows anything yet.
    rows.append(["RFE01", "RFEOTHER", BAD])
    drop = dropped(live, "rfe.csv", sheet(rows, header))
    assert of(live, drop)["state"] == "refused"
    corrected(live, drop, *range(10, 18))
    with live.client() as client:
        told = client.post(f"/api/v1/drops/{drop}/corrections/send", json={})
        assert told.status_code == 202, told.text
    sent = {line["order_id"] for line in child_of(live, drop).lines()}
    assert sent == {f"RFE{n:02}" for n in range(16)} - {"RFE01"}


def test_a_file_of_unknown_columns_is_to_be_taught_and_not_changed(live: Live, page: Page) -> None:
    live.root.drop("strange.csv", sheet([["1", "Home"]], ("Consignment Ref", "Position")))
    drop = live.drop_id("strange.csv")
    for address in ("/", f"/drops/{drop}"):
        page.goto(f"{live.url}{address}")
        expect(page.get_by_text("show it which column is which").first).to_be_visible()
        expect(page.get_by_text("Then upload the file again")).to_have_count(0)
    expect(page.get_by_text("does not know how to read this file yet")).to_be_visible()
    # Where the columns are known, words are missing.
    page.goto(f"{live.url}/drops/{refused(live, 'RFF')}")
    said = page.get_by_text("Some words of this file are not known.")
    expect(said).to_be_visible()
    # Until the rows that have them are dealt with.
    live.root.drop(
        "words.csv", sheet([["RFG1", "Wat"], ["1.77881E+19", "Delivered"], ["RFG3", "Delivered"]])
    )
    drop = live.drop_id("words.csv")
    page.goto(f"{live.url}/drops/{drop}")
    expect(said).to_be_visible()
    with live.client() as client:
        order = {"rows": [2], "reason": "already delivered", "who": "Asha"}
        told = client.post(f"/api/v1/drops/{drop}/set-aside", json=order)
        assert told.status_code < 300, told.text
    page.reload()
    expect(page.get_by_text("1 row left to correct")).to_be_visible()
    expect(said).to_have_count(0)
