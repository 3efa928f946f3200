"""pandera judges: all faults of all rows, in one pass, by code and column."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pytest

from pipeline.core.model import Block, Disposition, RowFacts
from pipeline.validation.canonical import normalise
from pipeline.validation.columns import map_columns
from schemas.codes import Code, Kind
from schemas.manifest import DECIDED_ELSEWHERE, RULES, Fact, check_rows, manifest_schema
from schemas.profile import builtin_profiles, load_profile
from schemas.vocabulary import CellKind
from tests.fakes.courier_sheet import NOW, sheet

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


def test_the_rules_find_what_pandera_finds_in_the_same_frame() -> None:
    rows = [
        ["", "Delivered", "", "", ""],
        ["A2", "Delivered", "", "", ""],
        ["17 78", "Deliverd", "31/06/2026", "nope", "false"],
    ]
    profile = GENERIC
    cells = tuple(pa.array(list(column), pa.string()) for column in zip(*rows, strict=True))
    block = Block(rows=np.arange(2, 5, dtype=np.int32), cells=cells, kinds={})
    received = np.full(3, round(NOW.timestamp() * 1000), dtype=np.int64)
    frame = normalise(
        block, map_columns(HEADERS, profile), profile, now_ms=received, timezone="Asia/Kolkata"
    ).frame
    with pytest.raises(pandera.errors.SchemaErrors) as failed:
        manifest_schema(profile).validate(frame, lazy=True)
    theirs = {
        error.check.name: np.flatnonzero(~error.check_output.to_numpy(dtype=bool)).tolist()
        for error in failed.value.schema_errors
    }
    ours = {rule.name: at.tolist() for rule, at in check_rows(frame, profile).broken}
    assert len(theirs) >= 6
    assert ours == theirs


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


def test_the_schema_is_built_once_per_profile() -> None:
    first = manifest_schema(GENERIC)
    assert manifest_schema(GENERIC) is first
    assert manifest_schema(builtin_profiles()["ekart"]) is not first
    assert isinstance(first, pandera.DataFrameSchema)


def test_each_rule_is_a_check_of_its_own_and_nothing_is_coerced() -> None:
    schema = manifest_schema(GENERIC)
    names = [check.name for column in schema.columns.values() for check in column.checks]
    assert sorted(names) == sorted(rule.name for rule in RULES)
    assert len(set(names)) == len(names)
    assert not schema.coerce
    assert not any(column.coerce for column in schema.columns.values())


def test_each_code_of_a_row_has_its_rules_or_a_place_that_decides_it() -> None:
    kinds = {Kind.REJECT, Kind.WARNING, Kind.SKIP}
    ruled = {rule.code for rule in RULES}
    assert ruled | set(DECIDED_ELSEWHERE) == {code for code in Code if code.kind in kinds}
    # These two are held again when they come back as they were.
    assert ruled & set(DECIDED_ELSEWHERE) == {Code.PARCELS_OPEN, Code.STATUS_CONFLICT}
    assert {rule.fact for rule in RULES} == set(Fact)


@pytest.mark.parametrize("code", DECIDED_ELSEWHERE)
def test_the_place_that_decides_a_code_names_it(code: Code) -> None:
    module, why = DECIDED_ELSEWHERE[code]
    source = importlib.util.find_spec(module)
    assert source is not None
    assert source.origin is not None
    assert f"Code.{code.name}" in Path(source.origin).read_text(encoding="utf-8")
    assert why.endswith(".")


def test_a_frame_that_lacks_a_column_is_a_bug_not_a_bad_row() -> None:
    with pytest.raises(pandera.errors.SchemaErrors):
        check_rows(pd.DataFrame({"status": []}), GENERIC)


def test_text_beyond_the_last_column_rejects_its_row() -> None:
    rows = [["A1", "Delivered"], ["A2", "Delivered"]]
    first, second = sheet(["Order ID", "Status"], *rows, extra={0: ("", "x, y")}).rows
    assert (first["codes"], first["item"]) == ("ROW_RAGGED", "")
    assert first["message"].startswith('Row 2: "x, y" stands beyond the last column, "Status".')
    assert (second["codes"], second["message"]) == ("", "")


def test_a_shifted_row_of_a_rejects_file_is_rejected_again() -> None:
    facts = {0: RowFacts(beyond="Mumbai")}
    row = sheet(["Order ID", "Status"], ["A1", "Delivered"], facts=facts).one
    assert row["codes"] == "ROW_RAGGED"
    assert row["message"].startswith('Row 2: "Mumbai" still stands to the right of the last named')


def test_a_restored_id_is_told_and_sent() -> None:
    facts = {0: RowFacts(damaged_id="1.77881E+19")}
    row = sheet(["Order ID", "Status"], ["17788112345678901234", "Delivered"], facts=facts).one
    assert row["codes"] == "ID_RESTORED:order_id"
    assert row["message"].startswith('Row 2, Order ID: "1.77881E+19" is how a spreadsheet shows')
    assert row["disposition"] == Disposition.SEND


def test_a_nul_rejects_its_row_only() -> None:
    rows = [["A1", "ok", "Delivered"], ["A2", "b\0d", "Delivered"], ["A3", "", "Delivered"]]
    done = sheet(["Order ID", "Note", "Status"], *rows).rows
    assert [row["codes"] for row in done] == ["", "CELL_INVALID", ""]
    assert done[1]["message"] == (
        "Row 3, Note: the cell holds a NUL character, so it is damaged. Export the row again."
    )


def test_several_nuls_are_told_once() -> None:
    row = sheet(["Order ID", "Note", "Status"], ["A\0", "b\0d\0", "Delivered"]).one
    assert row["codes"] == "CELL_INVALID;ID_INVALID:order_id"
    assert row["message"].startswith("Row 2, Order ID, Note: the cell holds a NUL character")


def test_what_an_update_goes_without_is_not_told_where_there_is_none() -> None:
    headers = ["Order ID", "Status", "EDD", "Reason Code", "Remarks"]
    lost = ["nope", "EOD-6", "x" * 600]
    row = sheet(headers, ["A1", "In Transit", *lost]).one
    assert (row["codes"], row["disposition"]) == ("NO_MILESTONE:status", Disposition.IGNORED)
    row = sheet(headers, ["A 1", "In Transit", *lost]).one
    assert row["codes"].split(";") == [
        "ID_INVALID:order_id",
        "DATE_DROPPED:estimated_delivery_date",
        "REASON_NOT_NUMERIC:reason_code",
        "TEXT_CUT:remark",
    ]


def short(*row: str, headers: list[str]) -> dict[str, object]:
    """A row that ends with its last cell that holds something."""
    cells = max(at for at, cell in enumerate(row) if cell) + 1
    return sheet(headers, list(row), facts={0: RowFacts(cells=cells)}).one


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
