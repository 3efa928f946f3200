"""HEADER_NOT_FOUND names every missing role and what was seen, and never data for headings."""

import pytest

from pipeline.core.errors import DropRefused
from pipeline.core.profile_by_name import did_you_mean, find_profile
from pipeline.planning.freeze import too_many_rejects
from pipeline.validation.columns import Match, map_columns
from pipeline.validation.profile_choice import ProfileHeaderFinder
from schemas.codes import Code
from schemas.profile import builtin_profiles, load_profile
from schemas.vocabulary import Role
from tests.fakes.courier_sheet import one_status, sheet

PROFILES = builtin_profiles()
GENERIC = PROFILES["generic"]


def refusal(*rows: list[str], courier: str | None = None) -> DropRefused:
    profiles = (PROFILES[courier],) if courier else tuple(PROFILES.values())
    return ProfileHeaderFinder(profiles).refusal(rows)


def test_every_missing_role_is_named_in_one_sentence() -> None:
    told = refusal(["Pincode", "City"], ["400001", "Mumbai"])
    assert told.code is Code.HEADER_NOT_FOUND
    assert told.message == (
        "We could not find a column for the order id and the status. "
        'Columns in the file: "Pincode", "City".'
    )
    assert told.hint == (
        'Name the column of the order id "Order ID" or "Order No" or "Order Number"; name the '
        'column of the status "Status" or "Current Status" or "Shipment Status". Then upload '
        "the file again."
    )


def test_a_courier_that_needs_three_columns_names_those_that_are_missing() -> None:
    told = refusal(["Waybill", "Status"], courier="delhivery")
    assert told.message.startswith(
        "We could not find a column for the order id and the status type, which files of Delhivery "
        "have."
    )


def test_the_nearest_headings_are_offered_for_each_missing_role() -> None:
    with pytest.raises(DropRefused) as refused:
        map_columns(["Ordr Nr", "Order Nmbr XY", "Shpmt Sttus", "City"], GENERIC)
    hint = refused.value.hint
    assert '(did you mean "Ordr Nr"' in hint or '(did you mean "Order Nmbr XY"' in hint
    assert '(did you mean "Shpmt Sttus"?)' in hint
    assert '"City"?' not in hint


@pytest.mark.parametrize(
    "rows",
    [
        [["17788112345678901234", "Delivered"], ["17788112345678901235", "RTO"]],
        [["Asha", "Delivered"], ["Ravi", "In Transit"]],
        [["Asha", "Pune"], ["Ravi", "Pune"]],
        [["26/06/2026", "Asha"], ["27/06/2026", "Ravi"]],
        [["Delhivery report"], ["of June"]],
    ],
    ids=["ids", "statuses", "cities that repeat", "dates", "titles"],
)
def test_data_and_titles_are_not_called_headings(rows: list[list[str]]) -> None:
    told = refusal(*rows)
    assert told.message.endswith("None of its rows looks like a heading row.")
    for cell in (cell for row in rows for cell in row):
        assert cell not in told.message


def test_two_columns_equally_close_to_one_role_are_not_guessed_between() -> None:
    with pytest.raises(DropRefused) as refused:
        map_columns(["Order Numbr", "Order Numbe", "Status"], GENERIC)
    assert '"Order Numbr" or "Order Numbe"' in refused.value.hint


def test_how_each_heading_was_recognised_is_kept() -> None:
    mapping = map_columns(["Order Numbr", "current status", "REMARKS", "City"], GENERIC)
    assert mapping.matched == {
        Role.ORDER_ID: Match.CLOSE,
        Role.STATUS: Match.ALIAS,
        Role.REMARK: Match.EXACT,
    }
    assert mapping.unused() == ("City",)


def test_an_unconfirmed_column_is_named_with_what_to_do() -> None:
    text = 'name="acme"\n[headers]\norder_id=["?Jhola"]\n[statuses]\nunconfirmed=["X"]\n'
    draft = load_profile(text, origin="acme.toml")
    told = ProfileHeaderFinder((draft,)).refusal([["Jhola", "Status"]])
    assert 'not confirmed yet in the profile "acme": delete the "?" before "Jhola"' in told.hint


def test_two_statuses_that_are_equally_near_are_both_offered() -> None:
    text = 'name="n"\n[statuses]\ndelivery_done=["Handed A"]\nno_milestone=["Handed B"]\n'
    profile = load_profile(text, origin="n.toml")
    message = sheet(["Order ID", "Status"], ["A1", "Handed C"], courier=profile).one["message"]
    assert message.endswith('Did you mean "Handed A" or "Handed B"?')
    assert one_status("Deliverd")["message"].endswith('Did you mean "Delivered"?')


@pytest.mark.parametrize(
    "status",
    [
        *("Delivered Back", "Delivered to Seller", "Delivered RTS", "Deliverd to WH", "Delivered?"),
        *("Delivered FALSE", "Delivered nahi hua", "Delivered ✘", "Misdelivered", "Re-Delivered"),
        *("Pickup Not Done", "Pickup Undone", "Unpicked", "Return Undelivered"),
        *("RTO delivered pending", "To be delivered", "Deliveredall", "Deliveredno"),
        *("Delivered/Undelivered", "Customer delivered", "Undeliverd to customer"),
        *("Delivered (OTP)", "Del", "Closed", "Created"),
    ],
)
def test_no_status_is_suggested_that_says_something_else(status: str) -> None:
    row = one_status(status)
    assert row["codes"] == "STATUS_UNKNOWN:status"
    assert "Did you mean" not in row["message"]


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        ("RTO Initiatd", "RTO Initiated"),
        ("Undeliverd", "Undelivered"),
        ("Delivered-RTO", "RTO Delivered"),
        ("Dlvrdd", "Delivered"),
        ("Retrun Delivered", "Return Delivered"),
    ],
)
def test_a_misspelt_status_is_suggested(status: str, meant: str) -> None:
    assert one_status(status)["message"].endswith(f'Did you mean "{meant}"?')


def test_the_wrong_column_is_named_in_one_sentence() -> None:
    told = too_many_rejects(id_header="Customer", total=40, id_bad=30, rejected=30, ratio=0.5)
    assert told is not None
    assert told.message == (
        '30 of 40 rows have no usable order id in the column "Customer", so it is probably the '
        "wrong column or another kind of file."
    )


def test_too_many_rejects_is_one_sentence() -> None:
    told = too_many_rejects(id_header="Order ID", total=40, id_bad=0, rejected=30, ratio=0.5)
    assert told is not None
    assert told.message == (
        "30 of 40 rows are faulty: more than half of them, so nothing was sent."
    )
    assert told.hint.startswith("Correct the rows in the rejects file")


def test_a_courier_without_a_profile_gets_the_nearest_one_offered() -> None:
    assert did_you_mean("Delhivry", PROFILES) == 'Did you mean "delhivery"?'
    assert did_you_mean("BlueDrat", PROFILES) == 'Did you mean "bluedart"?'
    assert did_you_mean("zzzz", PROFILES).startswith("Known: generic, ")


def test_the_very_name_goes_before_a_name_that_is_only_alike() -> None:
    own = load_profile('name="blue-dart"\n[statuses]\nambiguous=["X"]\n', origin="b.toml")
    profiles = {**PROFILES, "blue-dart": own}
    assert find_profile("blue-dart", profiles) is own
    assert find_profile("Blue Dart", profiles) is PROFILES["bluedart"]


@pytest.mark.parametrize(
    ("headings", "not_named"),
    [
        (["Name of visitor", "Contact_Number", "order_status"], "Contact_Number"),
        (["Order_ID", "Payment_Status", "City"], "Payment_Status"),
        (["Order ID", "Return Sttus", "City"], "Return Sttus"),
        (["Order ID", "Item Sttus", "City"], "Item Sttus"),
        (["Refund No", "Status", "City"], "Refund No"),
        (["Invoice Number", "Status", "City"], "Invoice Number"),
        (["Customer No", "Phone Number", "Status"], "Phone Number"),
    ],
)
def test_a_hint_names_no_column_of_another_subject(headings: list[str], not_named: str) -> None:
    told = refusal(headings, ["A1", "Delivered", "Pune"], courier="generic")
    assert told.code is Code.HEADER_NOT_FOUND
    assert "did you mean" not in told.hint
    assert not_named not in told.hint


@pytest.mark.parametrize("heading", ["Past Status", "Previous Status", "First Status"])
def test_a_heading_of_an_earlier_state_is_no_misspelt_status(heading: str) -> None:
    told = refusal(["Order ID", heading], ["A1", "Delivered"], courier="generic")
    assert told.code is Code.HEADER_NOT_FOUND


@pytest.mark.parametrize(
    "headings", [["Scan 1", "Scan 2"], ["27-Nov", "28-Nov"], ["On 27-11-2026", "On 28-11-2026"]]
)
def test_a_hint_for_several_columns_of_statuses_says_to_keep_the_newest(
    headings: list[str],
) -> None:
    rows = [["A1", "Picked Up", "Delivered"], ["A2", "In Transit", ""]]
    rows = [[*row, "Pune"] for row in rows]
    told = refusal(["Order ID", *headings, "AWB"], *rows, courier="generic")
    assert told.code is Code.HEADER_NOT_FOUND
    assert "write the newest status of each row there" in told.hint
    assert all(f'"{heading}"' in told.hint for heading in headings)


def test_a_hint_for_a_table_of_returns_says_what_to_write() -> None:
    headings = ["Return_ID", "Return_Number", "Order_ID", "Return_Status", "Package Sttus"]
    told = refusal(headings, ["1", "RET1", "ORD-1", "Delivered", "Delivered"])
    assert "did you mean" not in told.hint
    assert "Return Delivered" in told.hint


@pytest.mark.parametrize(
    ("headings", "cells"),
    [
        (["Ordr Nr", "Status"], [["Asha Rao", "Delivered"], ["Ravi", "RTO"]]),
        (["Ordr Nr", "Status"], [["12.50", "Delivered"], ["7.25", "RTO"]]),
        (["Order ID", "Shpmt Sttus"], [["A1", "Kerala"], ["A2", "Bihar"]]),
        (["Order ID", "Statu Txt"], [["A1", "26-11-2026"], ["A2", "27-11-2026"]]),
    ],
)
def test_a_hint_names_no_column_whose_cells_do_not_fit(
    headings: list[str], cells: list[list[str]]
) -> None:
    assert "did you mean" not in refusal(headings, *cells).hint


@pytest.mark.parametrize(
    ("headings", "cells", "meant"),
    [
        (["Ordr Nr", "Status"], [["17788111230617047762", "Delivered"], ["", "RTO"]], "Ordr Nr"),
        (["Order ID", "Shpmt Sttus"], [["A1", "Delivered"], ["A2", "n/a"]], "Shpmt Sttus"),
        (["Order ID", "Shpmt Sttus"], [], "Shpmt Sttus"),
    ],
)
def test_a_hint_names_what_was_probably_meant(
    headings: list[str], cells: list[list[str]], meant: str
) -> None:
    assert f'did you mean "{meant}"' in refusal(headings, *cells).hint
