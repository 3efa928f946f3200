"""pandera judges: all faults of all rows, in one pass, by code and column."""

import pandas as pd
import pandera.pandas as pandera
import pytest

from pipeline.model import Disposition, Fault
from pipeline.stages.validate import validate
from schemas.codes import Code
from schemas.manifest import manifest_schema
from schemas.profile import builtin_profiles, load_profile
from schemas.rules import Rules
from schemas.vocabulary import CellKind
from tests.fakes.courier_sheet import sheet

GENERIC = builtin_profiles()["generic"]
HEADERS = ["Order ID", "Status", "Status Date", "EDD", "Self Ship"]


def test_a_rejected_row_keeps_every_fault_and_its_warnings() -> None:
    row = sheet(HEADERS, ["17 78", "Deliverd", "31/06/2026", "nope", "false"]).one
    assert row["codes"].split(";") == [
        "ID_INVALID:order_id",
        "STATUS_UNKNOWN:status",
        "DATE_INVALID:event_time",
        "DATE_DROPPED:estimated_delivery_date",
        "NOT_SELF_SHIP:self_ship",
    ]
    assert row["message"].count("Row 2, ") == 5
    assert row["disposition"] == Disposition.REJECTED


def test_one_bad_row_does_not_hide_another() -> None:
    rows = [
        ["", "Delivered", "", "", ""],
        ["A2", "Delivered", "", "", ""],
        ["A3", "nope", "", "", ""],
        ["A 4", "Delivered", "", "", "no"],
    ]
    done = sheet(HEADERS, *rows).rows
    assert [row["codes"] for row in done] == [
        "ID_MISSING:order_id",
        "",
        "STATUS_UNKNOWN:status",
        "ID_INVALID:order_id;NOT_SELF_SHIP:self_ship",
    ]


def test_notices_group_by_code_and_column_with_count_and_example() -> None:
    rows = [["A1", "nope"], ["A 2", "Delivered"], ["A3", "what"], ["A4", "NDR"]]
    notices = {
        (notice.code, notice.column): notice
        for notice in sheet(["Order ID", "Status"], *rows).notices
    }
    unknown = notices[Code.STATUS_UNKNOWN, "status"]
    assert (unknown.count, unknown.example_row) == (2, 2)
    assert unknown.message.startswith('Row 2, Status: "nope"')
    assert notices[Code.ID_INVALID, "order_id"].example_row == 3
    assert notices[Code.NO_MILESTONE, "status"].count == 1


def test_the_schema_is_built_once_per_profile_and_rules() -> None:
    first = manifest_schema(GENERIC, Rules())
    assert manifest_schema(GENERIC, Rules()) is first
    assert manifest_schema(GENERIC, Rules(future_hours=1)) is not first
    assert isinstance(first, pandera.DataFrameSchema)


def test_checks_bear_the_names_of_codes_and_nothing_is_coerced() -> None:
    schema = manifest_schema(GENERIC, Rules())
    names = {check.name for column in schema.columns.values() for check in column.checks}
    assert names <= set(Code.__members__)
    assert {"ID_MISSING", "ID_DAMAGED", "ID_INVALID", "STATUS_UNKNOWN", "DATE_INVALID"} <= names
    assert not schema.coerce
    assert not any(column.coerce for column in schema.columns.values())


def test_a_frame_that_lacks_a_column_is_a_bug_not_a_bad_row() -> None:
    with pytest.raises(pandera.errors.SchemaErrors):
        validate(pd.DataFrame({"status": []}), GENERIC, Rules())


def test_structural_faults_reject_their_rows() -> None:
    faults = {
        0: (Fault(code=Code.ROW_RAGGED, column="", message="Row 2: shifted."),),
        1: (Fault(code=Code.CELL_INVALID, column="", message="Row 3: NUL."),),
    }
    rows = [["A1", "Delivered"], ["A2", "Delivered"], ["A3", "Delivered"]]
    done = sheet(["Order ID", "Status"], *rows, faults=faults).rows
    assert [row["codes"] for row in done] == ["ROW_RAGGED", "CELL_INVALID", ""]
    assert [row["message"] for row in done] == ["Row 2: shifted.", "Row 3: NUL.", ""]
    assert [row["item"] != "" for row in done] == [False, False, True]


def short(*row: str, headers: list[str]) -> dict[str, object]:
    faults = {0: (Fault(code=Code.ROW_SHORT, column="", message="Row 2: short."),)}
    return sheet(headers, list(row), faults=faults).one


def test_a_short_row_goes_on_with_its_id_status_and_direction() -> None:
    row = short("A1", "Delivered", "", headers=["Order ID", "Status", "Remarks"])
    assert row["codes"] == "ROW_SHORT"
    assert row["disposition"] == Disposition.SEND
    headers = ["Order ID", "Status", "Is Reverse", "Remarks"]
    assert short("A1", "Delivered", "no", "", headers=headers)["codes"] == "ROW_SHORT"
    headers = ["Order ID", "Is Reverse", "Status", "Remarks"]
    assert short("A1", "", "Delivered", "", headers=headers)["codes"] == "ROW_SHORT"


def test_a_short_row_without_its_direction_or_status_is_ragged() -> None:
    headers = ["Order ID", "Status", "Is Reverse"]
    row = short("A1", "Delivered", "", headers=headers)
    assert row["codes"] == "ROW_RAGGED"
    assert "Is Reverse" in str(row["message"])
    assert short("A1", "", headers=["Order ID", "Status"])["codes"] == (
        "ROW_RAGGED;STATUS_MISSING:status"
    )


@pytest.mark.parametrize("cell", ["", "Total", "TOTAL: 20", "  total rows", "Totals"])
def test_a_row_without_status_whose_id_is_empty_or_total_may_be_a_footer(cell: str) -> None:
    row = sheet(["Order ID", "Status", "AWB"], [cell, "  ", "x"]).one
    assert row["footer"] is True
    assert row["disposition"] == Disposition.REJECTED


@pytest.mark.parametrize(("cell", "status"), [("Total", "Delivered"), ("A1", ""), ("Sum", "")])
def test_other_rows_are_no_footer(cell: str, status: str) -> None:
    assert sheet(["Order ID", "Status"], [cell, status]).one["footer"] is False


def test_an_empty_block_is_no_error() -> None:
    done = sheet(HEADERS)
    assert done.rows == []
    assert done.notices == ()


def test_kinds_of_other_columns_do_not_disturb() -> None:
    kinds = {1: [CellKind.NUMBER], 2: [CellKind.DATE]}
    headers = ["Order ID", "Status", "Status Date"]
    row = sheet(
        headers, ["A1", "42.0", "2026-06-26T10:00:00"], courier="shiprocket", kinds=kinds
    ).one
    assert row["codes"] == "STATUS_AMBIGUOUS:status"
    kinds = {2: [CellKind.NUMBER]}
    headers = ["Order ID", "AWB", "Status"]
    number = sheet(headers, ["A1", "1", "10.0"], courier="shiprocket", kinds=kinds).one
    assert number["status"] == 3


def test_a_profile_may_require_more_columns() -> None:
    text = 'name="a"\nrequired=["awb"]\n[statuses]\ndelivery_done=["Delivered"]\n'
    assert load_profile(text, origin="a.toml").required[-1] == "awb"
