"""Rejected rows put right in the page: in the grid, or one value everywhere; sent as a drop."""

import json

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.acceptance.harness import Delivered, sheet, until
from tests.web.conftest import A_MOMENT, SEND, Live

STATUS = "DELIVERD"


def dropped(live: Live, name: str, text: str) -> str:
    live.root.drop(name, text)
    return live.drop_id(name)


def child_of(live: Live, drop_id: str, number: int = 0) -> Delivered:
    """The n-th drop that corrects this one, once it is through."""

    def look() -> Delivered | None:
        found = [d for d in live.root.delivered() if d.summary["parent"] == drop_id]
        closed = [d for d in found if d.summary["state"] != "open"]
        return closed[number] if len(closed) > number else None

    found: Delivered = until(look, what="the reports of the corrected file")
    with live.client() as client:
        path = f"/api/v1/drops/{found.id}"
        until(
            lambda: client.get(path).json()["state"] in {"completed", "refused"},
            what="the corrected file through",
            rest=A_MOMENT,
        )
    return found


def dropped_file(live: Live, drop: Delivered) -> str:
    """Return the content of a drop's file, once it is put away."""
    archive = live.root.path / "archive"
    path = until(lambda: next(archive.rglob(f"{drop.id}/*"), None), what="its file put away")
    return path.read_bytes().decode("utf-8-sig")


def test_a_cell_corrected_in_the_grid_is_accepted_in_a_child_drop(live: Live, page: Page) -> None:
    rows = [["GRID1", "Delivered"], ["GRID2", STATUS], ["GRID3", "Dellivered"], ["", "Delivered"]]
    drop = dropped(live, "grid.csv", sheet(rows))
    page.goto(f"{live.url}/drops/{drop}")
    page.get_by_role("link", name="Correct rows").click()
    cell = page.get_by_label("Row 3, Status")
    expect(cell).to_have_value(STATUS)
    expect(cell).to_have_attribute("aria-invalid", "true")
    cell.fill("Delivered")
    expect(page.get_by_label("Send row 3")).to_be_checked()
    expect(page.get_by_label("Send row 4")).not_to_be_checked()
    page.get_by_label("Row 5, Order ID").fill("0012345678901234567")
    page.get_by_role("button", name=SEND).click()
    expect(page.get_by_text("Done. 2 rows were sent.")).to_be_visible(timeout=30_000)
    child = child_of(live, drop)
    assert child.counts == {"accepted": 2}
    assert [line["order_id"] for line in child.lines()] == ["GRID2", "0012345678901234567"]
    assert child.summary["corrections"] == {"rows": 2, "fixed": 2}
    page.goto(f"{live.url}/drops/{drop}")
    expect(page.get_by_role("link", name="grid_corrected.csv")).to_be_visible()
    page.goto(f"{live.url}/drops/{drop}/fix")
    expect(page.get_by_role("heading", name="1 row to correct")).to_be_visible()
    expect(page.get_by_label("Row 4, Status")).to_have_value("Dellivered")


def test_one_value_is_replaced_everywhere_and_remembered_for_the_courier(
    live: Live, page: Page
) -> None:
    rows = [[f"EVERY{n:03}", "Delvd" if n % 2 else "Delivered"] for n in range(428)]
    drop = dropped(live, "every.csv", sheet(rows))
    page.goto(f"{live.url}/drops/{drop}")
    fault = page.get_by_role("article").filter(has_text="STATUS_UNKNOWN")
    expect(fault).to_contain_text("214×")
    fault.get_by_role("link", name="Replace").click()
    expect(page.get_by_text("in 214 rows (Status) with")).to_be_visible()
    expect(page.get_by_label("New value")).to_have_value("Delivered")
    page.get_by_label("Always read it so from").select_option("dtdc")
    page.get_by_role("button", name="Replace in 214 rows").click()
    expect(page.get_by_role("status")).to_contain_text(
        '214 rows changed: "Delvd" is now "Delivered". '
        'From now on "Delvd" means Delivered in files of dtdc.'
    )
    page.get_by_role("button", name="Send 214 rows").click()
    expect(page.get_by_text("Done. 214 rows were sent")).to_be_visible(timeout=30_000)
    assert child_of(live, drop).counts == {"accepted": 214}
    # The running service knows it now.
    live.root.drop("later.csv", sheet([["LATER1", "Delvd"], ["LATER2", "delvd"]]), "dtdc")
    later = live.drop_id("later.csv")
    assert live.root.of("later").counts == {"accepted": 2}
    assert live.root.of("later").id == later


def test_what_was_typed_is_kept_until_it_is_sent(live: Live, page: Page) -> None:
    drop = dropped(live, "kept.csv", sheet([[f"KEPT{n}", "Nonesuch"] for n in range(8)]))
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_label("Row 4, Status").fill("Picked")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()
    page.goto(f"{live.url}/drops/{drop}/fix")
    expect(page.get_by_label("Row 4, Status")).to_have_value("Picked")
    expect(page.get_by_label("Send row 4")).to_be_checked()
    page.get_by_label("Send row 4").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Send row 4")).not_to_be_checked()
    assert not [d for d in live.root.delivered() if d.summary["parent"] == drop]


def test_the_last_text_of_a_cell_is_kept_however_slow_the_answers_are(
    live: Live, page: Page
) -> None:
    rows = [["SLOW1", STATUS], ["SLOW2", STATUS], ["SLOW3", STATUS]]
    drop = dropped(live, "slow.csv", sheet(rows))
    page.goto(f"{live.url}/drops/{drop}/fix")
    held: list[Route] = []
    answering = False

    def hold(route: Route) -> None:
        if answering:
            route.continue_()
        else:
            held.append(route)

    page.route("**/fix/cell", hold)

    def typed(row: int, text: str) -> None:
        page.get_by_label(f"Row {row}, Status").fill(text)
        page.get_by_label(f"Row {row}, Status").blur()

    typed(2, "Delivered")
    typed(2, "RTO Delivered")
    typed(3, "Delivered")
    typed(3, STATUS)  # back to the file's own
    page.get_by_role("button", name="Save").click(no_wait_after=True)
    assert len(held) == 1, "one at a time"
    answering = True
    held[0].continue_()
    expect(page.locator("#standing")).to_have_text("1 of 3 ready, 2 untouched")
    expect(page.get_by_label("Row 2, Status")).to_have_value("RTO Delivered")
    expect(page.get_by_label("Row 3, Status")).to_have_value(STATUS)
    with live.client() as client:
        shown = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
    assert [row["cells"]["Status"] for row in shown] == ["RTO Delivered", STATUS, STATUS]
    assert page.get_by_text("changed meanwhile").count() == 0


def test_what_is_typed_before_the_script_is_loaded_ticks_its_row_and_is_kept(
    live: Live, page: Page
) -> None:
    drop = dropped(live, "early.csv", sheet([["EARLY1", STATUS], ["EARLY2", STATUS]]))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/fix*.js*", hold)
    page.goto(f"{live.url}/drops/{drop}/fix", wait_until="commit")
    page.get_by_label("Row 2, Status").fill("Delivered")
    page.get_by_label("Row 3, Status").fill("Delivered")
    assert len(held) == 1
    expect(page.get_by_label("Send row 3")).not_to_be_checked()
    held[0].continue_()
    expect(page.get_by_label("Send row 3")).to_be_checked()
    expect(page.locator("#standing")).to_contain_text("1 of 2 ready")


@pytest.mark.console("409")
def test_a_row_that_another_file_corrects_meanwhile_says_so_and_keeps_both_values(
    live: Live, page: Page
) -> None:
    drop = dropped(live, "open.csv", sheet([[f"OPEN{n}", STATUS] for n in range(4)]))
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_label("Row 2, Status").fill("RTO Delivered")
    page.get_by_label("Row 2, Status").blur()
    expect(page.locator("#standing")).to_contain_text("1 of 4 ready")
    # One that comes back no better leaves what was typed.
    live.root.drop("again.csv", live.root.of("open").path("rejects.csv").read_text("utf-8-sig"))
    live.drop_id("again.csv")
    assert live.root.of("again").counts == {"rejected": 4}
    with live.client() as client:
        shown = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
    assert [row["cells"]["Status"] for row in shown] == ["RTO Delivered", *[STATUS] * 3]
    rejects = live.root.of("open").path("rejects.csv").read_text("utf-8-sig").splitlines()
    back = [rejects[0], *(line.replace(f",{STATUS}", ",Delivered") for line in rejects[1:3])]
    live.root.drop("open_back.csv", "\n".join(back) + "\n")
    # The page says it by itself.
    said = page.locator("#overtaken")
    expect(said).to_contain_text("Another file corrected these rows meanwhile: open_back.csv.")
    expect(said).to_contain_text('Row 2, Status: "RTO Delivered"')
    expect(page.locator("#standing")).to_contain_text("0 of 2 ready")
    page.get_by_label("Row 3, Status").fill("RTO Delivered")
    page.get_by_label("Row 3, Status").blur()
    expect(page.locator("#kept")).to_have_text(
        "Not saved. Row 3, Status: another file corrected this row meanwhile, so it is done. "
        'Yours, which was not sent: "RTO Delivered".'
    )
    page.get_by_role("button", name=SEND).click()
    expect(page.get_by_role("alert").filter(has_text="changed")).to_contain_text("Row 3, Status")
    page.goto(f"{live.url}/drops/{drop}/fix")
    expect(page.locator("#overtaken")).to_contain_text('Row 2, Status: "RTO Delivered"')
    # So it does where somebody sets a row aside meanwhile.
    page.get_by_label("Row 4, Status").fill("RTO Delivered")
    page.get_by_label("Row 4, Status").blur()
    expect(page.locator("#standing")).to_contain_text("1 of 2 ready")
    with live.client() as client:
        order = {"rows": [4], "reason": "not ours", "who": "Asha"}
        assert client.post(f"/api/v1/drops/{drop}/set-aside", json=order).status_code == 200
    by_asha = "the row was set aside meanwhile by Asha (not ours)"
    expect(said).to_contain_text(f'Row 4, Status: "RTO Delivered" was not sent: {by_asha}.')
    page.get_by_label("Row 4, Status").fill("Delivered")
    page.get_by_label("Row 4, Status").blur()
    expect(page.locator("#kept")).to_have_text(
        f"Not saved. Row 4, Status: {by_asha}, so it is done. Yours, which was not sent: "
        '"Delivered".'
    )
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_role("button", name=SEND).click()
    expect(page.get_by_text("Correct a cell, or tick a row.")).to_have_count(1)
    expect(page.locator("#overtaken")).to_contain_text(by_asha)


def test_a_correction_that_differs_from_an_earlier_one_is_somebodys_to_do(live: Live) -> None:
    drop = dropped(live, "differ.csv", sheet([["DIFFER1", STATUS], ["DIFFER2", STATUS]]))
    rejects = live.root.of("differ").path("rejects.csv").read_text("utf-8-sig")
    for name, status in (("first.csv", "Delivered"), ("second.csv", "RTO Delivered")):
        live.root.drop(name, rejects.replace(f"DIFFER1,{STATUS}", f"DIFFER1,{status}"))
        live.drop_id(name)
    with live.client() as client:
        to_do = client.get("/api/v1/drops?to_do=true&limit=200").json()["drops"]
        needs = {each["source_file"]: each["need"] for each in to_do}
        left = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
    assert [row["row"] for row in left] == [3]
    # Row 2 is done there; that the second file says otherwise needs somebody in that file.
    assert live.root.of("second").codes >= {"STATUS_CONFLICT"}
    assert (needs["differ.csv"], needs.get("first.csv"), needs["second.csv"]) == (1, None, 1)


def test_a_file_refused_for_its_many_bad_rows_goes_out_whole(live: Live, page: Page) -> None:
    rows = [[f"MANY{n:02}", "Delivered" if n < 8 else "Nope"] for n in range(24)]
    drop = dropped(live, "toomany.csv", sheet(rows))
    page.goto(f"{live.url}/drops/{drop}/fix?column=1&value=Nope")
    page.get_by_label("New value").fill("Delivered")
    page.get_by_role("button", name="Replace in 16 rows").click()
    page.get_by_role("button", name="Send 24 rows").click()
    expect(page.get_by_text("Done. 24 rows were sent")).to_be_visible(timeout=30_000)
    assert child_of(live, drop).counts == {"accepted": 24}


def test_without_javascript_a_row_is_corrected_too(live: Live, browser: Browser) -> None:
    drop = dropped(live, "nojs.csv", sheet([["NOJS1", "Delivred!"], ["NOJS2", "Delivered"]]))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_label("Row 2, Status").fill("Delivered")
    page.get_by_role("button", name=SEND).click()
    expect(page.get_by_role("heading", name="Uploaded")).to_be_visible()
    assert child_of(live, drop).counts == {"accepted": 1}
    context.close()


def test_a_formula_in_a_cell_survives_the_way_through_the_page(live: Live, page: Page) -> None:
    header = ("Order ID", "Status", "Remarks")
    remark = "=1+1 or so"
    drop = dropped(live, "formula.csv", sheet([["FORM1", "Delivrd", remark]], header))
    page.goto(f"{live.url}/drops/{drop}/fix")
    expect(page.get_by_label("Row 2, Remarks")).to_have_value(remark)
    page.get_by_label("Row 2, Status").fill("Delivered")
    page.get_by_role("button", name=SEND).click()
    child = child_of(live, drop)
    assert f"'{remark}" in dropped_file(live, child)
    assert remark in json.dumps(live.api.orders("FORM1"))


def test_cells_of_several_lines_are_left_as_they_are(live: Live, page: Page) -> None:
    header = ("Order ID", "Status", "Remarks")
    rows = [["LINES1", "Delivrd", '"one\ntwo"'], ["LINES2", "Delivrd", '"three\nfour"']]
    drop = dropped(live, "lines.csv", sheet(rows, header))
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_label("Row 2, Status").fill("Delivered")
    with page.expect_navigation():  # the tick shows before the page was saved
        page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Send row 2")).to_be_checked()
    expect(page.get_by_label("Send row 3")).not_to_be_checked()
    page.get_by_role("button", name=SEND).click()
    child = child_of(live, drop)
    assert child.counts == {"accepted": 1}
    assert '"one\ntwo"' in dropped_file(live, child)


def test_a_ticked_row_says_that_all_parcels_of_its_order_have_arrived(
    live: Live, page: Page
) -> None:
    rows = [("PARC1", "X1", "Delivered"), ("PARC1", "X2", "In Transit")]
    drop = dropped(live, "parcels.csv", sheet(rows, ("Order ID", "AWB No", "Status")))
    page.goto(f"{live.url}/drops/{drop}/fix")
    expect(page.get_by_text("X2").first).to_be_visible()
    page.get_by_label("Send row 2").check()
    page.get_by_role("button", name=SEND).click()
    expect(page.get_by_text("Done. The row was sent.")).to_be_visible(timeout=30_000)
    assert child_of(live, drop).counts == {"accepted": 1}
