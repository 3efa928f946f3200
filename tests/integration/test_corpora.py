"""Real files that nobody here made: each ends in a table or in a plain refusal.

See ``tests.fakes.corpora``. Without the files these tests are skipped (and fail in the gate).
"""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from pipeline.core.errors import DropRefused
from schemas.codes import Code
from tests.fakes import corpora
from tests.fakes.corpora import MANIFEST, ROOT, Table, listed

pytestmark = [
    pytest.mark.skipif(not MANIFEST.is_file(), reason="the corpora of real files are not here"),
    pytest.mark.timeout(10),
]


def read(path: str, *, filled: int = 2) -> Table:
    return corpora.table_of((ROOT / path).read_bytes(), Path(path).name, filled=filled)


def table_of(path: str, *, filled: int = 2) -> list[list[str]]:
    table = read(path, filled=filled)
    return [table.header, *table.rows]


CORPORA: dict[str, list[str]] = {}
for each in listed():
    CORPORA.setdefault(each.partition("/")[0], []).append(each)


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore::UserWarning")  # what openpyxl has to say about extensions
@pytest.mark.parametrize("corpus", CORPORA)
def test_every_file_ends_in_a_table_without_a_gap_or_in_a_plain_refusal(corpus: str) -> None:
    wrong = {path: why for path in CORPORA[corpus] if (why := wrong_with(path))}
    assert not wrong


def wrong_with(path: str) -> str | None:
    """Return in words how a file did not end as it should."""
    try:
        table = read(path)
    except DropRefused as refusal:
        plain = refusal.message.endswith(".") and refusal.hint
        return None if plain else f"refused by {refusal.message!r}, {refusal.hint!r}"
    if any(len(row) < len(table.header) for row in table.rows):
        return "rows are narrower than the header"
    expected = independent_count(path, table)
    if expected not in {None, len(table.rows)}:
        return f"{len(table.rows)} rows, and another reader counts {expected}"
    return None


def independent_count(path: str, table: Table) -> int | None:
    """Rows after the header that hold anything, as another reader counts them; None: it cannot."""
    data = (ROOT / path).read_bytes()
    if table.manifest.kind == "csv":
        text = data.decode(table.manifest.dialect["encoding"], errors="replace").lstrip("\ufeff")
        delimiter = DELIMITERS.get(table.manifest.dialect["delimiter"], "?")
        text = text.removesuffix("\x1a")
        records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        lines: list[Sequence[object]] = list(records)
        return sum(
            filled(line, table.header) for line in lines[table.manifest.sheets[0].header_row :]
        )
    if table.manifest.kind != "xlsx":
        return None
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    except Exception:  # noqa: BLE001 - whatever makes openpyxl give up: it is only asked for advice
        return None
    if table.manifest.sheets[0].name not in book.sheetnames:
        return None  # of a workbook in the strict dialect it sees nothing
    sheet = book[table.manifest.sheets[0].name]
    first = table.manifest.sheets[0].header_row + 1
    return sum(filled(line, table.header) for line in sheet.iter_rows(first, values_only=True))


DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


def filled(cells: Sequence[object], header: Sequence[str]) -> bool:
    texts = ["" if cell is None else str(cell) for cell in cells]
    width = len(header)
    repeats = texts[:width] == list(header) and not any(text.strip() for text in texts[width:])
    return any(text.strip() for text in texts) and not repeats


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
