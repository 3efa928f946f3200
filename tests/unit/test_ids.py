"""Hazards A: order ids. Each test is named after the line it proves."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.model import Disposition
from pipeline.planning.freeze import too_many_rejects
from pipeline.validation.order_ids import canonical_ids
from schemas.codes import Code
from schemas.profile import load_profile
from schemas.vocabulary import CellKind
from tests.fakes.courier_sheet import one_id, sheet


def rejected(cell: str, code: str, kind: CellKind | None = None) -> None:
    row = one_id(cell, kind)
    assert f"{code}:order_id" in row["codes"].split(";")
    assert row["disposition"] == Disposition.REJECTED
    assert row["item"] == ""
    assert row["order_id"] == cell


def sent(cell: str, order_id: str, kind: CellKind | None = None) -> None:
    row = one_id(cell, kind)
    assert row["codes"] == ""
    assert row["order_id"] == order_id
    assert row["item"] == f'{{"orderId":"{order_id}","orderStatus":"delivery_done"}}'


@pytest.mark.parametrize("kind", [None, CellKind.TEXT, CellKind.NUMBER])
@pytest.mark.parametrize("cell", ["1.77881E+19", "1.77881123456789E+19", "1e5", "2E+07", "1.5E19"])
def test_scientific_notation_is_damaged_as_text_and_as_number(
    cell: str, kind: CellKind | None
) -> None:
    rejected(cell, "ID_DAMAGED", kind)


@pytest.mark.parametrize("cell", ["12E5", "1E", "A1E5", "1E123", "E5"])
def test_only_one_digit_before_the_exponent_is_scientific_notation(cell: str) -> None:
    sent(cell, cell)


@pytest.mark.parametrize(
    "cell", ["1000000000000000", "17328629784861446", "17328629784861446350", "1234.5", "0.5"]
)
def test_numeric_cell_of_sixteen_digits_or_a_fraction_is_damaged(cell: str) -> None:
    rejected(cell, "ID_DAMAGED", CellKind.NUMBER)
    assert one_id(cell, CellKind.NUMBER)["codes"] == "ID_DAMAGED:order_id"


@pytest.mark.parametrize("cell", ["1000000000000000.0", "1.7328629784861446e+19", "1e+21"])
def test_numbers_as_the_reader_shows_them_once_digits_are_lost(cell: str) -> None:
    assert one_id(cell, CellKind.NUMBER)["codes"] == "ID_DAMAGED:order_id"


def test_numeric_cell_of_fifteen_digits_is_sound() -> None:
    sent("999999999999999", "999999999999999", CellKind.NUMBER)
    sent("123456.0", "123456", CellKind.NUMBER)


@pytest.mark.parametrize("zeros", [3, 4, 5])
def test_three_or_more_zeros_after_the_fifteenth_digit_are_damage(zeros: int) -> None:
    rejected("177881123456789" + "0" * zeros, "ID_DAMAGED")


@pytest.mark.parametrize("zeros", [1, 2])
def test_fewer_zeros_after_the_fifteenth_digit_are_suspect_and_sent(zeros: int) -> None:
    cell = "177881123456789" + "0" * zeros
    row = one_id(cell)
    assert row["codes"] == "ID_SUSPECT:order_id"
    assert row["disposition"] == Disposition.SEND
    assert cell in row["item"]


def test_a_twenty_digit_text_is_sent_as_it_is() -> None:
    sent("17328629784861446350", "17328629784861446350")


def test_point_zero_is_stripped_from_fifteen_digits_at_most() -> None:
    sent("123456.0", "123456")
    sent("123456789012345.0", "123456789012345")
    rejected("1234567890123456.0", "ID_DAMAGED")
    rejected("123456.50", "ID_INVALID")


@pytest.mark.parametrize(
    "cell",
    [
        "'1778",
        '="1778"',
        '"1778"',
        "'1778'",
        " 1778 ",
        "\ufeff1778",
        "\u00a01778\u00a0",
        "1778\u200b",
        "\u00ad1778",
        '  ="1778" ',
        "\u200e'1778",
    ],
)
def test_one_wrapper_and_the_ends_are_stripped(cell: str) -> None:
    sent(cell, "1778")


@pytest.mark.parametrize(
    "cell",
    [
        "17\u200b78",
        "17\u00a078",
        "17\u00ad78",
        "１７７８",
        "१७७८",
        "АB12",
        '=""1778""',
        "''1778''",
        "17\ufffd78",
        "17\n78",
    ],
)
def test_what_hides_inside_an_id_makes_it_invalid(cell: str) -> None:
    rejected(cell, "ID_INVALID")


@pytest.mark.parametrize("cell", ["A", "1", "a-b_c", "A" * 50, "OD-1778_2"])
def test_a_valid_id(cell: str) -> None:
    sent(cell, cell)


@pytest.mark.parametrize("cell", ["A" * 51, "-A1", "_A1", "A.1", "A#1"])
def test_an_id_of_the_wrong_shape(cell: str) -> None:
    rejected(cell, "ID_INVALID")


@pytest.mark.parametrize(
    "cell", ["17 788 112", "1,77,88,112", "A1, A2", "A1/A2", "A1;A2", "A1\tA2"]
)
def test_grouping_and_two_ids_in_a_cell_are_invalid(cell: str) -> None:
    rejected(cell, "ID_INVALID")


@pytest.mark.parametrize(
    "cell",
    [
        "#N/A",
        "NULL",
        "nan",
        "None",
        "-",
        "",
        "  ",
        "null",
        "N/A",
        "--",
        '=""',
        "'",
        "0",
        "000",
        "0.0",
    ],
)
def test_nothing_in_the_cell_is_missing(cell: str) -> None:
    rejected(cell, "ID_MISSING")


def test_an_error_cell_is_missing_whatever_it_shows() -> None:
    rejected("#REF!", "ID_MISSING", CellKind.ERROR)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("TRUE", CellKind.BOOLEAN),
        ("true", CellKind.BOOLEAN),
        ("2026-06-26T00:00:00", CellKind.DATE),
        ("20260626", CellKind.DATE),
    ],
)
def test_boolean_and_date_cells_are_invalid(cell: str, kind: CellKind) -> None:
    rejected(cell, "ID_INVALID", kind)


def test_one_fault_per_code_although_two_checks_find_it() -> None:
    row = one_id("2026-06-26T00:00:00", CellKind.DATE)
    assert row["codes"] == "ID_INVALID:order_id"


def test_a_profile_narrows_ids() -> None:
    text = '[statuses]\ndelivery_done = ["Delivered"]\n[ids]\ndigits_only = true\nmin_length = 4\n'
    profile = load_profile('name = "narrow"\n' + text + "max_length = 6\n", origin="narrow.toml")
    rows = [[each, "Delivered"] for each in ("1234", "123", "1234567", "A1234")]
    done = sheet(["Order ID", "Status"], *rows, courier=profile).rows
    assert [row["codes"] for row in done] == ["", *["ID_INVALID:order_id"] * 3]


def test_messages_name_row_header_value_and_remedy() -> None:
    row = sheet(["Order No.", "Status"], ["17 788", "Delivered"]).one
    assert row["message"].startswith('Row 2, Order No.: "17 788" is not a valid order id')
    assert "as text" in row["message"]


def test_good_ids_are_the_same_array() -> None:
    cells = pa.array([f"A{number}00000" for number in range(5)])
    assert canonical_ids(cells, None) is cells


def test_odd_ids_among_many_keep_their_places() -> None:
    cells = pa.array(["AAAAAA", "'BBBBBB", "CCCCCC", "null", "#REF!", '="DDDDDD"'])
    kinds = np.array([0, 0, 0, 0, CellKind.ERROR, 0], dtype=np.int8)
    expected = ["AAAAAA", "BBBBBB", "CCCCCC", "", "", "DDDDDD"]
    assert canonical_ids(cells, kinds).to_pylist() == expected


def test_more_than_half_missing_or_invalid_is_the_wrong_column() -> None:
    refusal = too_many_rejects(id_header="Order ID", total=20, id_bad=11, rejected=20, ratio=0.5)
    assert refusal is not None
    assert refusal.code is Code.WRONG_COLUMN
    assert (
        too_many_rejects(id_header="Order ID", total=20, id_bad=10, rejected=10, ratio=0.5) is None
    )
    assert (
        too_many_rejects(id_header="Order ID", total=19, id_bad=19, rejected=19, ratio=0.5) is None
    )


@pytest.mark.parametrize(
    ("total", "rejected", "old", "refused"),
    [(70, 40, 40, False), (70, 56, 40, True), (70, 55, 40, False), (40, 40, 40, True)],
)
def test_rows_of_long_ago_are_no_sign_of_a_wrong_file(
    total: int, rejected: int, old: int, refused: bool
) -> None:
    """But a file of nothing else is refused: its dates are probably wrong."""
    refusal = too_many_rejects(
        id_header="Order ID", total=total, id_bad=0, rejected=rejected, old=old, ratio=0.5
    )
    assert (refusal is not None) == refused


def test_damaged_ids_are_too_many_rejects_not_the_wrong_column() -> None:
    refusal = too_many_rejects(id_header="Order ID", total=100, id_bad=0, rejected=51, ratio=0.5)
    assert refusal is not None
    assert refusal.code is Code.TOO_MANY_REJECTS
    assert (
        too_many_rejects(id_header="Order ID", total=100, id_bad=0, rejected=50, ratio=0.5) is None
    )
