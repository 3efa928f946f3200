"""Two people at one file see each other's changes; what was typed is kept, whatever happens."""

import re
import signal

import httpx
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.harness import sheet, until
from tests.web.conftest import SEND, Live, Open, address_of, hashed
from tests.web.test_web_fixing import child_of, dropped
from tests.web.test_web_set_aside import BAD, faulty


def test_what_another_typed_is_never_undone_silently(live: Live, browser: Browser) -> None:
    drop = faulty(live, "both.csv", "BTH")
    # Without JavaScript: only the form tells what was shown.
    contexts = [browser.new_context(java_script_enabled=False) for _ in range(2)]
    first, second = (each.new_page() for each in contexts)
    for page in (first, second):
        page.goto(f"{live.url}/drops/{drop}/fix")
    first.get_by_label("Row 10, Status").fill("Picked")
    first.get_by_role("button", name="Save").click()
    second.get_by_label("Row 11, Status").fill("Delivered")
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_label("Row 10, Status")).to_have_value("Picked")
    expect(second.get_by_label("Row 11, Status")).to_have_value("Delivered")
    # Both in one cell: the newer stays, and both are shown.
    first.get_by_label("Row 11, Status").fill("In Transit")
    first.get_by_role("button", name=SEND).click()
    asked = first.get_by_role("alert")
    expect(asked).to_contain_text("Row 11, Status")
    expect(asked).to_contain_text("Delivered")
    expect(asked).to_contain_text("In Transit")
    assert not [d for d in live.root.delivered() if d.summary["parent"] == drop]
    asked.get_by_role("button", name="Take mine").click()
    expect(first.get_by_label("Row 11, Status")).to_have_value("In Transit")
    # One sends; the other, who changed the same row, is told so.
    second.get_by_label("Row 11, Status").fill("Picked")
    first.get_by_role("button", name=SEND).click()
    first.wait_for_url("**/uploads/*")
    second.get_by_role("button", name=SEND).click()
    expect(second.get_by_role("alert")).to_contain_text("was sent meanwhile")
    expect(second.get_by_role("alert")).to_contain_text("In Transit")
    for each in contexts:
        each.close()


def test_a_cell_is_kept_and_judged_when_it_is_left(live: Live, page: Page) -> None:
    drop = faulty(live, "left.csv", "LFT")
    page.goto(f"{live.url}/drops/{drop}/fix")
    cell = page.get_by_label("Row 10, Status")
    cell.fill("Banana")
    cell.press("Tab")
    expect(page.get_by_text('"Banana" is not a known status')).to_be_visible()
    expect(cell).to_have_attribute("aria-invalid", "true")
    page.reload()
    expect(cell).to_have_value("Banana")
    expect(cell).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text('"Banana" is not a known status')).to_be_visible()
    cell.fill("Delivered")
    cell.press("Tab")
    expect(page.get_by_text('"Banana" is not a known status')).to_have_count(0)
    expect(cell).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#kept")).to_contain_text("Saved at")
    # Any link may be taken: nothing is lost.
    page.get_by_role("link", name="Find an order").click()
    page.goto(f"{live.url}/drops/{drop}/fix")
    expect(page.get_by_label("Row 10, Status")).to_have_value("Delivered")
    expect(page.get_by_label("Send row 10")).to_be_checked()
    with live.client() as client:
        cells = f"/api/v1/drops/{drop}/corrections/cells"
        order = {"row": 11, "column": "Status", "value": "Delivered"}
        told = client.put(cells, json={**order, "had": "something else"})
        assert told.status_code == 409
        assert BAD in told.json()["error"]
        told = client.put(cells, json={**order, "had": BAD})
        assert (told.status_code, told.json()["faults"]) == (200, [])
        rows = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
        row = next(each for each in rows if each["row"] == 11)
        assert row["cells"]["Status"] == "Delivered"
        assert row["goes_out"] is True


def test_a_restart_of_the_page_loses_nothing_that_was_typed(open_live: Open, page: Page) -> None:
    with open_live(may_be_killed=True) as live:
        live.root.drop("restart.csv", sheet([["RST1", "Delivered"], ["RST2", BAD]]))
        drop = live.drop_id("restart.csv")
        port = live.url.rpartition(":")[2]
        live.service.end()
        live.root.configure(web__port=int(port), inbox__scan_seconds=0.2)
        served = live.root.start("serve", "--log-format", "json")
        address_of(served)
        page.goto(f"{live.url}/drops/{drop}/fix")
        page.route("**/fix/cell", lambda route: route.abort())  # only the form is left
        page.get_by_label("Row 3, Status").fill("Delivered")
        served.end(signal.SIGTERM)
        served = live.root.start("serve", "--log-format", "json")
        address_of(served)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="1 row to correct")).to_be_visible()
        expect(page.get_by_label("Row 3, Status")).to_have_value("Delivered")
        expect(page.get_by_label("Send row 3")).to_be_checked()
        served.end(signal.SIGTERM)


def test_a_session_that_ended_leads_back_with_what_was_typed(open_live: Open) -> None:
    one = hashed("secret words")
    names = ("asha", "bilal")
    toml = "".join(f'[web.users.{name}]\npassword_hash = "{one}"\n' for name in names)
    with open_live(toml=toml) as live:
        live.root.drop("ended.csv", sheet([["SES1", "Delivered"], ["SES2", BAD]]))
        until(lambda: live.root.delivered(), what="it is through")
        (drop,) = live.root.delivered()
        with live.client(follow_redirects=True) as client:

            def csrf(path: str) -> str:
                token = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get(path).text)
                assert token
                return token[1]

            def log_in(following: str, name: str = "asha") -> httpx.Response:
                data = {"csrf": csrf("/login"), "name": name, "password": "secret words"}
                return client.post("/login", data={**data, "next": following})

            fix = f"/drops/{drop.id}/fix"
            log_in("/")
            form = {"csrf": csrf(fix), "had-0-1": BAD, "was-0": "1", "send-0": "1"}
            typed = form | {"cell-0-1": "Delivered"}
            # In another window of the browser somebody logs out.
            client.post("/logout", data={"csrf": form["csrf"]})
            asked = client.post(fix, data=typed | {"go": "send"})
            following = re.search(r'name="next" value="([^"]+)"', asked.text)
            assert following
            assert following[1].startswith(fix)
            # Another person who logs in there is not handed what she typed.
            assert 'name="cell-0-1" value="Delivered"' not in log_in(following[1], "bilal").text
            other = client.post(fix, data=typed | {"go": "save"})
            assert "The page was out of date" in other.text
            client.post("/logout", data={"csrf": csrf(fix)})
            log_in("/")
            form["csrf"] = csrf(fix)
            client.post("/logout", data={"csrf": form["csrf"]})
            client.post(fix, data=typed | {"csrf": form["csrf"], "go": "send"})
            back = log_in(following[1])
            assert 'name="cell-0-1" value="Delivered"' in back.text
            assert "not sent yet" in back.text
            # Logged out and in again meanwhile: her page is good as it is.
            kept = form | {"had-0-1": "Delivered", "cell-0-1": "Picked", "go": "save"}
            assert 'name="cell-0-1" value="Picked"' in client.post(fix, data=kept).text


def test_a_value_everywhere_keeps_what_was_typed_elsewhere(live: Live, page: Page) -> None:
    drop = dropped(
        live, "main.csv", sheet([["MAN1", "Delivered"], ["MAN2", "Dlvrd"], ["MAN3", "Pickd up"]])
    )
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_label("Row 4, Status").fill("Picked")
    page.get_by_role("link", name=re.compile("Dlvrd")).click()
    expect(page.get_by_label("New value")).to_be_visible()
    expect(page.get_by_label("Row 4, Status")).to_have_value("Picked")
    page.get_by_label("New value").fill("Delivered")
    page.get_by_role("button", name="Replace in 1 row").click()
    expect(page.get_by_label("Row 4, Status")).to_have_value("Picked")
    page.get_by_role("button", name=SEND).click()
    page.wait_for_url("**/uploads/*")
    assert child_of(live, drop).counts == {"accepted": 2}
