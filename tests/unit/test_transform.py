"""From canonical rows to updates."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.model import Disposition
from pipeline.core.row_columns import PREPARED
from schemas.profile import builtin_profiles
from schemas.update import META_KEYS
from schemas.vocabulary import CellKind, Milestone
from tests.examples import examples
from tests.fakes.courier_sheet import one_status, sheet

HEADERS = [
    "Order ID",
    "AWB",
    "Status",
    "Status Type",
    "Reason Code",
    "Remarks",
    "Location",
    "Status Date",
    "Promise Date",
    "EDD",
    "Is Reverse",
    "Auto Dispatch",
    "Self Ship",
]


def test_an_update_as_the_api_wants_it() -> None:
    row = [
        "17328629784861446350",
        "AWB1",
        "Picked Up",
        "",
        "0",
        "Picked from seller",
        "Mumbai_Andheri",
        "26-06-2026 10:00",
        "2026-07-02",
        "2026-07-01",
        "no",
        "",
        "true",
    ]
    done = sheet(HEADERS, row)
    assert done.one["item"] == (
        '{"orderId":"17328629784861446350","orderStatus":"bag_picked","meta":'
        '{"remark":"Picked from seller","reasonCode":0,"dpLocation":"Mumbai_Andheri",'
        '"promised_delivery_date":"2026-07-02","estimated_delivery_date":"2026-07-01"}}'
    )
    assert done.one["awb"] == "AWB1"
    assert done.one["source_status"] == "Picked Up"
    assert done.one["status"] == Milestone.BAG_PICKED
    assert done.one["event_ms"] == 1782448200000


@pytest.mark.parametrize("milestone", list(Milestone))
def test_every_milestone_goes_out_under_its_wire_name(milestone: Milestone) -> None:
    row = one_status(milestone.wire)
    assert json.loads(row["item"]) == {"orderId": "A1", "orderStatus": milestone.wire}
    assert row["status"] == milestone


def test_meta_is_left_out_where_it_is_empty_and_kept_beside() -> None:
    rows = [["A1", "Delivered", "", ""], ["A2", "Delivered", "hello", ""], ["A3", "NDR", "x", "y"]]
    done = sheet(["Order ID", "Status", "Remarks", "Location"], *rows).rows
    assert [row["item"] for row in done] == [
        '{"orderId":"A1","orderStatus":"delivery_done"}',
        '{"orderId":"A2","orderStatus":"delivery_done","meta":{"remark":"hello"}}',
        "",
    ]


def test_items_stand_at_their_own_rows() -> None:
    rows = [[f"A{number}", ["Delivered", "NDR", "nope"][number % 3]] for number in range(30)]
    done = sheet(["Order ID", "Status"], *rows).rows
    for number, row in enumerate(done):
        assert (f'"A{number}"' in row["item"]) == (number % 3 == 0)
        assert row["row"] == number + 2


def test_no_apostrophe_is_put_before_a_formula() -> None:
    done = sheet(["Order ID", "Status", "Remarks"], ["A1", "Delivered", "=cmd()"])
    assert done.update["meta"]["remark"] == "=cmd()"


cells = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            "A1",
            "17328629784861446350",
            "1.5E19",
            "Delivered",
            "Picked Up",
            "RTO",
            "In Transit",
            "DL",
            "26-06-2026",
            "31/06/2026",
            "true",
            "false",
            "RVP",
            "EOD-6",
            "12",
            '"',
            "\\",
            "\x1f",
            "Total",
        ]
    ),
)
good = st.tuples(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}", fullmatch=True),
    st.just("AWB"),
    st.sampled_from(["Delivered", "picked_up", "RTO-Delivered"]),
    st.just(""),
    cells,
    cells,
    cells,
    st.sampled_from(["", "26-06-2026", "2026-06-20T10:00:00Z"]),
    cells,
    cells,
    st.just(""),
    st.just(""),
    st.just(""),
)
rows = st.lists(st.one_of(st.tuples(*[cells] * len(HEADERS)), good), max_size=12)


def check_item(item: str) -> None:
    update: dict[str, Any] = json.loads(item)
    assert set(update) <= {"orderId", "orderStatus", "meta"}
    assert update["orderStatus"] in {milestone.wire for milestone in Milestone}
    meta = update.get("meta", {})
    assert "meta" not in update or meta
    assert set(meta) <= set(META_KEYS)
    for key, value in meta.items():
        assert isinstance(value, int if key == "reasonCode" else str)
        assert value != ""


@examples(60)
@given(
    rows=rows,
    courier=st.sampled_from(list(builtin_profiles())),
    kinds=st.lists(st.sampled_from(list(CellKind)), min_size=12, max_size=12),
)
def test_any_block_gives_one_disposition_per_row_and_sound_items(
    rows: list[tuple[str, ...]], courier: str, kinds: list[CellKind]
) -> None:
    of_block = {at: kinds[: len(rows)] for at in (0, 2, 7)}
    done = sheet(HEADERS, *rows, courier=courier, kinds=of_block)
    assert len(done.rows) == len(rows)
    for number, row in enumerate(done.rows):
        assert row["row"] == number + 2
        assert row["disposition"] in {
            Disposition.SEND,
            Disposition.IGNORED,
            Disposition.REJECTED,
        }
        assert bool(row["item"]) == (row["disposition"] == Disposition.SEND)
        assert bool(row["codes"]) == bool(row["message"])
        if row["disposition"] == Disposition.SEND:
            check_item(row["item"])
            assert json.loads(row["item"])["orderId"] == row["order_id"]
        else:
            assert row["codes"]


@examples(40)
@given(row=good)
def test_a_sound_row_is_always_sent(row: tuple[str, ...]) -> None:
    done = sheet(HEADERS, row).one
    damaged = done["codes"].startswith(("ID_DAMAGED", "ID_MISSING"))
    damaged |= any("\0" in cell for cell in row)
    assert done["disposition"] == (Disposition.REJECTED if damaged else Disposition.SEND)


def test_the_table_has_the_agreed_columns() -> None:
    done = sheet(["Order ID", "Status"], ["A1", "Delivered"]).one
    assert list(done) == PREPARED.names
    assert isinstance(PREPARED, pa.Schema)


def test_the_auto_dispatch_flag_never_enters_the_payload() -> None:
    headers = ["Order ID", "Status", "autoDispatch"]
    done = sheet(headers, ["A1", "Delivered", "true"], ["A2", "Picked Up", "false"])
    for row in done.rows:
        assert set(json.loads(row["item"])) == {"orderId", "orderStatus"}
