"""Rows that nothing is to be done about are set aside, with a reason and a name, and taken back."""

import re

from playwright.sync_api import Page, expect

from tests.acceptance.harness import sheet
from tests.web.conftest import Live
from tests.web.test_web_fixing import dropped
from tests.web.test_web_nothing_wrong import post
from tests.web.test_web_work_ends import of, to_do

BAD = "Nonesuch"


def faulty(live: Live, name: str, prefix: str) -> str:
    rows = [[f"{prefix}{n}", "Delivered"] for n in range(8)]
    rows += [[f"{prefix}BAD{n}", BAD] for n in range(3)] + [["", "Delivered"]]
    return dropped(live, name, sheet(rows))


def test_one_row_the_ticked_rows_and_all_of_a_fault_are_set_aside(live: Live, page: Page) -> None:
    drop = faulty(live, "aside.csv", "ASD")
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_label("Reason").select_option("already delivered")
    page.get_by_label("Your name").fill("Asha")
    page.get_by_role("button", name="Set row 10 aside").click()
    told_once = page.get_by_role("status").filter(has_text="1 row is set aside")
    expect(told_once).to_be_visible()
    page.reload()
    expect(page.get_by_label("Row 13, Status")).to_be_visible()
    expect(told_once).to_have_count(0)
    assert (of(live, drop)["need"], of(live, drop)["set_aside"]) == (3, 1)
    expect(page.get_by_label("Row 10, Status")).to_have_count(0)
    page.get_by_label("Send row 13").check()
    page.get_by_label("Reason").select_option("not ours")
    page.get_by_role("button", name="Set ticked rows aside").click()
    expect(page.get_by_label("Row 13, Status")).to_have_count(0)
    assert of(live, drop)["need"] == 2
    page.goto(f"{live.url}/drops/{drop}")
    fault = page.get_by_role("article").filter(has_text="STATUS_UNKNOWN")
    expect(fault).to_contain_text("2×")
    fault.get_by_text("Nothing is to be done about these rows").click()
    fault.get_by_label("Reason").select_option("duplicate")
    fault.get_by_role("button", name="Set 2 rows aside").click()
    expect(page.locator("#head .badge")).to_have_text("Corrected")
    expect(page.get_by_text("that needed you are done: 4 set aside.")).to_be_visible()
    assert drop not in to_do(live)
    # Who, why and when are told, and each is taken back.
    page.goto(f"{live.url}/drops/{drop}/fix")
    told = page.get_by_role("listitem").filter(has_text="Row 10")
    expect(told).to_contain_text("already delivered")
    expect(told).to_contain_text("Asha")
    told.get_by_role("button", name="Take back").click()
    expect(page.get_by_label("Row 10, Status")).to_be_visible()
    assert of(live, drop)["need"] == 1
    assert drop in to_do(live)


def test_a_reason_is_needed_and_nothing_of_it_is_ever_sent(live: Live) -> None:
    drop = faulty(live, "why.csv", "WHY")
    fix = f"/drops/{drop}/fix"
    with live.client() as client:
        for path in ("/", "/account", "/people", "/couriers/ekart", fix):  # no link says so
            told = client.get(path, params={"said": "changed All rows were sent."}).text
            assert "All rows were sent." not in told, path
            told = client.get(path, params={"said": "changed"}).text
            assert "password was changed" not in told, path
        form = client.get(fix).text
        line = re.search(r'name="cell-(\d+)-1" value="Nonesuch"', form)
        assert line
        answer = post(client, fix, {"go": f"aside-{line[1]}", "reason": ""}, fix)
        assert answer.status_code == 409
        assert "reason" in answer.text
        told = client.post(
            f"/api/v1/drops/{drop}/set-aside",
            json={"rows": [10, 11], "reason": "not ours", "who": "robot"},
        )
        assert told.status_code == 200, told.text
        assert told.json()["set_aside"] == 2
        rows = client.get(f"/api/v1/drops/{drop}/set-aside").json()["rows"]
        assert [(each["row"], each["reason"], each["who"]) for each in rows] == [
            (10, "not ours", "robot"),
            (11, "not ours", "robot"),
        ]
        # Not a row that was sent, nor one that is not there.
        for row in (2, 999):
            told = client.post(
                f"/api/v1/drops/{drop}/set-aside", json={"rows": [row], "reason": "not ours"}
            )
            assert told.status_code == 409
        sent = client.post(f"/api/v1/drops/{drop}/corrections/send", json={})
        assert sent.status_code == 409
        back = client.request("DELETE", f"/api/v1/drops/{drop}/set-aside", params={"rows": [10]})
        assert back.json()["set_aside"] == 1
        assert back.json()["need"] == 3


def test_setting_aside_keeps_what_was_typed_in_other_rows(live: Live, page: Page) -> None:
    drop = faulty(live, "typed.csv", "TYP")
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_label("Row 11, Status").fill("Picked")
    page.get_by_label("Reason").select_option("other")
    page.get_by_role("button", name="Set row 10 aside").click()
    expect(page.get_by_label("Row 11, Status")).to_have_value("Picked")


def test_a_refused_file_that_is_no_manifest_is_set_aside_with_one_click(
    live: Live, page: Page
) -> None:
    live.root.drop("settlement.csv", "Invoice,Amount\nINV-1,120\n")
    drop = live.drop_id("settlement.csv")
    page.goto(f"{live.url}/drops/{drop}")
    page.get_by_role("button", name="Teach Shipdrop this file").click()
    page.get_by_role("button", name="Not a manifest: set aside").click()
    expect(page.get_by_role("status")).to_contain_text("It is set aside.")
    assert drop not in to_do(live)
    page.goto(f"{live.url}/drops/{drop}")
    expect(page.get_by_text("Set aside: not a manifest")).to_be_visible()
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("button", name="Not a manifest: set aside")).to_be_visible()
    assert drop in to_do(live)
    page.get_by_role("button", name="Not a manifest: set aside").click()
    expect(page.get_by_role("status")).to_contain_text("It is set aside.")
    with live.client() as client:
        rows = faulty(live, "rows.csv", "NOM")
        order = {"kind": "rows", "key": rows, "reason": "not a manifest"}
        assert client.post("/api/v1/to-do/set-aside", json=order).status_code == 409
        order = {"kind": "refused", "key": drop, "reason": "not a manifest"}
        client.delete("/api/v1/to-do/set-aside", params={"kind": "refused", "key": drop})
        assert client.post("/api/v1/to-do/set-aside", json=order).status_code == 200


def test_a_file_of_many_faulty_rows_sends_nobody_to_another_file(live: Live, page: Page) -> None:
    """The page speaks of itself; the note in the outbox speaks of the rejects file."""
    text = sheet([[f"MANY{n}", BAD] for n in range(30)])
    live.root.drop("many.csv", text)
    drop = live.drop_id("many.csv")
    page.goto(f"{live.url}/drops/{drop}")
    expect(page.get_by_text("so nothing was sent. Correct them below.")).to_be_visible()
    page.goto(live.url)
    expect(page.get_by_text("Look at the file to correct its rows.")).to_be_visible()
    with live.client() as client:
        files = {"files": ("many_2.csv", text.replace("MANY", "MUCH"))}
        check = client.post("/api/v1/checks", files=files).json()["check"]
    page.goto(f"{live.url}/checks/{check}")
    expect(page.get_by_text("so nothing would be sent. Upload it to correct its")).to_be_visible()
    (note,) = (live.root.path / "outbox").glob("many__*.REFUSED.txt")
    said = note.read_text("utf-8")
    assert "Correct the rows in the rejects file and upload that file" in said
    assert re.search(r"Received: +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d IST", said)
