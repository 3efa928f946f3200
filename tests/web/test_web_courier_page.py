"""A courier's page: its files, columns, words with their rows, and when it is expected."""

import tomllib
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.acceptance.harness import sheet
from tests.web.conftest import Live
from tests.web.test_web_teaching import WORDS, manifest
from tests.web.test_web_uploading import file_of


def test_a_new_courier_is_added_from_a_file_and_changed_from_another(
    live: Live, page: Page, tmp_path: Path
) -> None:
    page.goto(f"{live.url}/couriers")
    page.get_by_text("Add a courier").click()
    text = manifest("VG", 24).replace("Raftaar", "Vega")
    page.get_by_label("A file of the courier").set_input_files(
        file_of(tmp_path, "vega_1.csv", text)
    )
    page.get_by_role("button", name="Teach Shipdrop this file").click()
    page.get_by_role("button", name="Continue").click()
    for word, meaning in WORDS.items():
        page.get_by_role("group", name=word).get_by_label(meaning, exact=True).check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Your name").fill("Asha")
    page.get_by_role("button", name="Save only").click()
    page.wait_for_url("**/checks/*")  # the file is still there, to be sent
    page.get_by_role("button", name="Send this file").click()
    page.wait_for_url("**/uploads/*")
    live.drop_id("vega_1.csv")

    page.goto(f"{live.url}/couriers/vega")
    expect(page.get_by_text("by Asha").first).to_be_visible()
    columns = page.get_by_role("region", name="Columns that are read")
    expect(columns.get_by_role("row").filter(has_text="Order id (needed)")).to_contain_text(
        "Vega Ref"
    )
    taught = page.get_by_role("region", name="Words that were taught")
    row = taught.get_by_role("row").filter(has_text="Cnee signed")
    expect(row).to_contain_text("Delivered")
    expect(row).to_contain_text("It was used for 4 rows that were sent")
    expect(row.get_by_role("cell").nth(1)).to_have_text("4")
    expect(row).to_contain_text("by Asha")
    expect(page.get_by_role("link", name="vega_1.csv")).to_be_visible()

    # The same courier, from a file with a column and a word that are new.
    more = (
        text.replace("Position", "Stage").replace("Ring again", "Called twice").replace("VG", "VH")
    )
    page.get_by_text("Change: show Shipdrop a file").click()
    page.get_by_label("A file of Vega").set_input_files(file_of(tmp_path, "vega_2.csv", more))
    page.get_by_role("button", name="Teach Shipdrop this file").click()
    expect(page.get_by_role("combobox", name="Courier", exact=True)).to_have_value("vega")
    expect(page.get_by_label("Stage is")).to_have_value("status")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("1 word left")).to_be_visible()
    expect(page.get_by_role("group", name="At hub")).to_contain_text("known already")
    page.get_by_role("group", name="Called twice").get_by_label(
        "Not certain: ask me each time"
    ).check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Save only").click()
    page.wait_for_url("**/checks/*")
    saved = tomllib.loads((live.root.path / "couriers" / "vega.toml").read_text("utf-8"))
    assert saved["headers"]["status"] == ["Stage", "Position"]
    assert saved["statuses"]["ambiguous"] == ["Called twice"]
    page.goto(f"{live.url}/couriers/vega")
    told = page.get_by_role("region", name="Words that were taught")
    row = told.get_by_role("row").filter(has_text="Called twice")
    expect(row).to_contain_text("Not certain: ask me each time")
    row.get_by_role("button", name="Forget").click()
    expect(page.get_by_role("status")).to_contain_text("forgotten")


def test_when_a_file_is_expected_is_said_on_the_page_and_by_machine(live: Live, page: Page) -> None:
    page.goto(f"{live.url}/couriers/ekart")
    expect(page.get_by_text("No time is set")).to_be_visible()
    page.get_by_label("By").fill("18:30")
    page.get_by_label("Sun").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("expected by 18:30")
    expect(page).to_have_url(f"{live.url}/couriers/ekart#expected")
    expect(page.get_by_text("it is late from")).to_be_visible()
    profile = live.root.path / "couriers" / "ekart.toml"
    told = tomllib.loads(profile.read_text("utf-8"))["expect"]
    assert told == {"by": "18:30", "days": ["mon", "tue", "wed", "thu", "fri", "sat"]}
    with live.client() as client:
        path = "/api/v1/couriers/ekart/expected"
        assert client.put(path, json={"by": "09:00"}).status_code == 200
        assert tomllib.loads(profile.read_text("utf-8"))["expect"] == {"by": "09:00"}
        assert client.put(path, json={}).status_code == 200
        assert "expect" not in tomllib.loads(profile.read_text("utf-8"))
        assert client.put(path, json={"by": "25:00"}).status_code == 422
        assert client.put("/api/v1/couriers/nobody/expected", json={}).status_code == 404
        assert client.put("/api/v1/couriers/generic/expected", json={}).status_code == 409


def test_the_upload_of_a_couriers_page_chooses_the_courier(live: Live, page: Page) -> None:
    page.goto(f"{live.url}/couriers/dtdc")
    page.get_by_role("link", name="Upload a file").click()
    expect(page.get_by_role("combobox", name="Courier", exact=True)).to_have_value("dtdc")
    live.root.drop("words_used.csv", sheet([["USED1", "Delivered"]]), "dtdc")
    live.drop_id("words_used.csv")
    page.goto(f"{live.url}/couriers/dtdc")
    expect(page.get_by_text("Rows of the last 90 days, in 1 file")).to_be_visible()
