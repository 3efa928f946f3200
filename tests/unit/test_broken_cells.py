"""An error cell and its row: refused where it decides, left out where it does not."""

import pytest

from pipeline.core.model import Disposition
from schemas.vocabulary import UNCALCULATED, CellKind
from tests.fakes.courier_sheet import Prepared, sheet

HEADERS = [
    "Order ID",
    "Status",
    "is_return",
    "autoDispatch",
    "is_self_ship",
    "Status Date",
    "Remark",
]
SOUND = ["A1", "Delivered", "0", "false", "true", "2026-06-29 10:00", "fine"]


def with_error(header: str, error: str = "#REF!", courier: str = "shiprocket") -> Prepared:
    at = HEADERS.index(header)
    cells = [error if place == at else cell for place, cell in enumerate(SOUND)]
    return sheet(HEADERS, cells, kinds={at: [CellKind.ERROR]}, courier=courier)


@pytest.mark.parametrize(
    ("header", "role"),
    [
        ("Status", "status"),
        ("is_return", "direction"),
        ("autoDispatch", "auto_dispatch"),
        ("is_self_ship", "self_ship"),
        ("Status Date", "event_time"),
    ],
)
@pytest.mark.parametrize("error", ["#REF!", UNCALCULATED])
def test_an_error_where_an_update_is_decided_rejects_the_row(
    header: str, role: str, error: str
) -> None:
    row = with_error(header, error).one
    assert row["disposition"] == Disposition.REJECTED
    assert row["codes"] == f"CELL_INVALID:{role}"
    assert row["message"].startswith(f"Row 2, {header}: ")
    assert row["item"] == ""


def test_the_words_tell_an_error_from_a_result_that_is_missing() -> None:
    assert '"#REF!" is the error of a formula' in with_error("Status").one["message"]
    assert "save it and upload that" in with_error("Status", UNCALCULATED).one["message"]


def test_an_error_in_the_id_is_a_missing_id() -> None:
    row = with_error("Order ID").one
    assert row["codes"] == "ID_MISSING:order_id"


def test_a_remark_that_is_an_error_is_left_out() -> None:
    done = with_error("Remark")
    assert done.one["disposition"] == Disposition.SEND
    assert "remark" not in done.update.get("meta", {})


def test_nothing_found_is_no_event_time_as_in_a_csv() -> None:
    assert with_error("Status Date", "#N/A").one["disposition"] == Disposition.SEND


def test_one_broken_status_does_not_hide_an_unknown_one() -> None:
    done = sheet(
        ["Order ID", "Status"],
        ["A1", "#N/A"],
        ["A2", "Wat"],
        ["A3", "Delivered"],
        kinds={1: [CellKind.ERROR, CellKind.TEXT, CellKind.TEXT]},
    )
    assert [row["codes"] for row in done.rows] == [
        "CELL_INVALID:status",
        "STATUS_UNKNOWN:status",
        "",
    ]


@pytest.mark.parametrize("header", ["is_return", "autoDispatch", "is_self_ship", "Status Date"])
def test_the_text_of_an_error_in_a_csv_decides_nothing_either(header: str) -> None:
    cells = [
        "#VALUE!" if name == header else cell for name, cell in zip(HEADERS, SOUND, strict=True)
    ]
    row = sheet(HEADERS, cells, courier="shiprocket").one
    assert row["codes"].startswith("CELL_INVALID:")
    assert row["disposition"] == Disposition.REJECTED
