"""A day's file of each courier: its columns, the cells that decide, and what they come to.

Made from the couriers' documents, not from the profiles: nothing of the product is imported.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30))
YESTERDAY = datetime.now(UTC).astimezone(IST) - timedelta(days=1)
PICKED, DONE, BACK = "bag_picked", "delivery_done", "rto_bag_delivered"
RETURNING, RETURNED, NOTHING = "return_bag_in_transit", "return_bag_delivered", ""


@dataclass(frozen=True, kw_only=True)
class RowOf:
    """A row whose cells are to be written: its number, when it happened, what it comes to."""

    at: int
    when: datetime
    status: str


Cell = str | Callable[[RowOf], str]


def written(form: str) -> Callable[[RowOf], str]:
    """Return a cell that holds a row's time in this form."""
    return lambda row: f"{row.when:{form}}"


def cell_of(cell: Cell, row: RowOf) -> str:
    """Return the text of a cell in this row."""
    return cell if isinstance(cell, str) else cell(row)


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
    own: Mapping[str, Cell] = field(default_factory=dict)

    def some(self, *statuses: str) -> list[tuple[str, ...]]:
        """Return the cells of the kinds that come to one of these statuses."""
        return [cells for cells, status in self.kinds.items() if status in statuses]


DAYS: Mapping[str, Day] = {
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
        {"Status Date": written("%Y-%m-%dT%H:%M:%S"), "Promise Date": written("%d-%m-%Y")},
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
            "Status Date": written("%d-%m-%YT%H%M"),
            "EDD": written("%m/%d/%Y %I:%M:%S %p"),
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
        {"Status Date": written("%d-%b-%Y")},
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
        {
            "Status Date": written("%d%m%Y"),
            "Status Time": lambda row: f"{row.when:%H%M}".lstrip("0"),
        },
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
        {"Last Updated At": written("%Y-%m-%d %H:%M:%S"), "ref_awb": ""},
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
        {"Last Updated At": written("%Y-%m-%d %H:%M:%S")},
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
        {"Event Time": lambda row: str(round(row.when.timestamp() * 1000))},
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
        {"Last Updated At": written("%Y-%m-%d %H:%M:%S"), "Courier Company": "Xpressbees"},
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
        {"Last Updated At": written("%Y-%m-%d %H:%M:%S")},
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
            "Display Order Code": lambda row: f"#{row.at}",
            "Shipping Tracking Status": "In Transit",
            "Last Updated At": written("%Y-%m-%d %H:%M:%S"),
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
        {"Event Time": lambda row: str(round(row.when.timestamp()))},
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
        {"Status Date": written("%d-%m-%Y %H:%M"), "Previous Status": "In Transit"},
    ),
}


def _each(*cells: str) -> Cell:
    return lambda row: cells[row.at % len(cells)]


def _on_the_way_back(cell: Cell) -> Cell:
    """Return a cell that is filled for what was delivered back, as nothing else has it."""

    def filled(row: RowOf) -> str:
        return cell_of(cell, row) if row.status == BACK else ""

    return filled


def _days_ago(days: int, form: str = "%d-%m-%Y") -> Cell:
    return lambda row: f"{row.when - timedelta(days=days + row.at % 9):{form}}"


#: What stands beside it in real files and holds nothing.
HARMLESS: Mapping[str, Cell] = {
    "S No": lambda row: str(row.at + 1),
    "Product Type": _each("T-Shirt", "Kurta", "Saree", "Return Gift Box"),
    "Product Name": _each("Blue shirt", "Forward Fit Jeans", "Mug", 'Mat, 6" (red)'),
    "SKU": lambda row: f"SKU-{row.at % 40:03}",
    "Qty": _each("1", "2", "1"),
    "Order Type": _each("Prepaid", "COD"),
    "Order Date": _days_ago(4),
    "Channel": _each("Shopify", "Amazon", "Website"),
    "Shipment Type": _each("Parcel"),
    "Type": _each("Surface", "Air"),
    "Service Type": _each("Standard", "Express", "Next Day"),
    "Delivery Type": _each("Standard", "Open Box", "Next Day"),
    "Payment Mode": _each("COD", "Prepaid"),
    "Payment Status": _each("Paid", "Pending", "Refunded"),
    "COD Amount": _each("0", "499.00", "1,299.00"),
    "Pickup Date": _days_ago(3),
    "First Attempt Date": _days_ago(1),
    "RTO AWB": _on_the_way_back(lambda row: f"46000001{row.at:05}"),
    "RTO Charges": _each("0.00", "45.50"),
    "RTO Risk": _each("Low", "High"),
    "RTO Date": _on_the_way_back(written("%d-%m-%Y")),
    "Return Address": _each("12, MG Road, Pune", "Plot 4, Okhla\nNew Delhi"),
    "Return Policy": _each("7 days return", "No return"),
    "Is Returnable": _each("Yes", "No"),
    "Exchange": _each("No"),
    "Cancellation Reason": _each(""),
    "Remarks": _each("", "customer asked for a return", "RTO if refused again", "left at door"),
    "City": _each("Return Nagar", "Pune", "Rtoli", "Deliverypur"),
    "State": _each("MH", "Delhi", "KA"),
    "Zone": _each("A", "B", "C", "D"),
    "Pincode": _each("560001", "411001"),
    "Customer Name": _each("Asha", "Ravi Return", ""),
    "Customer Phone": _each("+91 98200 00001", "9820000002"),
    "Receiver Relation": _each("Self", "Guard", "Neighbour", ""),
    "OTP Verified": _each("Yes", "No", "Y", ""),
    "QC Status": _each("Pass", "NA", ""),
    "Invoice No": lambda row: f"INV-{row.at}",
    "Invoice Date": _days_ago(4, "%d/%m/%Y"),
    "Attempts": _each("0", "1", "2"),
    "Weight (kg)": _each("0.5", "1.25"),
    "Fragile": _each("No", "Yes"),
    "Received By": _each("Self", "Ismail Merchant", "Security Guard", ""),
    "Customer Type": _each("Return Customer", "New Customer"),
    "SLA Status": _each("Within SLA", "Delayed"),
    "Weight Status": _each("Accepted", "Disputed"),
    "Risk Status": _each("Low", "Rejected"),
    "Mid Mile Status": _each("In Transit"),
    "Is Cancelled": _each("No", "N/A", "Not cancelled", ""),
    "RTO %": _each("12.5", "3"),
    "": _each("checked", "", "ok"),
    "POD Link": lambda row: f"https://pod.example/{row.at}",
}
