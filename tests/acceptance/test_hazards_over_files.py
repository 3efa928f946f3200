"""Hazards that show only over several files or runs, or in what is said on the way."""

import io
import json

import openpyxl

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, sheet


def sent(api: SandboxHandle) -> list[tuple[str, str]]:
    return [tuple(update) for call in api.calls() for update in call["updates"]]


def test_old_news_is_stale_and_the_same_name_with_new_bytes_is_another_file(
    root: Root, api: SandboxHandle
) -> None:
    root.drop("later.csv", sheet([("A1", "Delivered")]))
    root.drop("day.csv", sheet([("B1", "Delivered")]))
    assert root.once().code == 0
    root.drop("earlier.csv", sheet([("A1", "Picked Up")]))
    root.drop("day.csv", sheet([("B2", "Delivered")]))
    assert root.once().code == 0
    (line,) = root.of("earlier").lines()
    assert (line["outcome"], line["codes"]) == ("duplicate", "STALE:status")
    first, second = (d for d in root.delivered() if d.summary["source_file"] == "day.csv")
    assert first.id != second.id
    assert second.summary["same_as"] is None
    assert [order for order, _ in sorted(sent(api))] == ["A1", "B1", "B2"]


def test_blank_rows_repeated_headers_and_footers_are_counted_as_skipped(root: Root) -> None:
    text = (
        "Order ID,Status\nA1,Delivered\n,\n  ,\u00a0\nOrder ID,Status\nTotals,Delivered\n"
        "Total so far,\nA2,Delivered\n,\nTotal: 2,\n,\n"
    )
    root.drop("report.csv", text)
    assert root.once().code == 3
    found = root.of("report")
    assert found.summary["skipped"] == {"blank": 4, "header": 1, "footer": 1}
    assert [(line["row"], line["outcome"]) for line in found.lines()] == [
        ("2", "accepted"),
        ("6", "rejected"),
        ("7", "rejected"),
        ("8", "accepted"),
    ]
    found.assert_sound(4)


def test_no_remark_is_ever_logged(root: Root) -> None:
    secret = "Asha Rao 98200 12345 <script>"
    rows = [("A1", "Delivered", secret), ("A2", "Wat", secret), ("", "Delivered", secret)]
    for form in ("json", "console"):
        root.drop(f"{form}.csv", sheet(rows, header=("Order ID", "Status", "Remarks")))
        ran = root.run("run", "--once", "-v", "--log-format", form)
        assert "98200" not in ran.out + ran.err
        assert "drop" in ran.err
    assert secret in root.of("json").path("rejects.csv").read_text(encoding="utf-8-sig")


def test_an_outbox_that_cannot_be_written_loses_nothing_and_sends_nothing_twice(
    root: Root, api: SandboxHandle
) -> None:
    root.outbox.mkdir(parents=True)
    in_the_way = root.outbox / "xpressbees"
    in_the_way.write_text("a file where a folder should be")
    root.drop("day.csv", sheet([("A1", "Delivered")]), folder="xpressbees")
    assert root.once().code != 0
    in_the_way.unlink()
    assert root.once().code == 0
    assert root.of("day").counts == {"accepted": 1}
    assert [order for order, _ in sent(api)] == ["A1"]
    assert json.loads(root.of("day").path("received.json").read_bytes())["drop_id"]


def test_a_row_wider_than_the_others_is_shifted_although_its_surplus_cells_are_empty(
    root: Root, api: SandboxHandle
) -> None:
    shifted = (
        "Order ID,Remarks,Status,Hub\nA1,ok,In Transit,P1\n"
        "A2,Customer says, Delivered,NDR,\nA3,fine,Delivered,\nA4,Shop 4, Bandra,Delivered,P2\n"
    )
    root.drop("shifted.csv", shifted)
    root.drop("ended.csv", "Order ID,Remarks,Status\nB1,x,Delivered,\nB2,,Picked Up,\nTotal,\n")
    assert root.once().code == 3
    told = {line["order_id"]: line for line in root.of("shifted").lines()}
    assert {order: line["codes"] for order, line in told.items()} == {
        "A1": "NO_MILESTONE:status",
        "A2": "ROW_RAGGED",
        "A3": "",
        "A4": "ROW_RAGGED;STATUS_UNKNOWN:status",
    }
    assert told["A2"]["message"].startswith("Row 3: it has more cells than there are columns")
    # As it is, the rejects file is rejected again: nothing else of it shows that cells are shifted.
    rejects = root.of("shifted").path("rejects.csv")
    root.drop("again.csv", rejects.read_bytes())
    book, data = openpyxl.load_workbook(rejects.with_suffix(".xlsx")), io.BytesIO()
    wide = book.worksheets[0][3]
    marked = [cell.value for cell in wide if cell.fill.fill_type]
    assert marked == [" Bandra", "P2"], "a status that is none, and the cell to move"
    for cell, value in zip(wide[5:], ("Shop 4, Bandra", "Delivered", "P2", None), strict=True):
        cell.value = value
    book.worksheets[0].delete_rows(2)
    book.save(data)
    root.drop("as told.xlsx", data.getvalue())
    assert root.once().code == 3
    (again,) = (line for line in root.of("again").lines() if line["order_id"] == "A2")
    assert again["codes"].startswith("ROW_RAGGED")
    assert root.of("as told").counts == {"accepted": 1}
    # Where all rows end with a separator, nothing is shifted.
    assert root.of("ended").counts == {"accepted": 2}
    assert sorted(order for order, _ in sent(api)) == ["A3", "A4", "B1", "B2"]


def test_a_row_with_a_status_for_its_order_id_is_shifted(root: Root) -> None:
    header = ("AWB No", "Order ID", "Status", "Last Event", "City")
    rows = [("36001", "A1", "Delivered", "Delivered", "Pune")]
    rows += [
        ("A2", "RTO Delivered", "Delivered", "Pune", ""),
        ("A3", "Delivered", "Delivered", "", ""),
    ]
    root.drop("day.csv", sheet(rows, header=header))
    assert root.once().code == 3
    found = [(line["outcome"], line["codes"]) for line in root.of("day").lines()]
    assert found[0] == ("accepted", "")
    assert found[2] == ("rejected", "ROW_RAGGED")
