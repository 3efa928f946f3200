"""Hazards E and the contract: columns by their headers, and the courier's profile."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.errors import DropRefused
from pipeline.core.model import Block
from pipeline.core.profile_by_name import find_profile
from pipeline.validation.columns import check_twins, map_columns
from pipeline.validation.profile_choice import (
    ProfileHeaderFinder,
    choose_profile,
    possible_profiles,
)
from schemas.codes import Code
from schemas.normalise import fold_header
from schemas.profile import builtin_profiles, load_profile
from schemas.statuses import StatusMeaning
from schemas.vocabulary import Role
from tests.fakes.courier_sheet import sheet

PROFILES = builtin_profiles()
GENERIC = PROFILES["generic"]

HEADERS = {
    Role.ORDER_ID: "Order id|Order ID|Order Id|Order No|Order Number|Reference No|Ref No|Sub Order|"
    "Sale Order Code|Display Order Code|order_id|client_order_id|Shipment ID|orderId",
    Role.AWB: "AWB|AWB No|AWB_NO|AWB Number|AWB Code|Waybill|Waybill No|Tracking Number|"
    "Tracking No|LRN|Master Waybill|RTO AWB|RTO WayBill|ref_awb",
    Role.STATUS: "Status|Current Status|Shipment Status|Tracking Status|Delivery Status|"
    "Shipping Package Status Code|Shipping Courier Status|Shipping Tracking Status|orderStatus|"
    "Courier Status|AWB Status|Latest Status",
    Role.STATUS_TYPE: "Status Type",
    Role.REASON_CODE: "reason_code|Reason Code|NSLCode|Latest NDR Reason|RTO Reason|Return Reason|"
    "Delayed Reason",
    Role.REMARK: "Remarks|Remark|Additional Remarks|fe_remarks|comments|Status Remark",
    Role.LOCATION: "Last Scan Location|Current Location|Hub Address|Location|current_city|"
    "current_location|dpLocation",
    Role.EVENT_TIME: "Last Scan Date|Status Date|Status Update Date|Event Time|Last Updated At|"
    "Delivered Date|Order Delivered Date|RTO Delivered Date",
    Role.PROMISED: "Promise Date|Promised Delivery Date|Promise EDD|PDD",
    Role.ESTIMATED: "Expected Date|EDD|Updated New EDD|Estimated Delivery Date|"
    "Expected Delivery Date",
    Role.DIRECTION: "RVP/ Forward identifier|Is Reverse|is_rvp|is_return",
    Role.AUTO_DISPATCH: "autoDispatch|Auto Dispatch",
    Role.SELF_SHIP: "is_self_ship|Self Ship",
    Role.COURIER: "Courier|Courier Name|Courier Company|Carrier|Delivery Partner",
}
LISTED = [(role, header) for role, headers in HEADERS.items() for header in headers.split("|")]


@pytest.mark.parametrize(("role", "header"), LISTED)
def test_every_header_seen_is_known_without_a_guess(role: Role, header: str) -> None:
    others = [
        name
        for each, name in ((Role.ORDER_ID, "Order ID"), (Role.STATUS, "Status"))
        if each != role
    ]
    mapping = map_columns([*others, header], GENERIC)
    assert mapping.columns[role] == len(others)
    assert mapping.notices == ()


@pytest.mark.parametrize(
    "noisy",
    [
        "ORDER ID",
        " order   id ",
        "Order\u00a0ID",
        "Order\nID",
        "Order ID*",
        "* Order_ID",
        "order-id",
        "Order ID (20 digits)",
        "Order.ID",
        "\ufeffOrder ID",
        "Order ID:",
    ],
)
def test_header_noise(noisy: str) -> None:
    assert map_columns(["Status", noisy], GENERIC).columns[Role.ORDER_ID] == 1


def test_a_date_format_in_brackets_is_no_part_of_the_header() -> None:
    assert fold_header("Status Date\n(dd-mm-yyyy)*") == "status date"
    assert fold_header("(AWB)") == "(awb)"


def test_the_profiles_precedence_decides_between_two_columns() -> None:
    mapping = map_columns(
        ["Shipment ID", "Ref No", "Order ID", "Current Status", "Status"], GENERIC
    )
    assert mapping.columns[Role.ORDER_ID] == 2
    assert mapping.columns[Role.STATUS] == 4


def test_a_close_match_is_taken_with_a_warning() -> None:
    mapping = map_columns(["Order Numbr", "Status"], GENERIC)
    assert mapping.columns[Role.ORDER_ID] == 0
    (notice,) = mapping.notices
    assert notice.code is Code.HEADER_GUESSED
    assert notice.column == "order_id"
    assert '"Order Numbr" was read as "Order Number"' in notice.message


@pytest.mark.parametrize(
    ("heading", "read"),
    [
        ("Event\xa0Tie", True),
        ("Status Update Dt", True),
        ("Eve nt Time", True),
        ("Event Ti’me", True),
        ("Eve\0nt Time", True),
        ("Delivered To", False),
    ],
)
def test_a_date_heading_may_lack_a_letter_of_a_short_word(heading: str, read: bool) -> None:
    mapping = map_columns(["Order ID", "Status", heading], GENERIC)
    assert (mapping.columns.get(Role.EVENT_TIME) == 2) is read


def test_an_exact_header_goes_before_a_close_one() -> None:
    mapping = map_columns(["Order Numbr", "Order ID", "Status"], GENERIC)
    assert mapping.columns[Role.ORDER_ID] == 1
    assert mapping.notices == ()


def test_a_close_match_between_two_roles_is_not_taken() -> None:
    text = 'name="n"\n[headers]\nremark=["alpha beta one"]\nlocation=["alpha beta ono"]\n'
    profile = load_profile(text + '[statuses]\ndelivery_done=["D"]\n', origin="n.toml")
    mapping = map_columns(["Order ID", "Status", "alpha beta onx"], profile)
    assert Role.REMARK not in mapping.columns
    assert Role.LOCATION not in mapping.columns


@pytest.mark.parametrize(
    "header", ["AWB", "AWB No", "Waybill", "Tracking Number", "LRN", "AWB Order ID", "Order AWB No"]
)
def test_an_awb_is_never_the_order_id(header: str) -> None:
    with pytest.raises(DropRefused) as refused:
        map_columns([header, "Status"], GENERIC)
    assert refused.value.code is Code.HEADER_NOT_FOUND
    assert "AWB cannot stand in" in refused.value.hint


@pytest.mark.parametrize("words", ["Expected", "planned", "tentative"])
def test_a_plan_is_no_status(words: str) -> None:
    with pytest.raises(DropRefused) as refused:
        map_columns(["Order ID", f"Status ({words})"], GENERIC)
    assert refused.value.code is Code.HEADER_NOT_FOUND
    mapping = map_columns(["Order ID", "Status (Actual)", f"EDD ({words})"], GENERIC)
    assert (mapping.columns[Role.STATUS], mapping.columns[Role.ESTIMATED]) == (1, 2)


_OTHERS = """
Expected Date (Pickup)|Promise Date [Dispatch]|EDD (booking)|Location (Origin)|Location (seller)
Remarks (internal)|Comments (Ops)|AWB (Pickup)|AWB No (RTO)|Last Updated (RTO)
Last Updated (pickup)|Event Time (expected)|Status Date (booking)|Delivered Date (Expected)
"""
_OWN = """
Expected Date (Delivery)|Promise Date (SLA)|EDD (Courier)|Location (City)|Location (Current)
Remarks (Courier)|Comments (optional)|AWB (Forward)|Last Updated (Pickup/Delivery)
Updated On (IST)|Event Time (24 hrs)|Status Date (actual)|Delivered Date (dd-mm-yyyy)
EDD (Expected Delivery Date)
"""


@pytest.mark.parametrize(("headers", "known"), [(_OTHERS, False), (_OWN, True)])
def test_a_step_or_place_in_brackets_makes_another_column(headers: str, known: bool) -> None:
    for header in headers.strip().replace("\n", "|").split("|"):
        mapping = map_columns(["Order ID", "Status", header], GENERIC)
        assert (2 in mapping.columns.values()) is known, header


def test_a_return_promise_date_is_another_thing() -> None:
    mapping = map_columns(["Order ID", "Status", "Return Promise Date"], GENERIC)
    assert Role.PROMISED not in mapping.columns


def test_our_own_reject_columns_are_not_data() -> None:
    headers = ["_reject_row", "_reject_codes", "_reject_message", "_reject_drop", "Order ID"]
    mapping = map_columns([*headers, "Status"], GENERIC)
    assert mapping.columns == {Role.ORDER_ID: 4, Role.STATUS: 5}


def test_a_missing_role_is_refused_with_what_was_seen_and_what_is_near() -> None:
    with pytest.raises(DropRefused) as refused:
        map_columns(["Ordr Nr", "Status", "City"], GENERIC)
    assert refused.value.code is Code.HEADER_NOT_FOUND
    assert '"Ordr Nr", "Status", "City"' in refused.value.message
    assert "order id" in refused.value.message
    assert 'did you mean "Ordr Nr"' in refused.value.hint


def test_delhivery_needs_the_status_type_too() -> None:
    with pytest.raises(DropRefused, match="status type"):
        map_columns(["Order ID", "Status"], PROFILES["delhivery"])


def test_a_file_named_delhivery_without_a_status_type_is_read_with_care() -> None:
    headers = ("Order No", "Waybill", "Status")
    name = "Delhivery MIS 29 Nov.csv"
    choice = choose_profile(
        headers, file_name=name, named=None, profiles=PROFILES, default="generic"
    )
    rulings = [choice.profile.statuses.rule(each) for each in ("Delivered", "RTO", "Picked")]
    assert choice.profile.name == "generic"
    assert [each.meaning for each in rulings] == [
        StatusMeaning.MILESTONE,
        StatusMeaning.AMBIGUOUS,
        StatusMeaning.AMBIGUOUS,
    ]
    assert "status type" in choice.notices[-1].message
    # Its folder says which export it is.
    assert choose(*headers, named="delhivery") == "delhivery"
    assert choose(*headers, "Status Type", named="delhivery") == "delhivery"
    assert choose("Waybill", "Status", named="delhivery") == "delhivery"


def test_a_status_code_alone_tells_no_courier_but_is_read_where_it_is_named() -> None:
    headers = ("Order ID", "AWB No", "StatusCode")
    assert choose(*headers) == "generic"
    assert choose(*headers, named="xpressbees") == "xpressbees"


def test_the_same_header_twice_with_the_same_values_is_fine() -> None:
    rows = [["A1", "Delivered", "Delivered"], ["A2", "NDR", "NDR"]]
    assert len(sheet(["Order ID", "Status", "STATUS"], *rows).rows) == 2


def test_the_same_header_twice_with_differing_values_is_refused() -> None:
    rows = [["A1", "Delivered", "Delivered"], ["A2", "NDR", "Delivered"]]
    with pytest.raises(DropRefused) as refused:
        sheet(["Order ID", "Status", "status "], *rows)
    assert refused.value.code is Code.HEADER_DUPLICATE
    assert "row 3" in refused.value.message
    assert '"NDR"' in refused.value.message


def test_a_doubled_header_that_nobody_reads_may_differ() -> None:
    mapping = map_columns(["Order ID", "Status", "City", "City"], GENERIC)
    block = Block(
        rows=np.array([2], dtype=np.int32),
        cells=tuple(pa.array([cell]) for cell in ("A1", "NDR", "Pune", "Goa")),
    )
    check_twins(block, mapping)
    assert mapping.duplicates == {}


def choose(
    *headers: str, named: str | None = None, file_name: str = "x.csv", default: str = "generic"
) -> str:
    choice = choose_profile(
        headers, file_name=file_name, named=named, profiles=PROFILES, default=default
    )
    return choice.profile.name


def test_a_named_courier_goes_before_file_name_and_header() -> None:
    headers = ("Order ID", "Status", "Status Type")
    assert choose(*headers, named="xpressbees", file_name="delhivery.csv") == "xpressbees"
    assert choose(*headers, named="Blue Dart") == "bluedart"
    assert choose(*headers, named="Ecom-Express") == "ecomexpress"


def test_the_file_name_goes_before_the_header() -> None:
    headers = ("Order ID", "Status", "Status Type")
    assert choose(*headers, file_name="XpressBees 26 June.csv") == "xpressbees"
    assert choose("Order ID", "Status", file_name="[a*b] ecommerce.csv") == "generic"


def test_the_one_profile_that_the_header_fits() -> None:
    assert choose("Waybill", "Order Id", "Status", "Status Type") == "delhivery"
    assert choose("Sale Order Code", "Shipping Package Status Code") == "unicommerce"


def test_a_plain_sheet_is_left_to_the_default() -> None:
    assert choose("Order ID", "AWB", "Status") == "generic"
    assert choose("Order ID", "AWB", "Status", default="dtdc") == "dtdc"


def test_a_users_own_headers_pick_his_profile() -> None:
    text = 'name="acme"\n[headers]\norder_id=["Jhola No"]\n[statuses]\ndelivery_done=["OK"]\n'
    profiles = {**PROFILES, "acme": load_profile(text, origin="acme.toml")}
    choice = choose_profile(
        ["Jhola No", "Status"], file_name="x.csv", named=None, profiles=profiles, default="generic"
    )
    assert choice.profile.name == "acme"


def test_a_header_or_a_file_name_that_speaks_for_two_couriers_decides_nothing() -> None:
    own = '[headers]\norder_id=["Jhola No"]\n[statuses]\ndelivery_done=["OK"]\n'
    profiles = {
        **PROFILES,
        **{
            name: load_profile(f'name="{name}"\nfile_names=["daily_*"]\n{own}', origin="x.toml")
            for name in ("acme", "zoom")
        },
    }
    for name, default in (("x.csv", "dtdc"), ("daily_1.csv", "generic")):
        choice = choose_profile(
            ["Jhola No", "Status"], file_name=name, named=None, profiles=profiles, default=default
        )
        assert choice.profile.name == default


def test_a_sub_folder_without_a_profile_is_generic_with_a_warning() -> None:
    choice = choose_profile(
        ["Order ID", "Status"],
        file_name="dtdc.csv",
        named="acme",
        profiles=PROFILES,
        default="dtdc",
    )
    assert choice.profile.name == "generic"
    (notice,) = choice.notices
    assert notice.code is Code.COURIER_UNKNOWN
    assert '"acme"' in notice.message


def test_candidates_are_one_when_the_name_decides() -> None:
    found = possible_profiles(file_name="x.csv", named="dtdc", profiles=PROFILES, default="generic")
    assert [profile.name for profile in found] == ["dtdc"]
    many = possible_profiles(file_name="x.csv", named=None, profiles=PROFILES, default="dtdc")
    assert [profile.name for profile in many][:2] == ["dtdc", "generic"]
    assert len(many) == len(PROFILES)
    assert find_profile("DELHIVERY", PROFILES) is PROFILES["delhivery"]


def test_the_finder_knows_a_header_and_no_title_or_data_row() -> None:
    finder = ProfileHeaderFinder(tuple(PROFILES.values()))
    assert finder.fits(["Sl", "Order ID", "Status"])
    assert finder.fits(["Order Numbr", "Status"])
    assert not finder.fits(["Delhivery Status Report", "", ""])
    assert not finder.fits(["17328629784861446350", "Delivered"])
    assert not finder.fits([])


def test_the_finder_refuses_by_the_row_that_comes_closest() -> None:
    finder = ProfileHeaderFinder((GENERIC,))
    refused = finder.refusal(
        [["Report", ""], ["AWB", "Status", "Pincode"], ["1", "Delivered", "4"]]
    )
    assert refused.code is Code.HEADER_NOT_FOUND
    assert '"AWB", "Status", "Pincode"' in refused.message
    assert "Report" not in refused.message
    assert finder.refusal([]).code is Code.HEADER_NOT_FOUND


def test_headers_in_messages_are_escaped_and_cut() -> None:
    with pytest.raises(DropRefused) as refused:
        map_columns(["\x1b[31m" + "x" * 500, "Status"], GENERIC)
    assert "\x1b" not in refused.value.message
    assert "x" * 100 not in refused.value.message
