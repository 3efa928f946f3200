"""A courier that nobody described is taught on the page: columns, words, a look, and sent."""

import tomllib
from pathlib import Path
from typing import Any

import httpx
import openpyxl
from playwright.sync_api import Browser, Page, expect

from pipeline.core.draft import DraftStatus, RoleChoices
from pipeline.web.teaching.taught_profile import merged
from schemas.profile import load_profile
from schemas.vocabulary import Role
from tests.acceptance.harness import orders, sheet, until
from tests.web.conftest import Live
from tests.web.test_web_nothing_wrong import post
from tests.web.test_web_uploading import file_of
from tests.web.test_web_work_ends import of, to_do

HEADER = ("Sr", "Raftaar Ref", "Docket", "Position", "Event On", "Depot", "Narration")
WORDS = {
    "Cnee signed": "Delivered",
    "Collected from shipper": "Picked up from us",
    "At hub": "On the way: nothing to report",
    "Out with rider": "On the way: nothing to report",
    "Back at shipper": "Returned to us, undelivered",
    "Ring again": "On the way: nothing to report",
}


def manifest(prefix: str, count: int = 41) -> str:
    """A file as a courier writes it whom nobody knows: columns and six words."""
    said = list(WORDS)
    rows = [
        [
            str(n + 1),
            f"{prefix}{177881000000000 + n}",
            f"RFT{41877000 + n}IN",
            said[n % len(said)],
            f"{13 + n % 12}/11/2026 14:{n % 60:02}",
            ("Pune", "Agra", "Kochi")[n % 3],
            "call before" if n % 4 == 0 else "",
        ]
        for n in range(count)
    ]
    return sheet(rows, HEADER)


class Counted:
    """Counts what a clerk does: clicks with a mouse, and pages that are loaded."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks, self.loads = page, 0, 0
        page.on("framenavigated", self._loaded)

    def _loaded(self, frame: Any) -> None:
        self.loads += frame == self.page.main_frame

    def click(self, role: Any, name: str) -> None:
        self.clicks += 1
        self.page.get_by_role(role, name=name).click()


def test_six_unknown_words_and_unknown_columns_in_twelve_clicks_and_six_loads(
    live: Live, page: Page, tmp_path: Path
) -> None:
    file = file_of(tmp_path, "raftaar_daily_report.csv", manifest("RA"))
    clerk = Counted(page)
    page.goto(f"{live.url}/upload")
    clerk.clicks += 1  # the button of the browser that opens its list of files
    page.get_by_label("Courier status files").set_input_files(file)
    clerk.clicks += 1
    page.get_by_role("button", name="Check", exact=True).click()
    clerk.click("button", "Teach Shipdrop this file")
    expect(page.get_by_label("Name of the new one")).to_have_value("Raftaar")
    for heading, role in (
        ("Raftaar Ref", "Order id (needed)"),
        ("Position", "Status (needed)"),
        ("Docket", "AWB"),
        ("Event On", "When it happened"),
        ("Depot", "not read"),
    ):
        chosen = page.get_by_label(f"{heading} is").locator("option:checked")
        if chosen.inner_text() != role:
            clerk.clicks += 2
            page.get_by_label(f"{heading} is").select_option(label=role)
    clerk.click("button", "Continue")
    expect(page.get_by_text("6 words left (41 rows)")).to_be_visible()
    for word, meaning in WORDS.items():
        clerk.clicks += 1
        page.get_by_role("group", name=word).get_by_label(meaning, exact=True).check()
    expect(page.get_by_text("Every word has a meaning.")).to_be_visible()
    clerk.click("button", "Continue")
    expect(page.get_by_role("heading", name="41 rows")).to_be_visible()
    kinds = page.get_by_role("region", name="One row of each kind")
    expect(kinds.get_by_role("listitem")).to_have_count(6)
    expect(kinds.get_by_role("listitem").filter(has_text="Cnee signed")).to_contain_text(
        "Delivered is sent for the order RA177881000000000"
    )
    clerk.click("button", "Save and send")
    expect(page.locator(".badge.s-completed")).to_be_visible()
    assert clerk.clicks <= 12
    assert clerk.loads <= 6  # the page of the upload is the first of them
    sent = live.root.of("raftaar_daily_report")
    assert sent.counts == {"accepted": 21, "ignored": 20}
    assert sent.summary["courier"] == "raftaar"
    # The next day's file needs nobody, wherever it is dropped.
    live.root.drop("raftaar_tuesday.csv", manifest("RB"))
    live.drop_id("raftaar_tuesday.csv")
    assert live.root.of("raftaar_tuesday").counts == {"accepted": 21, "ignored": 20}


def test_with_the_keyboard_only(live: Live, page: Page, tmp_path: Path) -> None:
    file = file_of(tmp_path, "keys_report.csv", manifest("KY", 24).replace("Raftaar", "Keyed"))
    page.goto(f"{live.url}/upload")
    page.get_by_label("Courier status files").set_input_files(file)

    def to(name: str) -> None:
        """Go on by Tab until this is focused."""
        for _ in range(120):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "(e => e.innerText || e.closest('fieldset')?.querySelector('legend').innerText)"
                "(document.activeElement)"
            )
            if name in (focused or ""):
                return
        raise AssertionError(f"Tab never reached {name}")

    to("Check")
    page.keyboard.press("Enter")
    page.wait_for_url("**/checks/*")
    to("Teach Shipdrop this file")
    page.keyboard.press("Enter")
    page.wait_for_url("**/teach/*")
    to("Continue")
    page.keyboard.press("Enter")
    page.wait_for_url("**/words")
    order = ["Picked up from us", "Delivered", "Returned to us, undelivered"]
    for word in page.locator(".word q").all_inner_texts():
        to(word)
        meaning = WORDS[word]
        page.keyboard.press("Space")
        down = order.index(meaning) if meaning in order else 5
        for _ in range(down):
            page.keyboard.press("ArrowDown")
        expect(
            page.get_by_role("group", name=word).get_by_label(meaning, exact=True)
        ).to_be_checked()
    to("Continue")
    page.keyboard.press("Enter")
    page.wait_for_url("**/look")
    to("Save and send")
    page.keyboard.press("Enter")
    page.wait_for_url("**/uploads/*")
    expect(page.locator(".badge.s-completed")).to_be_visible()


def test_a_refused_drop_is_taught_and_read_again_with_others_like_it(
    live: Live, page: Page
) -> None:
    drops = []
    for day in ("mon", "tue"):
        text = manifest(f"ZO{day}", 24).replace("Raftaar", "Zoom")
        live.root.drop(f"zoom_{day}.csv", text)
        drops.append(live.drop_id(f"zoom_{day}.csv"))
    page.goto(f"{live.url}/drops/{drops[0]}")
    page.get_by_role("button", name="Teach Shipdrop this file").click()
    page.wait_for_url("**/teach/*")
    address = page.url
    page.get_by_role("button", name="Continue").click()
    for word, meaning in list(WORDS.items())[:5]:
        page.get_by_role("group", name=word).get_by_label(meaning, exact=True).check()
    page.get_by_role("button", name="Continue").click()
    # One word is left: its rows come back; Back loses nothing.
    expect(page.get_by_text("come back to you").first).to_be_visible()
    page.go_back()
    expect(page.get_by_text("1 word left (4 rows)")).to_be_visible()
    page.goto(f"{live.url}/drops/{drops[0]}")
    page.get_by_role("button", name="Teach Shipdrop this file").click()
    expect(page).to_have_url(address)
    page.goto(f"{address}/look")
    expect(page.get_by_label("zoom_tue.csv: 12 rows will be sent")).to_be_checked()
    page.get_by_label("Your name").fill("Asha")
    page.get_by_label("Note").fill("as Ravi of Zoom told")
    page.get_by_role("button", name="Save and send").click()
    page.wait_for_url("**/uploads/*")
    expect(page.get_by_role("heading", name="zoom_mon.csv")).to_be_visible()
    expect(page.get_by_role("heading", name="zoom_tue.csv")).to_be_visible()
    for drop in drops:
        new = until(lambda drop=drop: of(live, drop)["read_again_as"], what="it is read again")
        until(lambda new=new: of(live, new)["state"] == "completed", what="it is through")
        rows: Any = of(live, new)["summary"]
        assert (rows["rows"]["accepted"], rows["rows"]["rejected"]) == (12, 4)
        assert drop not in to_do(live)
    text = (live.root.path / "couriers" / "zoom.toml").read_text("utf-8")
    assert tomllib.loads(text)["statuses"]["unconfirmed"] == ["Ring again"]
    page.goto(address)  # it was saved: the address leads to what became of it
    page.wait_for_url("**/uploads/*")


def test_the_page_and_the_command_write_the_same_profile(live: Live, tmp_path: Path) -> None:
    text = manifest("SAME", 24).replace("Raftaar", "Same")
    live.root.drop("same_report.csv", text)
    drop = live.drop_id("same_report.csv")
    with live.client() as client:
        made = taught(client, drop)
        saved = client.post(f"/api/v1/teachings/{made['teaching']}/save", json=order(made))
        assert saved.status_code == 200, saved.text
        again = client.post(f"/api/v1/teachings/{made['teaching']}/save", json=order(made))
        assert again.json() == saved.json()
    by_page = (live.root.path / "couriers" / "same.toml").read_text("utf-8")
    (tmp_path / "same_report.csv").write_text(text, "utf-8")
    columns = {each["role"]: each["heading"] for each in made["columns"] if each["role"]}
    said = [f"--column={role}={heading}" for role, heading in columns.items()]
    words = [f"--means={each['status']}={each['means']}" for each in made["words"]]
    others = [f"--no={role}" for role in ("courier", "location", "direction", "reason_code")]
    ran = live.root.run(
        *(
            "map",
            "--root",
            tmp_path,
            tmp_path / "same_report.csv",
            "--courier",
            "Same",
            "-o",
            tmp_path / "same.toml",
        ),
        *(*said, *words, *(each for each in others if each[5:] not in columns)),
    )
    assert ran.code == 0, ran.err
    by_command = (tmp_path / "same.toml").read_text("utf-8")
    names = [line for line in by_page.splitlines() if "file_names" not in line]
    assert names == [line for line in by_command.splitlines() if "file_names" not in line]


def taught(client: httpx.Client, drop: str, **more: Any) -> dict[str, Any]:
    """Teach a drop's file by machine, up to saving."""
    begun = client.post("/api/v1/teachings", json={"drop": drop, **more})
    assert begun.status_code == 201, begun.text
    made: dict[str, Any] = begun.json()
    assert made["faults"] == [], made
    means = {
        "Cnee signed": "delivery_done",
        "Collected from shipper": "bag_picked",
        "Back at shipper": "rto_bag_delivered",
    }
    words = [
        {"status": each["status"], "means": means.get(each["status"], "no_milestone")}
        for each in made["words"]
    ]
    change = {"version": made["version"], "words": words}
    changed = client.patch(f"/api/v1/teachings/{made['teaching']}", json=change)
    assert changed.status_code == 200, changed.text
    return dict(changed.json())


def order(made: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": made["version"], "who": "Ravi", **more}


def test_two_people_at_once_and_a_former_version_that_is_kept(live: Live) -> None:
    text = manifest("TWO", 24).replace("Raftaar", "Twin")
    live.root.drop("twin_report.csv", text)
    drop = live.drop_id("twin_report.csv")
    with live.client() as client:
        made = taught(client, drop)
        path = f"/api/v1/teachings/{made['teaching']}"
        late = client.patch(path, json={"version": made["version"] - 1, "title": "Mine"})
        assert late.status_code == 409
        assert "changed this at" in late.json()["error"]
        saved = client.post(f"{path}/save", json=order(made, send=True))
        assert saved.status_code == 200, saved.text
        new = until(lambda: of(live, drop)["read_again_as"], what="it is read again")
        until(lambda: of(live, new)["state"] == "completed", what="it is through")
        # A second file of the courier, with a new word, by two people at once.
        more = text.replace("Ring again", "Ring twice").replace("TWO", "TWP")
        for name in ("twin_a.csv", "twin_b.csv"):
            live.root.drop(name, more if name == "twin_a.csv" else more.replace("TWP", "TWQ"))
        first, second = (
            client.post("/api/v1/teachings", json={"drop": live.drop_id(n), "courier": "twin"})
            for n in ("twin_a.csv", "twin_b.csv")
        )
        assert first.status_code == 201, first.text
        ids = [first.json()["teaching"], second.json()["teaching"]]
        for each in (first.json(), second.json()):
            (word,) = [w for w in each["words"] if not w["means"]]
            assert word["status"] == "Ring twice"
            said = {"version": 0, "words": [{"status": "Ring twice", "means": "no_milestone"}]}
            assert (
                client.patch(f"/api/v1/teachings/{each['teaching']}", json=said).status_code == 200
            )
        ok = client.post(f"/api/v1/teachings/{ids[0]}/save", json={"version": 1, "who": "Asha"})
        assert ok.status_code == 200, ok.text
        not_ok = client.post(f"/api/v1/teachings/{ids[1]}/save", json={"version": 1})
        assert not_ok.status_code == 409
        assert "Asha saved" in not_ok.json()["error"]
    kept = sorted((live.root.path / "state" / "web" / "profiles" / "twin").glob("*.toml"))
    assert len(kept) == 1
    assert "Ring twice" not in kept[0].read_text("utf-8")
    now = tomllib.loads((live.root.path / "couriers" / "twin.toml").read_text("utf-8"))
    assert "Ring twice" in now["statuses"]["no_milestone"]


def test_a_preview_by_machine_sends_nothing(live: Live) -> None:
    live.root.drop("peek_report.csv", manifest("PEEK", 24).replace("Raftaar", "Peek"))
    drop = live.drop_id("peek_report.csv")
    with live.client() as client:
        made = taught(client, drop)
        seen = client.get(f"/api/v1/teachings/{made['teaching']}/preview")
        assert seen.status_code == 200, seen.text
        told = seen.json()
        assert (told["rows"]["unsent"], told["rows"]["ignored"]) == (12, 12)
        assert {each["means"] for each in told["kinds"]} == {
            *("delivery_done", "bag_picked", "rto_bag_delivered", "no_milestone")
        }
        assert told["first"][0]["update"]["orderId"] == "PEEK177881000000000"
        # A choice of columns with which nothing can be sent says so, and is kept.
        path = f"/api/v1/teachings/{made['teaching']}"
        wrong = client.patch(path, json={"version": made["version"], "columns": {"1": "order_id"}})
        assert wrong.json()["faults"] == [
            "Choose the column of the status: without it nothing can be sent."
        ]
        assert client.get(f"{path}/preview").status_code == 409
        twice = {"1": "order_id", "2": "order_id", "3": "status"}
        told = client.patch(
            path, json={"version": wrong.json()["version"], "columns": twice}
        ).json()
        assert "chosen for one thing" in told["faults"][0]
        # No choice, however odd, breaks the page.
        odd = {"1": "order_id", "3": "status", "999": "awb"}
        told = client.patch(path, json={"version": told["version"], "columns": odd}).json()
        assert told["faults"] == []
        told = client.patch(path, json={"version": told["version"], "title": " "}).json()
        assert told["faults"] == ["Give the new courier a name."]
        assert client.get(f"/teach/{made['teaching']}").status_code == 200
    assert not (live.root.path / "couriers" / "peek.toml").exists()


def test_without_javascript_and_with_another_line_of_headings(live: Live, browser: Browser) -> None:
    text = "Report of the day,,,,,,\n" + manifest("NOJS", 24).replace("Raftaar", "Plain")
    live.root.drop("plain_report.csv", text)
    drop = live.drop_id("plain_report.csv")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live.url}/drops/{drop}")
    page.get_by_role("button", name="Teach Shipdrop this file").click()
    lines = page.get_by_text("See the first lines")
    first = page.get_by_role("region", name="The first lines of the file")
    lines.click()
    first.get_by_role("row").nth(2).get_by_role("button").click()
    expect(page.get_by_role("rowheader", name="Plain Ref")).to_have_count(0)
    lines.click()
    first.get_by_role("row").nth(1).get_by_role("button").click()
    expect(page.get_by_role("rowheader", name="Plain Ref")).to_be_visible()
    page.get_by_label("Position is").select_option("")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose the column of the status")
    page.get_by_label("Position is").select_option("status")
    page.get_by_role("button", name="Continue").click()
    for word, meaning in WORDS.items():
        page.get_by_role("group", name=word).get_by_label(meaning, exact=True).check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Save only").click()
    page.wait_for_url("**/couriers/*")
    context.close()


def test_a_name_that_files_of_others_have_is_warned_of_and_none_takes_them_all(live: Live) -> None:
    live.root.drop("daily_day.csv", orders(1))
    text = manifest("DAILY", 24).replace("Raftaar", "Daily")
    live.root.drop("daily_new.csv", text)
    live.root.drop("28-11.csv", text.replace("DAILY", "DAILX"))
    live.drop_id("daily_day.csv")
    with live.client() as client:
        for name in ("daily_new.csv", "28-11.csv"):
            made = client.post("/api/v1/teachings", json={"drop": live.drop_id(name)}).json()
            text = client.get(f"/teach/{made['teaching']}").text
            assert ('value="daily*"' in text) == (name == "daily_new.csv")
            assert ("1 of them was read as another courier" in text) == (name == "daily_new.csv")
            assert "*.csv" not in text


def test_a_file_without_headings_is_not_to_be_taught(live: Live) -> None:
    text = "17788000000000000001,770001,Delivered\n17788000000000000002,770002,Delivered\n"
    live.root.drop("bare_rows.csv", text)
    drop = live.drop_id("bare_rows.csv")
    with live.client() as client:
        shown = client.get(f"/drops/{drop}").text
        checked = client.post("/api/v1/checks", files={"files": ("bare.csv", text)}).json()
        card = client.get(f"/checks/{checked['check']}").text
    for page in (shown, card):
        assert "Put a row of headings above the data" in page
        assert "Teach Shipdrop this file" not in page


def test_what_is_no_teaching_is_told(live: Live) -> None:
    with live.client() as client:
        assert client.get("/teach/0123abcd").status_code == 404
        assert client.get("/api/v1/teachings/0123abcd").status_code == 404
        assert client.post("/api/v1/teachings", json={}).status_code == 422
        gone = client.post("/api/v1/teachings", json={"drop": "d20010101t000000000aaaa"})
        assert gone.status_code == 404
        nothing = post(client, "/teach", {"drop": "d20010101t000000000aaaa"}, "/upload")
        assert nothing.status_code == 404


def test_what_is_added_to_a_profile_leaves_the_rest_as_it_stood() -> None:
    text = (
        '# Ours.\nname = "acme" # short\ntitle = "Acme"\n\n[headers]\n# as Ravi says\n'
        'status = ["Stage"]\n\n[statuses]\ndelivery_done = ["Done"] # sure\n'
    )
    profile = load_profile(text, origin="acme.toml")
    said = RoleChoices(
        columns={Role.STATUS: "Position", Role.ORDER_ID: "Ref"},
        means={"home": "delivery_done", "hub": "no_milestone"},
        nothing=("Returns desk",),
        parcels="any",
        by="18:00",
        day_first={Role.EVENT_TIME: False},
    )
    new = [
        DraftStatus(status=each, status_type="", direction="", rows=1, suggestion=None)
        for each in ("Home", "Hub", "Done")
    ]
    made = merged(text, profile, said, new)
    for line in ("# Ours.", 'name = "acme" # short', "# as Ravi says"):
        assert line in made.splitlines()
    read = load_profile(made, origin="acme.toml")
    assert read.shown_headers[Role.STATUS] == ("Position", "Stage")
    assert read.shown_headers[Role.ORDER_ID][0] == "Ref"
    assert not read.date_rule(Role.EVENT_TIME).day_first
    assert (read.parcels, read.nothing) == ("any", {"returns desk"})
    assert {word: read.statuses.base[word] for word in ("done", "home", "hub")} == {
        "done": 2,
        "home": 2,
        "hub": 0,
    }


def workbook_of(path: Path, *tabs: tuple[str, list[list[str]]]) -> Path:
    """Keep a workbook with these sheets, whose cells are all text."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in tabs:
        tab = book.create_sheet(name)
        for row in rows:
            tab.append(row)
    book.save(path)
    return path


def test_the_sheet_that_has_the_headings_is_chosen(live: Live, page: Page, tmp_path: Path) -> None:
    rows = [line.split(",") for line in manifest("TB", 12).splitlines()]
    table = [[cell.replace("Raftaar", "Tabbed") for cell in row] for row in rows]
    overview = [["Depot", "Total"], ["Pune", "7"], ["Agra", "5"]]
    file = workbook_of(
        tmp_path / "tabbed_1.xlsx", ("Overview", overview), ("Report of today", table)
    )
    page.goto(f"{live.url}/couriers")
    page.get_by_text("Add a courier").click()
    page.get_by_label("A file of the courier").set_input_files(file)
    page.get_by_role("button", name="Teach Shipdrop this file").click()
    chosen = page.get_by_role("combobox", name="Sheet", exact=True)
    expect(chosen.get_by_role("option")).to_have_text(["Overview", "Report of today"])
    chosen.select_option("Overview")
    page.get_by_role("button", name="Show this sheet").click()
    expect(page.get_by_label("Total is")).to_be_visible()
    page.get_by_role("combobox", name="Sheet", exact=True).select_option("Report of today")
    page.get_by_role("button", name="Show this sheet").click()
    expect(page.get_by_label("Tabbed Ref is")).to_have_value("order_id")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("6 words left (12 rows)")).to_be_visible()

    with live.client() as client, file.open("rb") as opened:
        check = client.post("/api/v1/checks", files={"files": ("tabbed_2.xlsx", opened)}).json()
        begun = client.post("/api/v1/teachings", json={"check": check["check"]}).json()
        path = f"/api/v1/teachings/{begun['teaching']}"
        assert begun["sheets"] == ["Overview", "Report of today"]
        other = client.patch(path, json={"version": 0, "sheet": "Overview"}).json()
        assert (other["sheet"], other["lines"]) == ("Overview", overview)
        assert [each["heading"] for each in other["columns"]] == ["Depot", "Total"]
        wrong = client.patch(path, json={"version": 1, "sheet": "Sheet of nobody"})
        assert wrong.status_code == 409
        assert client.get(path).json()["sheet"] == "Overview", "nothing was kept of it"
        back = client.patch(path, json={"version": 1, "sheet": "Report of today"}).json()
        assert [each["role"] for each in back["columns"]][1] == "order_id"
