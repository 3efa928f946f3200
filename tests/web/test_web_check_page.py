"""The page of a check: a card a file, another courier without a new upload, some files left."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.acceptance.harness import sheet, until
from tests.web.conftest import Live
from tests.web.test_web_teaching import manifest
from tests.web.test_web_uploading import file_of

SAMPLES = Path(__file__).parents[2] / "sample_drops"
BLUE_DART = "bluedart/BD_status_export.csv"
COURIERS = ("Blue Dart", "ClickPost", "Delhivery", "Ecom Express", "Shiprocket")


def named(live: Live, name: str) -> list[str]:
    """The names of all drops whose file is called so."""
    with live.client() as client:
        asked = client.get("/api/v1/drops", params={"q": name}).json()["drops"]
        return [each["source_file"] for each in asked]


def test_good_files_are_sent_and_those_that_cannot_be_read_are_left(
    live: Live, page: Page, tmp_path: Path
) -> None:
    sound = file_of(tmp_path, "sound_one.csv", sheet([["SND1", "Delivered"], ["SND2", "Delvrd"]]))
    strange = file_of(tmp_path, "strange_one.csv", manifest("STR").replace("Raftaar", "Odd"))
    page.goto(f"{live.url}/upload")
    page.get_by_label("Courier status files").set_input_files([sound, strange])
    page.get_by_role("button", name="Check", exact=True).click()
    card = page.get_by_role("region", name="sound_one.csv", exact=True)
    expect(card).to_contain_text("Delvrd")
    expect(card).to_contain_text("1 will be sent")
    other = page.get_by_role("region", name="strange_one.csv", exact=True)
    expect(other).to_contain_text("Cannot be read")
    page.get_by_role("button", name="Send 1 file, leave 1").click()
    page.wait_for_url("**/uploads/*")
    expect(page.get_by_role("heading", name="sound_one.csv")).to_be_visible()
    page.get_by_role("link", name="1 file was left").click()
    page.wait_for_url("**/checks/*")
    expect(page.get_by_role("button", name="Send", exact=False)).to_have_count(0)
    teach = page.get_by_role("button", name="Teach Shipdrop this file")
    expect(teach).to_have_class("main")
    live.drop_id("sound_one.csv")
    assert named(live, "strange_one") == []


def test_another_courier_is_tried_and_a_file_left_out_without_a_new_upload(
    live: Live, page: Page, tmp_path: Path
) -> None:
    rows = [["TRY1", "PICKED"], ["TRY2", "DELIVERED"]]
    one = file_of(tmp_path, "tried.csv", sheet(rows, ("Order ID", "Status")))
    two = file_of(tmp_path, "not_mine.csv", sheet([["NOT1", "Delivered"]]))
    page.goto(f"{live.url}/upload")
    page.get_by_label("Courier status files").set_input_files([one, two])
    page.get_by_role("button", name="Check", exact=True).click()
    card = page.get_by_role("region", name="tried.csv", exact=True)
    expect(card).to_contain_text("Read with the general rules")
    card.get_by_label("Courier").select_option("shiprocket")
    card.get_by_role("button", name="Check again").click()
    expect(card).to_contain_text("Read as Shiprocket: chosen by you")
    page.get_by_role("region", name="not_mine.csv", exact=True).get_by_role(
        "button", name="Leave out"
    ).click()
    left = page.get_by_role("region", name="not_mine.csv", exact=True)
    expect(left.get_by_role("button", name="Put back")).to_be_visible()
    page.reload()
    expect(card.get_by_label("Courier")).to_have_value("shiprocket")
    page.get_by_role("button", name="Send 1 file, leave 1").click()
    page.wait_for_url("**/uploads/*")
    live.drop_id("tried.csv")
    assert live.root.of("tried").place == live.root.outbox / "shiprocket"
    assert named(live, "not_mine") == []


def test_the_same_file_that_came_before_and_the_values_of_faults_are_told(
    live: Live, page: Page, tmp_path: Path
) -> None:
    rows = [["SAME1", "Delivered"], ["SAME2", "Delvrd"], ["1.77881E+19", "Delivered"]]
    text = sheet([*rows, ["SAME4", "Zyxw vut"]])
    live.root.drop("same_first.csv", text)
    live.drop_id("same_first.csv")
    page.goto(f"{live.url}/upload")
    page.get_by_label("Courier status files").set_input_files(
        file_of(tmp_path, "same_second.csv", text)
    )
    page.get_by_role("button", name="Check", exact=True).click()
    card = page.get_by_role("region", name="same_second.csv", exact=True)
    expect(card).to_contain_text("The same file came")
    expect(card).to_contain_text("1 of 4 rows were sent")
    expect(card.get_by_role("link", name="same_first.csv")).to_be_visible()
    faults = card.get_by_role("region", name="To correct")
    expect(faults).to_contain_text("Row 4: 1.77881E+19")
    expect(faults).to_contain_text("Row 3: Delvrd")
    expect(faults).not_to_contain_text("in the cell")


def test_a_check_is_changed_by_machine(live: Live) -> None:
    files = [
        ("files", ("bot_a.csv", sheet([["BOT1", "Delivered"]]))),
        ("files", ("bot_b.csv", "a,b\n1,2\n")),
    ]
    with live.client() as client:
        made = client.post("/api/v1/checks", files=files).json()
        path = f"/api/v1/checks/{made['check']}"
        told = client.patch(f"{path}/files/0", json={"courier": "shiprocket"})
        assert told.status_code == 200, told.text
        assert told.json()["files"][0]["courier"] == "shiprocket"
        told = client.patch(f"{path}/files/1", json={"left_out": True})
        assert [each["left_out"] for each in told.json()["files"]] == [False, True]
        assert client.patch(f"{path}/files/7", json={"left_out": True}).status_code == 404
        wrong = client.patch(f"{path}/files/0", json={"courier": "nobody"})
        assert wrong.status_code == 422
        assert client.post(f"{path}/send").status_code == 202
    live.drop_id("bot_a.csv")
    until(lambda: not live.root.files("inbox"), what="the inbox empty")
    assert named(live, "bot_b") == []


def test_a_file_of_another_courier_says_so_and_one_of_several_is_asked_about(live: Live) -> None:
    wrong, several = (SAMPLES / each for each in ("delhivery/delhivery_mis.csv", BLUE_DART))
    cases = {
        wrong: ("shiprocket", "It looks like a file of Delhivery.", ["Delhivery"]),
        several: (
            "",
            "They fit more than one courier.",
            ["Blue Dart", "ClickPost", "Ecom Express"],
        ),
    }
    with live.client() as client:
        for path, (courier, said, offered) in cases.items():
            files = {"files": (path.name, path.read_bytes())}
            told = client.post("/api/v1/checks", files=files, data={"courier": courier}).json()
            page = client.get(f"/checks/{told['check']}").text
            assert said in page
            assert [each for each in COURIERS if f"Check as {each}<" in page] == offered
        card = f"/api/v1/checks/{told['check']}/files/0"
        assert client.patch(card, json={"courier": "bluedart"}).status_code == 200
        page = client.get(f"/checks/{told['check']}").text
    assert "Read as <b>Blue Dart</b>: chosen by you" in page
    assert "Check as" not in page
