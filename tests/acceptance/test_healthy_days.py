"""A day's file of each courier, with the harmless columns of real files: no row of it is held."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.harness import Root

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
ROWS = 60
PICKED, DONE, BACK = "bag_picked", "delivery_done", "rto_bag_delivered"
RETURNING, RETURNED, NOTHING = "return_bag_in_transit", "return_bag_delivered", ""


@dataclass(frozen=True)
class Day:
    """A courier's day: its columns, and what the cells of each kind of row come to.

    ``kinds``: cells of the columns in ``decides`` → order status, "" for none. ``own``: further
    columns as this courier writes them, heading → cell of a row.
    """

    order_id: str
    awb: str
    decides: Sequence[str]
    kinds: Mapping[tuple[str, ...], str]
    own: Mapping[str, str | Callable[[int], str]] = field(default_factory=dict)


DAYS = {
    "delhivery": Day(
        "Order ID",
        "Waybill",
        ("Status", "Status Type"),
        {
            ("Delivered", "DL"): DONE,
            ("RTO", "DL"): BACK,
            ("DTO", "DL"): RETURNED,
            ("In Transit", "PU"): RETURNING,
            ("Dispatched", "UD"): NOTHING,
            ("In Transit", "RT"): NOTHING,
            ("Manifested", "UD"): NOTHING,
        },
        {"Status Date": f"{YESTERDAY:%Y-%m-%dT%H:%M:%S}", "Promise Date": f"{YESTERDAY:%d-%m-%Y}"},
    ),
    "xpressbees": Day(
        "Reference No",
        "AWB No",
        ("Current Status",),
        {
            ("PUD",): PICKED,
            ("DLVD",): DONE,
            ("Delivered",): DONE,
            ("RTD",): BACK,
            ("RTO-IT",): NOTHING,
            ("RTO",): NOTHING,
            ("OFD",): NOTHING,
        },
        {
            "Status Date": f"{YESTERDAY:%d-%m-%YT%H%M}",
            "EDD": f"{YESTERDAY:%m/%d/%Y %I:%M:%S %p}",
        },
    ),
    "bluedart": Day(
        "Ref No",
        "Waybill No",
        ("Scan Group", "Scan Code"),
        {
            ("S", "015"): PICKED,
            ("T", "000"): DONE,
            ("T", "090"): DONE,
            ("T", "118"): BACK,
            ("T", "123"): NOTHING,
            ("S", "002"): NOTHING,
        },
        {"Status Date": f"{YESTERDAY:%d-%b-%Y}"},
    ),
    "dtdc": Day(
        "Reference No",
        "AWB Number",
        ("Status",),
        {
            ("PCUP",): PICKED,
            ("DLV",): DONE,
            ("RTODLV",): BACK,
            ("OUTDLV",): NOTHING,
            ("RTOOUTDLV",): NOTHING,
            ("CDIN",): NOTHING,
        },
        {"Status Date": f"{YESTERDAY:%d%m%Y}", "Status Time": "930"},
    ),
    "ecomexpress": Day(
        "Order Number",
        "AWB Number",
        ("Reason Code Number", "Product Type"),
        {
            ("0011", "ppd"): PICKED,
            ("999", "ppd"): DONE,
            ("999", "COD"): DONE,
            ("999", "rts"): BACK,
            ("006", "cod"): NOTHING,
            ("777", "rts"): NOTHING,
        },
        {"Last Updated At": f"{YESTERDAY:%Y-%m-%d %H:%M:%S}", "ref_awb": ""},
    ),
    "shadowfax": Day(
        "client_order_id",
        "AWB Number",
        ("Status",),
        {
            ("picked",): PICKED,
            ("delivered",): DONE,
            ("rts_d",): BACK,
            ("assigned_for_delivery",): NOTHING,
            ("bag_in_transit",): NOTHING,
            ("ofd",): NOTHING,
        },
        {"Last Updated At": f"{YESTERDAY:%Y-%m-%d %H:%M:%S}"},
    ),
    "ekart": Day(
        "Order Id",
        "Tracking Number",
        ("Shipment Status",),
        {
            ("shipment_pickup_complete",): PICKED,
            ("shipment_delivered",): DONE,
            ("shipment_rto_completed",): BACK,
            ("return_received",): RETURNING,
            ("shipmentrvpcompleted",): RETURNED,
            ("shipment_undelivered_attempted",): NOTHING,
        },
        {"Event Time": str(round(YESTERDAY.timestamp() * 1000))},
    ),
    "shiprocket": Day(
        "Order ID",
        "AWB Code",
        ("Shipment Status", "is_return"),
        {
            ("Picked Up", "0"): PICKED,
            ("Delivered", "0"): DONE,
            ("RTO Delivered", "0"): BACK,
            ("Picked Up", "1"): RETURNING,
            ("Delivered", "1"): RETURNED,
            ("Out For Delivery", "0"): NOTHING,
            ("RTO Initiated", "0"): NOTHING,
        },
        {"Last Updated At": f"{YESTERDAY:%Y-%m-%d %H:%M:%S}", "Courier Company": "Xpressbees"},
    ),
    "clickpost": Day(
        "Order ID",
        "AWB",
        ("Status Code", "is_rvp"),
        {
            ("4", "false"): PICKED,
            ("8", "false"): DONE,
            ("14", "false"): BACK,
            ("5", "true"): RETURNING,
            ("8", "true"): RETURNED,
            ("6", "false"): NOTHING,
        },
        {"Last Updated At": f"{YESTERDAY:%Y-%m-%d %H:%M:%S}"},
    ),
    "unicommerce": Day(
        "Sale Order Code",
        "Tracking Number",
        ("Shipping Package Status Code", "Return Type"),
        {
            ("SHIPPED", ""): PICKED,
            ("DELIVERED", ""): DONE,
            ("RETURNED", "COURIER_RETURN"): BACK,
            ("RETURNED", "CUSTOMER_RETURN"): RETURNED,
            ("PICKED", ""): NOTHING,
            ("MANIFESTED", ""): NOTHING,
        },
        {
            "Display Order Code": lambda at: f"#{at}",
            "Shipping Tracking Status": "In Transit",
            "Last Updated At": f"{YESTERDAY:%Y-%m-%d %H:%M:%S}",
        },
    ),
    "increff": Day(
        "Order ID",
        "AWB",
        ("Status",),
        {
            ("PICKED_UP",): PICKED,
            ("DELIVERED",): DONE,
            ("RTO_DELIVERED",): BACK,
            ("RETURN_PICKED_UP",): RETURNING,
            ("RTO",): NOTHING,
            ("OUT_FOR_DELIVERY",): NOTHING,
        },
        {"Event Time": str(round(YESTERDAY.timestamp()))},
    ),
    "generic": Day(
        "Order ID",
        "AWB No",
        ("Status",),
        {
            ("Picked Up",): PICKED,
            ("Delivered",): DONE,
            ("RTO Delivered",): BACK,
            ("Return Picked Up",): RETURNING,
            ("Return Delivered",): RETURNED,
            ("Undelivered",): NOTHING,
            ("RTO Initiated",): NOTHING,
        },
        {"Status Date": f"{YESTERDAY:%d-%m-%Y %H:%M}", "Previous Status": "In Transit"},
    ),
}

HARMLESS: Mapping[str, Sequence[str]] = {
    "Product Type": ("T-Shirt", "Kurta", "Saree", "Return Gift Box"),
    "Product Name": ("Blue shirt", "Forward Fit Jeans", "Mug"),
    "Order Type": ("Prepaid",),
    "Order Date": (f"{YESTERDAY:%d-%m-%Y}",),
    "Shipment Type": ("Parcel",),
    "Type": ("Surface", "Air"),
    "Payment Mode": ("COD", "Prepaid"),
    "Payment Status": ("Paid", "Pending"),
    "COD Amount": ("0", "499.00", "1,299.00"),
    "RTO AWB": ("",),
    "RTO Charges": ("0.00", "45.50"),
    "RTO Risk": ("Low", "High"),
    "Is Returnable": ("Yes", "No"),
    "Remarks": ("", "customer asked for a return", "RTO if refused again", "left at door"),
    "City": ("Return Nagar", "Pune", "Rtoli", "Deliverypur"),
    "Pincode": ("560001", "411001"),
    "Customer Name": ("Asha", "Ravi Return", ""),
    "Invoice No": ("INV-1", "INV-2", "INV-3"),
    "Attempts": ("0", "1", "2"),
    "Weight (kg)": ("0.5", "1.25"),
}


def written(courier: str, day: Day) -> tuple[str, Counter[str]]:
    """The file, and how many rows come to each order status."""
    own = {*day.decides, *day.own, day.order_id, day.awb}
    harmless = {name: cells for name, cells in HARMLESS.items() if name not in own}
    # The bag that travels back is in a helper column there; a second one would say the same.
    if courier == "ecomexpress":
        harmless.pop("RTO AWB")
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([day.order_id, day.awb, *day.decides, *day.own, *harmless])
    counted: Counter[str] = Counter()
    kinds = [*day.kinds.items()]
    for at in range(ROWS):
        decides, status = kinds[at % len(kinds)]
        counted[status] += 1
        own_cells = [cell if isinstance(cell, str) else cell(at) for cell in day.own.values()]
        others = [cells[at % len(cells)] for cells in harmless.values()]
        table.writerow(
            [f"{17788111230617047123 + 97 * at}", f"36000001{at:05}", *decides, *own_cells, *others]
        )
    return text.getvalue(), counted


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Courier → what ``check`` tells of its day."""
    path = tmp_path_factory.mktemp("days")
    root = Root(path)
    files = []
    for courier, day in DAYS.items():
        files.append(path / (f"{courier}_day.csv" if courier != "generic" else "day.csv"))
        files[-1].write_text(written(courier, day)[0], encoding="utf-8")
    return dict(zip(DAYS, root.run("check", "--json", *files).json, strict=True))


@pytest.mark.parametrize("courier", DAYS)
def test_no_row_of_a_healthy_day_is_held(checked: dict[str, Any], courier: str) -> None:
    told = checked[courier]
    assert told["courier"] == courier
    assert told["refused"] is None
    assert told["rows"]["rejected"] == 0, told["errors"]
    _, expected = written(courier, DAYS[courier])
    found: Counter[str] = Counter()
    for each in told["statuses"]:
        assert each["outcome"] == ("unsent" if each["order_status"] else "ignored")
        found[each["order_status"]] += each["count"]
    assert found == expected
    assert {warning["code"] for warning in told["warnings"]} <= {"REASON_NOT_NUMERIC"}
