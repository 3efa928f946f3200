"""rejects.csv: the right rows, every original cell, and a file that can be dropped back."""

import csv
import io
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.formula_guard import unguard_cell
from pipeline.core.model import ResultBlock
from pipeline.core.row_columns import RESULT
from pipeline.reporting.rejects_csv import Columns, rejects_csv, rejects_table

OUTCOMES = ("accepted", "duplicate", "ignored", "rejected", "failed", "unknown", "unsent")
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
SHARP = st.text("=+-@\t\r\n\uff1d'\" ,;|\u2028\x1e\ufeffa", max_size=5)


def block(
    headers: tuple[str, ...],
    *lines: tuple[str, tuple[str, ...]],
    first_row: int = 2,
    extra: Mapping[int, tuple[str, ...]] | None = None,
) -> ResultBlock:
    """Lines are (outcome, cells)."""
    table = pa.Table.from_pylist(
        [
            {
                "row": first_row + pos,
                "order_id": "",
                "awb": "",
                "source_status": "",
                "order_status": "",
                "outcome": outcome,
                "codes": "STATUS_UNKNOWN:status" if outcome == "rejected" else "TEXT_CUT:remark",
                "message": f"about {first_row + pos}",
                "attempts": 0,
                "sent_at": "",
            }
            for pos, (outcome, _) in enumerate(lines)
        ],
        schema=RESULT,
    )
    cells = tuple(
        pa.array([line[1][i] for line in lines], pa.string()) for i in range(len(headers))
    )
    return ResultBlock(sheet="", headers=headers, table=table, cells=cells, extra=extra or {})


def read(pieces: Iterator[bytes]) -> list[list[str]]:
    text = b"".join(pieces).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_only_rejected_and_failed_rows_are_in_it() -> None:
    lines = read(
        rejects_csv(rejects_table([block(("Id",), *((o, (o,)) for o in OUTCOMES))], drop_id="d1"))
    )
    assert lines == [
        ["_reject_row", "_reject_codes", "_reject_message", "_reject_drop", "Id"],
        ["5", "STATUS_UNKNOWN:status", "about 5", "d1", "rejected"],
        ["6", "TEXT_CUT:remark", "about 6", "d1", "failed"],
    ]


def test_no_such_row_no_file_not_even_a_header() -> None:
    blocks = [block(("Id",), ("accepted", ("1",))), block(("Id",))]
    assert list(rejects_csv(rejects_table(blocks, drop_id="d1"))) == []


def test_the_whole_file_goes_back_with_sound_rows_uncoded() -> None:
    blocks = [block(("Id",), *((o, (o,)) for o in OUTCOMES))]
    lines = read(rejects_csv(rejects_table(blocks, drop_id="d1", whole_file=True)))[1:]
    assert [line[4] for line in lines] == ["accepted", "rejected", "failed", "unknown", "unsent"]
    assert [line[1] for line in lines] == ["", "STATUS_UNKNOWN:status", "TEXT_CUT:remark", "", ""]
    assert [line[2] for line in lines] == ["", "about 5", "about 6", "", ""]


def test_bytes_are_utf8_with_bom_and_crlf() -> None:
    blocks = [block(("आईडी",), ("rejected", ("1",)))]
    data = b"".join(rejects_csv(rejects_table(blocks, drop_id="d1")))
    assert data == (
        b"\xef\xbb\xbf_reject_row,_reject_codes,_reject_message,_reject_drop,"
        + "आईडी".encode()
        + b"\r\n2,STATUS_UNKNOWN:status,about 2,d1,1\r\n"
    )


def test_repeated_and_empty_headers_keep_their_columns() -> None:
    blocks = [block(("Id", "X", "", "X"), ("rejected", ("1", "a", "b", "c")))]
    header, line = read(rejects_csv(rejects_table(blocks, drop_id="d1")))
    assert header[4:] == ["Id", "X", "", "X"]
    assert line[4:] == ["1", "a", "b", "c"]


def test_surplus_cells_stand_in_nameless_columns_at_the_end() -> None:
    lines = [("rejected", ("1",)), ("accepted", ("2",)), ("rejected", ("3",))]
    extra = {1: ("gone", "gone", "gone"), 2: ("x", "", "y")}
    out = read(rejects_csv(rejects_table([block(("Id",), *lines, extra=extra)], drop_id="d1")))
    assert [line[4:] for line in out] == [
        ["Id", "", "", ""],
        ["1", "", "", ""],
        ["3", "x", "", "y"],
    ]


def test_sheets_with_other_headers_share_one_header() -> None:
    blocks = [
        block(("Order Id", "Status"), ("rejected", ("1", "Dlvd"))),
        block(("Order Id", "Status"), ("accepted", ("2", "Delivered"))),
        block(("AWB", "Status", "Order Id"), ("failed", ("A9", "Picked", "3"))),
    ]
    out = read(rejects_csv(rejects_table(blocks, drop_id="d1")))
    assert [line[4:] for line in out] == [
        ["Order Id", "Status", "AWB"],
        ["1", "Dlvd", ""],
        ["3", "Picked", "A9"],
    ]


def test_a_sheet_without_rejects_adds_no_column() -> None:
    blocks = [block(("A",), ("accepted", ("1",))), block(("B",), ("rejected", ("2",)))]
    assert read(rejects_csv(rejects_table(blocks, drop_id="d1")))[0][4:] == ["B"]


def test_columns_of_one_role_are_one_column_or_the_file_could_not_come_back() -> None:
    one: tuple[str, ...]
    two: tuple[str, ...]
    one, two = ("Order Id", "Status"), ("Order No", "Current Status")
    blocks = [block(one, ("rejected", ("1", "a"))), block(two, ("rejected", ("2", "b")))]
    columns: Columns = {one: {"order_id": 0, "status": 1}, two: {"order_id": 0, "status": 1}}
    out = read(rejects_csv(rejects_table(blocks, drop_id="d1", columns=columns)))
    assert [line[4:] for line in out] == [["Order Id", "Status"], ["1", "a"], ["2", "b"]]


def test_the_reject_columns_of_an_earlier_round_are_not_carried_on() -> None:
    headers = ("_reject_row", "_REJECT_codes", "_reject_message", "_reject_drop", "Id")
    blocks = [block(headers, ("rejected", ("9", "OLD", "old", "d0", "1")))]
    header, line = read(rejects_csv(rejects_table(blocks, drop_id="d1")))
    assert header == ["_reject_row", "_reject_codes", "_reject_message", "_reject_drop", "Id"]
    assert line == ["2", "STATUS_UNKNOWN:status", "about 2", "d1", "1"]


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "-Status", "a,b", 'a"b'])
def test_a_hostile_header_is_guarded_and_quoted(name: str) -> None:
    header = read(rejects_csv(rejects_table([block((name,), ("rejected", ("1",)))], drop_id="d1")))[
        0
    ]
    assert unguard_cell(header[4]) == name
    assert header[4][0] not in "=-"


@given(st.lists(st.tuples(CELL | SHARP, CELL | SHARP, CELL | SHARP), min_size=1, max_size=4))
def test_any_cell_survives_a_csv_reader_and_the_guard(rows: list[tuple[str, str, str]]) -> None:
    made = block(("Id", "Status"), *(("rejected", row[:2]) for row in rows))
    extra = {pos: (row[2],) for pos, row in enumerate(rows)}
    made = ResultBlock(
        sheet="", headers=made.headers, table=made.table, cells=made.cells, extra=extra
    )
    out = read(rejects_csv(rejects_table([made], drop_id="d1")))[1:]
    assert [tuple(map(unguard_cell, line[4:])) for line in out] == rows
