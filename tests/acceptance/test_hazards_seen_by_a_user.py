"""The hazards of docs/hazards.md as a user meets them: what ``check`` says of a row or a file."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.acceptance.harness import Root
from tests.fakes.ole2 import ole2

HEADER = (
    *("Order ID", "Status", "Status Date", "Promised Delivery Date", "Reason Code", "Remarks"),
    *("Auto Dispatch", "Self Ship", "Is Reverse"),
)
NOW = datetime.now(UTC)
TODAY = f"{NOW:%Y-%m-%d}"
GOOD = 60
"""Sound rows, so that the file is not refused for its bad ones."""


@dataclass(frozen=True)
class Row:
    """A row that differs from a sound one in some cells. ``codes`` must be among those told."""

    name: str
    outcome: str
    codes: str
    cells: dict[str, Any]


def row(name: str, outcome: str, codes: str = "", /, **cells: Any) -> Row:
    """``Order_ID`` stands for the header ``Order ID``."""
    return Row(name, outcome, codes, {key.replace("_", " "): each for key, each in cells.items()})


def shifted(**time: float) -> str:
    return f"{NOW + timedelta(**time):%Y-%m-%d %H:%M}"


IN_CSV = [
    row("A scientific", "rejected", "ID_DAMAGED:order_id", Order_ID="1.77881E+19"),
    row("A scientific, long", "rejected", "ID_DAMAGED:order_id", Order_ID="1.77881123456789E+19"),
    row("A zeros", "rejected", "ID_DAMAGED:order_id", Order_ID="17788123456789000000"),
    row("A two zeros", "unsent", "ID_SUSPECT:order_id", Order_ID="17788123456789100"),
    row("A .0", "unsent", Order_ID="123456.0"),
    row("A .0 on a long one", "rejected", "ID_", Order_ID="17328629784861446301.0"),
    row("A wrapped", "unsent", Order_ID='="17328629784861446302"'),
    row("A apostrophe and NBSP", "unsent", Order_ID="'17328629784861446303\u00a0"),
    row("A zero-width inside", "rejected", "ID_INVALID", Order_ID="173286297\u200b84861446304"),
    row("A full-width digit", "rejected", "ID_INVALID", Order_ID="1732862978486144630\uff15"),
    row("A Devanagari digit", "rejected", "ID_INVALID", Order_ID="1732862978486144630\u096b"),
    row("A Cyrillic look-alike", "rejected", "ID_INVALID", Order_ID="F\u0423A1"),
    row("A letters and E", "unsent", Order_ID="FY12E5-7_a"),
    row("A grouping", "rejected", "ID_INVALID", Order_ID="1,77,88,112"),
    row("A two ids", "rejected", "ID_INVALID", Order_ID="ORD1 / ORD2"),
    row("A #N/A", "rejected", "ID_MISSING", Order_ID="#N/A"),
    row("A NULL", "rejected", "ID_MISSING", Order_ID="NULL"),
    row("A empty", "rejected", "ID_MISSING", Order_ID=""),
    row("B unknown", "rejected", "STATUS_UNKNOWN:status", Status="Deliverd"),
    row("B intermediate", "ignored", "NO_MILESTONE:status", Status="Out For Delivery"),
    row("B undelivered", "ignored", "NO_MILESTONE:status", Status="Undelivered"),
    row("B to be delivered", "rejected", "STATUS_UNKNOWN", Status="To be delivered"),
    row("B folded", "unsent", Status="  rto_-_DELIVERED "),
    row("B bare RTO", "rejected", "STATUS_AMBIGUOUS", Status="RTO"),
    row("B bare number", "rejected", "STATUS_AMBIGUOUS", Status="7"),
    row("B delivered on a return", "rejected", "STATUS_AMBIGUOUS", Is_Reverse="1"),
    row("B first of two rows", "unsent", Order_ID="TWICE1"),
    row("B second of two rows", "duplicate", "REPEATED_IN_FILE", Order_ID="TWICE1"),
    row("B two statuses, last first", "unsent", Order_ID="STEPS1"),
    row("B two statuses, first last", "unsent", Order_ID="STEPS1", Status="Picked Up"),
    row("B one final", "rejected", "STATUS_CONFLICT", Order_ID="BOTH1"),
    row("B other final", "rejected", "STATUS_CONFLICT", Order_ID="BOTH1", Status="RTO Delivered"),
    row("B dispatched", "ignored", "AUTO_DISPATCHED", Status="Picked Up", Auto_Dispatch="true"),
    row("B not self-ship", "rejected", "NOT_SELF_SHIP:self_ship", Self_Ship="false"),
    row("B tomorrow", "rejected", "TIME_FUTURE:event_time", Status_Date=shifted(hours=30)),
    row("C reason", "unsent", "REASON_NOT_NUMERIC:reason_code", Reason_Code="EOD-6"),
    row("C long remark", "unsent", "TEXT_CUT:remark", Remarks="x" * 32_767),
    row("C markup", "unsent", Remarks="<script>alert(1)</script>'; DROP TABLE--"),
    row("C replacement in a remark", "unsent", Remarks="caf\ufffd"),
    row("C replacement in an id", "rejected", "ID_INVALID", Order_ID="ORD\ufffd1"),
    row("C replacement in a status", "rejected", "STATUS_UNKNOWN", Status="Deliv\ufffdred"),
    row("D month first", "rejected", "DATE_INVALID:event_time", Status_Date="12/31/2026"),
    row("D seven digits", "rejected", "DATE_INVALID:event_time", Status_Date="5062026"),
    row("D absent", "unsent", Status_Date="########", Promised_Delivery_Date="0000-00-00"),
    row("D years ago", "rejected", "DATE_RANGE:event_time", Status_Date="2020-01-01"),
    row("D promise damaged", "unsent", "DATE_DROPPED", Promised_Delivery_Date="99-99-2026"),
    row("D promise far", "unsent", "DATE_DROPPED", Promised_Delivery_Date="2036-01-01"),
    row("D month in words", "unsent", Status_Date=f"{NOW:%d %b, %Y}"),
    row("D AM and PM", "unsent", Status_Date=f"{NOW - timedelta(days=1):%d-%m-%Y} 11:43:52 PM"),
    row("D zone", "unsent", Status_Date=f"{NOW:%Y-%m-%d}T00:00:00Z"),
    row("E error as text", "rejected", "CELL_INVALID:direction", Is_Reverse="#REF!"),
    row("E NUL", "rejected", "CELL_INVALID", Remarks="a\0b"),
]

#: In a workbook: what to write with which method of XlsxWriter.
IN_XLSX = [
    row("A long number", "rejected", "ID_DAMAGED:order_id", Order_ID=17328629784861446350),
    row("A number", "unsent", Order_ID=123456),
    row("A fraction", "rejected", "ID_DAMAGED:order_id", Order_ID=1234.5),
    row("A boolean", "rejected", "ID_INVALID:order_id", Order_ID=True),
    row("A date", "rejected", "ID_INVALID:order_id", Order_ID=datetime(2026, 6, 26)),
    row("A text", "unsent", Order_ID="17328629784861446399"),
    row("B error", "rejected", "CELL_INVALID:status", Status="=ERROR #N/A"),
    row("B no result", "rejected", "CELL_INVALID:status", Status="=ERROR "),
    row(
        "B error in the direction", "rejected", "CELL_INVALID:direction", Is_Reverse="=ERROR #REF!"
    ),
    row("A error", "rejected", "ID_MISSING:order_id", Order_ID="=ERROR #DIV/0!"),
    row("E error in a remark", "unsent", Remarks="=ERROR #VALUE!"),
    row("D date cell", "unsent", Status_Date=NOW.replace(tzinfo=None, microsecond=0)),
]


def full(rows: list[Row]) -> list[list[Any]]:
    """The table: the rows, and enough sound ones after them."""
    usual = dict.fromkeys(HEADER, "") | {"Status": "Delivered", "Status Date": f"{TODAY} 00:05"}
    table = []
    for number, each in enumerate(rows):
        cells = usual | {"Order ID": f"1732862978486144{6000 + number}1"} | each.cells
        table.append([cells[name] for name in HEADER])
    for number in range(GOOD):
        sound = usual | {"Order ID": f"SOUND{number:03}"}
        table.append([sound[name] for name in HEADER])
    return table


def as_csv(rows: list[Row]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([HEADER, *full(rows)])
    return out.getvalue().encode()


def as_xlsx(rows: list[Row]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet.write_row(0, 0, HEADER)
        for line, cells in enumerate(full(rows), start=1):
            for column, cell in enumerate(cells):
                if isinstance(cell, str) and cell.startswith("=ERROR "):
                    sheet.write_formula(line, column, "=A1", None, cell.removeprefix("=ERROR "))
                elif isinstance(cell, str):
                    sheet.write_string(line, column, cell)
                elif isinstance(cell, datetime):
                    sheet.write_datetime(line, column, cell, day)
                else:
                    sheet.write(line, column, cell)
    return out.getvalue()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """The lines of results by file, as ``check --out`` writes them."""
    place = tmp_path_factory.mktemp("hazards")
    (place / "rows.csv").write_bytes(as_csv(IN_CSV))
    (place / "cells.xlsx").write_bytes(as_xlsx(IN_XLSX))
    ran = Root(place).run("check", place / "rows.csv", place / "cells.xlsx", "--out", place / "out")
    assert ran.code == 3, ran.err
    lines = {}
    for path in (place / "out").glob("*.results.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines[path.name.split("__")[0]] = list(csv.DictReader(file))
    return lines


@pytest.mark.parametrize(
    ("file", "number", "expected"),
    [
        pytest.param(file, number, each, id=f"{file} {each.name}")
        for file, rows in (("rows", IN_CSV), ("cells", IN_XLSX))
        for number, each in enumerate(rows)
    ],
)
def test_each_row_ends_as_its_hazard_says(
    told: dict[str, list[dict[str, str]]], file: str, number: int, expected: Row
) -> None:
    line = told[file][number]
    assert line["outcome"] == expected.outcome, line
    assert expected.codes in line["codes"]
    assert bool(line["codes"]) == bool(expected.codes), line["codes"]
    if expected.outcome == "rejected":
        assert line["message"].startswith(f"Row {line['row']}")


def test_ids_are_told_with_all_their_digits_and_without_wrappers(
    told: dict[str, list[dict[str, str]]],
) -> None:
    ids = {each.name: told["rows"][at]["order_id"] for at, each in enumerate(IN_CSV)}
    assert ids["A .0"] == "123456"
    assert ids["A wrapped"] == "17328629784861446302"
    assert ids["A apostrophe and NBSP"] == "17328629784861446303"
    assert all(line["outcome"] == "unsent" for line in told["rows"][len(IN_CSV) :])


Make = Callable[[], bytes]


def bytes_of(data: bytes | Make) -> bytes:
    return data if isinstance(data, bytes) else data()


def workbook(change: Callable[[zipfile.ZipFile], None]) -> Make:
    """Return what makes a changed workbook: every process of a run reads the table below."""

    def make() -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
            with zipfile.ZipFile(io.BytesIO(as_xlsx([]))) as sound:
                for name in sound.namelist():
                    made.writestr(name, sound.read(name))
            change(made)
        return out.getvalue()

    return make


TABLE = b"Order ID,Status\r\n" + b"".join(b"ORD%d,Delivered\r\n" % n for n in range(30))
REFUSED: dict[str, tuple[str, bytes | Make]] = {
    "nothing.csv": ("EMPTY_FILE", b""),
    "a mark only.csv": ("EMPTY_FILE", b"\xef\xbb\xbf"),
    "newlines only.csv": ("EMPTY_FILE", b"\r\n\r\n"),
    "cut.csv": ("TRUNCATED", TABLE + b"ORD99"),
    "cut.xlsx": ("TRUNCATED", as_xlsx([])[:-900]),
    "a page.csv": ("UNSUPPORTED_TYPE", b"<html><body><table></table></body></html>"),
    "a PDF.csv": ("UNSUPPORTED_TYPE", b"%PDF-1.7\n"),
    "gzip.csv": ("UNSUPPORTED_TYPE", b"\x1f\x8b\x08\0"),
    "a zip.xlsx": ("UNSUPPORTED_TYPE", b"PK\5\6" + bytes(18)),
    "no header.csv": ("HEADER_NOT_FOUND", TABLE.partition(b"\n")[2]),
    "pin codes.csv": ("HEADER_NOT_FOUND", b"Pincode,City\n400001,Mumbai\n"),
    "two tables.csv": ("HEADER_AMBIGUOUS", TABLE + b"\nStatus,Order ID\nDelivered,X1\n"),
    "one header twice.csv": (
        "HEADER_DUPLICATE",
        b"Order ID,Status,Status\nA1,Delivered,RTO Delivered\n",
    ),
    "a broken quote.csv": ("CSV_BROKEN", TABLE + b'ORD98,"Delivered\nORD99,Delivered\n'),
    "names in the id.csv": (
        "WRONG_COLUMN",
        b"Order ID,Status\n" + b"Asha Rao,Delivered\n" * 25,
    ),
    "eaten ids.csv": (
        "TOO_MANY_REJECTS",
        b"Order ID,Status\n" + b"1.77881E+19,Delivered\n" * 25,
    ),
    "locked.xlsx": (
        "PASSWORD_PROTECTED",
        ole2({"EncryptedPackage": b"x"}),
    ),
    "an entity.xlsx": (
        "UNSAFE_WORKBOOK",
        workbook(lambda made: made.writestr("xl/x.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a/>')),
    ),
    "outside.xlsx": ("UNSAFE_WORKBOOK", workbook(lambda made: made.writestr("../x", "x"))),
    "a bomb.xlsx": (
        "UNSAFE_WORKBOOK",
        workbook(lambda made: made.writestr("xl/media/x.bin", bytes(64 << 20))),
    ),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    place = tmp_path_factory.mktemp("refused")
    for name, (_, data) in REFUSED.items():
        (place / name).write_bytes(bytes_of(data))
    ran = Root(place).run("check", "--json", *(place / name for name in REFUSED))
    assert ran.code == 4, ran.err
    return {each["source_file"]: each for each in json.loads(ran.out)}


@pytest.mark.parametrize("name", REFUSED)
def test_each_file_is_refused_as_its_hazard_says(
    refused: dict[str, dict[str, Any]], name: str
) -> None:
    summary = refused[name]
    assert summary["refused"]["code"] == REFUSED[name][0]
    assert len(summary["refused"]["message"]) > 40
    assert set(summary["rows"].values()) == {0}


def test_the_zip_is_named_for_what_it_is(refused: dict[str, dict[str, Any]]) -> None:
    assert "a PDF document" in refused["a PDF.csv"]["refused"]["message"]
    assert "an HTML page" in refused["a page.csv"]["refused"]["message"]
    assert "line 32" in refused["a broken quote.csv"]["refused"]["message"]
    assert "Pincode" in refused["pin codes.csv"]["refused"]["message"]


def test_hostile_files_do_not_stop_a_sound_one(root: Root) -> None:
    for name, (_, data) in REFUSED.items():
        root.drop(name, bytes_of(data))
    root.drop("sound.csv", TABLE)
    assert root.once().code == 4
    assert root.of("sound").counts == {"accepted": 30}
    assert len(root.delivered()) == len(REFUSED) + 1
    assert all(Path(path).suffix for path in root.files("quarantine"))
