"""A file is read again from its page: by button, by the JSON API, once, by those who may."""

import re

from playwright.sync_api import Page, expect

from tests.acceptance.harness import sheet, until
from tests.web.conftest import Live
from tests.web.test_web_fixing import dropped
from tests.web.test_web_nothing_wrong import post
from tests.web.test_web_work_ends import needed, of, to_do

HEADER = ("Parcel Ref", "Last Seen")


def taught(live: Live, name: str, *words: str) -> None:
    place = live.root.path / "couriers"
    place.mkdir(exist_ok=True)
    listed = ", ".join(f'"{word}"' for word in words)
    (place / f"{name}.toml").write_text(
        f'name = "{name}"\n[headers]\norder_id = ["Parcel Ref"]\nstatus = ["Last Seen"]\n'
        f"[statuses]\ndelivery_done = [{listed}]\n",
        "utf-8",
    )


def test_a_refused_file_leaves_the_to_do_list_by_being_read_again(live: Live, page: Page) -> None:
    live.root.drop("nova.csv", sheet([["NOV1", "Home"], ["NOV2", "Home"]], HEADER), "nova")
    drop = live.drop_id("nova.csv")
    assert drop in to_do(live)
    page.goto(f"{live.url}/drops/{drop}")
    taught(live, "nova", "Home")
    page.get_by_role("button", name="Read again").click()
    expect(page.locator("#head")).to_contain_text("Read again")

    def again() -> str | None:
        return str(of(live, drop)["read_again_as"] or "") or None

    new = until(again, what="it is read again")
    until(lambda: of(live, new)["state"] == "completed", what="it is through")
    told = of(live, new)
    assert (told["same_as"], told["folder"], told["courier"]) == (drop, "nova", "nova")
    assert told["summary"]["rows"]["accepted"] == 2
    assert drop not in to_do(live)
    page.goto(f"{live.url}/drops/{drop}")
    expect(page.get_by_role("button", name="Read again")).to_have_count(0)
    page.get_by_role("link", name=re.compile("Read again as")).click()
    page.wait_for_url(f"**/drops/{new}")
    page.goto(f"{live.url}/?state=to_do&q=nova")
    expect(page.get_by_text("No files match.")).to_be_visible()


def test_rejected_rows_read_again_need_somebody_in_the_new_drop_only(live: Live) -> None:
    taught(live, "terra", "Home")
    rows = [["TER1", "Home"], ["TER2", "Gate"], ["TER3", "Nowhere"]]
    live.root.drop("terra.csv", sheet(rows, HEADER), "terra")
    drop = live.drop_id("terra.csv")
    assert of(live, drop)["need"] == 2
    before = needed(live, "terra")
    taught(live, "terra", "Home", "Gate")
    with live.client() as client:
        asked = client.post(f"/api/v1/drops/{drop}/again")
        assert (asked.status_code, asked.json()) == (202, {"drop_id": drop, "request": "again"})
        twice = client.post(f"/api/v1/drops/{drop}/again")
        assert twice.status_code == 409, twice.text
    new = until(lambda: of(live, drop)["read_again_as"], what="it is read again")
    until(lambda: of(live, new)["state"] == "completed", what="it is through")
    assert of(live, drop)["need"] == 0
    assert of(live, new)["need"] == 1
    assert drop not in to_do(live)
    until(lambda: needed(live, "terra") == before - 1, what="one row less in the measures")
    with live.client() as client:
        refused = client.post(f"/api/v1/drops/{drop}/again").json()["error"]
        assert "was already read again" in refused


def test_a_row_that_was_set_aside_stays_so_when_its_file_is_read_again(live: Live) -> None:
    taught(live, "luna", "Home")
    rows = [["LUN1", "Home"], ["LUN2", "Gate"], ["LUN3", "Nowhere"]]
    live.root.drop("luna.csv", sheet(rows, HEADER), "luna")
    drop = live.drop_id("luna.csv")
    taught(live, "luna", "Home", "Gate")
    with live.client() as client:
        aside = {"rows": [4], "reason": "not ours", "who": "Asha"}
        assert client.post(f"/api/v1/drops/{drop}/set-aside", json=aside).status_code == 200
        assert client.post(f"/api/v1/drops/{drop}/again").status_code == 202
    new = until(lambda: of(live, drop)["read_again_as"], what="it is read again")
    until(lambda: of(live, new)["state"] == "completed", what="it is through")
    told = of(live, new)
    assert (told["need"], told["set_aside"]) == (0, 1)
    with live.client() as client:
        (row,) = client.get(f"/api/v1/drops/{new}/set-aside").json()["rows"]
    assert (row["row"], row["reason"], row["who"]) == (4, "not ours", "Asha")


def test_only_a_form_of_ours_reads_a_file_again(live: Live) -> None:
    drop = dropped(live, "ours.csv", "a,b\n1,2\n")
    path = f"/drops/{drop}"
    with live.client() as client:
        assert client.post(f"{path}/again").status_code == 403
        other = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        assert client.post(f"/api/v1{path}/again", headers=other).status_code == 403
        assert of(live, drop)["read_again_as"] is None
        sound = dropped(live, "sound.csv", sheet([["OURS1", "Delivered"]]))
        assert client.post(f"/api/v1/drops/{sound}/again").status_code == 409
        assert client.post("/api/v1/drops/d20010101t000000000aaaa/again").status_code == 404
        assert post(client, f"{path}/again", {}, path).status_code == 200
