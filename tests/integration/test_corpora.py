"""Real files that nobody here made: each ends in a table or in a plain refusal.

The files are not part of the project. They are looked for next to it, or where
``SHIPDROP_CORPORA`` points; without them these tests are skipped.
"""

import csv
import json
import os
from pathlib import Path

import pytest

from pipeline.codes import Code
from pipeline.errors import DropRefused
from pipeline.model import Limits, ReadTally
from pipeline.stages.read import read_manifest
from tests.fakes.header_finders import ExactHeader

ROOT = Path(
    os.environ.get("SHIPDROP_CORPORA") or Path(__file__).parents[2].parent / "shared" / "corpora"
)
MANIFEST = ROOT / "MANIFEST.tsv"

pytestmark = [
    pytest.mark.skipif(not MANIFEST.is_file(), reason="the corpora of real files are not here"),
    pytest.mark.timeout(10),
]


def listed() -> list[str]:
    if not MANIFEST.is_file():
        return ["(absent)"]
    with MANIFEST.open(encoding="utf-8", newline="") as lines:
        paths = [
            row["path"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]
    return [path for path in paths if (ROOT / path).is_file()]


def table_of(path: str, *, filled: int = 2) -> list[list[str]]:
    """Read a file's first sheet, taking the first row with ``filled`` cells for the header."""
    data = (ROOT / path).read_bytes()
    name = Path(path).name
    pilot = ExactHeader()
    with pytest.raises(DropRefused) as caught:
        read_manifest(data, name=name, limits=Limits(), header=pilot)
    if caught.value.code is not Code.HEADER_NOT_FOUND:
        raise caught.value
    wanted = (row for row in pilot.seen if sum(bool(cell.strip()) for cell in row) >= filled)
    header = next(wanted, pilot.seen[0])
    manifest = read_manifest(data, name=name, limits=Limits(), header=ExactHeader(*header))
    rows = [header]
    last = manifest.sheets[0].header_row
    for block in manifest.sheets[0].blocks(ReadTally()):
        columns = [column.to_pylist() for column in block.cells]
        assert all(None not in column for column in columns)
        assert block.rows[0] > last
        last = block.rows[-1]
        for at, row in enumerate(zip(*columns, strict=True)):
            rows.append([*row, *block.extra.get(at, ())])
    return rows


@pytest.mark.parametrize("path", listed())
def test_every_file_ends_in_a_table_or_a_plain_refusal(path: str) -> None:
    refusal = None
    try:
        rows = table_of(path)
    except DropRefused as caught:
        refusal = caught
    if refusal is None:
        assert all(len(row) >= len(rows[0]) for row in rows)
    else:
        assert refusal.message.endswith(".")
        assert refusal.hint


@pytest.mark.parametrize("stem", ["escaped_quotes", "json", "newlines"])
def test_csv_spectrum_reads_as_its_authors_expect(stem: str) -> None:
    header, *rows = table_of(f"csv-spectrum/csvs/{stem}.csv")
    expected = json.loads((ROOT / f"csv-spectrum/json/{stem}.json").read_text(encoding="utf-8"))
    assert [dict(zip(header, row, strict=True)) for row in rows] == expected


#: xlsx2csv writes numbers as they are shown; we keep their value.
@pytest.mark.parametrize("stem", ["float", "input-weird", "namespace", "sheets"])
def test_xlsx2csv_workbooks_hold_what_its_authors_expect(stem: str) -> None:
    with (ROOT / f"xlsx2csv/test/{stem}.csv").open(encoding="utf-8", newline="") as lines:
        expected = [row for row in csv.reader(lines) if any(cell.strip() for cell in row)]
    # Several sheets are written one after the other, each under a line of dashes.
    starts = [at for at, row in enumerate(expected) if row[0].startswith("--------")]
    if starts:
        expected = expected[starts[0] + 1 : [*starts, None][1]]
    expected = [row for at, row in enumerate(expected) if not at or row != expected[0]]
    rows = table_of(f"xlsx2csv/test/{stem}.xlsx", filled=1)
    for row, wanted in zip(rows, expected, strict=True):
        assert [plain(cell) for cell in row if cell] == [plain(cell) for cell in wanted if cell]


def plain(cell: str) -> str | float:
    try:
        return float(cell)
    except ValueError:
        return cell


REFUSALS = {
    "renamed/zip-of-csv-as.xlsx": Code.UNSUPPORTED_TYPE,
    "renamed/empty-zip-as.xlsx": Code.UNSUPPORTED_TYPE,
    "renamed/gzip-as.csv": Code.UNSUPPORTED_TYPE,
    "renamed/slk-as.csv": Code.UNSUPPORTED_TYPE,
    "renamed/empty-as.xlsx": Code.EMPTY_FILE,
    "truncated/truncated-25pct.xlsx": Code.TRUNCATED,
    "truncated/truncated-99pct.xlsx": Code.TRUNCATED,
    "truncated/truncated-25pct.csv": Code.TRUNCATED,
    "truncated/truncated-50pct.csv": Code.TRUNCATED,
    "poi/test-data/poifs/60320-protected.xlsx": Code.PASSWORD_PROTECTED,
    "poi/test-data/spreadsheet/protected_passtika.xlsb": Code.PASSWORD_PROTECTED,
    "msoffcrypto/tests/inputs/rc4cryptoapi_password.xls": Code.PASSWORD_PROTECTED,
    "sheetjs/password_2002_40_xor.xls": Code.PASSWORD_PROTECTED,
    "poi/test-data/spreadsheet/poc-xmlbomb.xlsx": Code.UNSAFE_WORKBOOK,
    "openspout/tests/resources/xlsx/attack_billion_laughs.xlsx": Code.UNSAFE_WORKBOOK,
    "poi/test-data/spreadsheet/Simple.xlsb": Code.UNREADABLE,
    "yauzl/test/success/zip64.zip": Code.UNSUPPORTED_TYPE,
    "frictionless/data/table1.html": Code.UNSUPPORTED_TYPE,
    "defusedxml/xmltestdata/simple.xml": Code.UNSUPPORTED_TYPE,
    "duckdb/data/csv/unescaped_quotes/some_escaped_some_not.csv": Code.CSV_BROKEN,
    "duckdb/data/csv/rejects/unquoted/unquoted_last_value.csv": Code.TRUNCATED,
    "phpspreadsheet/tests/data/Reader/CSV/empty.csv": Code.EMPTY_FILE,
}


@pytest.mark.parametrize(("path", "code"), REFUSALS.items())
def test_what_cannot_be_read_is_refused_for_its_own_reason(path: str, code: Code) -> None:
    with pytest.raises(DropRefused) as caught:
        table_of(path)
    assert caught.value.code is code


@pytest.mark.parametrize(
    "path",
    [
        "renamed/xls-as.csv",
        "renamed/csv-as.xlsx",
        "renamed/utf16-tab-as.xls",
        "renamed/xlsm-as.xlsx",
        "renamed/UPPER.XLSX",
        "openspout/tests/resources/csv/csv_with_encoding_utf16le_no_bom.csv",
        "exceldatareader/src/TestData/Test_git_issue_385_backslash.xlsx",
        "openspout/tests/resources/xlsx/sheet_with_strict_ooxml.xlsx",
        "poi/test-data/spreadsheet/workbookProtection-workbook_password-2013.xlsx",
    ],
)
def test_odd_but_sound_files_are_read(path: str) -> None:
    assert len(table_of(path)) >= 1
