"""Two sheets of one workbook share a row number: each of the two rows is corrected by itself."""

import csv
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from pipeline.core.clock import Clock
from pipeline.core.model import SetAside
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from tests.acceptance.harness import until
from tests.fakes.manual_clock import ManualClock
from tests.web.conftest import SEND, Live, Open
from tests.web.test_web_fixing import child_of
from tests.web.test_web_machines import measures
from tests.web.test_web_teaching import workbook_of
from tests.web.test_web_work_ends import of, to_do

HEAD, BAD, ROW = ["Order ID", "Status"], "Nonesuch", 12
"""Both sheets have their wrong row in this one."""


def tabs(live: Live, place: Path, name: str, *, names: tuple[str, str] = ("North", "South")) -> str:
    """A workbook with a wrong row 12 in each of its two sheets."""
    mark = name.partition(".")[0].upper()
    good = [[f"{mark}{n:03}", "Delivered"] for n in range(10)]
    rows = [[HEAD, *good, [f"{mark}-{each}", BAD]] for each in ("NORTH", "SOUTH")]
    file = workbook_of(place / name, *zip(names, rows, strict=True))
    live.root.drop(name, file.read_bytes())
    return live.drop_id(name)


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text, newline="")))


def rejects_of(live: Live, stem: str) -> list[dict[str, str]]:
    return records(live.root.of(stem).path("rejects.csv").read_text("utf-8-sig"))


def back(live: Live, name: str, lines: list[dict[str, str]]) -> str:
    """Drop these lines of a rejects file; return the id of the drop they became."""
    text = StringIO(newline="")
    writer = csv.DictWriter(text, lines[0])
    writer.writeheader()
    writer.writerows(lines)
    live.root.drop(name, text.getvalue())
    return live.drop_id(name)


def corrected(lines: list[dict[str, str]], mark: str, status: str) -> list[dict[str, str]]:
    """The lines, with this status in those whose order id has the mark."""
    return [{**each, "Status": status} if mark in each["Order ID"] else each for each in lines]


def settled(live: Live, drop: str, need: int) -> dict[str, Any]:
    """The drop, once so many of its rows need somebody."""
    until(lambda: of(live, drop)["need"] == need, what=f"{need} rows left")
    return of(live, drop)


def assert_done(live: Live, drop: str, name: str) -> None:
    """List, filter, badge, measures and the counts of the API agree that nothing is left."""
    told = settled(live, drop, 0)
    assert told["corrected"] + told["set_aside"] == 2
    assert drop not in to_do(live)
    with live.client() as client:
        rows = client.get(f"/api/v1/drops/{drop}/corrections").json()
        assert (rows["rows"], rows["total"]) == ([], 0)
        listed = client.get("/drops", params={"q": name}).text
        assert "Corrected" in listed
        assert "No files match." in client.get("/drops", params={"q": name, "state": "to_do"}).text
        left = ("shipdrop_rows_to_do", (("courier", "generic"),))
        others = sum(of(live, each)["need"] for each in to_do(live))
        until(lambda: measures(client).get(left, 0.0) == others, what="the measure falls")


def by_page(live: Live, page: Page, drop: str) -> None:
    page.goto(f"{live.url}/drops/{drop}/fix")
    for number, tab in enumerate(("North", "South")):
        expect(page.get_by_label(f"Row {ROW} of South, Status")).to_have_value(BAD)
        page.get_by_label(f"Row {ROW} of {tab}, Status").fill("Delivered")
        page.get_by_role("button", name=SEND).click()
        page.wait_for_url("**/uploads/*")
        child_of(live, drop, number)
        settled(live, drop, 1 - number)
        page.goto(f"{live.url}/drops/{drop}/fix")
        expect(page.get_by_label(f"Row {ROW} of {tab}, Status")).to_have_count(0)


def by_api(live: Live, _page: Page, drop: str) -> None:
    base = f"/api/v1/drops/{drop}/corrections"
    with live.client() as client:
        rows = client.get(base).json()["rows"]
        assert [(each["row"], each["sheet"]) for each in rows] == [(ROW, "North"), (ROW, "South")]
        for number, tab in enumerate(("North", "South")):
            cell = {"row": ROW, "column": "Status", "value": "Delivered"}
            assert client.put(f"{base}/cells", json=cell).status_code == 409
            asked = client.put(f"{base}/cells", json={**cell, "sheet": tab})
            assert asked.status_code == 200, asked.text
            assert client.post(f"{base}/send", json={}).json()["rows"] == 1
            child_of(live, drop, number)
            settled(live, drop, 1 - number)


def by_csv(live: Live, _page: Page, drop: str) -> None:
    stem = of(live, drop)["source_file"].removesuffix(".xlsx")
    lines = rejects_of(live, stem)
    assert [each["_reject_sheet"] for each in lines] == ["North", "South"]
    back(live, f"{stem}_mended.csv", corrected(lines, "-", "Delivered"))


def by_workbook(live: Live, _page: Page, drop: str) -> None:
    stem = of(live, drop)["source_file"].removesuffix(".xlsx")
    book = openpyxl.load_workbook(live.root.of(stem).path("rejects.xlsx"))
    rows = book.worksheets[0]
    places = {cell.value: cell.column for cell in rows[1]}
    assert [rows.cell(line, places["_reject_sheet"]).value for line in (2, 3)] == ["North", "South"]
    for line in (2, 3):
        rows.cell(line, places["Status"]).value = "Delivered"
    made = BytesIO()
    book.save(made)
    live.root.drop(f"{stem}_mended.xlsx", made.getvalue())
    live.drop_id(f"{stem}_mended.xlsx")


def by_setting_aside(live: Live, _page: Page, drop: str) -> None:
    address = f"/api/v1/drops/{drop}/set-aside"
    order = {"rows": [ROW], "reason": "not ours", "who": "robot"}
    with live.client() as client:
        asked = client.post(address, json=order)
        assert asked.status_code == 409
        assert "2 rows" in asked.json()["error"]
        for number, tab in enumerate(("South", "North")):
            asked = client.post(address, json={**order, "sheet": tab})
            assert (asked.status_code, asked.json()["need"]) == (200, 1 - number), asked.text
        rows = client.get(address).json()["rows"]
        assert {(each["row"], each["sheet"]) for each in rows} == {(ROW, "North"), (ROW, "South")}
        assert client.request("DELETE", address, params={"rows": [ROW]}).status_code == 409
        taken = client.request("DELETE", address, params={"rows": [ROW], "sheet": "North"})
        assert (taken.status_code, taken.json()["need"]) == (200, 1)
        assert [
            each["sheet"] for each in client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
        ] == ["North"]
        assert client.post(address, json={**order, "sheet": "North"}).json()["need"] == 0


def by_buttons(live: Live, page: Page, drop: str) -> None:
    page.goto(f"{live.url}/drops/{drop}/fix")
    page.get_by_label("Reason").select_option("not ours")
    page.get_by_role("button", name=f"Set row {ROW} of South aside").click()
    expect(page.get_by_role("status")).to_contain_text("1 row is set aside")
    expect(page.get_by_label(f"Row {ROW} of North, Status")).to_be_visible()
    page.get_by_role("listitem").filter(has_text="of South").get_by_text("Take back").click()
    expect(page.get_by_label(f"Row {ROW} of South, Status")).to_be_visible()
    page.goto(f"{live.url}/drops/{drop}")
    page.get_by_text("Nothing is to be done about these rows").click()
    page.get_by_label("Reason").select_option("other")
    page.get_by_role("button", name="Set 2 rows aside").click()
    expect(page.get_by_text("that needed you are done: 2 set aside.")).to_be_visible()


def by_pasting(live: Live, _page: Page, drop: str) -> None:
    base = f"/api/v1/drops/{drop}/corrections"
    order = {"column": "Status", "rows": [ROW], "values": ["Delivered"]}
    with live.client() as client:
        assert client.post(f"{base}/paste", json=order).status_code == 409
        assert client.post(f"{base}/paste", json={**order, "sheet": "South"}).json()["filled"] == 1
        assert "1 row" in client.delete(f"{base}/paste").json()["said"]
        words = [each["cells"]["Status"] for each in client.get(base).json()["rows"]]
        assert words == [BAD, BAD]
        for tab in ("North", "South"):
            assert client.post(f"{base}/paste", json={**order, "sheet": tab}).json()["filled"] == 1
        left_out = {"rows": [ROW], "sheet": "North", "send": False}
        assert client.put(f"{base}/choice", json=left_out).json()["left_out"] == 1
        assert client.post(f"{base}/send", json={}).json()["rows"] == 1
        child_of(live, drop)
        settled(live, drop, 1)
        client.put(f"{base}/choice", json={**left_out, "send": True})
        assert client.post(f"{base}/send", json={}).json()["rows"] == 1
        child_of(live, drop, 1)


def by_coming_back(live: Live, _page: Page, drop: str) -> None:
    """Both come back in one file, one of them wrong again; that one is mended in a third file."""
    stem = of(live, drop)["source_file"].removesuffix(".xlsx")
    lines = corrected(corrected(rejects_of(live, stem), "NORTH", "Delivered"), "SOUTH", "Banana")
    child = back(live, f"{stem}_once.csv", lines)
    told = settled(live, drop, 1)
    assert (told["corrected"], of(live, child)["need"]) == (1, 0)
    with live.client() as client:
        (row,) = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
        assert (row["sheet"], row["cells"]["Status"]) == ("South", "Banana")
    back(live, f"{stem}_twice.csv", corrected(rejects_of(live, f"{stem}_once"), "-", "Delivered"))


def by_a_workbook_of_rejects(live: Live, _page: Page, drop: str) -> None:
    """The rejects come back in a workbook of two sheets, twice, and share a number there too."""
    stem = of(live, drop)["source_file"].removesuffix(".xlsx")
    for number, status in enumerate(("Banana", "Delivered")):
        source = stem if not number else f"{stem}_1"
        lines = corrected(rejects_of(live, source), "-", status)
        pages = [[list(lines[0]), list(each.values())] for each in lines]
        book = workbook_of(live.root.path.parent / "made.xlsx", *zip("AB", pages, strict=True))
        live.root.drop(f"{stem}_{number + 1}.xlsx", book.read_bytes())
        live.drop_id(f"{stem}_{number + 1}.xlsx")
        settled(live, drop, 2 - 2 * number)


def by_reading_again(live: Live, page: Page, drop: str) -> None:
    """The file is read again: what was corrected and set aside stays so in the new drop."""
    stem = of(live, drop)["source_file"].removesuffix(".xlsx")
    (line,) = (each for each in rejects_of(live, stem) if "SOUTH" in each["Order ID"])
    back(live, f"{stem}_south.csv", corrected([line], "-", "Delivered"))
    settled(live, drop, 1)
    with live.client() as client:
        client.post(f"/api/v1/drops/{drop}/again")
        new = until(lambda: of(live, drop)["read_again_as"], what="it is read again")
        until(lambda: of(live, new)["state"] == "completed", what="it is through")
        (row,) = client.get(f"/api/v1/drops/{new}/corrections").json()["rows"]
        assert (row["sheet"], row["cells"]["Order ID"]) == ("North", f"{stem.upper()}-NORTH")
    assert (of(live, new)["need"], of(live, new)["corrected"]) == (1, 1)
    order = {"rows": [ROW], "sheet": "North", "reason": "not ours", "who": "robot"}
    with live.client() as client:
        assert client.post(f"/api/v1/drops/{new}/set-aside", json=order).status_code == 200
    settled(live, new, 0)
    # The first one is dealt with in it.
    assert of(live, drop)["need"] == 0


Way = Callable[[Live, Page, str], None]
WAYS: tuple[Way, ...] = (
    by_page,
    by_api,
    by_csv,
    by_workbook,
    by_setting_aside,
    by_buttons,
    by_pasting,
    by_coming_back,
    by_a_workbook_of_rejects,
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
def test_both_rows_of_one_number_are_dealt_with(
    live: Live, page: Page, tmp_path: Path, way: Way
) -> None:
    name = f"{way.__name__.replace('_', '')}.xlsx"
    drop = tabs(live, tmp_path, name)
    assert of(live, drop)["need"] == 2
    way(live, page, drop)
    assert_done(live, drop, name)


def test_a_file_that_is_read_again_keeps_both_apart(live: Live, page: Page, tmp_path: Path) -> None:
    by_reading_again(live, page, tabs(live, tmp_path, "readagain.xlsx"))


def test_rows_set_aside_and_corrected_are_counted_apart_when_read_again(
    live: Live, tmp_path: Path
) -> None:
    drop = tabs(live, tmp_path, "asideagain.xlsx")
    order = {"rows": [ROW], "sheet": "South", "reason": "not ours", "who": "robot"}
    with live.client() as client:
        assert client.post(f"/api/v1/drops/{drop}/set-aside", json=order).status_code == 200
        client.post(f"/api/v1/drops/{drop}/again")
        new = until(lambda: of(live, drop)["read_again_as"], what="it is read again")
        until(lambda: of(live, new)["state"] == "completed", what="it is through")
        (row,) = client.get(f"/api/v1/drops/{new}/set-aside").json()["rows"]
        assert (row["row"], row["sheet"]) == (ROW, "South")
    assert (of(live, new)["need"], of(live, new)["set_aside"]) == (1, 1)


def test_a_file_of_one_sheet_has_no_column_for_it(live: Live, tmp_path: Path) -> None:
    rows = [HEAD, ["ONESHEET1", "Delivered"], ["ONESHEET2", BAD]]
    live.root.drop("onesheet.xlsx", workbook_of(tmp_path / "one.xlsx", ("Only", rows)).read_bytes())
    drop = live.drop_id("onesheet.xlsx")
    (line,) = rejects_of(live, "onesheet")
    assert list(line)[:5] == [
        *(f"_reject_{each}" for each in ("row", "codes", "message", "drop")),
        "Order ID",
    ]
    with live.client() as client:
        (row,) = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
    assert (row["row"], row["sheet"]) == (3, "")


@pytest.mark.parametrize("said", ["gone", "damaged"])
def test_rows_that_do_not_name_their_sheet_close_no_more_than_one(
    live: Live, tmp_path: Path, said: str
) -> None:
    """A rejects file of an earlier build, or one whose column a spreadsheet changed."""
    drop = tabs(live, tmp_path, f"{said}.xlsx", names=("01-11", "02-11"))
    lines = corrected(rejects_of(live, said), "-", "Delivered")
    for each in lines:
        if said == "gone":
            del each["_reject_sheet"]
        else:
            each["_reject_sheet"] = "Nov 01"
    back(live, f"{said}_back.csv", lines)
    settled(live, drop, 1)
    # Both lines are there: nobody knows which of them the one word was about.
    with live.client() as client:
        base = f"/api/v1/drops/{drop}"
        assert client.get(f"{base}/corrections").json()["total"] == 2
        for tab in ("01-11", "02-11"):
            order = {"rows": [ROW], "sheet": tab, "reason": "other"}
            assert client.post(f"{base}/set-aside", json=order).status_code == 200
    settled(live, drop, 0)


def test_what_an_earlier_build_noted_is_read(live: Live, tmp_path: Path) -> None:
    """Bare numbers in the ledger, and a rejects file without the column."""
    drop = tabs(live, tmp_path, "earlier.xlsx")
    path = live.root.of("earlier").path("rejects.csv")
    text = path.read_text("utf-8-sig")
    lines = corrected(records(text), "NORTH", "Delivered")
    path.write_text(
        text.replace("_reject_drop,_reject_sheet", "_reject_drop")
        .replace(f"{drop},North", drop)
        .replace(f"{drop},South", drop),
        "utf-8-sig",
    )
    settings = load(live.root.path, flags={"api": {"base_url": live.api.url}})

    def noted(**facts: Any) -> None:
        with closing(Site(live.root.path, settings)) as site:
            found = site.ledger.find(drop)
            assert found is not None
            site.ledger.save(found.noting(**facts))

    noted(fixed_rows=(ROW,))
    base = f"/api/v1/drops/{drop}"
    with live.client() as client:
        assert of(live, drop)["need"] == 1
        assert client.get(f"/drops/{drop}/fix").status_code == 200
        assert client.get(f"{base}/corrections").json()["total"] == 2
    # A row that is named whole takes the place of the number alone, which may be the same row.
    back(live, "earlier_north.csv", [each for each in lines if "NORTH" in each["Order ID"]])
    told = settled(live, drop, 1)
    assert told["corrected"] == 1
    noted(fixed_rows=(), aside=(SetAside(ROW, "other", "Asha", ""),))
    with live.client() as client:
        (row,) = client.get(f"{base}/set-aside").json()["rows"]
        assert (row["row"], row["sheet"]) == (ROW, "")
        assert client.get(f"{base}/corrections").json()["total"] == 0
        taken = client.request("DELETE", f"{base}/set-aside", params={"rows": [ROW]})
        assert taken.json()["need"] == 2
        assert client.get(f"{base}/corrections").json()["total"] == 2


def test_rows_of_an_old_file_are_counted_apart_as_well(open_live: Open, tmp_path: Path) -> None:
    with open_live() as live:
        drop = tabs(live, tmp_path, "old.xlsx")
        lines = rejects_of(live, "old")
        later = ManualClock(Clock().now() + timedelta(days=200))
        settings = load(live.root.path, flags={"api": {"base_url": live.api.url}})
        order = {"rows": [ROW], "sheet": "South", "reason": "not ours"}
        with live.client() as client:
            client.post(f"/api/v1/drops/{drop}/set-aside", json=order)
            with closing(Site(live.root.path, settings, clock=later)) as site:
                assert site.retention.sweep().drops == 1
            (row,) = client.get(f"/api/v1/drops/{drop}/set-aside").json()["rows"]
            assert (row["row"], row["sheet"]) == (ROW, "South")
        north = corrected(lines, "NORTH", "Delivered")[:1]
        back(live, "old_north.csv", north)
        told = settled(live, drop, 0)
        assert (told["corrected"], told["set_aside"]) == (1, 1)
