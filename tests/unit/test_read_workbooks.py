"""Hazards of spreadsheets: what a cell was before it became text, sheets, row numbers, dates."""

import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pytest
import xlsxwriter

from pipeline.core.errors import DropRefused
from pipeline.core.model import Block, Limits, Manifest, ReadTally
from pipeline.reading.excel.cell_text import column_of, text_of
from pipeline.reading.read_file import read_manifest
from schemas.codes import Code
from schemas.vocabulary import CellKind
from tests.fakes.header_finders import NamedColumns

HEADER = ["Order id", "Status"]


def workbook(fill: Callable[[Any], None], **options: Any) -> bytes:
    store = io.BytesIO()
    with xlsxwriter.Workbook(store, options) as book:
        fill(book)
    return store.getvalue()


def opened(data: bytes, *names: str, limits: Limits | None = None) -> Manifest:
    header = NamedColumns(*(names or HEADER))
    return read_manifest(data, name="drop.csv", limits=limits or Limits(), header=header)


def only_block(manifest: Manifest) -> Block:
    [block] = manifest.sheets[0].blocks(ReadTally())
    return block


def test_kinds_are_recorded_before_cells_become_text() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, ["Order id", "Status", "When"])
        sheet.write_string(1, 0, "17328629784861446350")
        sheet.write_number(2, 0, 17328629784861446350)
        sheet.write_number(3, 0, 123456)
        sheet.write_number(4, 0, 1.5)
        sheet.write_boolean(5, 0, True)
        sheet.write_datetime(6, 0, dt.datetime(2024, 6, 26), day)
        for row in range(1, 7):
            sheet.write_string(row, 1, "Delivered")

    manifest = opened(workbook(fill))
    block = only_block(manifest)
    assert manifest.kind == "xlsx"
    assert block.cells[0].to_pylist() == [
        "17328629784861446350",
        "1.732862978486145e+19",
        "123456",
        "1.5",
        "TRUE",
        "2024-06-26",
    ]
    assert block.kinds[0].tolist() == [
        CellKind.TEXT,
        CellKind.NUMBER,
        CellKind.NUMBER,
        CellKind.NUMBER,
        CellKind.BOOLEAN,
        CellKind.DATE,
    ]
    assert 1 not in block.kinds


@pytest.mark.parametrize("date1904", [False, True])
def test_dates_honour_the_1904_system(date1904: bool) -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.write_row(0, 0, HEADER)
        sheet.write_datetime(1, 0, dt.datetime(2024, 6, 26, 10), moment)
        sheet.write_datetime(2, 0, dt.datetime(2024, 6, 26), moment)

    block = only_block(opened(workbook(fill, default_date_format=None, date_1904=date1904)))
    assert block.cells[0].to_pylist() == ["2024-06-26T10:00:00", "2024-06-26"]


def test_serials_that_are_no_date_do_not_crash() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, HEADER)
        for row, serial in enumerate([60, 0, -1, 2958465, 2958466, 1e9], start=1):
            sheet.write_number(row, 0, serial, day)

    block = only_block(opened(workbook(fill)))
    assert block.cells[0].to_pylist()[3:5] == ["9999-12-31", "2958466"]
    assert block.kinds[0].tolist()[4] == CellKind.NUMBER
    assert len(block) == 6


def test_a_date_beyond_any_calendar_is_refused_with_its_row() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        hours = book.add_format({"num_format": "[h]:mm:ss"})
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ["1", "a"])
        sheet.write_number(2, 0, 1e300, hours)

    with pytest.raises(DropRefused) as caught:
        opened(workbook(fill))
    assert caught.value.code is Code.UNREADABLE
    assert "Row 3" in caught.value.message


def test_row_numbers_are_the_spreadsheets_although_leading_rows_are_blank() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.write(3, 2, "Report")
        sheet.write_row(5, 2, HEADER)
        sheet.write_row(6, 2, ["1", "a"])
        sheet.write_row(9, 2, ["2", "b"])

    manifest = opened(workbook(fill))
    tally = ReadTally()
    [block] = manifest.sheets[0].blocks(tally)
    assert manifest.sheets[0].header_row == 6
    assert block.rows.tolist() == [7, 10]
    assert tally.blank == 2


def test_every_visible_sheet_with_the_header_is_read_and_hidden_data_is_reported() -> None:
    def fill(book: Any) -> None:
        for title in ("June", "Notes", "July", "Secret", "Deeper", "Blank"):
            sheet = book.add_worksheet(title)
            if title != "Blank":
                sheet.write_row(0, 0, HEADER if title != "Notes" else ["Pin", "City"])
                sheet.write_row(1, 0, [title, "a"])
            if title in ("Secret", "Blank"):
                sheet.hide()
            if title == "Deeper":
                sheet.very_hidden()  # a spreadsheet does not even offer to show it

    manifest = opened(workbook(fill))
    assert [sheet.name for sheet in manifest.sheets] == ["June", "July"]
    assert {notice.code for notice in manifest.notices} == {Code.HIDDEN_SHEET}
    told = " ".join(notice.message for notice in manifest.notices)
    assert "Secret" in told
    assert "Deeper" in told
    assert "Blank" not in told


def test_no_sheet_with_the_header_shows_what_was_seen() -> None:
    def fill(book: Any) -> None:
        book.add_worksheet().write_row(2, 0, ["Pin", "City"])
        book.add_worksheet().write_row(0, 0, ["Settlement", 7])

    header = NamedColumns("Order id")
    with pytest.raises(DropRefused):
        read_manifest(workbook(fill), name="x", limits=Limits(), header=header)
    assert header.seen == [["Pin", "City"], ["Settlement", "7"]]


def test_the_row_limit_counts_over_all_sheets_and_again_on_a_second_reading() -> None:
    def fill(book: Any) -> None:
        for _ in range(2):
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, HEADER)
            for row in range(1, 4):
                sheet.write_row(row, 0, [str(row), "a"])

    data = workbook(fill)
    enough = opened(data, limits=Limits(max_rows=6))
    for _ in range(2):
        assert sum(len(b) for sheet in enough.sheets for b in sheet.blocks(ReadTally())) == 6
    first, second = opened(data, limits=Limits(max_rows=5)).sheets
    assert len(list(first.blocks(ReadTally()))) == 1
    with pytest.raises(DropRefused) as caught:
        list(second.blocks(ReadTally()))
    assert caught.value.code is Code.TOO_MANY_ROWS


def test_merged_cells_are_not_filled_down() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.merge_range(1, 0, 2, 0, "77")
        sheet.write_column(1, 1, ["a", "b"])

    block = only_block(opened(workbook(fill)))
    assert block.cells[0].to_pylist() == ["77", ""]
    assert not block.kinds


def test_a_million_blank_rows_are_counted_not_lived_through() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1_048_575, 0, ["1", "a"])

    tally = ReadTally()
    blocks = list(opened(workbook(fill)).sheets[0].blocks(tally))
    assert [block.rows.tolist() for block in blocks] == [[1_048_576]]
    assert tally.blank == 1_048_574


def test_a_workbook_without_any_cell_is_empty() -> None:
    with pytest.raises(DropRefused) as caught:
        opened(workbook(lambda book: book.add_worksheet()))
    assert caught.value.code is Code.EMPTY_FILE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5.0, "5"),
        (-0.0, "0"),
        (999_999_999_999_999.0, "999999999999999"),
        (1e15, "1000000000000000.0"),
        (0.1, "0.1"),
        (10**19, "1e+19"),
        (True, "TRUE"),
        (dt.datetime(2024, 6, 26, 9, 59, 59, 999_600), "2024-06-26T10:00:00"),
        (dt.datetime(2024, 6, 26, 23, 59, 59, 999_600), "2024-06-27"),
        (dt.datetime.max, "9999-12-31T23:59:59"),
        (dt.date(2024, 6, 26), "2024-06-26"),
        (dt.time(9, 5), "09:05:00"),
        (dt.timedelta(hours=-25, minutes=-3), "-25:03:00"),
    ],
)
def test_the_text_of_cells_alone_and_in_a_column(value: object, text: str) -> None:
    assert text_of(value) == text
    for column in ([value], [value, "", value], [value] * 3):
        texts, kinds = column_of(column)
        assert texts.to_pylist() == [text if cell != "" else "" for cell in column]
        assert kinds is not None
        assert (kinds == CellKind.TEXT).tolist() == [cell == "" for cell in column]
