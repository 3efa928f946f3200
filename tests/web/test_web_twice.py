"""A second click does no harm: what was sent once leads to what became of it."""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.acceptance.harness import orders, sheet
from tests.web.conftest import SEND, Live
from tests.web.test_web_fixing import child_of, dropped
from tests.web.test_web_nothing_wrong import token_of


def drops_called(live: Live, stem: str) -> list[str]:
    with live.client() as client:
        drops = client.get("/api/v1/drops", params={"q": stem}).json()["drops"]
        return [each["source_file"] for each in drops]


def twice(
    client: httpx.Client, path: str, data: Mapping[str, Any], **more: Any
) -> list[httpx.Response]:
    """Post the form two times at once."""
    with ThreadPoolExecutor(2) as both:
        return list(both.map(lambda _: client.post(path, data=data, **more), range(2)))


def test_an_upload_that_is_sent_twice_is_one_drop(live: Live) -> None:
    with live.client() as client:
        form = client.get("/upload").text
        data = {
            name: re.search(rf'name="{name}" value="([0-9a-f]+)"', form)[1]  # type: ignore[index]  # it is there
            for name in ("csrf", "once")
        }
        files = {"files": ("dbl.csv", orders(2, prefix="DBL"))}
        answers = twice(client, "/upload", {**data, "what": "send"}, files=files)
        assert {each.status_code for each in answers} == {303}
        assert len({each.headers["location"] for each in answers}) == 1
        live.drop_id("dbl.csv")
        # Another file by the same page, after Back, is another upload.
        files = {"files": ("dbl_other.csv", orders(2, prefix="DBO"))}
        other = client.post("/upload", data={**data, "what": "send"}, files=files)
        assert other.headers["location"] != answers[0].headers["location"]
        live.drop_id("dbl_other.csv")
    assert sorted(drops_called(live, "dbl")) == ["dbl.csv", "dbl_other.csv"]


def test_a_checked_file_that_is_sent_twice_leads_both_times_to_its_upload(live: Live) -> None:
    with live.client() as client:
        files = {"files": ("chk.csv", orders(2, prefix="CHK"))}
        data = {"csrf": token_of(client, "/upload"), "what": "check"}
        page = client.post("/upload", data=data, files=files).headers["location"]
        target = re.search(r'action="(/upload/[0-9a-f]+/send)"', client.get(page).text)
        assert target
        answers = twice(client, target[1], data)
        assert {each.status_code for each in answers} == {303}
        (upload,) = {each.headers["location"] for each in answers}
        live.drop_id("chk.csv")
        again = client.post(target[1], data=data, follow_redirects=True)
        assert again.status_code == 200
        assert str(again.url).endswith(upload)
        assert client.get(page).headers["location"] == upload
    assert drops_called(live, "chk") == ["chk.csv"]


def test_corrected_rows_that_are_sent_twice_are_one_drop(live: Live) -> None:
    drop = dropped(live, "twice.csv", sheet([["TWI1", "Delivered"], ["TWI2", "Dlvrd"]]))
    fix = f"/drops/{drop}/fix"
    with live.client() as client:
        form = client.get(fix).text
        data = {
            name: re.search(rf'name="{name}" value="([0-9a-f]+)"', form)[1]  # type: ignore[index]  # it is there
            for name in ("csrf", "once")
        }
        cells = {"cell-0-1": "Delivered", "was-0": "1", "send-0": "1", "go": "send"}
        answers = twice(client, fix, {**data, **cells})
        assert {each.status_code for each in answers} == {303}
        assert len({each.headers["location"] for each in answers}) == 1
    assert child_of(live, drop).counts == {"accepted": 1}
    assert drops_called(live, "twice_corrected") == ["twice_corrected.csv"]


def test_all_buttons_of_a_form_rest_while_it_is_sent(live: Live, page: Page) -> None:
    drop = dropped(live, "rest.csv", sheet([["RES1", "Delivered"], ["RES2", "Dlvrd"]]))
    page.goto(f"{live.url}/drops/{drop}/fix")
    # The page stays where it is, as it does until an answer comes.
    page.route("**/fix", lambda route: route.fulfill(status=204))
    page.get_by_label("Row 3, Status").fill("Delivered")
    page.get_by_role("button", name=SEND).click()
    for button in page.locator("#fix button").all():
        expect(button).to_be_disabled()
