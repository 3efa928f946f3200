"""Words that couriers do write come to what they mean, and make no noise."""

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root
from tests.acceptance.test_hazards_of_reading import lines, sent
from tests.fakes.courier_sheet import sheet


def test_blue_darts_words_are_known(root: Root, api: SandboxHandle) -> None:
    words = {
        "SHIPMENT DELIVERED": "delivery_done",
        "RTO SHIPMENT DELIVERED": "rto_bag_delivered",
        "DELIVERED BACK TO SHIPPER": "rto_bag_delivered",
        "SHIPMENT PICKED UP": "bag_picked",
        "RETURN TO SHIPPER": "",
        "In Transit. Await delivery information": "",
        '"OUT FOR DELIVERY,  DETAILS AWAITED"': "",
        "UD SHIPMENT RECEIVED FOR FURTHER PROCESS": "",
    }
    rows = [f"A{number},{status}" for number, status in enumerate(words)]
    root.drop("mis.csv", lines("Order ID,Status", *rows), "bluedart")
    # A row that has an RTO AWB too does not say which of the two was delivered.
    root.drop("both.csv", lines("Order ID,Status,RTO AWB", "B1,Shipment Delivered,77"), "bluedart")
    root.once()
    expected = [(f"A{number}", said) for number, said in enumerate(words.values()) if said]
    assert sent(api) == expected
    assert root.of("mis").counts == {"accepted": 4, "ignored": 4}
    assert root.of("both").lines()[0]["codes"].startswith("STATUS_AMBIGUOUS")


SHIPROCKET = (
    *("NEW ORDER", "CANCELED", "CANCELLATION REQUESTED", "PICKUP SCHEDULED", "IN TRANSIT-EN-ROUTE"),
    *("REACHED DESTINATION HUB", "DELAYED", "UNDELIVERED-2nd Attempt", "RTO IN TRANSIT"),
    *("RETURN PICKUP GENERATED", "RTO OFD", "LOST", "READY TO SHIP", "PICKUP EXCEPTION"),
)


def test_an_export_of_shiprocket_is_no_file_of_rejects(root: Root, api: SandboxHandle) -> None:
    words = ("PICKED UP", "DELIVERED", *SHIPROCKET)
    rows = [f"A{number:02},{status},27.11.26 14:41" for number, status in enumerate(words)]
    header = "Order ID,Status,Last Updated AT"
    root.drop("orders.csv", lines(header, *rows), "shiprocket")
    assert root.once().code == 0
    assert sent(api) == [("A00", "bag_picked"), ("A01", "delivery_done")]
    assert root.of("orders").counts == {"accepted": 2, "ignored": len(SHIPROCKET)}


def test_the_courier_s_own_reason_codes_do_not_warn(root: Root, api: SandboxHandle) -> None:
    header = "Order ID,Status Type,Status,NSLCode"
    codes = ("X-UCI", "EOD-146", "EOD- 38", "ST-114", "DLYDC-107")
    rows = [f"A{number},DL,Delivered,{code}" for number, code in enumerate(codes)]
    root.drop("day.csv", lines(header, *rows), "delhivery")
    root.drop("words.csv", lines(header, "B1,DL,Delivered,customer - asked"), "delhivery")
    assert root.once().code == 0
    assert len(sent(api)) == len(codes) + 1
    assert "REASON_NOT_NUMERIC" not in root.of("day").codes
    assert "REASON_NOT_NUMERIC" in root.of("words").codes


WAYS = {
    "delhivery": (
        "Status Type,Status,Package Type",
        ("DL,Delivered,Pickup", "DL,DTO,Pickup", "DL,Delivered,COD", "DL,Delivered,REPL"),
        "hsss",
    ),
    "ekart": (
        "Status,shipment_type",
        (
            *("shipment_delivered,IncomingShipment", "shipment_delivered,OutgoingShipment"),
            *("shipment_delivered,ReturnShipment", "shipment_delivered,MyntraReverse"),
        ),
        "hshh",
    ),
    "ecomexpress": (
        "Status,Reason Code",
        ("Delivered,777", "Delivered,77", "Delivered,777 - RTO Lock", "999,777", "999,R777"),
        "hhhhh",
    ),
    "bluedart": (
        "Scan Group,Scan Code,S No",
        *(("T,000,1", "T,000,RTO", "T,118,RTO", "T,000,4"), "shss"),
    ),
    "delhivery ": (
        "Status Type,Status,ReverseInTransit",
        ("DL,RTO,True", "DL,Delivered,False", "DL,Delivered,True"),
        "ssh",
    ),
    "shadowfax": (
        "Status,Status Display",
        ("rto_d,RTO Delivered", "rts_d,RTS Delivered", "rts_d,Delivered", "ofd,RTO Delivered"),
        "sshh",
    ),
    "unicommerce": (
        "Shipping Package Status Code,Return Type,Shipping Courier Status",
        *(("RETURNED,CUSTOMER_RETURN,Delivered", "RETURNED,COURIER_RETURN,Delivered"), "sh"),
    ),
    "delhivery  ": (
        "Status Type,Status,NSLCode,Instructions",
        (
            *("DL,Delivered,RD-AC,", "DL,Delivered,RT-101: asked,", "DL,Delivered,EOD-6,"),
            *("DL,Delivered,EOD-38,Return Accepted", "DL,Delivered,EOD-38,Not Attempted"),
            *("UD,In Transit,X-PPOM,", "DL,Delivered,EOD-38,At door"),
            *("DL,RTO,RD-AC,Return Accepted", "DL,DTO,RD-AC,"),
        ),
        "hhhhhssss",
    ),
    "bluedart ": (
        "Status,ScanType,Scanned Code",
        (
            *("Delivered,RT,", "Delivered,UD,", "Shipment Delivered,IT,"),
            *("Delivered,DL,T-188", "Delivered,DL,T-000", "Picked Up,PU,", "RTO Delivered,RT,"),
        ),
        "hhhhsss",
    ),
    "shiprocket": (
        "Status,Status ID",
        *(("Delivered,10", "Delivered,9", "Delivered,21", "Delivered,7"), "hhhs"),
    ),
    "unicommerce  ": (
        "Shipping Package Status Code,Sale Order Item Status,Sale Order Status",
        *(
            ("DELIVERED,CANCELLED,", "DELIVERED,DISPATCHED,COMPLETE", "DELIVERED,,DISPATCHED"),
            "hss",
        ),
    ),
    "shadowfax ": (
        "Status,Pickup Type",
        *(("delivered,regular return", "delivered,regular"), "hs"),
    ),
    # A courier's file in another's folder: what that courier would not send is held.
    "dtdc": (
        "Status Type,Status,Package Type",
        (
            *("DL,Delivered,Pickup", "RT,Delivered,COD", "LT,Delivered,COD"),
            *("DL,Delivered,COD", "Final,Delivered,COD"),
        ),
        "hhhss",
    ),
    "unicommerce   ": (
        "Status Type,Status",
        ("UD,Dispatched", "DL,Delivered", ",DISPATCHED"),
        "hss",
    ),
    "ekart ": ("Shipping Package Status Code", ("PICKED", "DELIVERED"), "hs"),
    # A group in words is a further status, and a code stands beside its words.
    "bluedart  ": (
        "StatusType,Status Code,Status",
        (
            *("T,000,Shipment Delivered", "T,188,RTO Delivered", "T,000,RTO Delivered"),
            *("T,000,Undelivered", "S,015,Shipment Picked Up"),
        ),
        "sshhs",
    ),
    "bluedart   ": (
        "Status,Status Group",
        (
            *("Delivered,Delivered", "RTO Delivered,RTO", "Picked Up,In Transit"),
            *("Delivered,RTO", "Delivered,Undelivered", "Delivered,XX", "Delivered,RT"),
        ),
        "ssshhhh",
    ),
    "xpressbees ": (
        "Status Code,Status",
        (
            *("DLVD,Delivered", "RTD,RTO Delivered", "PUD,Picked Up"),
            *("DLVD,RTO Delivered", "RTD,Delivered"),
        ),
        "ssshh",
    ),
    "xpressbees  ": (
        "Live Status,Status Code",
        ("Delivered,1", "RTO Delivered,", "Picked Up,200", "Delivered,RTD", "RTO Delivered,DLVD"),
        "ssshh",
    ),
    "shadowfax  ": (
        "Status,Status Group",
        *(("rts_d,RTO", "delivered,Delivered", "delivered,RTO", "rts_d,Delivered"), "sshh"),
    ),
    "xpressbees": (
        "Status,Courier Company,Shiprocket Created At",
        *(("DELIVERED,Delhivery Surface,", "RTO DELIVERED,Ekart,", "PICKED UP,DTDC,"), "sss"),
    ),
    "ecomexpress ": (
        "Status,Reason Code",
        *(("Delivered,999", "Delivered,228", "Delivered,7", "RTO Delivered,777"), "ssss"),
    ),
}
"""Courier → headings, rows, and which are held because of the courier's own words for a way."""


def test_a_courier_s_own_words_for_the_way_back_hold_deliveries(root: Root) -> None:
    root.configure(manifest__max_reject_ratio=1)
    for at, (courier, (headings, rows, _)) in enumerate(WAYS.items()):
        numbered = [f"A{at}{number},{row}" for number, row in enumerate(rows)]
        root.drop(f"day{at}.csv", lines(f"Order ID,{headings}", *numbered), courier.strip())
    assert root.once().code == 3
    for at, (courier, (_, _, ends)) in enumerate(WAYS.items()):
        told = root.of(f"day{at}").lines()
        found = "".join("h" if line["outcome"] == "rejected" else "s" for line in told)
        assert found == ends, courier
        held = [line["codes"] for line in told if line["outcome"] == "rejected"]
        assert all(codes.startswith("STATUS_AMBIGUOUS:status") for codes in held), courier


@pytest.mark.parametrize(
    ("courier", "cells", "outcome"),
    [
        ("xpressbees", {"Status": "Undelivered"}, ""),
        ("xpressbees", {"Status": "PickDone"}, "bag_picked"),
        ("xpressbees", {"Status": "PickupNotDone"}, ""),
        ("dtdc", {"Status": "OTP Based Delivered"}, "delivery_done"),
        ("dtdc", {"Status": "RTO OTP Based Delivered"}, "STATUS_UNKNOWN:status"),
        ("shadowfax", {"Status": "RTS Delivered"}, "rto_bag_delivered"),
        ("ekart", {"Status": "RTO Completed"}, "rto_bag_delivered"),
        ("ekart", {"Status": "RTO Confirmed"}, ""),
        ("clickpost", {"Clickpost Unified Status": "RTO-Delivered"}, "rto_bag_delivered"),
        ("clickpost", {"Clickpost Unified Status": "RTO-OutForDelivery"}, ""),
        ("generic", {"Status": "REV Delivered"}, "return_bag_delivered"),
        ("generic", {"Status": "REV Out for Pick Up"}, ""),
        ("generic", {"Status": "Partial Delivered"}, "STATUS_UNKNOWN:status"),
        ("dtdc", {"Status": "RTO Initiated"}, ""),
        ("increff", {"Status": "PICKED"}, ""),
        ("ekart", {"Status": "Return Delivered"}, "return_bag_delivered"),
        (
            "clickpost",
            {"Clickpost Unified Status": "Delivered", "Status Code": "8", "is_rvp": "True"},
            "return_bag_delivered",
        ),
        ("clickpost", {"Status": "Delivered"}, "delivery_done"),
        ("clickpost", {"Status": "Delivered", "is_rvp": "1"}, "return_bag_delivered"),
        ("bluedart", {"Status": "SHIPMENT DELIVERED", "StatusType": "DL"}, "delivery_done"),
        ("unicommerce", {"Status": "PICKED"}, ""),
        ("unicommerce", {"Status": "Returned"}, "STATUS_AMBIGUOUS:status"),
        ("delhivery", {"Status": "Delivered", "Status Type": "UD"}, "STATUS_AMBIGUOUS:status"),
        ("delhivery", {"Status": "Picked Up", "Status Type": "PU"}, "STATUS_UNKNOWN:status"),
        ("delhivery", {"Status": "RTO Initiated", "Status Type": "UD"}, ""),
        ("delhivery", {"Status": "Not Picked", "Status Type": "UD", "NSLCode": "X-PPOM"}, ""),
    ],
)
def test_a_profile_knows_what_generic_knows_unless_it_says_otherwise(
    courier: str, cells: dict[str, str], outcome: str
) -> None:
    done = sheet(["Order ID", *cells], ["A1", *cells.values()], courier=courier)
    codes = done.one["codes"]
    if outcome == "":
        assert codes == "NO_MILESTONE:status"
    elif outcome.startswith("STATUS"):
        assert codes == outcome
    else:
        assert (codes, done.update["orderStatus"]) == ("", outcome)
