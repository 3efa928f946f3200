"""rejects.xlsx, opened with another library: text, colours, comments, drop-down, advice."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from python_calamine import CalamineWorkbook

from pipeline.core.model import ResultBlock
from pipeline.core.row_columns import RESULT
from pipeline.reporting.rejects_csv import rejects_table
from pipeline.reporting.rejects_xlsx import rejects_xlsx
from schemas.codes import Code

HEADERS: tuple[str, ...] = ("Order Id", "Current Status", "Remark")
COLUMNS = {HEADERS: {"order_id": 0, "status": 1, "remark": 2}}
CREATED = datetime(2026, 1, 2, tzinfo=UTC)
RED, YELLOW = "FFFFC7CE", "FFFFEB9C"


def block(*lines: tuple[str, tuple[str, str, str]], outcome: str = "rejected") -> ResultBlock:
    """Lines are (codes, cells)."""
    table = pa.Table.from_pylist(
        [
            {
                "row": 2 + pos,
                "order_id": "",
                "awb": "",
                "source_status": "",
                "order_status": "",
                "outcome": outcome,
                "codes": codes,
                "message": f"Row {2 + pos} is wrong.",
                "attempts": 0,
                "sent_at": "",
            }
            for pos, (codes, _) in enumerate(lines)
        ],
        schema=RESULT,
    )
    cells = tuple(pa.array([line[1][i] for line in lines], pa.string()) for i in range(3))
    return ResultBlock(sheet="", headers=HEADERS, table=table, cells=cells)


def workbook(*blocks: ResultBlock, whole_file: bool = False, **options: Any) -> bytes | None:
    table = rejects_table(blocks, drop_id="d1", columns=COLUMNS, whole_file=whole_file)
    return rejects_xlsx(table, created=CREATED, **options)


def made(*blocks: ResultBlock, **options: Any) -> bytes:
    data = workbook(*blocks, **options)
    assert data is not None
    return data


def opened(*blocks: ResultBlock, **options: Any) -> tuple[Worksheet, Worksheet]:
    book = openpyxl.load_workbook(io.BytesIO(made(*blocks, **options)))
    assert book.sheetnames == ["Rows to correct", "What to fix"]
    return book.worksheets[0], book.worksheets[1]


def test_every_cell_is_text_and_a_long_id_keeps_its_digits() -> None:
    rows, _ = opened(block(("STATUS_UNKNOWN:status", ("17788112345678901234", "Dlvd", "-5"))))
    line = rows[2]
    assert [cell.value for cell in line] == [
        "2",
        "STATUS_UNKNOWN:status",
        "Row 2 is wrong.",
        "d1",
        "17788112345678901234",
        "Dlvd",
        "-5",
    ]
    assert {cell.data_type for cell in line} == {"s"}
    assert {cell.number_format for cell in line} == {"@"}


def test_cells_typed_later_are_text_too() -> None:
    rows, _ = opened(block(("STATUS_UNKNOWN:status", ("1", "", ""))))
    groups = rows.column_dimensions.values()
    formats = {n: each.number_format for each in groups for n in range(each.min, each.max + 1)}
    assert formats == dict.fromkeys(range(1, 8), "@")
    assert rows["F2"].number_format == "@"


def test_our_own_columns_leave_room_for_the_cells_to_correct() -> None:
    rows, _ = opened(block(("STATUS_UNKNOWN:status", ("17788112345678901234", "Dlvd", ""))))
    widths = {name: each.width for name, each in rows.column_dimensions.items()}
    assert sum(widths[name] for name in "ABCD") < 90
    assert widths["E"] > 20  # an id of twenty digits
    grey = rows["B2"].font.color.rgb
    assert (
        grey == rows["D2"].font.color.rgb != (rows["E2"].font.color and rows["E2"].font.color.rgb)
    )


def test_our_own_texts_do_not_run_into_an_empty_cell_to_correct() -> None:
    rows, _ = opened(block(("ID_MISSING:order_id", ("", "Delivered", ""))))
    assert all(rows[f"{column}2"].alignment.wrap_text for column in "ABCD")


def test_a_warning_has_the_colour_of_a_warning_on_both_sheets() -> None:
    rows, fixes = opened(block(("ID_MISSING:order_id;TEXT_CUT:remark", ("", "Delivered", "long"))))
    assert [rows[at].fill.fgColor.rgb for at in ("E2", "G2")] == [RED, YELLOW]
    values = {fixes.cell(n, 4).value: fixes.cell(n, 4).fill.fgColor.rgb for n in (3, 5)}
    assert values == {"(empty)": RED, "long": YELLOW}


def test_a_row_that_the_api_refused_is_marked_at_its_status() -> None:
    rows, fixes = opened(block(("API_REFUSED", ("1", "Delivered", ""))))
    assert rows["F2"].fill.fgColor.rgb == RED
    assert "API_REFUSED" in rows["F2"].comment.text
    assert rows["B2"].fill.fill_type is None
    assert fixes["D3"].value == "(the row)"
    assert fixes["D3"].hyperlink.location == "'Rows to correct'!F2"


def test_the_header_row_is_frozen_and_filtered() -> None:
    rows, _ = opened(block(("STATUS_UNKNOWN:status", ("1", "x", ""))))
    assert rows.freeze_panes == "A2"
    assert rows.auto_filter.ref == "A1:G2"


def test_a_bad_cell_is_coloured_and_says_why() -> None:
    rows, _ = opened(block(("ID_MISSING:order_id;TEXT_CUT:remark", ("", "Delivered", "long"))))
    assert rows["E2"].fill.bgColor.rgb == RED or rows["E2"].fill.fgColor.rgb == RED
    assert rows["E2"].comment.text == "ID_MISSING\nRow 2 is wrong."
    assert rows["G2"].fill.fgColor.rgb == YELLOW
    assert rows["F2"].comment is None
    assert rows["F2"].fill.fill_type is None


@pytest.mark.parametrize("code", ["ROW_RAGGED", "DATE_INVALID:event_time"])
def test_a_fault_without_a_cell_is_shown_at_the_codes(code: str) -> None:
    rows, _ = opened(block((code, ("1", "x", ""))))
    assert rows["B2"].fill.fgColor.rgb == RED
    assert code.split(":")[0] in rows["B2"].comment.text


def test_comments_are_limited_colours_are_not() -> None:
    line = ("STATUS_UNKNOWN:status", ("1", "x", ""))
    rows, _ = opened(block(*[line] * 5), max_comments=3)
    assert [rows.cell(n, 6).comment is not None for n in range(2, 7)] == [True] * 3 + [False] * 2
    assert rows["F6"].fill.fgColor.rgb == RED


def test_the_status_column_has_a_drop_down_of_any_length() -> None:
    statuses = [f"A status with a long name {n}" for n in range(40)]
    line = ("STATUS_UNKNOWN:status", ("1", "x", ""))
    rows, fixes = opened(block(*[line] * 3), statuses=statuses)
    (rule,) = rows.data_validations.dataValidation
    assert (rule.type, str(rule.sqref)) == ("list", "F2:F4")
    assert rule.formula1 == "'What to fix'!$J$2:$J$41"
    assert [fixes.cell(n, 10).value for n in range(2, 42)] == statuses
    assert fixes.cell(1, 11).value is None


def test_beside_each_status_stands_what_it_means_and_the_cell_says_where() -> None:
    line = ("STATUS_UNKNOWN:status", ("1", "x", ""))
    known = {"Delivered": "It is delivered", "At hub": "It is on its way"}
    rows, fixes = opened(block(line), statuses=[*known], meanings=[*known.values()])
    (rule,) = rows.data_validations.dataValidation
    assert rule.showInputMessage
    assert "What to fix" in rule.prompt
    told = [[fixes.cell(n, place).value for place in (10, 11)] for n in (1, 2, 3)]
    assert told == [["Known statuses", "What it means"], *map(list, known.items())]


def test_without_statuses_there_is_no_drop_down() -> None:
    rows, _ = opened(block(("STATUS_UNKNOWN:status", ("1", "x", ""))))
    assert not rows.data_validations.dataValidation


def test_what_to_fix_is_grouped_and_shows_the_files_own_values() -> None:
    slip = ("STATUS_UNKNOWN:status", ("1", "Deliverd", ""))
    odd = ("ID_MISSING:order_id;STATUS_UNKNOWN:status", ("", "Wat", ""))
    _, fixes = opened(block(odd, slip, slip), statuses=["Delivered", "In Transit"])
    lines = [[cell.value for cell in row[:9]] for row in fixes.iter_rows(max_row=6)]
    assert lines == [
        [
            *("Code", "Column", "Rows", "In your file", "First in row", "Should look like"),
            *("What is wrong", "What to do", "Message of that row"),
        ],
        [
            *("STATUS_UNKNOWN", "Current Status", 3, None, None, None),
            *(Code.STATUS_UNKNOWN.what, Code.STATUS_UNKNOWN.fix, None),
        ],
        [None, None, 2, "Deliverd", 3, "Delivered", None, None, "Row 3 is wrong."],
        [
            *(None, None, 1, "Wat", 2, "one of the known statuses, in column J"),
            *(None, None, "Row 2 is wrong."),
        ],
        [
            "ID_MISSING",
            "Order Id",
            1,
            None,
            None,
            None,
            *(Code.ID_MISSING.what, Code.ID_MISSING.fix),
            None,
        ],
        [None, None, 1, "(empty)", 2, Code.ID_MISSING.right, None, None, "Row 2 is wrong."],
    ]
    assert "upload this file" in fixes["A8"].value


def test_a_value_to_fix_leads_to_its_first_cell() -> None:
    lines = [("", ("1", "Delivered", "")), ("STATUS_UNKNOWN:status", ("2", "Wat", ""))]
    _, fixes = opened(block(*lines))
    assert fixes["D3"].hyperlink.location == "'Rows to correct'!F3"


def test_of_many_values_the_most_frequent_are_shown_and_the_others_counted() -> None:
    bad = [("STATUS_UNKNOWN:status", ("1", f"Wat {n // 2}", "")) for n in range(1300)]
    often = [("STATUS_UNKNOWN:status", ("1", "Wat 499", ""))] * 3
    _, fixes = opened(block(*bad, *often))
    counts = [fixes.cell(n, 3).value for n in range(2, 14)]
    assert counts == [1303, 5, *[2] * 9, 1303 - 5 - 18]
    assert fixes["D3"].value == "Wat 499"
    assert fixes["D13"].value == "(other values)"


def test_rows_are_as_high_as_their_wrapped_words() -> None:
    rows, _ = opened(block(("STATUS_UNKNOWN:status", ("1", "x", ""))))
    assert rows["C2"].alignment.wrap_text
    data = made(block(("STATUS_UNKNOWN:status", ("1", "x", ""))))
    fixes = openpyxl.load_workbook(io.BytesIO(data)).worksheets[1]
    lines = -(-len(Code.STATUS_UNKNOWN.fix) // 48)
    assert lines > 2
    assert fixes.row_dimensions[2].height == 15 * lines


def test_no_row_no_workbook() -> None:
    sound = block(("", ("1", "x", "")), outcome="accepted")
    assert workbook(sound) is None


def test_the_whole_file_has_sound_rows_without_marks() -> None:
    bad = block(("STATUS_UNKNOWN:status", ("1", "x", "")))
    sound = block(("TEXT_CUT:remark", ("2", "Delivered", "r")), outcome="unsent")
    rows, fixes = opened(bad, sound, whole_file=True)
    assert [cell.value for cell in rows[3]][1:] == [None, None, "d1", "2", "Delivered", "r"]
    assert rows["G3"].fill.fill_type is None
    assert fixes["A4"].value is None


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "http://example.com/x",
        " spaces ",
        "two\nlines",
        "<r><t>x</t></r>",
        "<r></si><evil/></r>",
        "<b>&amp;",
        "\uff1dA1",
        "1e5",
    ],
)
@pytest.mark.parametrize("spilled", [False, True])
def test_any_text_stays_what_it_was(
    text: str, spilled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if spilled:
        monkeypatch.setattr("pipeline.reporting.rejects_xlsx._IN_MEMORY_CELLS", 0)
    data = made(block(("STATUS_UNKNOWN:status", ("1", "x", text))), scratch=str(tmp_path))
    cell = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]["G2"]
    assert (cell.value, cell.data_type) == (text, "s")
    assert (
        CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()[1][6]
        == text
    )
    assert not list(tmp_path.iterdir())


def test_control_characters_do_not_break_the_workbook() -> None:
    rows, _ = opened(block(("ID_INVALID:order_id", ("177\x00881", "\x01\ufffe", "x" * 40_000))))
    assert rows["E2"].value == "177\ufffd881"
    assert rows["G2"].value == "x" * 32_767


def test_too_many_rows_give_the_advice_alone_never_half_of_the_rows() -> None:
    line = ("STATUS_UNKNOWN:status", ("1", "x", ""))
    data = made(block(*[line] * 10), max_cells=69)
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["What to fix"]
    assert book.worksheets[0]["C2"].value == 10
    assert "rejects.csv" in book.worksheets[0]["A5"].value
    assert book.worksheets[0]["D3"].hyperlink is None


def test_the_same_rows_give_the_same_bytes() -> None:
    line = ("STATUS_UNKNOWN:status", ("1", "x", ""))
    assert made(block(line)) == made(block(line))
