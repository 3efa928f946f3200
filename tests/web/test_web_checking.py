"""Check shows before anything is sent how a file is read, and what would go out."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.acceptance.harness import sheet, until
from tests.web.conftest import Live
from tests.web.test_web_uploading import file_of

HEADER = ("Order ID", "AWB", "Status", "Depot", "Remarks")


def manifest(prefix: str) -> str:
    rows = [
        [f"{prefix}{n:03}", f"{prefix}AWB{n:03}", "Delivered", "Pune", "left at door"]
        for n in range(9)
    ]
    rows += [[f"{prefix}P{n:03}", "", "Picked", "Pune", ""] for n in range(4)]
    rows += [[f"{prefix}T{n:03}", "", "In Transit", "Pune", ""] for n in range(2)]
    rows += [[f"{prefix}X{n:03}", "", "Cnee signed", "Pune", ""] for n in range(3)]
    return sheet(rows, HEADER)


def test_a_check_shows_columns_words_and_the_first_rows_as_they_will_be_sent(
    live: Live, page: Page, tmp_path: Path
) -> None:
    file = file_of(tmp_path, "looked_at.csv", manifest("LOOK"))
    page.goto(f"{live.url}/upload")
    page.get_by_label("Courier status files").set_input_files(file)
    page.get_by_role("button", name="Check", exact=True).click()
    columns = page.get_by_role("region", name="Columns of looked_at.csv")
    expect(columns.get_by_role("row").filter(has_text="Order ID")).to_contain_text("Order id")
    expect(columns.get_by_role("row").filter(has_text="Remarks")).to_contain_text("Remark")
    expect(columns.get_by_role("row").filter(has_text="Depot")).to_contain_text("not read")
    words = page.get_by_role("region", name="Status words of looked_at.csv")
    for said, meaning, count in (
        ("Delivered", "Delivered to the customer", "9"),
        ("Picked", "Picked up from us", "4"),
        ("In Transit", "On the way: nothing to report", "2"),
        ("Cnee signed", "not known", "3"),
    ):
        row = words.get_by_role("row").filter(has_text=said).first
        expect(row).to_contain_text(meaning)
        expect(row.get_by_role("cell").last).to_have_text(count)
    first = page.get_by_role("region", name="First rows of looked_at.csv as they will be sent")
    expect(first.get_by_role("row")).to_have_count(1 + 5)
    sent = first.get_by_role("row").nth(1)
    expect(sent).to_contain_text("LOOK000")
    expect(sent).to_contain_text("Delivered to the customer")
    expect(sent).to_contain_text("left at door")
    assert not [d for d in live.root.delivered() if d.summary["source_file"] == "looked_at.csv"]
    # It has an address: loaded again it shows the same.
    page.reload()
    expect(words.get_by_role("row").filter(has_text="Cnee signed")).to_be_visible()
    page.get_by_role("button", name="Send this file").click()
    page.wait_for_url("**/uploads/*")
    live.drop_id("looked_at.csv")


def test_a_check_by_machine_tells_the_same_and_is_sent_by_its_name(live: Live) -> None:
    with live.client() as client:
        made = client.post("/api/v1/checks", files={"files": ("by_robot.csv", manifest("ROBO"))})
        assert made.status_code == 200, made.text
        told = made.json()
        (file,) = told["files"]
        assert file["courier"] == "generic"
        (columns,) = file["columns"]
        assert {each["column"]: each["role"] for each in columns["used"]}["AWB"] == "awb"
        assert columns["unused"] == ["Depot"]
        words = {each["status"]: (each["order_status"], each["count"]) for each in file["statuses"]}
        assert words["Delivered"] == ("delivery_done", 9)
        assert words["Cnee signed"] == ("", 3)
        assert [each["update"]["orderId"] for each in file["first"]] == [
            f"ROBO{n:03}" for n in range(5)
        ]
        assert client.get(f"/api/v1/checks/{told['check']}").json() == told
        for _ in range(2):  # asked for twice, it is sent once
            sent = client.post(f"/api/v1/checks/{told['check']}/send")
            assert sent.status_code == 202
            assert sent.json()["upload"] == told["check"]
        live.drop_id("by_robot.csv")
        until(lambda: not live.root.files("inbox"), what="the inbox empty")
        drops = client.get("/api/v1/drops", params={"q": "by_robot"}).json()["drops"]
        assert len(drops) == 1
