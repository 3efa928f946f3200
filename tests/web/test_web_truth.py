"""The page says what is down, in plain words; nobody is sent to a terminal."""

import html
import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from pipeline.sandbox.config import Faults, SandboxConfig
from schemas.codes import Code
from tests.acceptance.harness import orders, sheet, until
from tests.web.conftest import Live, Open
from tests.web.test_web_fixing import dropped

OFFLINE = pytest.mark.console("ERR_INTERNET_DISCONNECTED", "htmx:")


@OFFLINE
def test_a_page_that_nobody_answers_says_so_and_takes_it_back(live: Live, page: Page) -> None:
    page.goto(f"{live.url}/drops")
    page.context.set_offline(True)
    bar = page.locator("#offline")
    expect(bar).to_contain_text("No connection since")
    expect(bar).to_contain_text("may be old")
    page.context.set_offline(False)
    expect(bar).to_be_hidden()


@OFFLINE
def test_files_that_did_not_arrive_are_told_of_and_still_chosen(live: Live, page: Page) -> None:
    page.goto(f"{live.url}/upload")
    file = {"name": "off.csv", "mimeType": "text/csv", "buffer": orders(1).encode()}
    page.get_by_label("Courier status files").set_input_files(file)
    page.context.set_offline(True)
    page.get_by_role("button", name="Send without checking").click()
    expect(page.locator("#offline")).to_contain_text("did not arrive")
    expect(page.locator("#chosen")).to_contain_text("off.csv")
    page.context.set_offline(False)
    page.get_by_role("button", name="Send without checking").click()
    page.wait_for_url("**/uploads/*")


def test_while_the_api_takes_nothing_a_file_waits_for_it(open_live: Open, page: Page) -> None:
    down = SandboxConfig(faults=Faults(fail_first=10_000, fail_status=(503,)))
    with open_live(api=down, may_be_killed=True, api__max_attempts=2) as live:
        live.root.drop("down.csv", orders(60))
        with live.client() as client:

            def stopped() -> bool:
                return client.get("/api/v1/health").json()["api"] in {"paused", "held"}

            until(stopped, what="the API is known to be down")
            until(lambda: "down.csv" in client.get("/drops").text, what="the drop in the list")
        page.goto(f"{live.url}/drops")
        expect(page.get_by_role("row").filter(has_text="down.csv")).to_contain_text(
            "Waiting for Fynd"
        )
        with live.client() as client:
            for path in ("/", "/drops", f"/drops/{only_drop(client)}"):
                assert_plain(client.get(path).text)
        live.service.kill()


NOT_FOR_CLERKS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:|\bUTC\b|[Tt]he API\b|\bgeneric\b|JSON|`")


def only_drop(client: httpx.Client) -> str:
    (drop,) = client.get("/api/v1/drops").json()["drops"]
    return str(drop["drop_id"])


def assert_plain(text: str) -> None:
    """A page says nothing of the API's own time, of the API, or of a profile by its name."""
    seen = html.unescape(re.sub(r"<[^>]*>", " ", text))
    assert not re.search(r"\d{4}-\d\d-\d\dT\d\d:|\bUTC\b|[Tt]he API\b|\bgeneric\b|JSON|`", seen), (
        seen
    )


@pytest.mark.parametrize("code", list(Code))
def test_what_to_do_about_a_code_needs_no_terminal(code: Code) -> None:
    for text in (code.what, code.fix):
        assert "`shipdrop" not in text
        assert "shipdrop " not in text


def test_nothing_a_clerk_opens_names_a_command_or_a_path_of_the_server(live: Live) -> None:
    drop = dropped(live, "words.csv", sheet([["TRM1", "Delivered"], ["TRM2", "Nonesuch"]]))
    refused = dropped(live, "nohead.csv", "a,b\n1,2\n")
    place = str(live.root.path)
    lists = ["/drops", "/couriers", "/couriers/generic", "/reports", "/reports?courier=generic"]
    with live.client() as client:
        shown = {path: client.get(path).text for path in [*lists, f"/drops/{drop}", "/"]}
        day = re.search(r"/days/[0-9-]+", shown["/drops"])
        assert day
        shown["day"] = client.get(day[0]).text
        checked = {"files": ("general.csv", orders(2, prefix="GEN"))}
        check = client.post("/api/v1/checks", files=checked).json()["check"]
        shown["check"] = client.get(f"/checks/{check}").text
    for text in shown.values():
        assert_plain(text)
    for path in ("/drops", "/couriers", "/couriers/generic", "/reports", f"/drops/{drop}", "day"):
        assert "General rules" in shown[path], path
    with live.client() as client:
        pages = [f"/drops/{drop}", f"/drops/{drop}/fix", f"/drops/{refused}", "/", "/upload"]
        texts = [client.get(path).text for path in pages]
    texts += [
        path.read_text("utf-8-sig", errors="replace")
        for stem in ("words", "nohead")
        for path in live.root.of(stem).place.glob(f"{stem}__*")
        if path.suffix in {".csv", ".txt"}
    ]
    assert len(texts) >= 8
    for text in texts:
        assert "`" not in text
        assert "shipdrop explain" not in text
        assert place not in text
