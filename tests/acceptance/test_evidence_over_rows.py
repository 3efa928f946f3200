"""Rows of an order hold an update together that one of them alone would send."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, rooted, sheet
from tests.acceptance.stories import Part, together

SENT = ("accepted", "")
PARCELS = ("rejected", "PARCELS_OPEN:awb")
TAKEN_BACK = ("rejected", "STATUS_CONFLICT:event_time")
NOTHING = ("ignored", "NO_MILESTONE:status")
WITH_AWB = ("Order ID", "AWB No", "Status")
WITH_TIME = (*WITH_AWB, "Event Time")


STATUSES = '[statuses]\ndelivery_done = ["Delivered"]\nno_milestone = ["In Transit"]\n'


ON_ITS_WAY = (
    ("In Transit", NOTHING),
    ("RTO In Transit", NOTHING),
    ("Undelivered", NOTHING),
    ("Kahin gum ho gaya", ("rejected", "STATUS_UNKNOWN:status")),
    ("Picked Up", SENT),
)


@together
def test_a_split_order_is_not_delivered_while_another_parcel_is_on_its_way(
    part: Part,
) -> Iterator[None]:
    for at, (other, _) in enumerate(ON_ITS_WAY):
        rows = [(f"A{at}", f"X{at}-1", "Delivered"), (f"A{at}", f"X{at}-2", other)]
        part.drop_rows(f"day{at}", rows, WITH_AWB)
    yield
    for at, (other, held) in enumerate(ON_ITS_WAY):
        assert part.ends(f"day{at}") == [PARCELS, held], other
        assert f"X{at}-2" in part.of(f"day{at}").lines()[0]["message"]


@together
def test_the_parcels_of_an_order_may_lie_in_any_number_of_rows(part: Part) -> Iterator[None]:
    rows = [
        ("A1", "X1", "Picked Up"),
        ("A1", "X1", "Delivered"),
        ("A1", "X2", "In Transit"),
        ("A1", "X3", "Delivered"),
    ]
    part.drop_rows("day", rows, WITH_AWB)
    yield
    assert part.ends("day") == [SENT, PARCELS, NOTHING, PARCELS]


#: Rows of items below the first row of their order, whose id and AWB were merged cells.
GROUPS = (
    ((("", "", "S2", "In Transit"),), PARCELS),
    ((("", "", "S2", "Delivered"), ("", "-do-", "S3", "RTO Initiated")), PARCELS),
    ((("", "", "S2", "Delivered"), ("", "", "S3", "Cancelled")), SENT),
    ((("", "", "S2", ""),), SENT),  # its status was a merged cell, too
    ((("", "", "", "In Transit"),), SENT),  # whose it is, nothing tells
    ((("Total", "", "2", "In Transit"),), SENT),
)


@together
def test_an_item_in_the_group_of_its_order_holds_it_without_id_and_awb(
    part: Part,
) -> Iterator[None]:
    for at, (items, _) in enumerate(GROUPS):
        rows = [(f"G{at}", f"GX{at}99", "S1", "Delivered"), *items]
        part.drop_rows(f"day{at}", rows, ("Order ID", "AWB No", "SKU", "Status"))
        bare = [(order, item, status) for order, _, item, status in rows]
        part.drop_rows(
            f"bare{at}", [(f"H{at}", *bare[0][1:]), *bare[1:]], ("Order ID", "SKU", "Status")
        )
    yield
    for at, (items, held) in enumerate(GROUPS):
        assert part.ends(f"day{at}")[0] == held, items
        assert part.ends(f"bare{at}")[0] == held, items


SHARED_AWBS = ("1.49E+15", "########", "#REF!", "1490412345678900", '"1,49E+15"')


@together
def test_a_damaged_awb_does_not_make_two_parcels_one(part: Part) -> Iterator[None]:
    for at, awb in enumerate(SHARED_AWBS):
        rows = [
            (f"A{at}", awb, "Delivered", "27-11-2026 18:00"),
            (f"A{at}", awb, "In Transit", "27-11-2026 10:00"),
            (f"B{at}", awb, "Delivered", "27-11-2026 18:00"),
            (f"C{at}", awb, "Delivered", "27-11-2026 18:00"),
            (f"C{at}", awb, "Cancelled", "27-11-2026 10:00"),
        ]
        part.drop_rows(f"day{at}", rows, WITH_TIME)
    rows = [
        ("A9", "1490412345678900", "Delivered", "27-11-2026 18:00"),
        ("A9", "1490412345678900", "In Transit", "27-11-2026 10:00"),
        ("B9", "1490412345678917", "Delivered", "27-11-2026 18:00"),
        ("B9", "1490412345678917", "In Transit", "27-11-2026 10:00"),
    ]
    part.drop_rows("whole", rows, WITH_TIME)
    yield
    for at, awb in enumerate(SHARED_AWBS):
        found = part.ends(f"day{at}")
        assert found == [PARCELS, NOTHING, SENT, TAKEN_BACK, NOTHING], awb
        message = part.of(f"day{at}").lines()[0]["message"]
        assert awb in message
        assert "row 3 of the order" in message
    assert part.ends("whole") == [SENT, NOTHING] * 2, "not all long numbers end in zeros"


BOXES = (
    *("Box No", "Carton Number", "Piece No", "Pkg No", "Parcel No", "Box 1/2", "Part", "Boxes"),
    *("Sub Box", "Box/Pkg", "MPS Child AWB", "Split No"),
)


@together
def test_boxes_under_one_awb_are_parcels(part: Part) -> Iterator[None]:
    for at, heading in enumerate(BOXES):
        rows = [
            (f"A{at}", f"X{at}1", "Delivered", "1 of 2"),
            (f"A{at}", f"X{at}1", "In Transit", "2 of 2"),
            (f"B{at}", f"X{at}2", "Picked Up", "1 of 1"),
            (f"B{at}", f"X{at}2", "Delivered", "1 of 1"),
            (f"C{at}", f"X{at}3", "In Transit", ""),
            (f"C{at}", f"X{at}3", "Delivered", "1 of 1"),
        ]
        part.drop_rows(f"day{at}", rows, (*WITH_AWB, heading))
    yield
    for at, heading in enumerate(BOXES):
        assert part.ends(f"day{at}") == [PARCELS, NOTHING, SENT, SENT, NOTHING, SENT], heading
        assert "2 of 2" in part.of(f"day{at}").lines()[0]["message"], heading


#: What one row says of the others of its order: heading, cells of the rows, ends.
TOLD_OF = (
    ("Box", ("1 of 2",), [PARCELS]),
    ("Part", ("1/2", "2/2"), [SENT, SENT]),
    ("Part", ("1/3", "2/3"), [PARCELS] * 2),
    ("Box", ("1 of 1",), [SENT]),
    ("Size", ("1/2",), [SENT]),
    ("Part No", ("AX-1/2B",), [SENT]),
    ("Is Split", ("Yes",), [PARCELS]),
    ("Split Order", ("Y", "Y"), [SENT, SENT]),
    ("Is Split", ("No",), [SENT]),
    ("Split Payment", ("Yes",), [SENT]),
    *((name, ("Yes",), [PARCELS]) for name in ("Is MPS", "MPS", "Multi Box", "Multi Shipment")),
    ("MPS Type", ("Child",), [PARCELS]),
    ("MPS", ("1",), [SENT]),
    ("Multi Seller", ("Yes",), [SENT]),
    ("Nag", ("1/2",), [PARCELS]),
    ("Pcs", ("2/2",), [SENT]),
    ("Pcs", ("1/2",), [PARCELS]),
    # Numbers of lists, batches and bags.
    *((name, ("3/26",), [SENT]) for name in ("Lot No", "Serial No", "Sequence", "Dispatch", "Bag")),
)


#: One parcel has another one at each step.
STEPS_ON_THE_WAY = ("Bag No", "Seq", "Dispatch No", "Dispatch", "Lot")


@together
def test_an_order_with_parcels_of_which_the_file_does_not_tell_is_open(
    part: Part,
) -> Iterator[None]:
    for at, (heading, cells, _) in enumerate(TOLD_OF):
        rows = [(f"A{at}", f"X{at}-{n}", "Delivered", cell) for n, cell in enumerate(cells)]
        part.drop_rows(f"day{at}", rows, (*WITH_AWB, heading))
    rows = [("P1", "Delivered", "P1-1"), ("P1", "In Transit", "P1-2")]
    part.drop_rows("bare", rows, ("Order ID", "Status", "Sub Shipment ID"))
    shared = [("P2", "P9", *row[1:]) for row in rows]
    for at, name in enumerate(STEPS_ON_THE_WAY):
        steps = (("In Transit", "27-11"), ("Delivered", "28-11"))
        scans = [(f"S{at}", f"Y{at}", *step) for step in steps]
        part.drop_rows(f"way {name}", scans, (*WITH_AWB, name))
    scans = [("S9", "Undelivered", "D11"), ("S9", "Delivered", "D12")]
    part.drop_rows("way bare", scans, ("Order ID", "Status", "Dispatch ID"))
    part.drop_rows("shared", shared, (*WITH_AWB, "Shipment ID"))
    yield
    for at, (heading, cells, ends) in enumerate(TOLD_OF):
        found = [SENT if end[0] == "duplicate" else end for end in part.ends(f"day{at}")]
        assert found == ends, (heading, cells)
    assert part.ends("bare") == part.ends("shared") == [PARCELS, NOTHING]
    for name in (*STEPS_ON_THE_WAY, "bare"):
        assert part.ends(f"way {name}") == [NOTHING, SENT], name


ALL_SAY_SO = (
    [("A1", "X1", "Delivered"), ("A1", "X2", "Delivered")],
    [("A1", "X1", "In Transit"), ("A1", "X1", "Delivered")],
    [("A1", "", "In Transit"), ("A1", "X1", "Delivered")],
    [("A1", "X1", "Delivered"), ("A1", "x1 ", "Delivered")],
    [("A1", "X1", "Delivered"), ("A1", "X2", "Return In Transit")],
    [("A1", "X1", "Delivered"), ("A1", "X2", "Return Delivered")],  # refused by the API
    [("A1", "X1", "Delivered"), ("A2", "X2", "In Transit")],
    [("A1", "X1", "Return Picked Up"), ("A1", "X2", "Return Delivered")],
)


@together
def test_what_all_parcels_of_an_order_say_is_sent(part: Part) -> Iterator[None]:
    for at, rows in enumerate(ALL_SAY_SO):
        own = [
            (f"{order}N{at}", awb.replace("X", f"X{at}").replace("x", f"x{at}"), said)
            for order, awb, said in rows
        ]
        part.drop_rows(f"day{at}", own, WITH_AWB)
    yield
    for at, rows in enumerate(ALL_SAY_SO):
        assert "accepted" in part.of(f"day{at}").counts, rows
        assert "rejected" not in part.of(f"day{at}").counts, rows


@together
def test_a_cancelled_parcel_holds_nobody(part: Part) -> Iterator[None]:
    rows = [("A1", "X1", "Delivered"), ("A1", "X2", "Cancelled")]
    part.drop_rows("day", rows, WITH_AWB)
    yield
    assert part.ends("day")[0] == SENT


@together
def test_a_return_with_its_own_awb_is_another_journey(part: Part) -> Iterator[None]:
    rows = [
        ("A1", "X1", "Delivered", "Forward"),
        ("A1", "X2", "Out For Pickup", "Reverse"),
    ]
    part.drop_rows("day", rows, (*WITH_AWB, "Is Reverse"))
    yield
    assert part.ends("day") == [SENT, NOTHING]


ITEMS = (
    *("Item ID", "Sub Order No", "SKU", "Sale Order Item Code"),
    *("Docket No", "Waybill #", "HAWB", "Item"),
    *("Product Name", "Product", "Packet No", "Carton", "Pkt", "Bundle", "Bori", "Ctn No"),
    *("GR No", "POD No", "Article No", "Track No", "AWB/Tracking ID", "Master AWB", "Courier Ref"),
    *("SR Shipment ID", "Forwarding No", "Tracking URL", "Logistics ID", "Colour"),
)


@together
def test_without_awbs_the_items_of_an_order_are_its_parcels(part: Part) -> Iterator[None]:
    for at, heading in enumerate(ITEMS):
        rows = [
            (f"A{at}", f"{at}1", "Delivered"),
            (f"A{at}", f"{at}2", "In Transit"),
            (f"B{at}", f"{at}3", "Delivered"),
            (f"B{at}", f"{at}4", "Delivered"),
        ]
        part.drop_rows(f"day{at}", rows, ("Order ID", heading, "Status"))
    yield
    for at, heading in enumerate(ITEMS):
        found = part.ends(f"day{at}")
        assert found[0][0] == "rejected", heading
        assert found[0][1].startswith("PARCELS_OPEN"), heading
        assert found[1:3] == [NOTHING, SENT], heading
        assert found[3] == ("duplicate", "REPEATED_IN_FILE:order_id"), heading


@together
def test_a_profile_can_say_that_any_parcel_speaks_for_the_order(part: Part) -> Iterator[None]:
    acme = part.courier("acme", f'parcels = "any"\n{STATUSES}')
    rows = [("A1", "X1", "Delivered"), ("A1", "X2", "In Transit")]
    part.drop_rows("day", rows, WITH_AWB, folder=acme)
    yield
    assert part.ends("day") == [SENT, NOTHING]


def test_a_profile_can_say_nothing_else_of_parcels(root: Root) -> None:
    place = root.path / "couriers"
    place.mkdir()
    (place / "acme.toml").write_text(f'name = "acme"\nparcels = "some"\n{STATUSES}', "utf-8")
    assert "parcels" in root.run("profiles").err


def test_check_shows_that_a_parcel_is_on_its_way(root: Root) -> None:
    path = root.path / "day.csv"
    path.write_text(
        sheet([("A1", "X1", "Delivered"), ("A1", "X2", "In Transit")], WITH_AWB), encoding="utf-8"
    )
    (told,) = root.run("check", str(path), "--json").json
    assert [each["code"] for each in told["errors"]] == ["PARCELS_OPEN"]
    assert "X2" in told["errors"][0]["message"]


SCANS = [
    ("A1", "X1", "Delivered", "26-11-2026 10:15"),
    ("A1", "X1", "Undelivered", "26-11-2026 14:00"),
    ("A1", "X1", "Out For Delivery", "27-11-2026 09:00"),
    ("A2", "X2", "Delivered", "26-11-2026 10:15"),
    ("A2", "X2", "RTO Initiated", "27-11-2026 09:00"),
]
TIE = [
    ("A3", "X3", "Delivered", "26-11-2026 10:15"),
    ("A3", "X3", "Undelivered", "26-11-2026 10:15"),
]


@together
def test_a_delivery_that_a_later_scan_takes_back_is_not_sent(part: Part) -> Iterator[None]:
    part.drop_rows("day", [*SCANS, *TIE], WITH_TIME)
    clocks = [("B1", "Y1", "Delivered", "10:15"), ("B1", "Y1", "Undelivered", "2:40 PM")]
    part.drop_rows("clocks", clocks, WITH_TIME)
    # A column that may hold times, by its heading, and holds none does not stand for them.
    for name, scan in (("numbers", "8"), ("blank", "")):
        rows = [
            (f"N{name}", "Z1", scan, "Delivered", "26-11-2026 09:00"),
            (f"N{name}", "Z1", scan, "Out For Delivery", "27-11-2026 08:00"),
        ]
        part.drop_rows(name, rows, ("Order ID", "AWB No", "Scan", "Status", "Scan Time"))
    rows = [("T1", "Z9", "Delivered", "26-11-2026", ""), ("T1", "Z9", "NDR", "", "27-11-2026")]
    times = ("Delivered On", "Attempted On")
    part.drop_rows("attempts", rows, ("Order ID", "AWB No", "Status", *times))
    yield
    assert part.ends("attempts") == [TAKEN_BACK, NOTHING]
    assert (
        part.ends("clocks") == part.ends("numbers") == part.ends("blank") == [TAKEN_BACK, NOTHING]
    )
    assert part.ends("day") == [TAKEN_BACK, NOTHING, NOTHING, *(TAKEN_BACK, NOTHING) * 2]
    lines = part.of("day").lines()
    assert 'row 3 says "Undelivered"' in lines[0]["message"]
    assert "at the same time" in lines[5]["message"]


#: A second status, a yes or no and a time of a further row of a delivered parcel.
UNCLEAR = (
    (("Undelivered", "No", "27-11-2026 18:00"), TAKEN_BACK),
    (("Out For Delivery", "No", "27-11-2026 18:00"), TAKEN_BACK),
    (("Delivered", "Yes", "27-11-2026 18:00"), TAKEN_BACK),
    (("Undelivered", "No", "26-11-2026 18:00"), SENT),
    (("Delivered", "No", "31-13-2026 18:00"), SENT),  # its time is wrong, not its status
)


@together
def test_a_later_row_that_contradicts_itself_takes_a_delivery_back(part: Part) -> Iterator[None]:
    rows = []
    for at, (said, _) in enumerate(UNCLEAR):
        rows += [(f"A{at}", f"X{at}7001", "Delivered", "Delivered", "No", "27-11-2026 10:00")]
        rows += [(f"A{at}", f"X{at}7001", "Delivered", *said)]
    part.drop_rows("day", rows, (*WITH_AWB, "Order Status", "Fake POD", "Event Time"))
    yield
    assert part.ends("day")[::2] == [end for _, end in UNCLEAR]
    assert "another cell of it otherwise" in part.of("day").lines()[0]["message"]


@together
def test_every_final_status_can_be_taken_back(part: Part) -> Iterator[None]:
    finals = ("RTO Delivered", "Return Delivered")
    for at, final in enumerate(finals):
        scans = ((final, "26-11-2026"), ("Out For Delivery", "27-11-2026"))
        rows = [(f"A{at}", f"X{at}", *scan) for scan in scans]
        part.drop_rows(f"day{at}", rows, WITH_TIME)
    yield
    assert [part.ends(f"day{at}") for at in range(2)] == [[TAKEN_BACK, NOTHING]] * 2


TAKE_NOTHING_BACK = (
    [("In Transit", "25-11-2026"), ("Delivered", "26-11-2026")],
    [("Delivered", "26-11-2026"), ("Undelivered", "25-11-2026 18:00")],
    # a date alone is no earlier than what has a time on that day
    [("Delivered", "26-11-2026"), ("Out For Delivery", "26-11-2026 09:00")],
    [("Delivered", "26-11-2026 09:00"), ("Out For Delivery", "26-11-2026 09:00")],
    # a date alone, as a spreadsheet writes it
    [("Undelivered", "26-11-2026 00:00"), ("Delivered", "26-11-2026 00:00")],
    [
        ("Delivered", "25-11-2026"),
        ("Undelivered", "26-11-2026"),
        ("Delivered", "27-11-2026"),
    ],
    [("Delivered", "25-11-2026"), ("Out For Delivery", "")],
    [("Delivered", "10:15"), ("Undelivered", "9:40"), ("In Transit", "26-11-2026 14:00")],
    [("Delivered", "25-11-2026"), ("POD Uploaded", "26-11-2026")],
    [("Delivered", "25-11-2026"), ("Return In Transit", "26-11-2026"), ("OFD", "27-11-2026")],
)


@together
def test_scans_that_take_no_delivery_back_hold_nothing(part: Part) -> Iterator[None]:
    for at, rows in enumerate(TAKE_NOTHING_BACK):
        part.drop_rows(f"day{at}", [(f"A{at}", f"X{at}", *row) for row in rows], WITH_TIME)
    yield
    for at, rows in enumerate(TAKE_NOTHING_BACK):
        assert "STATUS_CONFLICT" not in part.of(f"day{at}").codes, rows
        assert "accepted" in part.of(f"day{at}").counts, rows


TURNED_BACK = (
    [("RTO Initiated", "25-11-2026"), ("Delivered", "27-11-2026")],
    [("Delivered", "27-11-2026"), ("In Transit", "26-11-2026"), ("RTO Initiated", "25-11-2026")],
    [("RTO In Transit", ""), ("Delivered", "")],
    [("Delivered", ""), ("Out For Delivery", ""), ("RTO In Transit", "")],
    [("RTO Initiated", "26-11-2026"), ("Delivered", "26-11-2026")],
    [("RTO shuru kiya", "25-11-2026"), ("Delivered", "27-11-2026")],
    [("RTO Cancelled", "24-11-2026"), ("RTO Initiated", "25-11-2026"), ("Delivered", "27-11-2026")],
    [("Cancelled", "25-11-2026"), ("Delivered", "27-11-2026")],
    [("Return In Transit", "25-11-2026 10:00"), ("Delivered", "27-11-2026 10:00")],
    [("Lost", ""), ("Delivered", "27-11-2026")],
    [("Lost", "25-11-2026"), ("Delivered", "")],
    [("RTO In Transit", "25-11-2026"), ("Return Delivered", "27-11-2026")],
    [("RTO Initiated", ""), ("Return In Transit", "")],
)
ON_ITS_WAY_AGAIN = (
    [("RTO Cancelled", "25-11-2026"), ("Delivered", "27-11-2026")],
    [("RTO Initiated", "24-11-2026"), ("RTO Revoked", "25-11-2026"), ("Delivered", "27-11-2026")],
    [("RTO Initiated", "25-11-2026"), ("RTO Delivered", "27-11-2026")],
    [("Undelivered", "25-11-2026"), ("Delivered", "27-11-2026")],
    [("Lost", "25-11-2026"), ("Delivered", "27-11-2026")],  # it was found
    [("RTO Initiated", "24-11-2026"), ("RTO Revoked", "25-11-2026"), ("Return Delivered", "")],
)


@together
def test_a_delivery_of_what_turned_back_before_is_not_sent(part: Part) -> Iterator[None]:
    """Many couriers write Delivered where a parcel has come back to the seller."""
    cases = [*TURNED_BACK, *ON_ITS_WAY_AGAIN]
    for at, scans in enumerate(cases):
        rows = [(f"A{at}", f"X{at}", *scan) for scan in scans]
        part.drop_rows(f"day{at}", rows, WITH_TIME)
        bare = [(f"B{at}", *scan) for scan in scans]
        part.drop_rows(f"bare{at}", bare, ("Order ID", "Status", "Event Time"))
    yield
    for at, scans in enumerate(cases):
        for name in (f"day{at}", f"bare{at}"):
            found = dict(zip([said for said, _ in scans], part.ends(name), strict=True))
            ends = ("Delivered", "RTO Delivered", "Return Delivered", "Return In Transit")
            end = next(found[said] for said in ends if said in found)
            assert end == (TAKEN_BACK if at < len(TURNED_BACK) else SENT), (scans, name)
    assert 'row 2 says "RTO Initiated" of the same' in part.of("day0").lines()[1]["message"]


#: Headings of a date and its time of day, and how two clocks are written.
APART = (
    (("Scan Date", "Scan Time"), ("10:00", "18:00")),
    (("Date", "Time"), ("10:00 AM", "6:00 PM")),
    (("Status Date", "Status Time"), ("930", "1800")),
    (("Event Date", "Event Time"), ("09:30:00", "18:00:00")),
    (("Event Time", "Event Date"), ("930", "1800")),
    (("Last Scan Date", "Last Scan Time"), ("10.00", "18.00")),
)


@together
def test_a_time_of_day_beside_its_date_tells_which_scan_was_the_last(part: Part) -> Iterator[None]:
    for at, (headings, clocks) in enumerate(APART):
        header = ("Order ID", "AWB No", "Status", *headings)
        cells = [("27-11-2026", clock) for clock in clocks]
        if headings[0] == "Event Time":
            cells = [each[::-1] for each in cells]
        rows = [(f"A{at}", f"X{at}", "Delivered", *cells[0])]
        rows += [(f"A{at}", f"X{at}", "Undelivered", *cells[1])]
        rows += [(f"B{at}", f"Y{at}", "Undelivered", *cells[0])]
        rows += [(f"B{at}", f"Y{at}", "Delivered", *cells[1])]
        part.drop_rows(f"day{at}", rows, header)
    yield
    for at, (headings, _) in enumerate(APART):
        assert part.ends(f"day{at}") == [TAKEN_BACK, NOTHING, NOTHING, SENT], headings


#: Statuses of a parcel, each with its day of November, and how the rows end: s sent, h held.
PICKUPS = (
    ("Picked Up 20", "Pickup Cancelled 21", "h-"),
    ("Picked Up 20", "Not Picked 21", "h-"),
    ("Picked Up 20", "Cancelled 21", "h-"),
    ("Picked Up", "Pickup Cancelled", "h-"),
    ("Return Picked Up 20", "Return Pickup Failed 21", "h-"),
    ("Picked Up 20", "Call Not Picked 21", "s?"),
    ("Picked Up 20", "Failed - Return Initiated 21", "s?"),
    ("Picked Up 20", "Not Connected - Picked 21", "s?"),
    ("Pickup Failed 19", "Picked Up 20", "-s"),
    ("Pickup Failed", "Picked Up", "-s"),
    ("Picked Up 20", "Pickup Failed 21", "In Transit 22", "s--"),
    ("Picked Up", "In Transit", "Cancelled", "s--"),
    ("Picked Up 8", "Delivered 10", "Return Cancelled 12", "ss-"),
    ("Delivered 10", "Return Cancelled 12", "Return Picked Up 15", "s-s"),
    ("Delivered 10", "Picked Up 20", "hh"),
    ("Delivered 20", "Picked Up 25", "ss"),  # by the clock of another scanner
    ("Return Delivered 10", "Return In Transit 20", "hh"),
    ("Cancelled 20", "Return Picked Up 21", "-h"),
)
LETTERS = {
    SENT: "s",
    TAKEN_BACK: "h",
    NOTHING: "-",
    ("accepted", "TIME_ORDER:event_time"): "s",
    ("rejected", "STATUS_UNKNOWN:status"): "?",
}


@together
def test_a_pickup_that_came_to_nothing_or_is_days_after_the_end_is_not_sent(
    part: Part,
) -> Iterator[None]:
    for at, (*words, _) in enumerate(PICKUPS):
        pairs = [re.fullmatch(r"(\D+?) ?(\d*)", each) for each in words]
        rows = [
            (f"A{at}", f"X{at}", each[1], each[2] and f"{int(each[2]):02}-11-2026 10:00")
            for each in pairs
            if each
        ]
        part.drop_rows(f"day{at}", rows, WITH_TIME)
    yield
    for at, (*words, ends) in enumerate(PICKUPS):
        assert "".join(LETTERS[each] for each in part.ends(f"day{at}")) == ends, words
    items = [("I1", "Y1", "Picked Up", "20-11-2026", "S1"), ("I1", "Y1", "Cancelled", "", "S2")]
    part.drop_rows("items", items, (*WITH_TIME, "SKU"))
    part.drop("as it was.csv", came_back(part, "day3"))
    part.drop("meant.csv", came_back(part, "day0", _reject_codes="CONFIRMED"))
    yield
    assert part.ends("items") == [SENT, NOTHING]
    assert part.ends("as it was") == [TAKEN_BACK]
    assert part.ends("meant") == [SENT]


#: AWB of both orders, what is said of the other one, and how the delivery and it end.
OF_TWO_ORDERS = (
    ("7700100", "RTO Initiated", [TAKEN_BACK, NOTHING]),
    ("7700100", "RTO Delivered", [TAKEN_BACK, TAKEN_BACK]),
    ("7700100", "Delivered", [SENT, SENT]),
    ("7700100", "Undelivered", [SENT, NOTHING]),
    ("7700100", "Undelivered,19-11-2026 18:00", [SENT, NOTHING]),
    ("7700100", "Undelivered,22-11-2026 18:00", [TAKEN_BACK, NOTHING]),
    ("7700100", "Undelivered,22-11-2026 18:00,20-08-2026 10:00", [SENT, NOTHING]),
    ("7700100", "RTO Delivered,22-11-2026 18:00,20-08-2026 10:00", [SENT, SENT]),
    ("7700100", "RTO Delivered,22-11-2026 18:00,20-10-2026 10:00", [TAKEN_BACK, TAKEN_BACK]),
    ("1", "RTO Initiated", [SENT, NOTHING]),
    ("NA", "RTO Delivered", [SENT, SENT]),
)


@together
def test_a_parcel_of_two_orders_has_one_end(part: Part) -> Iterator[None]:
    for at, (awb, said, _) in enumerate(OF_TWO_ORDERS):
        word, when, mine = (*said.split(","), "", "")[:3]
        mine = mine or (when and "20-11-2026 10:00")
        rows = [(f"A{at}", awb, "Delivered", mine), (f"B{at}", awb, word, when)]
        part.drop_rows(f"day{at}", rows, WITH_TIME)
    trip = [(f"T{at}", "149051990", word) for at, word in enumerate(("Delivered", "RTO Delivered"))]
    part.drop_rows("trip", [*trip, ("T2", "149051990", "Delivered")], WITH_AWB)
    yield
    assert part.ends("trip") == [SENT] * 3
    for at, (*case, ends) in enumerate(OF_TWO_ORDERS):
        assert part.ends(f"day{at}") == ends, case


LOST_IDS = ("", "A B0", "#A0", '""""""', "-do-")


@together
def test_rows_without_a_sound_id_count_by_their_awb(part: Part) -> Iterator[None]:
    for at, lost in enumerate(LOST_IDS):
        own = part.order(f"A{at}")
        for name, word in (("back", "RTO Initiated"), ("later", "Undelivered")):
            text = sheet(
                [
                    (f"{own}{name}", f"X{at}100", "Delivered", "27-11-2026"),
                    (f"{own}{name}B", f"X{at}200", "Delivered", "27-11-2026"),
                    (lost, f"X{at}100", word, "28-11-2026"),
                ],
                WITH_TIME,
            )
            part.drop(f"{name}{at}.csv", text)
    yield
    for at, lost in enumerate(LOST_IDS):
        for name in ("back", "later"):
            assert part.ends(f"{name}{at}")[:2] == [TAKEN_BACK, SENT], (lost, name)


@together
def test_an_empty_id_below_another_is_a_further_parcel_of_its_order(part: Part) -> Iterator[None]:
    for at, below in enumerate(("", '""""""', "-do-")):
        rows = [
            (part.order(f"A{at}"), "X101", "Delivered"),
            (below, "X102", "In Transit"),
            (part.order(f"B{at}"), "X103", "Delivered"),
            (below, "X104", "Delivered"),
            (part.order(f"C{at}"), "X105", "Delivered"),
            (part.order(f"D{at}"), "X106", "Delivered"),
            (below, "X107", "Delivered"),
            (below, "X108", "Out For Delivery"),
        ]
        part.drop(f"day{at}.csv", sheet(rows, WITH_AWB))
    yield
    for at in range(3):
        found = part.ends(f"day{at}")
        assert [found[row] for row in (0, 2, 4, 5)] == [PARCELS, SENT, SENT, PARCELS]
        assert "X102" in part.of(f"day{at}").lines()[0]["message"]


def came_back(root: Root | Part, name: str, **changed: str) -> str:
    """The rejects of a drop as they are, but for some cells."""
    lines = root.of(name).lines("rejects.csv")
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    writer.writerows({**line, **changed} for line in lines)
    return text.getvalue()


@together
def test_what_was_held_is_still_held_when_its_reject_comes_back_as_it_was(
    part: Part,
) -> Iterator[None]:
    open_parcel = [("A1", "X1", "Delivered", ""), ("A1", "X2", "In Transit", "")]
    taken_back = [
        ("B1", "Y1", "Delivered", "26-11-2026 10:15"),
        ("B1", "Y1", "Undelivered", "26-11-2026 14:00"),
    ]
    part.drop_rows("open", open_parcel, WITH_TIME)
    part.drop_rows("back", taken_back, WITH_TIME)
    yield
    for name in ("open", "back"):
        part.drop(f"{name} again.csv", came_back(part, name))
    yield
    assert part.ends("open again") == [PARCELS]
    told = part.of("open again").lines()[0]["message"]
    assert told.startswith("Row 2: it came back as it was held. "), told
    assert part.ends("back again") == [TAKEN_BACK]
    for name in ("open", "back"):
        part.drop(f"{name} meant.csv", came_back(part, name, _reject_codes=""))
    yield
    assert part.ends("open meant") == part.ends("back meant") == [SENT]


def test_what_was_held_is_still_held_where_nobody_knows_the_other_rows(
    root: Root, api: SandboxHandle, tmp_path: Path
) -> None:
    """Its code says so."""
    rows = [("A1", "X1", "Delivered", ""), ("A1", "X2", "In Transit", "")]
    scans = [("A2", "Y1", *each) for each in (("Delivered", "25-11-2026"), ("OFD", "26-11-2026"))]
    root.drop("day.csv", sheet([*rows, *scans], WITH_TIME))
    root.once()
    with rooted(tmp_path / "elsewhere", api.url, api.token) as other:
        other.drop("day.csv", came_back(root, "day"))
        other.once()
        found = [(line["outcome"], line["codes"]) for line in other.of("day").lines()]
    assert found == [PARCELS, TAKEN_BACK]


@together
def test_the_reason_of_a_failed_attempt_never_goes_with_a_delivery(part: Part) -> Iterator[None]:
    header = ("Order ID", "Status", "Latest NDR Reason")
    rows = [
        ("A1", "Delivered", "Customer not contactable"),
        ("A2", "Delivered", "12"),
        ("A3", "Delivered", ""),
        ("A4", "RTO Delivered", "Customer refused"),
    ]
    part.drop_rows("day", rows, header)
    yield
    dropped = ("accepted", "REASON_DROPPED:reason_code")
    assert part.ends("day")[:3] == [dropped, dropped, SENT]
    assert [part.told(f"A{at}") for at in (1, 2, 3)] == [{}, {}, {}]
    assert "Customer refused" in part.told("A4")["remark"]


@together
def test_a_reason_in_a_plain_column_is_judged_by_its_words(part: Part) -> Iterator[None]:
    rows = [("A1", "Delivered", "12"), ("A2", "Delivered", "Customer refused")]
    part.drop_rows("day", rows, ("Order ID", "Status", "Reason Code"))
    yield
    assert part.told("A1") == {"reasonCode": 12}
    assert part.told("A2") == {}


@together
def test_a_date_that_passed_beside_an_event_ahead_is_not_sent(part: Part) -> Iterator[None]:
    now = datetime.now(ZoneInfo("Asia/Kolkata"))
    past, soon = (f"{now + timedelta(days=days):%d-%m-%Y}" for days in (-3, 3))
    rows = [
        (f"A{at}", "Delivered", f"{now + timedelta(hours=hours):%d-%m-%Y %H:%M}", past, soon)
        for at, hours in enumerate((10, 1, -10))
    ]
    part.drop_rows("day", rows, ("Order ID", "Status", "Event Time", "EDD", "PDD"))
    yield
    assert part.ends("day") == [("accepted", "DATE_DROPPED:estimated_delivery_date"), SENT, SENT]
    assert [len(part.told(f"A{at}")) for at in range(3)] == [1, 2, 2]


@together
def test_an_updated_delivery_date_goes_before_the_old_one(part: Part) -> Iterator[None]:
    names = ("Updated New EDD", "Revised EDD", "Latest Expected Date", "Final EDD", "Current EDD")
    for at, newer in enumerate(names):
        rows = [
            (f"A{at}", "Picked Up", "25-11-2026", "02-12-2026"),
            (f"B{at}", "Picked Up", "30-11-2026", ""),
        ]
        part.drop_rows(f"day{at}", rows, ("Order ID", "Status", "EDD", newer))
    yield
    for at, newer in enumerate(names):
        assert part.told(f"A{at}") == {"estimated_delivery_date": "2026-12-02"}, newer
        assert part.told(f"B{at}") == {"estimated_delivery_date": "2026-11-30"}, newer


ZONES = (
    ("Event Time (UTC)", "Promised Delivery Date (UTC)"),
    ("Event Time UTC", "Promised Delivery Date GMT"),
    ("UTC Event Time", "utc_promised_delivery_date"),
    ("Event Time (GMT+00:00)", "PDD UTC"),
)


@together
def test_a_zone_in_a_heading_is_the_zone_of_its_cells(part: Part) -> Iterator[None]:
    for at, headings in enumerate(ZONES):
        rows = [
            (f"A{at}", "Picked Up", "2026-11-27 20:00:00", "2026-12-01 20:00:00"),
            (f"B{at}", "Picked Up", "2026-11-27T20:00:00Z", "2026-12-01T20:00:00Z"),
            (f"C{at}", "Picked Up", "2026-11-27T20:00:00+05:30", "2026-12-01"),
        ]
        part.drop_rows(f"day{at}", rows, ("Order ID", "Status", *headings))
    yield
    for at, headings in enumerate(ZONES):
        days = [part.told(f"{row}{at}")["promised_delivery_date"] for row in "ABC"]
        assert days == ["2026-12-02", "2026-12-02", "2026-12-01"], headings


LEFT_OUT = "DATE_DROPPED:estimated_delivery_date"


@together
def test_a_column_proven_month_first_sends_no_date_that_could_be_either(
    part: Part,
) -> Iterator[None]:
    dates = ("11/30/2026", "12/01/2026", "12/12/2026", "2026-12-02", "")
    rows = [(f"A{at}", "Picked Up", each) for at, each in enumerate(dates)]
    part.drop_rows("day", rows, ("Order ID", "Status", "EDD"))
    yield
    assert part.ends("day") == [("accepted", LEFT_OUT)] * 2 + [SENT] * 3
    assert part.told("A1") == {}
    assert part.told("A2") == {"estimated_delivery_date": "2026-12-12"}


_WEEK = ("12/06/2026", "12/07/2026", "12/08/2026", "12/09/2026", "12/11/2026")
_TURNED = {
    "a week": (("Event Time", "EDD"), [("2026-11-29", day) for day in _WEEK], LEFT_OUT),
    "out of range": (
        ("Event Time", "EDD"),
        [("2026-11-29", day) for day in ("12/01/2026", "12/02/2026", "12/09/2026")],
        LEFT_OUT,
    ),
    "no event": (("EDD",), [(day,) for day in _WEEK[:4]], LEFT_OUT),
    "promised": (
        ("Event Time", "Promised Delivery Date"),
        [("2026-11-29", day) for day in _WEEK],
        "DATE_DROPPED:promised_delivery_date",
    ),
    "another column": (
        ("Event Time", "Order Date", "EDD"),
        [("2026-11-29", day, "11/12/2026") for day in ("11/21/2026", "11/22/2026", "11/08/2026")],
        LEFT_OUT,
    ),
    "long ago": (("Event Time", "EDD"), [("2026-11-29", "2026-07-12")], LEFT_OUT),
    "day first": (
        ("Event Time", "Order Date", "EDD"),
        [("2026-11-29", "21/11/2026", "01/12/2026"), ("2026-11-28", "05/11/2026", "12/11/2026")],
        "",
    ),
    "late": (
        ("Event Time", "EDD"),
        [("2026-11-29", "12/11/2026"), ("2026-11-29", "02/12/2026"), ("2026-11-29", "30/11/2026")],
        "",
    ),
}


@together
def test_delivery_dates_far_from_their_events_may_be_month_first(part: Part) -> Iterator[None]:
    """No single date of them proves it: in the first twelve days of a month each may be either."""
    for name, (headings, cells, _) in _TURNED.items():
        rows = [
            (f"{name[:3]}{at}".replace(" ", "x"), "Picked Up", *each)
            for at, each in enumerate(cells)
        ]
        part.drop_rows(name, rows, ("Order ID", "Status", *headings))
    yield
    for name, (_, cells, codes) in _TURNED.items():
        found = [
            (outcome, [c for c in all_.split(";") if "DATE" in c])
            for outcome, all_ in part.ends(name)
        ]
        assert found == [("accepted", [codes] if codes else [])] * len(cells), name


@together
def test_event_times_that_could_be_either_are_rejected_in_such_a_column(
    part: Part,
) -> Iterator[None]:
    rows = [
        ("A0", "Picked Up", "11/10/2026 10:15"),
        ("A1", "Picked Up", "11/26/2026 10:15"),
        ("A2", "Picked Up", "2026-11-26 10:15"),
    ]
    part.drop_rows("day", rows, ("Order ID", "Status", "Event Time"))
    yield
    bad = ("rejected", "DATE_INVALID:event_time")
    assert part.ends("day") == [bad, bad, SENT]


def test_a_proof_far_down_a_large_file_counts_for_its_first_rows(root: Root) -> None:
    rows = [(f"A{at}", "Manifested", "") for at in range(60_000)]
    rows[0] = ("A0", "Picked Up", "12/01/2026")
    rows[59_999] = ("A59999", "Picked Up", "11/30/2026")
    path = root.path / "day.csv"
    path.write_text(sheet(rows, ("Order ID", "Status", "EDD")), encoding="utf-8")
    (found,) = root.run("check", str(path), "--json").json
    assert [(each["code"], each["count"]) for each in found["warnings"]][:1] == [
        ("DATE_DROPPED", 2)
    ]
    assert found["rows"]["total"] == 60_000


ORDERS_OF_DAYS = (
    (("12/01/2026", "11/30/2026"), ["2026-12-01", "2026-11-30"]),
    (("01/12/2026", "30/11/2026"), ["2026-12-01", "2026-11-30"]),
    (("01/12/2026", "02/12/2026"), ["", ""]),
    (("30/11/2026", "11/30/2026", "01/12/2026"), ["2026-11-30", "", ""]),
)


@together
def test_a_profile_can_leave_the_order_to_the_file(part: Part) -> Iterator[None]:
    acme = part.courier("acme", f'{STATUSES}[dates]\nday_first = "auto"\n')
    for number, (dates, _) in enumerate(ORDERS_OF_DAYS):
        rows = [(f"A{number}B{at}", "Delivered", each) for at, each in enumerate(dates)]
        part.drop_rows(f"day{number}", rows, ("Order ID", "Status", "EDD"), acme)
    headings = ("Order ID", "Status", "EDD", "Promised Delivery Date")
    rows = [("AB1", "Delivered", "30/11/2026", "01/12/2026")]
    part.drop_rows("two", rows, headings, acme)
    yield
    for number, (dates, sent) in enumerate(ORDERS_OF_DAYS):
        metas = [part.told(f"A{number}B{at}") for at in range(len(dates))]
        assert [meta.get("estimated_delivery_date", "") for meta in metas] == sent, dates
    of_two = part.told("AB1")  # what one column's dates prove says nothing of another column
    assert of_two["estimated_delivery_date"] == "2026-11-30"
    assert "promised_delivery_date" not in of_two


OLD = ("rejected", "DATE_RANGE:event_time")
AHEAD = ("rejected", "DATE_RANGE:event_time;TIME_FUTURE:event_time")


TIMES = (
    *("delivery_date", "Actual_Delivery_Date", "delivered_ts", "LastUpdate", "timestamp"),
    *("Last Status Time", "Date", "POD Date", "Completed At", "Tracking Date"),
    *("Delivery", "DOD", "Deld Dt", "Delivary Date", "Deliverd Date", "Received On"),
    *("Date of Dlvry", "POD Recd", "Reached On", "Latest Scan", "Order Delivered"),
    *("order_delivered_customer_date", "shipping date (DateOrders)", "deliveredAt", "Updated"),
    *("दिनांक", "डिलीवरी की तारीख", "स्थिति समय", "Delivery दिनांक", "தேதி", "তারিখ"),
)


@together
def test_a_time_under_any_name_guards_a_delivery(part: Part) -> Iterator[None]:
    days = ("2023-03-05", "2017-01-02 10:00", "2027-01-02", "2026-11-27", "")
    for number, heading in enumerate(TIMES):
        rows = [(f"A{number}B{at}", "Delivered", each) for at, each in enumerate(days)]
        part.drop_rows(f"day{number}", rows, ("Order ID", "Status", heading))
    yield
    held = [OLD, OLD, ("rejected", "TIME_FUTURE:event_time")]
    found = {heading: part.ends(f"day{number}") for number, heading in enumerate(TIMES)}
    assert found == {heading: [*held, SENT, SENT] for heading in TIMES}
    for number in range(len(TIMES)):
        assert "NO_EVENT_TIME" not in part.of(f"day{number}").codes


@together
def test_dates_of_other_things_hold_no_delivery(part: Part) -> Iterator[None]:
    others = {
        "Order Date": "2025-01-01",
        "Expected Delivery": "2027-01-01",
        "Invoice Date": "2025-01-01",
        "Date of Birth": "1990-01-01",
        "Delivery Slot Date": "2027-01-01",
        "Delivery Date": "tomorrow",
        "जन्म तारीख": "1990-01-01",
        "अपेक्षित डिलीवरी तारीख": "2027-01-01",
        "ऑर्डर दिनांक": "2025-01-01",
    }
    for at, (heading, cell) in enumerate(others.items()):
        rows = [(f"A{at}", "Delivered", cell)]
        part.drop_rows(f"day{at}", rows, ("Order ID", "Status", heading))
    yield
    found = {heading: part.ends(f"day{at}") for at, heading in enumerate(others)}
    assert found == {heading: [SENT] for heading in others}


@together
def test_a_guard_holds_what_is_old_whichever_way_day_and_month_are_written(
    part: Part,
) -> Iterator[None]:
    rows = [("A1", "Delivered", "1/18/2018 12:27"), ("A2", "Delivered", "11/27/2026 10:15")]
    part.drop_rows("day", rows, ("Order ID", "Status", "shipping date (DateOrders)"))
    yield
    assert part.ends("day") == [OLD, SENT]


@together
def test_times_under_any_name_tell_which_scan_was_the_last(part: Part) -> Iterator[None]:
    part.drop_rows("day", SCANS, (*WITH_AWB, "timestamp"))
    yield
    assert part.ends("day") == [TAKEN_BACK, NOTHING, NOTHING, TAKEN_BACK, NOTHING]


@together
def test_a_delivery_date_says_nothing_of_a_pickup(part: Part) -> Iterator[None]:
    rows = [("A1", "Picked Up", "2027-01-01"), ("A2", "In Transit", "2027-01-01")]
    part.drop_rows("day", rows, ("Order ID", "Status", "Delivery Date"))
    yield
    assert part.ends("day") == [SENT, NOTHING]


@together
def test_a_file_without_any_event_time_is_warned_of(part: Part) -> Iterator[None]:
    part.drop_rows("day", [("A1", "Delivered")])
    yield
    assert "NO_EVENT_TIME" in part.of("day").codes
    part.drop_rows("none", [("A1", "In Transit")])
    yield
    assert "NO_EVENT_TIME" not in part.of("none").codes


def test_check_tells_which_time_was_used(root: Root) -> None:
    path = root.path / "day.csv"
    rows = [("A1", "Delivered", "2026-11-27")]
    path.write_text(sheet(rows, ("Order ID", "Status", "POD date")), encoding="utf-8")
    (found,) = root.run("check", str(path), "--json").json
    used = {each["role"]: (each["column"], each["matched"]) for each in found["columns"][0]["used"]}
    assert used["event_time"] == ("POD date", "evidence")


AMBIGUOUS = ("rejected", "STATUS_AMBIGUOUS:status")


WORDS_OF_DIRECTIONS = (
    ("Direction", ("Dn", "Forward", "Up"), [AMBIGUOUS, SENT, AMBIGUOUS]),
    ("Shipment Direction", ("F", "R", "F"), [SENT, AMBIGUOUS, SENT]),
    ("Direction", ("F", "F", ""), [AMBIGUOUS, AMBIGUOUS, SENT]),
    ("Direction", ("R", "-", "n/a"), [AMBIGUOUS, SENT, SENT]),
    ("Direction", ("Outbound", "1", "Forward"), [AMBIGUOUS, AMBIGUOUS, SENT]),
    ("Direction", ("Sideways", "1", "Forward"), [AMBIGUOUS, AMBIGUOUS, SENT]),
    ("Fwd / Rev", ("Yes", "Dn", "Forward"), [AMBIGUOUS, AMBIGUOUS, SENT]),
    ("Movement", ("Forward",) * 9 + ("Exchange",), [SENT] * 9 + [AMBIGUOUS]),
    ("Direction", ("North of the temple, left", "second floor", "ask"), [SENT] * 3),
    ("Shipment Type", ("Parcel", "Forward", "Document"), [SENT] * 3),
    ("Leg", ("Last Mile", "Last Mile", "First Mile"), [SENT] * 3),
)


@together
def test_a_word_that_nobody_knows_in_a_direction_holds_its_row(part: Part) -> Iterator[None]:
    for number, (heading, cells, _) in enumerate(WORDS_OF_DIRECTIONS):
        rows = [(f"A{number}B{at}", "Delivered", f'"{cell}"') for at, cell in enumerate(cells)]
        part.drop_rows(f"day{number}", rows, ("Order ID", "Status", heading))
    yield
    for number, (heading, cells, wanted) in enumerate(WORDS_OF_DIRECTIONS):
        assert part.ends(f"day{number}") == wanted, (heading, cells)


@together
def test_a_way_back_in_one_letter_agrees_with_every_end_on_it(part: Part) -> Iterator[None]:
    rows = [
        ("A1", "Delivered", "F"),
        ("A2", "RTO Delivered", "R"),
        ("A3", "Return Delivered", "R"),
        ("A4", "In Transit", "Dn"),
    ]
    part.drop_rows("day", rows, ("Order ID", "Status", "Direction"))
    yield
    assert part.ends("day") == [SENT, SENT, SENT, NOTHING]


@together
def test_a_confirmed_row_goes_though_another_parcel_comes_back_with_it(
    part: Part,
) -> Iterator[None]:
    part.drop_rows("day", [("A1", "X1", "Delivered"), ("A1", "X2", "Nonesuch")], WITH_AWB)
    yield
    as_it_was = came_back(part, "day").replace("Nonesuch", "In Transit")
    for name, word, end in (("again", "", PARCELS), ("meant", "CONFIRMED", SENT)):
        text = as_it_was.replace("PARCELS_OPEN:awb", word)
        part.drop(f"{name}.csv", text)
        yield
        assert part.ends(name) == [end, NOTHING]
