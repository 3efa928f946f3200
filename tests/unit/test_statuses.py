"""Hazards B: statuses. Each test is named after the line or trap it proves."""

import pytest

from pipeline.core.model import Disposition
from schemas.profile import builtin_profiles, load_profile
from schemas.statuses import Direction
from schemas.vocabulary import Milestone
from tests.fakes.courier_sheet import one_status, sheet


def test_unknown_text_is_rejected_with_the_nearest_known_one() -> None:
    row = sheet(["Order ID", "Current Status"], ["A1", "DELIVERD"]).one
    assert row["codes"] == "STATUS_UNKNOWN:status"
    assert row["disposition"] == Disposition.REJECTED
    assert row["message"] == (
        'Row 2, Current Status: "DELIVERD" is not a known status. Did you mean "Delivered"?'
    )


def test_unknown_text_far_from_everything_names_known_statuses() -> None:
    assert '"Delivered" or "RTO Delivered".' in one_status("xyzzy")["message"]


@pytest.mark.parametrize(
    "status",
    [
        "Undeliverd",
        "To be delivered",
        "Partially Delivered",
        "Delivered?",
        "De livered",
        "Delivéred",
    ],
)
def test_never_by_substring(status: str) -> None:
    assert one_status(status)["codes"] == "STATUS_UNKNOWN:status"


@pytest.mark.parametrize("status", ["", " ", "-", "N/A", "null", "#N/A"])
def test_an_absent_status_is_missing(status: str) -> None:
    assert one_status(status)["codes"] == "STATUS_MISSING:status"


@pytest.mark.parametrize("status", ["In Transit", "NDR", "RTO Initiated", "Undelivered"])
def test_an_intermediate_status_is_ignored(status: str) -> None:
    row = one_status(status)
    assert row["codes"] == "NO_MILESTONE:status"
    assert row["disposition"] == Disposition.IGNORED
    assert row["item"] == ""


@pytest.mark.parametrize("status", ["Deliv\ufffdred", "\ufffd", "Delivered\ufffd"])
def test_replacement_characters_reject_the_row(status: str) -> None:
    assert one_status(status)["disposition"] == Disposition.REJECTED


@pytest.mark.parametrize("status", ["RTO", "Returned", "7", "007", "12.0"])
def test_bare_rto_returned_and_numbers_are_ambiguous(status: str) -> None:
    row = one_status(status)
    assert row["codes"] == "STATUS_AMBIGUOUS:status"
    assert row["status"] == 0


@pytest.mark.parametrize("way", ["RVP", "Reverse", "yes", "1", "true", "RTO", "rts"])
def test_delivered_on_a_return_or_rto_row_is_ambiguous(way: str) -> None:
    row = one_status("Delivered", Is_Reverse=way)
    assert row["codes"] == "STATUS_AMBIGUOUS:status"
    assert way in row["message"]


@pytest.mark.parametrize("way", ["", "Forward", "no", "0", "false"])
def test_delivered_on_a_forward_row_is_sent(way: str) -> None:
    assert one_status("Delivered", Is_Reverse=way)["disposition"] == Disposition.SEND


@pytest.mark.parametrize(
    ("status", "way"),
    [("Return Delivered", "Forward"), ("RTO Delivered", "RVP"), ("Picked Up", "RTO")],
)
def test_a_status_that_contradicts_its_direction_is_ambiguous(status: str, way: str) -> None:
    assert one_status(status, Is_Reverse=way)["codes"] == "STATUS_AMBIGUOUS:status"


def test_rto_delivered_agrees_with_forward_and_rto() -> None:
    for way in ("Forward", "RTO", ""):
        row = one_status("RTO Delivered", Is_Reverse=way)
        assert row["status"] == Milestone.RTO_BAG_DELIVERED


def test_in_transit_on_a_return_row_is_not_ignored_silently() -> None:
    assert one_status("In Transit", Is_Reverse="RVP")["codes"] == "STATUS_AMBIGUOUS:status"


def test_an_unknown_direction_makes_milestones_ambiguous_and_names_itself() -> None:
    row = one_status("Delivered", Is_Reverse="sideways")
    assert row["codes"] == "STATUS_AMBIGUOUS:status"
    assert '"sideways"' in row["message"]
    assert one_status("NDR", Is_Reverse="sideways")["disposition"] == Disposition.IGNORED


@pytest.mark.parametrize(
    ("kind", "status"),
    [("DL", "In Transit"), ("UD", "Delivered"), ("UD", "RTO"), ("PU", "Delivered"), ("", "RTO")],
)
def test_status_and_type_that_contradict_are_ambiguous(kind: str, status: str) -> None:
    row = one_status(status, "delhivery", Status_Type=kind)
    assert row["codes"] == "STATUS_AMBIGUOUS:status"
    assert "Status Type" in row["message"]


def test_bare_rto_is_delivered_back_only_at_delhivery_with_dl() -> None:
    assert one_status("RTO", "delhivery", Status_Type="DL")["status"] == Milestone.RTO_BAG_DELIVERED
    for courier in ("xpressbees", "dtdc", "shadowfax", "increff"):
        assert one_status("RTO", courier)["disposition"] == Disposition.IGNORED


def test_dispatched_is_on_its_way_at_delhivery_and_shipped_at_unicommerce() -> None:
    delhivery = one_status("Dispatched", "delhivery", Status_Type="UD")
    assert delhivery["disposition"] == Disposition.IGNORED
    assert one_status("Dispatched", "unicommerce")["status"] == Milestone.BAG_PICKED


def test_a_pickup_scan_in_the_nsl_code_is_the_pickup() -> None:
    columns = {"Status_Type": "UD", "NSLCode": "X-PPOM"}
    assert one_status("In Transit", "delhivery", **columns)["status"] == Milestone.BAG_PICKED
    for kind in ("RT", "PP"):
        row = one_status("In Transit", "delhivery", Status_Type=kind, NSLCode="X-PPOM")
        assert row["disposition"] == Disposition.IGNORED
    other = one_status("In Transit", "delhivery", Status_Type="UD", NSLCode="X-DDD3FD")
    assert other["disposition"] == Disposition.IGNORED


def test_blue_darts_code_may_stand_in_two_columns() -> None:
    row = one_status("000", "bluedart", Status_Type="T")
    assert row["status"] == Milestone.DELIVERY_DONE
    assert one_status("T-000", "bluedart", Status_Type="T")["status"] == Milestone.DELIVERY_DONE


def test_blue_darts_t_000_beside_an_rto_awb_is_ambiguous() -> None:
    row = one_status("T-000", "bluedart", RTO_AWB="555")
    assert row["codes"] == "STATUS_AMBIGUOUS:status"
    assert "RTO AWB" in row["message"]
    assert one_status("T-000", "bluedart", RTO_AWB="-")["disposition"] == Disposition.SEND


def test_ecom_999_with_a_reference_awb_is_delivered_back() -> None:
    row = one_status("999", "ecomexpress", ref_awb="555", product_type="ppd")
    assert row["status"] == Milestone.RTO_BAG_DELIVERED
    assert one_status("999", "ecomexpress", ref_awb="")["status"] == Milestone.DELIVERY_DONE


@pytest.mark.parametrize(
    ("cell", "is_one"), [("SKU-001", False), ("560001", False), ("RT36000120001", True)]
)
def test_what_does_not_look_like_an_awb_says_nothing_of_a_way_back(
    cell: str, *, is_one: bool
) -> None:
    """As where the headings of two columns were swapped: the row is left open."""
    row = one_status("999", "ecomexpress", ref_awb=cell, product_type="ppd")
    assert row["status"] == (Milestone.RTO_BAG_DELIVERED if is_one else 0)


def test_phone_numbers_are_no_second_awbs() -> None:
    headers = ["Order ID", "Status", "ref_awb", "product_type"]
    cells = ("9820000002", "+91 98200 00001", "")
    rows = [[f"A{at}", "999", cell, "ppd"] for at, cell in enumerate(cells)]
    done = sheet(headers, *rows, courier="ecomexpress").rows
    assert [row["status"] for row in done] == [0, 0, Milestone.DELIVERY_DONE]
    done = sheet(headers, rows[0], rows[2], courier="ecomexpress").rows
    assert done[0]["status"] == Milestone.RTO_BAG_DELIVERED


def test_a_number_of_both_journeys_needs_its_direction() -> None:
    blank = one_status("7", "shiprocket")
    assert blank["codes"] == "STATUS_AMBIGUOUS:status"
    assert "Fill in its direction" in blank["message"]
    assert one_status("8", "clickpost")["codes"] == "STATUS_AMBIGUOUS:status"
    assert one_status("7", "shiprocket", is_return="0")["status"] == Milestone.DELIVERY_DONE


def test_a_slip_in_a_milestone_is_not_taken_for_its_family() -> None:
    assert one_status("RTODLVV", "dtdc")["codes"] == "STATUS_UNKNOWN:status"
    assert one_status("RTO Deliverd", "dtdc")["codes"] == "STATUS_UNKNOWN:status"


def test_auto_dispatch_true_ignores_a_forward_pickup_only() -> None:
    picked = one_status("Picked Up", Auto_Dispatch="TRUE")
    assert picked["codes"] == "AUTO_DISPATCHED:auto_dispatch"
    assert picked["disposition"] == Disposition.IGNORED
    assert picked["item"] == ""
    for status, flag in (("Picked Up", "false"), ("Picked Up", ""), ("Delivered", "true")):
        row = one_status(status, Auto_Dispatch=flag)
        assert row["disposition"] == Disposition.SEND
        assert "ispatch" not in row["item"]
    returning = one_status("Return Picked Up", Auto_Dispatch="true")
    assert returning["disposition"] == Disposition.SEND


def test_a_courier_of_auto_dispatch_ignores_pickups_unless_a_row_says_no() -> None:
    text = 'name="a"\nauto_dispatch=true\n[statuses]\nbag_picked=["Picked"]\n'
    profile = load_profile(text, origin="a.toml")
    assert sheet(["Order ID", "Status"], ["A1", "Picked"], courier=profile).one["codes"]
    headers = ["Order ID", "Status", "Auto Dispatch"]
    rows = [["A1", "Picked", flag] for flag in ("", "true", "false")]
    done = sheet(headers, *rows, courier=profile).rows
    assert [row["disposition"] for row in done] == [
        Disposition.IGNORED,
        Disposition.IGNORED,
        Disposition.SEND,
    ]


@pytest.mark.parametrize("flag", ["false", "FALSE", "0", "No", "n"])
def test_a_self_ship_column_that_says_false_rejects(flag: str) -> None:
    row = one_status("Delivered", is_self_ship=flag)
    assert row["codes"] == "NOT_SELF_SHIP:self_ship"
    assert row["disposition"] == Disposition.REJECTED


@pytest.mark.parametrize("flag", ["true", "1", "", "yes"])
def test_a_self_ship_column_that_does_not_say_false_passes(flag: str) -> None:
    assert one_status("Delivered", is_self_ship=flag)["disposition"] == Disposition.SEND


def test_status_columns_do_not_run_into_each_other() -> None:
    headers = ["Order ID", "Status", "Status Type"]
    rows = [["A1", "RTO", "DL"], ["A2", "RTO", "RT"], ["A3", "Delivered", "DL"], ["A4", "D", "L"]]
    done = sheet(headers, *rows, courier="delhivery").rows
    assert [row["status"] for row in done] == [3, 0, 2, 0]
    split = sheet(headers, ["A1", "Delivered\x1fDL", ""], courier="delhivery").one
    assert split["disposition"] == Disposition.REJECTED


def test_direction_words_fold() -> None:
    generic = builtin_profiles()["generic"]
    assert generic.direction(" REVERSE-Pickup ") is Direction.RETURN
    assert generic.direction("1.0") is Direction.RETURN
    assert generic.direction("sideways") is Direction.UNREADABLE
