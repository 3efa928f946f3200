"""The rejects file is corrected in place and dropped back as it is."""

import csv
import io

import pytest
from openpyxl import load_workbook

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Delivered, Root, orders, sheet

GOOD = "17328629784861446350"
BAD = [
    ("17328629784861446351", "Deliverd", "=cmd|' /C calc'!A0"),
    ("17328629784861446352", "Wat", "'quoted"),
    ("", "Delivered", "+91 98"),
]


@pytest.fixture
def first(root: Root) -> Delivered:
    rows = [(GOOD, "Delivered", "fine"), *BAD]
    root.drop("day.csv", sheet(rows, header=("Order ID", "Status", "Remark")), folder="xpressbees")
    assert root.once().code == 3
    found = root.of("day")
    assert found.counts == {"accepted": 1, "rejected": 3}
    return found


def assert_only_the_corrected_went_out(root: Root, api: SandboxHandle, first: Delivered) -> None:
    back = next(d for d in root.delivered() if d.id != first.id)
    back.assert_sound(3)
    assert back.summary["parent"] == first.id
    assert back.summary["courier"] == "xpressbees", "its parent's, though it lies elsewhere"
    assert back.counts == {"accepted": 2, "rejected": 1}
    sent = [update for call in api.calls() for update in call["updates"]]
    assert [order for order, _ in sent] == [GOOD, BAD[0][0], BAD[1][0]]
    (still,) = back.lines("rejects.csv")
    assert still["_reject_drop"] == back.id
    assert still["_reject_codes"] == "ID_MISSING:order_id"
    assert still["Remark"] == "'+91 98"
    assert [name for name in still if name.startswith("_reject")] == [
        "_reject_row",
        "_reject_codes",
        "_reject_message",
        "_reject_drop",
    ]
    meta = api.orders(BAD[0][0])[BAD[0][0]]["history"][-1]["meta"]
    assert "=cmd|' /C calc'!A0" in str(meta), "guards of our CSV never reach the API"


def test_a_corrected_csv_sends_only_what_was_corrected(
    root: Root, api: SandboxHandle, first: Delivered
) -> None:
    lines = first.lines("rejects.csv")
    lines[0]["Status"] = lines[1]["Status"] = "Delivered"
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    root.drop(first.path("rejects.csv").name, out.getvalue())
    assert root.once().code == 3
    assert_only_the_corrected_went_out(root, api, first)


def test_a_corrected_workbook_does_the_same(
    root: Root, api: SandboxHandle, first: Delivered
) -> None:
    book = load_workbook(first.path("rejects.xlsx"))
    table = book.worksheets[0]
    header = [cell.value for cell in table[1]]
    for row in (2, 3):
        cell = table.cell(row=row, column=header.index("Status") + 1)
        assert cell.comment is not None
        cell.value = "Delivered"
    corrected = root.path / "corrected.xlsx"
    book.save(corrected)
    root.drop(first.path("rejects.xlsx").name, corrected.read_bytes())
    assert root.once().code == 3
    assert_only_the_corrected_went_out(root, api, first)


def test_ids_that_a_spreadsheet_rounded_on_the_way_are_restored(
    root: Root, api: SandboxHandle, first: Delivered
) -> None:
    lines = first.lines("rejects.csv")
    for line in lines:
        line["Order ID"] = "1.73286E+19" if line["Order ID"] else ""
        line["Status"] = "Delivered"
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    root.drop("saved by excel.csv", out.getvalue())
    assert root.once().code == 3
    back = root.of("saved by excel")
    assert back.counts == {"accepted": 2, "rejected": 1}
    assert "ID_RESTORED" in back.codes
    assert [x["order_id"] for x in back.lines()][:2] == [BAD[0][0], BAD[1][0]]


def test_an_id_column_eaten_by_excel_refuses_the_file_and_gives_it_back(
    root: Root, api: SandboxHandle
) -> None:
    eaten = [("1.77881E+19", "Delivered")] * 25 + [(f"GOOD{n}", "Delivered") for n in range(5)]
    root.drop("eaten.csv", sheet([*eaten, ("G9", "In Transit")]))
    assert root.once().code == 4
    refused = root.of("eaten")
    assert refused.summary["refused"]["code"] == "TOO_MANY_REJECTS"
    assert set(refused.summary["rows"].values()) == {0}
    assert api.stats()["calls"] == 0
    lines = refused.lines("rejects.csv")
    assert len(lines) == 30, "every row but the ignored one: the corrected file replaces it"
    assert [line["_reject_codes"] for line in lines] == ["ID_DAMAGED:order_id"] * 25 + [""] * 5
    assert refused.path("REFUSED.txt").is_file()

    text = refused.path("rejects.csv").read_text(encoding="utf-8-sig")
    for number in range(25):
        text = text.replace("1.77881E+19", f"FIXED{number}", 1)
    # The messages quote the damaged value too: correct the column, not the text.
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    for number, row in enumerate(rows[:25]):
        row["Order ID"] = f"FIXED{number}"
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    root.drop("fixed.csv", out.getvalue())
    assert root.once().code == 0
    fixed = root.of("fixed")
    assert fixed.summary["parent"] == refused.id
    assert fixed.counts == {"accepted": 30}
    assert api.stats()["accepted"] == 30


def test_nothing_to_correct_is_no_correction(root: Root) -> None:
    root.drop("fine.csv", orders(1))
    root.once()
    assert root.of("fine").summary["parent"] is None
    assert root.of("fine").summary["corrections"] is None
