"""The page on which rows are corrected: keys, lists, pasted columns, counts, other people."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.harness import sheet, until
from tests.web.conftest import SEND, Live, hashed, opened
from tests.web.test_web_fixing import child_of, dropped
from tests.web.test_web_nothing_wrong import DAMAGED, damaged, post
from tests.web.test_web_pages import serious
from tests.web.test_web_teaching import workbook_of

HEADER = ("Order ID", "AWB", "Customer", "City", "Pin", "Phone", "Remarks", "Status", "Event Time")
"""More columns than are shown at once."""
PASTE = """([cell, text]) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  const options = { clipboardData, bubbles: true, cancelable: true };
  cell.dispatchEvent(new ClipboardEvent("paste", options));
}"""


def row(number: int, prefix: str, status: str = "Delivered", when: str = "") -> list[str]:
    order, awb = f"{prefix}{number:04}", f"{prefix}AWB{number:04}"
    return [order, awb, f"Asha {number}", "Pune", "411001", "", "", status, when]


def broad(live: Live, name: str, prefix: str) -> str:
    """A file with 40 rows: 4 statuses and 2 dates are wrong, of 9 columns."""
    rows = [row(n, prefix) for n in range(34)]
    rows += [row(34 + n, prefix, "Nonesuch") for n in range(4)]
    rows += [row(38 + n, prefix, when="31-02-2026") for n in range(2)]
    return dropped(live, name, sheet(rows, HEADER))


def statuses(live: Live, name: str, prefix: str, count: int = 4) -> str:
    """A file with so many rows whose status is wrong, from row 12 on."""
    rows = [[f"{prefix}{n:03}", "Delivered" if n < 10 else "Nonesuch"] for n in range(10 + count)]
    return dropped(live, name, sheet(rows))


def pasted(page: Page, cell: Locator, text: str) -> None:
    cell.focus()
    page.evaluate(PASTE, [cell.element_handle(), text])


def test_enter_and_tab_go_from_wrong_cell_to_wrong_cell(live: Live, page: Page) -> None:
    drop = broad(live, "keys.csv", "KEY")
    page.goto(f"{live.url}/drops/{drop}/fix")
    first = page.get_by_label("Row 36, Status")
    first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Row 37, Status")).to_be_focused()
    page.keyboard.press("Shift+Enter")
    expect(first).to_be_focused()
    for number in (37, 38, 39):
        page.keyboard.press("Tab")
        expect(page.get_by_label(f"Row {number}, Status")).to_be_focused()
    page.keyboard.press("Tab")
    date = page.get_by_label("Row 40, Event Time")
    expect(date).to_be_focused()
    page.keyboard.type("2026-11-27 10:00")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Row 41, Event Time")).to_be_focused()
    expect(date).not_to_have_attribute("aria-invalid", "true")
    # The cell with the focus is never hidden behind the bar.
    bar = page.locator(".send").bounding_box()
    cell = page.get_by_label("Row 41, Event Time").bounding_box()
    assert bar
    assert cell
    assert cell["y"] + cell["height"] <= bar["y"]
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_label("Row 39, Status")).to_be_focused()  # row 40 is right by now
    # After Esc, Tab goes everywhere: nothing is out of reach.
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Row 39, Status")).not_to_be_focused()
    expect(page.get_by_label("Row 40, Event Time")).not_to_be_focused()
    # The last one leads to the button that sends.
    page.get_by_label("Row 41, Event Time").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=SEND)).to_be_focused()
    expect(page.locator("#standing")).to_contain_text("1 of 6 ready")
    page.keyboard.press("Enter")
    page.wait_for_url("**/uploads/*")
    assert [line["order_id"] for line in child_of(live, drop).lines()] == ["KEY0038"]


def test_a_status_is_chosen_by_what_it_means_with_keys_alone(live: Live, page: Page) -> None:
    drop = statuses(live, "list.csv", "LST")
    page.goto(f"{live.url}/drops/{drop}/fix")
    cell = page.get_by_label("Row 12, Status")
    expect(cell).to_have_role("combobox")
    cell.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("to the customer")
    words = page.get_by_role("listbox", name="Statuses")
    options = words.get_by_role("option")
    expect(options.first).to_contain_text("Delivered")
    expect(options.first).to_contain_text("Delivered to the customer")
    assert serious(page) == []
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(cell).to_have_value("Delivered")
    expect(page.get_by_label("Row 13, Status")).to_be_focused()
    expect(cell).not_to_have_attribute("aria-invalid", "true")
    expect(words).to_be_hidden()
    # All words, without a search; Escape leaves what stood there.
    page.keyboard.press("ArrowDown")
    expect(words.get_by_role("option", name="Picked up from us").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(words).to_be_hidden()
    expect(page.get_by_label("Row 13, Status")).to_have_value("Nonesuch")
    # A word that is in no list is kept as it is typed.
    page.keyboard.press("Control+A")
    page.keyboard.type("Given to aunt")
    page.keyboard.press("Enter")
    expect(page.get_by_text('Row 13, Status: "Given to aunt" is not a known')).to_be_visible()
    expect(page.get_by_label("Row 13, Status")).to_have_value("Given to aunt")
    # With a mouse.
    page.get_by_role("button", name="Statuses of row 14").click()
    options.filter(has_text="Picked up from us").first.click()
    expect(page.get_by_label("Row 14, Status")).not_to_have_value("Nonesuch")
    expect(page.get_by_label("Row 14, Status")).not_to_have_attribute("aria-invalid", "true")


def test_without_javascript_the_statuses_are_listed_too(live: Live, browser: Browser) -> None:
    drop = statuses(live, "plainlist.csv", "PLI")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live.url}/drops/{drop}/fix")
    cell = page.get_by_label("Row 12, Status")
    assert cell.get_attribute("list") == "statuses"
    found = page.locator("#statuses option").all()
    assert {each.inner_text() for each in found} >= {"Delivered to the customer"}
    context.close()


def test_an_id_has_room_for_all_its_digits_and_a_cell_for_what_is_typed(
    live: Live, page: Page
) -> None:
    drop = damaged(live, "wide.csv", "WID")
    page.goto(f"{live.url}/drops/{drop}/fix")
    cell = page.get_by_label("Row 22, Order ID")
    cell.fill("17788123456789012345")
    fits = "each => each.scrollWidth <= each.clientWidth"
    assert cell.evaluate(fits)
    status = page.get_by_label("Row 22, Status")
    status.fill("Undelivered, customer refused it")
    assert status.evaluate(fits)


def test_wrong_columns_stand_first_and_what_is_not_needed_under_more(
    live: Live, page: Page
) -> None:
    drop = broad(live, "order.csv", "ORD")
    page.goto(f"{live.url}/drops/{drop}/fix")
    heads = page.locator("table.edit thead th").all_inner_texts()
    assert heads == ["Send", "Row", "Status", "Event Time", "Order ID", "AWB"]
    city = page.get_by_label("Row 36, City")
    expect(city).to_be_hidden()
    page.locator("tbody[data-row='36'] summary").click()
    expect(city).to_have_value("Pune")
    city.fill("Nashik")
    page.get_by_label("Row 36, Status").focus()
    expect(page.locator("#kept")).to_contain_text("Saved")
    page.reload()
    expect(city).to_be_visible()  # a row with a changed cell shows it
    page.get_by_role("link", name="Show all cells").click()
    expect(page.get_by_label("Row 37, City")).to_be_visible()


def test_rows_are_filtered_by_fault_searched_and_sorted_and_one_stays_there(
    live: Live, page: Page
) -> None:
    drop = broad(live, "filter.csv", "FIL")
    page.goto(f"{live.url}/drops/{drop}/fix")
    chips = page.locator(".find-rows .chip")
    dates = chips.filter(has_text="Event Time")
    expect(dates.locator("b")).to_have_text("2")
    expect(chips.filter(has_text="Status").locator("b")).to_have_text("4")
    dates.click()
    expect(page.get_by_label("Row 40, Event Time")).to_be_visible()
    expect(page.get_by_label("Row 36, Status")).to_have_count(0)
    page.get_by_label("Row 40, Event Time").fill("2026-11-27 10:00")
    page.get_by_label("Row 41, Event Time").focus()
    expect(dates.locator("b")).to_have_text("1")  # what is left of it
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Row 40, Event Time")).to_have_value("2026-11-27 10:00")
    expect(page.get_by_label("Row 36, Status")).to_have_count(0)  # still there
    page.get_by_role("link", name="All 6").click()
    page.get_by_label("Rows with").fill("filawb0037")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("table.edit tbody")).to_have_count(1)
    expect(page.get_by_label("Row 39, Status")).to_be_visible()
    page.get_by_label("Rows with").fill("")
    page.get_by_label("Sorted by").select_option("Event Time")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("table.edit tbody").last).to_contain_text("Row 41")
    page.get_by_label("Rows with").fill("no such thing")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("No rows match.")).to_be_visible()


@pytest.mark.console("409")
def test_the_bar_counts_and_send_leaves_wrong_rows_and_says_so(live: Live, page: Page) -> None:
    drop = statuses(live, "bar.csv", "BAR", count=5)
    page.goto(f"{live.url}/drops/{drop}/fix")
    bar = page.locator("#standing")
    expect(bar).to_have_text("0 of 5 ready, 5 untouched")
    page.get_by_label("Row 12, Status").fill("Delivered")
    page.get_by_label("Row 13, Status").fill("Banana")
    page.get_by_label("Row 14, Status").fill("Picked")
    page.get_by_label("Row 14, Status").blur()
    expect(bar).to_have_text("2 of 5 ready, 1 still wrong, 2 untouched")
    expect(page.get_by_role("button", name="Send 2 rows")).to_be_visible()
    page.get_by_label("Send row 14").uncheck()
    expect(bar).to_have_text("1 of 5 ready, 1 still wrong, 2 untouched, 1 left out")
    expect(page.get_by_role("button", name="Send 1 row")).to_be_visible()
    page.get_by_label("Send row 15").check()  # as it is, it is still wrong
    expect(bar).to_have_text("1 of 5 ready, 2 still wrong, 1 untouched, 1 left out")
    page.get_by_role("button", name="Send 1 row").click()
    answer = page.get_by_role("status").filter(has_text="went out")
    expect(answer).to_contain_text(
        "1 row went out. 2 rows are still wrong and stay here, not sent."
    )
    child = child_of(live, drop)
    assert [line["order_id"] for line in child.lines()] == ["BAR010"]
    expect(page.get_by_label("Row 13, Status")).to_have_value("Banana")
    expect(page.get_by_label("Row 12, Status")).to_have_count(0)
    # Nothing but wrong rows: nothing is sent, and they stay before one's eyes.
    page.get_by_role("button", name=SEND).click()
    expect(page.get_by_text("Nothing was sent: 2 rows are still wrong.")).to_be_visible()
    expect(page.get_by_label("Row 13, Status")).to_have_value("Banana")


@pytest.mark.parametrize("other", ["", "Banana"], ids=["untouched", "still wrong"])
def test_a_parcel_is_not_sent_as_its_order_while_another_is_open(live: Live, other: str) -> None:
    prefix = "PCL" if other else "PCU"
    rows = [[f"{prefix}{n}", f"{prefix}AWB{n}", "Delivered"] for n in range(8)]
    rows += [["", f"{prefix}AWB{n}", status] for n, status in ((8, "Dlvrd"), (9, "Nonesuch"))]
    rows[8][0] = rows[9][0] = f"{prefix}TWO"
    drop = dropped(live, f"{prefix}.csv", sheet(rows, ("Order ID", "AWB", "Status")))
    base = f"/api/v1/drops/{drop}/corrections"
    with live.client() as client:
        for number, status in ((10, "Delivered"), (11, other)):
            cell = {"row": number, "column": "Status", "value": status}
            assert not status or client.put(f"{base}/cells", json=cell).status_code == 200
        answer = client.post(f"{base}/send", json={})
        assert answer.status_code == 409, answer.text
        assert "still wrong" in answer.json()["error"]
        wrong = client.get(base, params={"show": "wrong"}).json()["rows"]
        assert f"{prefix}AWB9" in next(each["message"] for each in wrong if each["row"] == 10)
        # Both have arrived.
        for number in (10, 11):
            cell = {"row": number, "column": "Status", "value": "Delivered"}
            assert client.put(f"{base}/cells", json=cell).json()["faults"] == []
        answer = client.post(f"{base}/send", json={})
        assert (answer.status_code, answer.json()["rows"]) == (202, 2)
    assert child_of(live, drop).counts.keys() <= {"accepted", "duplicate"}


def test_a_word_that_is_taught_later_makes_a_wrong_row_right(live: Live) -> None:
    live.root.drop("later_dtdc.csv", sheet([["LTD1", "Delivered"], ["LTD2", "Aunt"]]), "dtdc")
    own = live.drop_id("later_dtdc.csv")
    cells = f"/api/v1/drops/{own}/corrections/cells"
    with live.client() as client:
        answer = client.put(cells, json={"row": 3, "column": "Status", "value": "Auntie"})
        assert answer.json()["faults"]
        word = {"said": "Auntie", "means": "delivery_done"}
        assert client.put("/api/v1/couriers/dtdc/words", json=word).status_code == 200
        sent = client.post(f"/api/v1/drops/{own}/corrections/send", json={})
        assert (sent.status_code, sent.json()["rows"], sent.json()["skipped"]) == (202, 1, 0)
    assert child_of(live, own).counts == {"accepted": 1}


@pytest.mark.console("409")
def test_a_pasted_column_fills_the_rows_below_and_is_undone(live: Live, page: Page) -> None:
    drop = statuses(live, "paste.csv", "PAS", count=4)
    page.goto(f"{live.url}/drops/{drop}/fix")
    cell = page.get_by_label("Row 13, Status")
    pasted(page, cell, "Delivered\r\nBanana\r\nPicked\r\nDelivered\r\nDelivered\r\n")
    expect(page.locator("#kept")).to_contain_text("3 cells filled in. 2 more lines were pasted")
    expect(page.get_by_label("Row 12, Status")).to_have_value("Nonesuch")
    for number, text in ((13, "Delivered"), (14, "Banana"), (15, "Picked")):
        expect(page.get_by_label(f"Row {number}, Status")).to_have_value(text)
        expect(page.get_by_label(f"Send row {number}")).to_be_checked()
    expect(page.get_by_label("Row 14, Status")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#standing")).to_have_text("2 of 4 ready, 1 still wrong, 1 untouched")
    # Several columns are not guessed at.
    pasted(page, cell, "a\tb\r\nc\td")
    expect(page.locator("#kept")).to_contain_text("Several columns were pasted")
    expect(cell).to_have_value("Delivered")
    page.get_by_label("Row 15, Status").fill("Delivered")
    page.get_by_label("Row 15, Status").blur()
    expect(page.locator("#kept")).to_contain_text("Saved")
    page.get_by_role("button", name="Undo the paste").click()
    expect(page.get_by_role("status").filter(has_text="Undone in 2 rows")).to_be_visible()
    expect(cell).to_have_value("Nonesuch")
    expect(page.get_by_label("Row 15, Status")).to_have_value("Delivered")  # typed since
    expect(page.get_by_role("button", name="Undo the paste")).to_be_hidden()


@pytest.mark.console("409")
def test_no_pasted_line_gets_into_the_row_after_the_one_it_is_for(live: Live, page: Page) -> None:
    more = [f"Zq{n}" for n in range(43)]  # so wide a file that cells without a fault are plain text
    rows = [[f"GAP{n:03}", "Nonesuch" if n > 9 else "Delivered", *more] for n in range(14)]
    rows[11][:2] = ["", "Delivered"]
    drop = dropped(live, "gap.csv", sheet(rows, ("Order ID", "Status", *more)))
    page.goto(f"{live.url}/drops/{drop}/fix")
    expect(page.get_by_label("Row 13, Order ID")).to_be_visible()
    expect(page.get_by_label("Row 13, Status")).to_have_count(0)
    pasted(page, page.get_by_label("Row 12, Status"), "Delivered\nPicked\nIn Transit\nPicked\n")
    said = page.locator("#kept")
    expect(said).to_contain_text("the cell of row 13 in this column cannot be changed here")
    for number in (12, 14, 15):
        expect(page.get_by_label(f"Row {number}, Status")).to_have_value("Nonesuch")
    pasted(page, page.get_by_label("Row 14, Status"), '"Picked\nDelivered"\nPicked')
    expect(said).to_contain_text("A cell of several lines was pasted, so nothing was filled in")
    pasted(page, page.get_by_label("Row 14, Status"), "Picked\nDelivered\n")
    expect(page.get_by_label("Row 15, Status")).to_have_value("Delivered")
    expect(page.get_by_label("Row 14, Status")).to_have_value("Picked")
    expect(page.get_by_label("Row 12, Status")).to_have_value("Nonesuch")


def test_a_cell_of_several_lines_takes_its_own_pasted_line(live: Live, page: Page) -> None:
    rows = [[f"TXT{n:03}", "Nonesuch" if n > 9 else "Delivered", "none"] for n in range(13)]
    rows[11][2] = '"one\ntwo"'
    drop = dropped(live, "texts.csv", sheet(rows, ("Order ID", "Status", "Remarks")))
    page.goto(f"{live.url}/drops/{drop}/fix")
    pasted(page, page.get_by_label("Row 12, Remarks"), "first\nsecond\nthird\n")
    for number, text in ((12, "first"), (13, "second"), (14, "third")):
        expect(page.get_by_label(f"Row {number}, Remarks")).to_have_value(text)


def tabs(live: Live, place: Path, name: str) -> tuple[str, dict[str, int]]:
    """A workbook of two sheets, in each of which row 12 is wrong: its drop, order id → line."""
    head, good = ["Order ID", "Status"], [[f"TAB{n:03}", "Delivered"] for n in range(10)]
    north, south = ([head, *good, [order, "Nonesuch"]] for order in ("NORTH", "SOUTH"))
    file = workbook_of(place / name, ("North", north), ("South", south))
    live.root.drop(name, file.read_bytes())
    drop = live.drop_id(name)
    with live.client() as client:
        rows = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
    assert [each["row"] for each in rows] == [12, 12]
    return drop, {each["cells"]["Order ID"]: each["line"] for each in rows}


def test_rows_of_one_number_are_told_apart_by_their_lines(live: Live, tmp_path: Path) -> None:
    drop, lines = tabs(live, tmp_path, "tabs.xlsx")
    base = f"/api/v1/drops/{drop}/corrections"
    cell = {"column": "Status", "value": "Delivered"}
    column = {"column": "Status", "values": ["Picked"]}

    def words() -> dict[str, str]:
        rows = client.get(base).json()["rows"]
        return {each["cells"]["Order ID"]: each["cells"]["Status"] for each in rows}

    with live.client() as client:
        for answer in (
            client.put(f"{base}/cells", json={**cell, "row": 12}),
            client.post(f"{base}/paste", json={**column, "rows": [12]}),
            client.put(f"{base}/choice", json={"rows": [12], "send": True}),
        ):
            assert answer.status_code == 409, answer.text
            assert "2 rows to correct have the number 12" in answer.json()["error"]
        for each in ({}, {"rows": [12], "lines": [lines["SOUTH"]]}):
            assert client.post(f"{base}/paste", json={**column, **each}).status_code == 409
        assert words() == {"NORTH": "Nonesuch", "SOUTH": "Nonesuch"}
        for order, status in (("NORTH", "Picked"), ("SOUTH", "Delivered")):
            made = client.put(f"{base}/cells", json={**cell, "line": lines[order], "value": status})
            assert (made.status_code, made.json()["faults"]) == (200, [])
        assert words() == {"NORTH": "Picked", "SOUTH": "Delivered"}
        made = client.post(f"{base}/paste", json={**column, "lines": [lines["SOUTH"]]})
        assert made.json()["filled"] == 1
        assert words() == {"NORTH": "Picked", "SOUTH": "Picked"}
        choice = {"lines": [lines["NORTH"]], "send": False}
        assert client.put(f"{base}/choice", json=choice).json()["left_out"] == 1
        left_out = client.get(base, params={"show": "left_out"}).json()["rows"]
        assert [each["line"] for each in left_out] == [lines["NORTH"]]


def test_a_corrected_row_leaves_that_of_another_sheet_to_be_corrected(
    live: Live, tmp_path: Path
) -> None:
    drop, lines = tabs(live, tmp_path, "apart.xlsx")
    base = f"/api/v1/drops/{drop}/corrections"
    with live.client() as client:
        for number, order in enumerate(("NORTH", "SOUTH")):
            left = client.get(base).json()["rows"]
            assert [each["cells"]["Order ID"] for each in left] == ["NORTH", "SOUTH"][number:]
            cell = {"line": lines[order], "column": "Status", "value": "Picked"}
            assert client.put(f"{base}/cells", json=cell).status_code == 200
            assert client.post(f"{base}/send", json={}).json()["rows"] == 1
            child_of(live, drop, number)
        assert client.get(base).json()["rows"] == []


def test_a_row_that_came_back_leaves_that_of_another_sheet_as_it_is(
    live: Live, tmp_path: Path
) -> None:
    drop, _ = tabs(live, tmp_path, "back.xlsx")
    text = live.root.of("back").path("rejects.csv").read_text("utf-8-sig")
    mended = [line for line in text.splitlines() if "SOUTH" not in line]
    live.root.drop("back_again.csv", "\n".join(mended).replace("Nonesuch", "Banana"))
    live.drop_id("back_again.csv")
    with live.client() as client:
        rows = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
    assert [each["cells"]["Order ID"] for each in rows] == ["NORTH", "SOUTH"]
    assert rows[1]["cells"]["Status"] == "Nonesuch"


def test_a_message_names_the_row_of_the_file_that_it_names(live: Live) -> None:
    header = ("Order ID", "AWB", "Status")
    dropped(live, "sunday.csv", sheet([["NAMED", "NAMEDX2", "In Transit"]], header))
    rows = [[f"NMD{n:03}", f"NMDX{n:03}", "Delivered"] for n in range(10)]
    rows.append(["NAMED", "NAMEDX1", "Nonesuch"])
    drop = dropped(live, "named.csv", sheet(rows, header))
    cell = {"row": 12, "column": "Status", "value": "Delivered"}
    with live.client() as client:
        made = client.put(f"/api/v1/drops/{drop}/corrections/cells", json=cell).json()
    (fault,) = made["faults"]
    assert 'row 2 of "sunday.csv"' in fault["message"]
    assert fault["message"].startswith("Row 12: ")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(True, id="with JavaScript"),
        pytest.param(False, id="without", marks=pytest.mark.soak),
    ],
)
def test_lost_ids_are_pasted_in_order(live: Live, browser: Browser, *, script: bool) -> None:
    prefix = "LID" if script else "LIN"
    drop = damaged(live, f"{prefix}.csv", prefix, count=18)
    context = browser.new_context(java_script_enabled=script)
    page = context.new_page()
    page.goto(f"{live.url}/drops/{drop}/fix")
    expect(
        page.get_by_role("heading", name="18 ids are lost. Paste the right ones")
    ).to_be_visible()
    box = page.get_by_label("Order ids, one on each line")
    found = [f"{prefix}FOUND{n:02}" for n in range(18)]
    box.fill("\n".join(found[:17]))
    page.get_by_role("button", name="Fill in 18 ids").click()
    expect(page.get_by_role("alert")).to_contain_text("17 lines were pasted for 18 rows")
    expect(box).to_have_value("\n".join(found[:17]))  # not lost
    box.fill("\n".join(["", *found[1:]]))
    page.get_by_role("button", name="Fill in 18 ids").click()
    expect(page.get_by_role("status").filter(has_text="17 ids filled in")).to_be_visible()
    expect(page.get_by_label("Row 22, Order ID")).to_have_value(DAMAGED)
    expect(page.get_by_label("Row 23, Order ID")).to_have_value(found[1])
    page.get_by_role("button", name="Send 17 rows").click()
    child = child_of(live, drop)
    lines = {line["awb"]: line["order_id"] for line in child.lines()}
    assert lines == {f"{prefix}LOST{n:04}": found[n] for n in range(1, 18)}
    context.close()


def test_lost_ids_are_found_by_their_awbs_in_any_order(live: Live) -> None:
    drop = damaged(live, "byawb.csv", "BYA", count=3)
    fix, api = f"/drops/{drop}/fix", f"/api/v1/drops/{drop}/corrections"
    with live.client() as client:
        lines = re.findall(r'name="line" value="(\d+)"', client.get(fix).text)
        pairs = {f"BYALOST{n:04}": f"BYAFOUND{n}" for n in (2, 0)}
        strange = "BYALOST0000\tX\nELSEWHERE\tY"
        refused = post(client, f"{fix}/ids", {"line": lines, "ids": strange}, fix)
        assert refused.status_code == 409
        assert "Several columns were pasted" in refused.text
        text = "\r\n".join(f"{awb}\t{order}" for awb, order in pairs.items())
        post(client, f"{fix}/ids", {"line": lines, "ids": text}, fix)
        rows = client.get(api).json()["rows"]
        found = {each["cells"]["AWB"]: each["cells"]["Order ID"] for each in rows}
    assert found == {**pairs, "BYALOST0001": DAMAGED}


@pytest.mark.parametrize("pairs", [False, True], ids=["a column", "with AWBs"])
def test_the_last_lost_id_may_be_left_open(live: Live, *, pairs: bool) -> None:
    prefix = "LLP" if pairs else "LLC"
    drop = damaged(live, f"{prefix}.csv", prefix, count=3)
    fix = f"/drops/{drop}/fix"
    text = f"{prefix}LOST0000\tA\n{prefix}LOST0001\tB\n" if pairs else "A\nB\n\n"
    with live.client() as client:
        lines = re.findall(r'name="line" value="(\d+)"', client.get(fix).text)
        answer = post(client, f"{fix}/ids", {"line": lines, "ids": text}, fix)
        assert answer.status_code == 200
        rows = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
    assert [each["cells"]["Order ID"] for each in rows] == ["A", "B", DAMAGED]


def test_all_of_it_has_a_verb_for_machines(live: Live) -> None:
    drop = statuses(live, "verbs.csv", "VRB", count=4)
    base = f"/api/v1/drops/{drop}/corrections"
    with live.client() as client:
        answer = client.get(base).json()
        assert answer["counts"] == {"ready": 0, "wrong": 0, "untouched": 4, "left_out": 0}
        assert answer["here"] == []
        order = {"column": "Status", "rows": [12, 13, 14], "values": ["Delivered", "", "Banana"]}
        short = client.post(f"{base}/paste", json={**order, "values": ["Delivered"]})
        assert short.status_code == 409
        stale = client.post(f"{base}/paste", json={**order, "had": ["x", "x", "x"]})
        assert (stale.json()["filled"], len(stale.json()["conflicts"])) == (0, 2)
        made = client.post(f"{base}/paste", json=order)
        assert made.status_code == 200, made.text
        assert made.json()["filled"] == 2
        assert made.json()["counts"] == {"ready": 1, "wrong": 1, "untouched": 2, "left_out": 0}
        wrong = client.get(base, params={"show": "wrong"}).json()["rows"]
        assert [(each["row"], each["goes_out"]) for each in wrong] == [(14, False)]
        assert "Banana" in wrong[0]["message"]
        counts = client.put(f"{base}/choice", json={"rows": [12], "send": False}).json()
        assert counts["left_out"] == 1
        assert client.put(f"{base}/choice", json={"rows": [2], "send": True}).status_code == 409
        assert client.delete(f"{base}/paste").json() == {"said": "Undone in 2 rows."}
        assert client.delete(f"{base}/paste").status_code == 409
        rows = client.get(base, params={"q": "VRB012"}).json()["rows"]
        assert [each["cells"]["Status"] for each in rows] == ["Nonesuch"]


def test_on_a_phone_a_row_is_a_card_with_its_wrong_cell_in_sight(live: Live, page: Page) -> None:
    drop = broad(live, "phone.csv", "PHO")
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(f"{live.url}/drops/{drop}/fix")
        cell = page.get_by_label("Row 36, Status").bounding_box()
        assert cell
        assert cell["x"] >= 0
        assert cell["x"] + cell["width"] <= width
        tick = page.get_by_label("Send row 36").bounding_box()
        assert tick
        assert min(tick["width"], tick["height"]) >= 24
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0
        page.get_by_role("link", name="Show all cells").click()
        expect(page.get_by_role("link", name="Show only what is needed")).to_be_visible()
        assert page.evaluate(wide) <= 0
    assert serious(page) == []


def test_a_filter_is_not_applied_by_an_arrow_key(live: Live, page: Page) -> None:
    dropped(live, "arrow.csv", sheet([["ARR1", "Delivered"]]))
    page.goto(f"{live.url}/drops")
    state = page.get_by_label("State")
    state.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(state).to_be_focused()
    assert "state=" not in page.url
    page.keyboard.press("Enter")
    page.wait_for_url("**state=*")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A service with two people who log in."""
    one = hashed("secret words")
    people = "".join(f'[web.users.{name}]\npassword_hash = "{one}"\n' for name in ("asha", "bilal"))
    toml = f'{people}[web.users.robot]\nrole = "look"\npassword_hash = "{one}"\n'
    with opened(tmp_path_factory.mktemp("office") / "root", toml=toml) as made:
        yield made


def logged_in(live: Live, browser: Browser, name: str, path: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{live.url}/login?next={path}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill("secret words")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{path}")
    return page


def end_session(live: Live, page: Page) -> None:
    """End the session of a page in another window of its browser."""
    other = page.context.new_page()
    other.goto(live.url)
    other.get_by_role("button", name="Log out").click()
    other.wait_for_url("**/login*")


def log_in_again(page: Page) -> None:
    page.get_by_label("Name").fill("asha")
    page.get_by_label("Password").fill("secret words")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("What you typed is kept here")).to_be_visible()


def closed_drop(live: Live, name: str, text: str) -> str:
    """The drop of a file where the API wants a token: its summary says when it is through."""
    live.root.drop(name, text)

    def look() -> str | None:
        found = [d.id for d in live.root.delivered() if d.summary["source_file"] == name]
        return found[0] if found else None

    return until(look, what=f"{name} through")


def test_two_people_see_each_other_and_what_each_changed(office: Live, browser: Browser) -> None:
    rows = [[f"TWO{n}", "Delivered" if n < 9 else "Nonesuch"] for n in range(13)]
    drop = closed_drop(office, "two.csv", sheet(rows))
    fix = f"/drops/{drop}/fix"
    asha = logged_in(office, browser, "asha", fix)
    bilal = logged_in(office, browser, "bilal", fix)
    expect(bilal.locator("#others")).to_contain_text("Also here: asha")
    bilal.get_by_label("Row 12, Status").focus()
    expect(asha.locator("#others")).to_have_text("Also here: bilal, row 12")
    bilal.get_by_label("Row 12, Status").fill("Delivered")
    bilal.get_by_label("Row 13, Status").fill("Banana")
    bilal.get_by_label("Row 13, Status").blur()
    # It is seen without a new page, and neither undone nor asked about.
    expect(asha.get_by_label("Row 12, Status")).to_have_value("Delivered")
    expect(asha.get_by_label("Row 13, Status")).to_have_value("Banana")
    expect(asha.locator("#standing")).to_have_text("1 of 4 ready, 1 still wrong, 2 untouched")
    asha.get_by_label("Row 11, Status").fill("Picked")
    asha.get_by_role("button", name="Save").click()
    expect(asha.get_by_label("Row 12, Status")).to_have_value("Delivered")
    expect(bilal.get_by_label("Row 11, Status")).to_have_value("Picked")
    for each in (asha, bilal):
        each.context.close()


def test_what_stands_in_a_cell_survives_the_end_of_a_session(
    office: Live, browser: Browser
) -> None:
    rows = [[f"END{n}", "Delivered" if n < 9 else "Nonesuch"] for n in range(11)]
    drop = closed_drop(office, "end.csv", sheet(rows))
    page = logged_in(office, browser, "asha", f"/drops/{drop}/fix")
    page.get_by_label("Row 11, Status").fill("RTO Delivered")  # and not left
    end_session(office, page)
    expect(page.locator("#kept")).to_contain_text("You were logged out. Use Save")
    page.get_by_role("button", name="Save").click()
    log_in_again(page)
    expect(page.get_by_label("Row 11, Status")).to_have_value("RTO Delivered")
    page.context.close()


def test_pasted_ids_survive_the_end_of_a_session(office: Live, browser: Browser) -> None:
    rows = [[f"SPI{n:03}", f"SPIAWB{n}", "Delivered"] for n in range(8)]
    rows += [[DAMAGED, f"SPILOST{n}", "Delivered"] for n in range(3)]
    drop = closed_drop(office, "spi.csv", sheet(rows, ("Order ID", "AWB", "Status")))
    page = logged_in(office, browser, "asha", f"/drops/{drop}/fix")
    page.get_by_label("Order ids, one on each line").fill("A1\nA2\nA3")
    end_session(office, page)
    page.get_by_role("button", name="Fill in 3 ids").click()
    log_in_again(page)
    expect(page.get_by_label("Order ids, one on each line")).to_have_value("A1\nA2\nA3")
    page.context.close()


def test_a_form_of_ids_that_somebody_else_found_meanwhile_is_asked_about(live: Live) -> None:
    drop = damaged(live, "meanwhile.csv", "MWH", count=2)
    fix = f"/drops/{drop}/fix"
    with live.client() as client:
        shown = client.get(fix).text
        lines = re.findall(r'name="line" value="(\d+)"', shown)
        assert len(lines) == 2
        cells = f"/api/v1/drops/{drop}/corrections/cells"
        client.put(cells, json={"row": 22, "column": "Order ID", "value": "MWHMINE"})
        form = {"line": lines, "had": [DAMAGED, DAMAGED], "ids": "MWHA\nMWHB"}
        answer = post(client, f"{fix}/ids", form, fix)
        assert answer.status_code == 409
        assert "MWHMINE" in answer.text
        rows = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
        assert [each["cells"]["Order ID"] for each in rows] == ["MWHMINE", "MWHB"]
