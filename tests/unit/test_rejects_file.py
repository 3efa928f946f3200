"""A corrected rejects file coming back: the guard undone, damaged ids given back."""

import csv
import io
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.core.model import Block, ResultBlock, RowFacts
from pipeline.core.rejects_file import (
    ROWS_SHEET,
    is_reject_column,
    is_rejects_header,
    references,
    rendering_matches,
)
from pipeline.core.row_columns import RESULT
from pipeline.reporting.rejects_csv import rejects_csv, rejects_table
from pipeline.validation.returned_rejects import origin, restore, restore_headers, restore_ids
from schemas.vocabulary import CellKind

HEADERS = ("_reject_row", "_reject_codes", "_reject_message", "_reject_drop", "Order Id", "Remark")
ID = "17788112345678901234"
TEXT, NUMBER = CellKind.TEXT, CellKind.NUMBER
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


def block(*lines: tuple[str, ...], kinds: dict[int, list[int]] | None = None) -> Block:
    width = len(lines[0])
    return Block(
        rows=np.arange(2, 2 + len(lines), dtype=np.int32),
        cells=tuple(pa.array([line[i] for line in lines], pa.string()) for i in range(width)),
        kinds={i: np.array(each, np.int8) for i, each in (kinds or {}).items()},
    )


def line(order_id: str, *, row: str = "7", drop: str = "d1", remark: str = "") -> tuple[str, ...]:
    return (row, "ID_MISSING:order_id", "m", drop, order_id, remark)


# The header


def test_a_rejects_file_is_known_by_its_two_columns() -> None:
    assert is_rejects_header(HEADERS)
    assert is_rejects_header(("Order Id", " _REJECT_DROP", "\ufeff_reject_row"))
    assert is_rejects_header(("\u00ef\u00bb\u00bf_reject_row", "_reject_drop"))
    assert not is_rejects_header(("_reject_row", "Order Id"))
    assert not is_rejects_header(("Order Id", "Status"))


def test_only_our_columns_are_no_data() -> None:
    assert is_reject_column("_reject_message")
    assert not is_reject_column("Reject Reason")


def test_guarded_headers_come_back() -> None:
    assert restore_headers(("'=X", "Id"), "csv") == ("=X", "Id")
    assert restore_headers(("'tis", "'-X"), "workbook") == ("'tis", "-X")
    assert restore_headers((), "csv") == ()
    assert restore_headers(("'-X",), "twin") == ("'-X",)


# The guard


def test_from_a_csv_one_apostrophe_goes_from_every_cell() -> None:
    back = restore(block(line("'x", remark="''-5")), HEADERS, "csv")
    assert (back.cells[4].to_pylist(), back.cells[5].to_pylist()) == (["x"], ["'-5"])


def test_from_a_workbook_only_what_the_guard_put_there_goes() -> None:
    back = restore(block(line("'x", remark="'-5")), HEADERS, "workbook")
    assert (back.cells[4].to_pylist(), back.cells[5].to_pylist()) == (["'x"], ["-5"])


@pytest.mark.parametrize("place", ["csv", "workbook", "twin"])
def test_surplus_cells_lose_their_apostrophe_as_the_others_do(place: str) -> None:
    """Cells beyond the last column were guarded, too, when they were written into the CSV."""
    came = replace(block(line("X1"), line("X2")), extra={0: ("'=1+1", "''y"), 1: ("'z",)})
    back = restore(came, HEADERS, place).extra
    if place == "csv":
        assert back == {0: ("=1+1", "'y"), 1: ("z",)}
    else:
        assert back == came.extra


def test_in_our_own_workbook_every_cell_is_as_it_was() -> None:
    assert origin("xlsx", ROWS_SHEET) == origin("ods", ROWS_SHEET) == "twin"
    assert (origin("xlsx", "Sheet1"), origin("csv", "")) == ("workbook", "csv")
    back = restore(block(line("'=x", remark="'-5")), HEADERS, "twin")
    assert (back.cells[4].to_pylist(), back.cells[5].to_pylist()) == (["'=x"], ["'-5"])


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=4))
def test_a_rejects_file_dropped_back_as_it_is_has_the_original_cells(
    rows: list[tuple[str, str]],
) -> None:
    table = pa.table(
        {
            field.name: pa.array(
                ["rejected" if field.name == "outcome" else ""] * len(rows)
                if pa.types.is_string(field.type)
                else [3] * len(rows),
                field.type,
            )
            for field in RESULT
        },
        schema=RESULT,
    )
    cells = tuple(pa.array([row[i] for row in rows], pa.string()) for i in range(2))
    made = ResultBlock(sheet="", headers=("Order Id", "Remark"), table=table, cells=cells)
    text = b"".join(rejects_csv(rejects_table([made], drop_id="d1"))).decode("utf-8-sig")
    header, *lines = csv.reader(io.StringIO(text, newline=""))
    back = restore(block(*map(tuple, lines)), header, "csv")
    assert is_rejects_header(header)
    assert list(zip(*(column.to_pylist() for column in back.cells[4:]), strict=True)) == rows
    assert references(back, header) == [("d1", 3)] * len(rows)


# Shifted rows


def ragged(codes: str, surplus: str) -> Block:
    return block(("7", codes, "m", "d1", ID, "r", surplus))


def test_a_shifted_row_that_was_not_mended_is_rejected_again() -> None:
    back = restore(ragged("ROW_RAGGED", "Mumbai"), (*HEADERS, ""), "csv")
    assert back.facts == {0: RowFacts(beyond="Mumbai")}


def test_a_mended_row_is_sound() -> None:
    assert not restore(ragged("ROW_RAGGED", ""), (*HEADERS, ""), "csv").facts


def test_a_nameless_column_of_the_original_is_no_fault() -> None:
    assert not restore(ragged("ID_MISSING:order_id", "note"), (*HEADERS, ""), "csv").facts


def test_what_the_reader_found_is_kept() -> None:
    came = ragged("ROW_RAGGED", "Mumbai")
    came = Block(rows=came.rows, cells=came.cells, facts={0: RowFacts(cells=2)})
    assert restore(came, (*HEADERS, ""), "csv").facts == {0: RowFacts(cells=2, beyond="Mumbai")}


# Damaged ids


@pytest.mark.parametrize(
    ("original", "seen"),
    [
        (ID, "1.77881E+19"),  # Excel, General
        (ID, "1.78E+19"),  # Excel, Scientific
        (ID, "1.77881123456789E+19"),  # LibreOffice
        (ID, "1.778811234567890E+19"),
        (ID, "1.7788112345678901e+19"),  # a float as it prints
        (ID, "1,77881E+19"),  # decimal comma
        (ID, "17788112345678900000"),  # Excel, Number
        (ID, "17788112345678900000.00"),
        (ID, "17788112345678900000,00"),
        (ID, " 1.77881E+19 "),
        ("17700000000000000001", "1.77E+19"),  # General leaves zeros out
        ("18000000000000000001", "1.8E+19"),
        ("20000000000000000001", "2E+19"),
        ("99999999999999999999", "1E+20"),  # rounds up
        ("1234567890123456", "1234567890123450"),  # Excel cuts
        ("1234567890123456", "1234567890123460"),  # others round
        ("00123456", "123456"),
        ("00123456", "123456.0"),
        ("123456", "123456.0"),
        ("123456789012", "1.23457E+11"),
        ("12E5", "1.20E+06"),
        ("12E5", "1200000"),
        ("0000", "0"),
    ],
)
def test_what_a_spreadsheet_shows_of_an_id_is_recognised(original: str, seen: str) -> None:
    assert rendering_matches(original, seen, TEXT)


@pytest.mark.parametrize(
    ("original", "seen"),
    [
        (ID, ID),  # not damaged
        (ID, "17788112345678901235"),  # another id
        (ID, "17788112345678909999"),
        (ID, "17788112345678901000"),  # nobody cuts to 17 digits
        (ID, "1.77882E+19"),
        (ID, "1.77881E+18"),
        (ID, "1.7E+19"),  # not what rounding gives
        (ID, ""),
        (ID, "1"),
        ("123456", "1234560"),
        ("123456", "0123456"),  # no spreadsheet adds zeros
        ("ORD-12", "12"),
        ("1.77881E+19", "17788100000000000000"),  # the original was damaged already
        ("", "0"),
        ("12E5", "12e5"),
        ("99E99", "9" * 120),
        (ID, "1.77881E+999"),
    ],
)
def test_what_a_person_typed_is_never_taken_for_damage(original: str, seen: str) -> None:
    assert not rendering_matches(original, seen, TEXT)


@pytest.mark.parametrize("seen", ["17788112345678900000", "1.77881123456789e+19", repr(float(ID))])
def test_a_number_cell_is_compared_by_value(seen: str) -> None:
    assert rendering_matches(ID, seen, NUMBER)
    assert not rendering_matches(ID, "1.77882e+19", NUMBER)


def test_a_long_number_cell_is_restored_even_if_it_reads_the_same() -> None:
    assert rendering_matches("1234567890123440", "1234567890123440", NUMBER)
    assert not rendering_matches("123456789012", "123456789012", NUMBER)


@pytest.mark.parametrize("kind", [CellKind.DATE, CellKind.BOOLEAN, CellKind.ERROR])
def test_no_other_kind_of_cell_is_a_rendering(kind: CellKind) -> None:
    assert not rendering_matches("123456", "123456.0", kind)


@given(st.from_regex(r"[1-9][0-9]{15,24}", fullmatch=True), st.integers(2, 16))
def test_every_number_of_decimals_is_recognised(original: str, decimals: int) -> None:
    assert rendering_matches(original, f"{Decimal(original):.{decimals}E}", TEXT)


@given(
    st.from_regex(r"[0-9A-Za-z][0-9A-Za-z_-]{0,30}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9.,+-]{0,30}", fullmatch=True),
    st.sampled_from(CellKind),
)
def test_no_cell_makes_the_comparison_fail(original: str, seen: str, kind: CellKind) -> None:
    assert rendering_matches(original, seen, kind) in {True, False}


def test_ids_are_restored_by_the_row_they_came_from() -> None:
    came = block(
        line("1.77881E+19", row="7"),
        line("1.77881E+19", row="8"),
        line("99988112345678901234", row="7"),
        line("1.77881E+19", row="7", drop="other"),
        line("1.77881E+19", row=""),
    )
    back = restore_ids(came, HEADERS, 4, {("d1", 7): [("", ID)], ("d1", 8): [("", "55555")]})
    assert back.facts == {0: RowFacts(damaged_id="1.77881E+19")}
    assert back.cells[4].to_pylist() == [ID, *came.cells[4].to_pylist()[1:]]
    assert back.cells[5] == came.cells[5]


def test_a_restored_number_cell_counts_as_text_from_then_on() -> None:
    came = block(
        line("17788112345678900000"), line("17788112345678900000", row="9"), kinds={4: [1, 1]}
    )
    back = restore_ids(came, HEADERS, 4, {("d1", 7): [("", ID)]})
    assert list(back.facts) == [0]
    assert back.kinds[4].tolist() == [TEXT, NUMBER]
    assert came.kinds[4].tolist() == [NUMBER, NUMBER]


def test_nothing_damaged_gives_the_same_block_back() -> None:
    came = block(line(ID))
    assert restore_ids(came, HEADERS, 4, {("d1", 7): [("", ID)]}) is came


def test_two_sheets_with_the_same_row_number_restore_only_what_is_certain() -> None:
    came = block(line("1.77881E+19"))
    other = "99988112345678901234"
    known = {("d1", 7): [("North", other), ("South", ID)]}
    assert restore_ids(came, HEADERS, 4, known).cells[4].to_pylist() == [ID]
    known = {("d1", 7): [("North", ID), ("South", ID[:-1] + "9")]}
    back = restore_ids(came, HEADERS, 4, known)
    assert back.cells == came.cells
    assert ID in back.facts[0].shown[4]
    assert not back.facts[0].damaged_id


@pytest.mark.parametrize(
    ("row", "expected"), [("7", 7), (" 7 ", 7), ("7.0", 7), ("7,00", 7), ("x", None), ("-7", None)]
)
def test_row_numbers_are_read_as_a_spreadsheet_leaves_them(row: str, expected: int | None) -> None:
    found = references(block(line(ID, row=row)), HEADERS)
    assert found == [("d1", expected) if expected else None]


def test_without_the_columns_no_row_is_referred_to() -> None:
    assert references(block(("1",), ("2",)), ("Order Id",)) == [None, None]
