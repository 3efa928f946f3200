"""Nothing wrong is sent: ids are never replaced in bulk, words are one courier's own."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.acceptance.harness import sheet
from tests.web.conftest import SEND, Live
from tests.web.test_web_fixing import child_of, dropped

HEADER = ("Order ID", "AWB", "Status")
DAMAGED = "1.77881E+19"


def token_of(client: httpx.Client, path: str) -> str:
    """The token that every form of a page carries."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get(path).text)
    assert found, path
    return found[1]


def post(client: httpx.Client, path: str, data: Mapping[str, Any], seen: str) -> httpx.Response:
    """Send a form of the page ``seen``."""
    return client.post(path, data={"csrf": token_of(client, seen), **data}, follow_redirects=True)


def damaged(live: Live, name: str, prefix: str, count: int = 4) -> str:
    """A file with ids that a spreadsheet rounded, each row with an AWB of its own."""
    rows = [[f"{prefix}{n:04}", f"{prefix}AWB{n:04}", "Delivered"] for n in range(20)]
    rows += [[DAMAGED, f"{prefix}LOST{n:04}", "Delivered"] for n in range(count)]
    return dropped(live, name, sheet(rows, HEADER))


def test_a_lost_order_id_is_never_replaced_in_all_rows(live: Live, page: Page) -> None:
    drop = damaged(live, "lost.csv", "LOST")
    page.goto(f"{live.url}/drops/{drop}")
    expect(page.get_by_role("article").filter(has_text="ID_DAMAGED")).to_be_visible()
    expect(page.get_by_role("link", name="Replace")).to_have_count(0)
    page.goto(f"{live.url}/drops/{drop}/fix?column=0&value={DAMAGED}")
    expect(page.get_by_label("Row 22, Order ID")).to_be_visible()
    expect(page.get_by_label("New value")).to_have_count(0)
    with live.client() as client:
        for column in ("0", "1"):
            answer = post(
                client,
                f"/drops/{drop}/fix/replace",
                {"column": column, "old": DAMAGED if column == "0" else "", "new": "778812345"},
                f"/drops/{drop}/fix",
            )
            assert answer.status_code == 409
            assert "one row at a time" in answer.text
        told = client.post(
            f"/api/v1/drops/{drop}/corrections/replace",
            json={"column": "Order ID", "old": DAMAGED, "new": "778812345"},
        )
        assert told.status_code == 409
    page.goto(f"{live.url}/drops/{drop}/fix")
    expect(page.get_by_label("Row 22, Order ID")).to_have_value(DAMAGED)


def test_one_order_id_in_rows_with_different_awbs_is_asked_about(live: Live, page: Page) -> None:
    drop = damaged(live, "sameid.csv", "SAME")
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_label("Row 22, Order ID").fill("SAMETYPED")
    page.get_by_label("Row 24, Order ID").fill("SAMETYPED")
    page.get_by_role("button", name=SEND).click()
    asked = page.get_by_role("alert")
    expect(asked).to_contain_text("SAMETYPED")
    expect(asked).to_contain_text("row 22 (AWB SAMELOST0000)")
    expect(asked).to_contain_text("row 24 (AWB SAMELOST0002)")
    assert live.root.delivered()
    assert not [d for d in live.root.delivered() if d.summary["parent"] == drop]
    expect(page.get_by_label("Row 24, Order ID")).to_have_value("SAMETYPED")
    # Put right, it goes without a question.
    page.get_by_label("Row 24, Order ID").fill("SAMEOTHER")
    page.get_by_role("button", name=SEND).click()
    expect(page.get_by_text("Done. 2 rows were sent.")).to_be_visible()


def test_an_id_that_another_row_was_sent_with_is_asked_about_and_may_be_meant(live: Live) -> None:
    drop = damaged(live, "taken.csv", "TAKEN")
    fix = f"/drops/{drop}/fix"
    with live.client() as client:
        line = re.search(r'name="cell-(\d+)-0" value="1\.77881E', client.get(fix).text)
        assert line
        cell = {f"cell-{line[1]}-0": "TAKEN0003", "go": "send", f"was-{line[1]}": "0"}
        answer = post(client, fix, {**cell, f"send-{line[1]}": "1"}, fix)
        assert "row 5 (AWB TAKENAWB0003)" in answer.text
        assert "row 22 (AWB TAKENLOST0000)" in answer.text
        told = client.post(f"/api/v1/drops/{drop}/corrections/send", json={})
        assert told.status_code == 409
        assert "TAKEN0003" in told.json()["error"]
        sure = re.search(r'name="sure" value="([0-9a-f]+)"', answer.text)
        assert sure
        told = client.post(f"/api/v1/drops/{drop}/corrections/send", json={"sure": sure[1]})
        assert told.status_code == 202
    assert child_of(live, drop).counts.keys() <= {"accepted", "duplicate"}


def test_no_word_is_remembered_for_all_couriers_at_once(live: Live, page: Page) -> None:
    rows = [[f"WORD{n:03}", "Cnee signed" if n < 4 else "Delivered"] for n in range(20)]
    drop = dropped(live, "word.csv", sheet(rows))
    page.goto(f"{live.url}/drops/{drop}/fix?column=1&value=Cnee+signed")
    page.get_by_label("New value").fill("Delivered")
    expect(page.get_by_label("Always read it so from")).to_have_value("")
    options = page.get_by_label("Always read it so from").locator("option").all_inner_texts()
    assert not [each for each in options if "generic" in each.casefold()]
    with live.client() as client:
        told = client.put(
            "/api/v1/couriers/generic/words", json={"said": "Cnee signed", "means": "Delivered"}
        )
        assert told.status_code == 409
        assert "Which courier" in told.json()["error"]
    page.get_by_label("Always read it so from").select_option("delhivery")
    page.get_by_role("button", name="Replace in 4 rows").click()
    expect(page.get_by_role("status")).to_contain_text("delhivery")
    profile = live.root.path / "couriers" / "delhivery.toml"
    assert "Cnee signed" in profile.read_text("utf-8")
    page.goto(f"{live.url}/couriers/delhivery")
    learned = page.get_by_role("row").filter(has_text="Cnee signed")
    expect(learned).to_contain_text("Delivered")
    # Undo takes the word out of the profile, too.
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("forgotten")
    assert "Cnee signed" not in profile.read_text("utf-8")
    page.goto(f"{live.url}/couriers/delhivery")
    expect(page.get_by_role("row").filter(has_text="Cnee signed")).to_have_count(0)


def test_what_was_learned_is_listed_changed_and_forgotten(live: Live, page: Page) -> None:
    profile = live.root.path / "couriers" / "ekart.toml"
    words = "/api/v1/couriers/ekart/words"
    with live.client() as client:
        made = client.put(words, json={"said": "Cnee ok", "means": "delivery_done", "who": "Asha"})
        assert made.status_code == 200, made.text
        (told,) = client.get(words).json()["words"]
        assert (told["said"], told["who"], told["order_status"]) == (
            "Cnee ok",
            "Asha",
            "delivery_done",
        )
    page.goto(f"{live.url}/couriers/ekart")
    row = page.get_by_role("row").filter(has_text="Cnee ok")
    expect(row).to_contain_text("Asha")
    row.get_by_label('"Cnee ok" means').select_option("no_milestone")
    row.get_by_role("button", name="Change").click()
    expect(page.get_by_role("status")).to_contain_text("Cnee ok")
    with live.client() as client:
        (told,) = client.get(words).json()["words"]
        assert told["order_status"] == ""
        again = client.put(words, json={"said": "cnee OK", "means": "delivery_done"})
        assert again.status_code == 200
        assert len(client.get(words).json()["words"]) == 1
    page.get_by_role("row").filter(has_text="Cnee ok").get_by_role("button", name="Forget").click()
    expect(page.get_by_role("status")).to_contain_text("forgotten")
    assert "cnee ok" not in profile.read_text("utf-8").casefold()
    with live.client() as client:
        assert client.get(words).json()["words"] == []
        assert client.delete(words, params={"said": "Delivered"}).status_code == 404
