"""Every status of the couriers' vocabularies, in every spelling, against the built-in tables."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.normalise import fold
from schemas.profile import builtin_profiles
from schemas.statuses import StatusMeaning
from schemas.vocabulary import Milestone

PICKED, DELIVERED, RTO, RETURNING, RETURNED = Milestone
NOTHING, UNCLEAR = 0, -1

#: (courier, status type, direction, meaning, statuses), as the couriers' documents have them.
VOCABULARY: list[tuple[str, str, str, int, str]] = [
    ("generic", "", "", PICKED, "bag_picked|Picked|Picked Up|Pickup Done"),
    ("generic", "", "", DELIVERED, "delivery_done|Delivered"),
    ("generic", "", "", RTO, "rto_bag_delivered|RTO Delivered"),
    ("generic", "", "", RETURNING, "return_bag_in_transit|Return Picked Up|Return In Transit"),
    ("generic", "", "", RETURNED, "return_bag_delivered|Return Delivered"),
    (
        "generic",
        "",
        "",
        NOTHING,
        (
            "In Transit|Out For Delivery|OFD|Undelivered|Not Delivered|NDR|RTO Initiated|"
            "RTO In Transit|RTO Undelivered|Manifested|Pickup Scheduled|Out For Pickup|"
            "Reached At Destination|InTransit|OutForDelivery|RTO InTransit|"
            "Return Initiated|Packed|Ready To Ship|Booked|Pickup Pending|Not Picked|OFP|Reached Hub"
        ),
    ),
    ("generic", "", "", UNCLEAR, "RTO|Returned|7|Dispatched"),
    ("delhivery", "UD", "", PICKED, "X-PPOM|X-PROM|X-PIOM"),
    ("delhivery", "DL", "", DELIVERED, "Delivered"),
    ("delhivery", "DL", "", RTO, "RTO"),
    ("delhivery", "PU", "", RETURNING, "In Transit|Pending|Dispatched"),
    ("delhivery", "DL", "", RETURNED, "DTO"),
    ("delhivery", "UD", "", NOTHING, "Manifested|Not Picked|In Transit|Pending|Dispatched"),
    ("delhivery", "RT", "", NOTHING, "In Transit|Pending|Dispatched|RTO|anything at all"),
    ("delhivery", "PP", "", NOTHING, "Open|Scheduled|Dispatched"),
    ("delhivery", "CN", "", NOTHING, "Canceled|Closed"),
    ("delhivery", "LT", "", NOTHING, "Lost"),
    ("xpressbees", "", "", PICKED, "PUD|PKD|Picked"),
    # Words of real exports.
    ("xpressbees", "", "", PICKED, "PickDone"),
    ("xpressbees", "", "", NOTHING, "DataReceived|PickupNotDone|ReachedAtDestination"),
    ("bluedart", "", "", NOTHING, "Network Delay|Shipment Connected To Destination"),
    ("dtdc", "", "", DELIVERED, "OTP Based Delivered"),
    ("dtdc", "", "", NOTHING, "Stock Scan|Set RTO Initiated|Misroute|FDM Prepared|Inscan"),
    ("shadowfax", "", "", RTO, "RTS Delivered|RTO Delivered"),
    ("shadowfax", "", "", NOTHING, "in_manifest|out_for_rts|pickup_on_hold|reopen_ndr"),
    ("shadowfax", "", "", NOTHING, "seller_initiated_delay"),
    ("ekart", "", "", PICKED, "Pickup Complete"),
    ("ekart", "", "", RTO, "RTO Completed"),
    ("ekart", "", "", NOTHING, "undelivered_unattempted|Received|Reached Nearest Hub"),
    ("ekart", "", "", NOTHING, "Marked As RTO"),
    ("increff", "", "", NOTHING, "SHIPMENT_DELAYED"),
    ("clickpost", "", "", NOTHING, "OrderPlaced|FailedDelivery|CancelledOrder|RTO-Requested"),
    ("clickpost", "", "", NOTHING, "RTO-OutForDelivery|RTO-Failed|ShipmentHeld|RTO-Marked"),
    ("clickpost", "", "false", NOTHING, "InTransit"),
    ("generic", "", "", RETURNING, "RVP Picked Up|REV Picked Up|RVP In Transit|REV In Transit"),
    ("generic", "", "", RETURNED, "RVP Delivered|REV Delivered"),
    ("xpressbees", "", "", DELIVERED, "DLVD|Delivered"),
    ("xpressbees", "", "", RTO, "RTD"),
    (
        "xpressbees",
        "",
        "",
        NOTHING,
        (
            "DRC|PUC|OFP|PND|IT|RAD|OFD|UD|RTON|RTO|RTO-IT|RAO|RTO-OFD|RTU|LOST|STD|STG|"
            "Data Received|Pickup Created|Pickup Not Done|RTO Notified|Reached At Origin|"
            "RTO Out For Delivery|RTO-InTransit|Shipment Damaged"
        ),
    ),
    ("bluedart", "", "", PICKED, "S-015|538-PU"),
    ("bluedart", "DL", "", DELIVERED, "Shipment Delivered"),
    ("bluedart", "RT", "", RTO, "RTO Shipment Delivered"),
    ("bluedart", "RT", "", UNCLEAR, "Shipment Delivered|Delivered"),
    ("bluedart", "IT", "", UNCLEAR, "Shipment Delivered|Shipment Picked Up"),
    ("bluedart", "RT", "", NOTHING, "Shipment In Transit|Shipment Outscan"),
    ("bluedart", "", "forward", DELIVERED, "T-000|T-090|T-099"),
    ("bluedart", "", "", DELIVERED, "T-000|T-090|T-099"),
    ("bluedart", "", "", RTO, "T-118|T-188"),
    ("bluedart", "", "rto", RTO, "T-000|T-118"),
    (
        "bluedart",
        "",
        "",
        NOTHING,
        (
            "S-001|S-002|T-092|T-016|T-074|T-104|T-105|T-123|T-001|T-098|T-200|T-299|"
            "Shipment In Transit|Shipment Out For Delivery|Address Incomplete|Lost Shipment"
        ),
    ),
    ("dtdc", "", "", PICKED, "PCUP"),
    ("dtdc", "", "", DELIVERED, "DLV|Delivered"),
    ("dtdc", "", "", RTO, "RTODLV|RTO Delivered"),
    (
        "dtdc",
        "",
        "",
        NOTHING,
        (
            "BKD|SPL|PCSC|OPMF|IPMF|OBMD|IBMD|OBMN|IBMN|CDIN|CDOUT|OUTDLV|NONDLV|"
            "RTO|RTOBKD|RTOCDIN|RTOOUTDLV|RTONONDLV|RTO In Transit|RTO Not Delivered|Booked|"
            "Softdata Upload|Pickup Awaited|Attempted|Held Up|Received at Delivery Centre"
        ),
    ),
    ("ecomexpress", "", "", PICKED, "0011|1260|400"),
    ("ecomexpress", "", "ppd", DELIVERED, "999"),
    ("ecomexpress", "", "", DELIVERED, "999"),
    ("ecomexpress", "", "rts", RTO, "999"),
    ("ecomexpress", "", "", RTO, "R999"),
    (
        "ecomexpress",
        "",
        "",
        NOTHING,
        "001|002|003|004|005|006|014|1230|77|777|200|234|333|401|499|888",
    ),
    ("shadowfax", "", "", PICKED, "picked|received_from_client_warehouse"),
    ("shadowfax", "", "", DELIVERED, "delivered"),
    ("shadowfax", "", "", RTO, "rts_d|rto_d"),
    (
        "shadowfax",
        "",
        "",
        NOTHING,
        (
            "new|assigned_for_pickup|assigned_for_delivery|ofp|recd_at_fwd_hub|recd_at_rev_hub|"
            "item_manifested|bag_in_transit|ofd|cid|nc|na|on_hold|rts|rts_nd|rts_in_process|rto|"
            "rto_initiated|lost"
        ),
    ),
    ("ekart", "", "", PICKED, "shipment_pickup_complete"),
    ("ekart", "", "", DELIVERED, "shipment_delivered"),
    ("ekart", "", "", RTO, "shipment_rto_completed"),
    ("ekart", "", "", RETURNING, "pickup_done|return_received"),
    ("ekart", "", "", RETURNED, "shipmentrvpcompleted"),
    (
        "ekart",
        "",
        "",
        NOTHING,
        (
            "shipment_created|shipment_received|shipment_in_transit|shipment_out_for_delivery|"
            "shipment_undelivered_attempted|shipment_undelivered_unattempted|shipment_rto_created|"
            "shipment_rto_confirmed|shipment_rto_in_transit|shipment_lost|expected|"
            "undelivered_attempted|rto_created"
        ),
    ),
    ("shiprocket", "", "0", PICKED, "42|Picked Up|6|Shipped"),
    ("shiprocket", "", "0", DELIVERED, "7|Delivered"),
    ("shiprocket", "", "", DELIVERED, "Delivered"),
    ("shiprocket", "", "", RTO, "10|RTO Delivered"),
    ("shiprocket", "", "1", RETURNING, "Picked Up|In Transit"),
    ("shiprocket", "", "1", RETURNED, "7|Delivered|Return Delivered"),
    (
        "shiprocket",
        "",
        "0",
        NOTHING,
        (
            "1|9|RTO Initiated|13|14|15|17|Out For Delivery|18|19|20|21|22|38|39|40|41|46|75|78|"
            "RTO ACKNOWLEDGED|RETURN ACKNOWLEDGED|PROCESSED AT WAREHOUSE|RIDER ASSIGNED|"
            "UNFULFILLED|ARCHIVED"
        ),
    ),
    ("shiprocket", "", "0", UNCLEAR, "23|Partial Delivered"),
    ("clickpost", "", "false", PICKED, "4|PickedUp"),
    ("clickpost", "", "false", DELIVERED, "8|Delivered"),
    ("clickpost", "", "", RTO, "14"),
    ("clickpost", "", "true", RETURNING, "4|5|PickedUp|InTransit"),
    ("clickpost", "", "true", RETURNED, "8|Delivered"),
    (
        "clickpost",
        "",
        "false",
        NOTHING,
        "1|2|3|5|6|7|9|10|11|12|13|15|16|17|18|19|20|21|23|25|26|27|28|30|31|32",
    ),
    ("unicommerce", "", "", PICKED, "SHIPPED|DISPATCHED"),
    ("unicommerce", "", "", DELIVERED, "DELIVERED"),
    ("unicommerce", "", "COURIER_RETURN", RTO, "RETURNED|RETURN_ACKNOWLEDGED"),
    ("unicommerce", "", "CUSTOMER_RETURN", RETURNED, "RETURNED|RETURN_ACKNOWLEDGED"),
    (
        "unicommerce",
        "",
        "",
        NOTHING,
        (
            "CREATED|PICKED|PACKED|READY_TO_SHIP|MANIFESTED|RETURN_EXPECTED|CANCELLED|CANCELED|"
            "PROCESSING|PENDING_CUSTOMIZATION|CUSTOMIZATION_COMPLETE|SPLITTED|INVOICED|"
            "ADDED_TO_MANIFEST|LOCATION_NOT_SERVICEABLE"
        ),
    ),
    ("unicommerce", "", "", UNCLEAR, "RETURNED|RETURN_ACKNOWLEDGED"),
    ("increff", "", "", PICKED, "PICKED_UP"),
    ("increff", "", "", DELIVERED, "DELIVERED"),
    ("increff", "", "", RTO, "RTO_DELIVERED"),
    ("increff", "", "", RETURNING, "RETURN_PICKED_UP"),
    (
        "increff",
        "",
        "",
        NOTHING,
        (
            "CREATED|ACCEPTED|PACKED|READY_TO_SHIP|OUT_FOR_PICKUP|OUT_FOR_DELIVERY|"
            "FAILED_DELIVERY|RTO|RETURN_CREATED|LOST|DAMAGED"
        ),
    ),
]


def spellings(status: str) -> Iterator[str]:
    """A status in other cases, with other separators, and with space around it."""
    words = fold(status).split(" ")
    for separator in (" ", "_", "-", "  ", " - ", "."):
        yield separator.join(words)
        yield separator.join(words).upper()
        yield separator.join(words).title()
    yield f"  {status}\u00a0"
    yield status


@pytest.mark.parametrize(
    ("courier", "kind", "way", "meaning", "status"),
    [
        (courier, kind, way, meaning, status)
        for courier, kind, way, meaning, statuses in VOCABULARY
        for status in statuses.split("|")
    ],
)
def test_every_status_in_every_spelling(
    courier: str, kind: str, way: str, meaning: int, status: str
) -> None:
    profile = builtin_profiles()[courier]
    direction = profile.direction(way)
    for spelling in spellings(status):
        ruling = profile.statuses.rule(spelling, status_type=kind.lower(), direction=direction)
        expected = {NOTHING: StatusMeaning.NO_MILESTONE, UNCLEAR: StatusMeaning.AMBIGUOUS}
        assert ruling.meaning is expected.get(meaning, StatusMeaning.MILESTONE), spelling
        assert ruling.milestone == max(meaning, 0), spelling


# Whether that is all of them: against docs/couriers.md

COURIERS = Path(__file__).parents[2] / "docs" / "couriers.md"

#: Words in the table's cells that are no status.
PROSE = re.compile(
    r"\(006 = [^)]*\)|= [^,;)]*|on the forward (?:AWB|leg)|on the return AWB|"
    r"on an rts leg \([^)]*\)|"
    r"\(is_return = 0\)|is_return = 1:|is_rvp:|\(forward\)|when COURIER_RETURN|"
    r"the same when a customer return|\(not PICKED[^)]*\)|\(RTO raised\)|\(a hub move\)|scan |"
    r"\b(?:DL|UD|PU|RT|PP|CN) \+|other |[()]"
)
#: Families, with a status of VOCABULARY that stands for each.
FAMILIES = {
    "T-0xx": "T-001",
    "T-2xx": "T-200",
    "RTO*": "RTOBKD",
    "assigned_*": "assigned_for_pickup",
    "recd_at_*": "recd_at_fwd_hub",
    "rts*": "rts",
    "rto*": "rto",
    "shipment_undelivered_*": "shipment_undelivered_attempted",
    "LT": "Lost",
    "*": "anything at all",
    "2xx": "200",
    "3xx": "333",
    "4xx": "401",
    "shipment_created/received/in_transit/out_for_delivery": "shipment_in_transit",
    "shipment_rto_created/confirmed/in_transit": "shipment_rto_confirmed",
}


def documented_statuses() -> Iterator[tuple[str, int, str]]:
    """Yield (courier, meaning, status) for each status in the table of docs/couriers.md."""
    text = COURIERS.read_text(encoding="utf-8").partition("## Status")[2].partition("\n## ")[0]
    for line in text.splitlines():
        if not line.startswith("| ") or line.startswith("| courier"):
            continue
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        courier = name.partition("(")[0].replace(" ", "").lower()
        returning, _, returned = cells[3].partition("→")
        meanings = (PICKED, DELIVERED, RTO, RETURNING, RETURNED, NOTHING)
        columns = (*cells[:3], returning, returned, cells[4])
        for meaning, cell in zip(meanings, columns, strict=True):
            unclear = re.search(r"([^,;]*)→ ambiguous", cell)
            for status in statuses_in(cell.replace(unclear.group(), "") if unclear else cell):
                yield courier, meaning, status
            if unclear:
                yield from ((courier, UNCLEAR, each) for each in statuses_in(unclear.group(1)))


def statuses_in(cell: str) -> Iterator[str]:
    for word in re.split(r"[,;]", PROSE.sub(" ", cell)):
        text = " ".join(word.split())
        if span := re.fullmatch(r"(\d+)–(\d+)|(.)xx–(.)xx|(\w+) … (\w+)", text):
            first, last, low, high, *ends = span.groups()
            if first:
                yield from (f"{n:0{len(first)}}" for n in range(int(first), int(last) + 1))
            elif low:
                yield from (f"{n}xx" for n in range(int(low), int(high) + 1))
            else:
                yield from ends
        elif both := re.fullmatch(r"(\d+) ([A-Z].*)", text):
            yield from both.groups()  # a number and the words for it
        elif text.strip("–…- "):
            yield text


def test_the_vocabulary_is_all_that_the_couriers_documents_have() -> None:
    ours = {
        (courier, meaning, fold(status))
        for courier, _, _, meaning, statuses in VOCABULARY
        for status in statuses.split("|")
    }
    documented = {
        (courier, meaning, fold(FAMILIES.get(status, status)))
        for courier, meaning, status in documented_statuses()
    }
    assert len(documented) > 230
    assert sorted(documented - ours) == []
