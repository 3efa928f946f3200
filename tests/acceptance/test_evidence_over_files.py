"""Rows of an earlier file hold an update that a later one would send."""

import io
import re
from collections.abc import Generator, Iterator, Sequence

import openpyxl

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, sheet
from tests.acceptance.stories import Part, together
from tests.acceptance.test_evidence_over_rows import (
    NOTHING,
    PARCELS,
    SENT,
    STATUSES,
    TAKEN_BACK,
    WITH_AWB,
    WITH_TIME,
    came_back,
)

Rows = Sequence[tuple[str, ...]]
HELD = ("rejected", "STATUS_AMBIGUOUS:status")
ROAD = [("A1", "X1", "In Transit"), ("A1", "X2", "In Transit")]


def drop(
    part: Part, name: str, rows: Rows, header: Sequence[str] = WITH_AWB, folder: str = ""
) -> Iterator[None]:
    """Drop a file and run."""
    part.drop_rows(name, rows, header, folder)
    yield


def drop_alone(root: Root, name: str, rows: Rows, header: Sequence[str] = WITH_AWB) -> None:
    """Drop a file and run, where no other test shares the run."""
    root.drop(f"{name}.csv", sheet(rows, header))
    root.once()


def ends(root: Root, name: str) -> list[tuple[str, str]]:
    """The outcome and codes of each row of a drop."""
    return [(line["outcome"], line["codes"]) for line in root.of(name).lines()]


Pair = tuple[tuple[str, ...], tuple[str, ...]]
"""A row of an earlier file, and one of a later, without their order."""


def both(
    part: Part, pairs: Sequence[Pair], header: Sequence[str]
) -> Generator[None, None, list[tuple[str, str]]]:
    """Drop two files with a row of each order, one after the other; return the later rows' ends."""
    for name, day in (("monday", 0), ("tuesday", 1)):
        rows = [(f"A{at}", *pair[day]) for at, pair in enumerate(pairs)]
        yield from drop(part, name, rows, header)
    return part.ends("tuesday")


@together
def test_a_parcel_that_an_earlier_file_saw_on_its_way_keeps_its_order_open(
    part: Part,
) -> Iterator[None]:
    yield from drop(part, "monday", ROAD)
    yield from drop(part, "tuesday", [("A1", "X1", "Delivered"), ("A2", "X9", "Delivered")])
    assert part.ends("tuesday") == [PARCELS, SENT]
    told = part.of("tuesday").lines()[0]["message"]
    assert '"X2"' in told
    assert f'row 3 of "{part.tag} monday.csv"' in told
    part.drop_rows("bare", [("A1", "Delivered"), ("A2", "Delivered")])
    yield
    assert part.ends("bare")[0] == PARCELS, "which of the two is it?"
    assert "this row does not tell which" in part.of("bare").lines()[0]["message"]
    yield from drop(part, "wednesday", [("A1", "X2", "Delivered")])
    assert part.ends("wednesday") == [SENT]
    assert part.sent("A1") == ["delivery_done"]


@together
def test_what_earlier_files_say_of_other_parcels_holds_no_more_than_it_must(
    part: Part,
) -> Iterator[None]:
    pairs = [
        (("X2", "In Transit"), ("x2 ", "Delivered")),
        (("0012345678", "In Transit"), ("12345678.0", "Delivered")),
        (("", "In Transit"), ("X1", "Delivered")),
        (("X2", "In Transit"), ("", "Delivered")),
        (("X2", "Manifested"), ("X1", "Delivered")),  # it was given another AWB since
        (("X2", "Out For Pickup"), ("X1", "Delivered")),
        (("X2", "Cancelled"), ("X1", "Delivered")),
        (("X2", "Delivered"), ("X1", "Delivered")),
        (("X2", "Return In Transit"), ("X1", "Delivered")),
        (("X2", "Shayad"), ("X1", "Delivered")),  # nobody knows the word
        (("26-11-2026", "In Transit"), ("X1", "Delivered")),  # no AWB
        (("X2", "RTO In Transit"), ("X1", "RTO Delivered")),  # its way back has an AWB of its own
    ]
    found = yield from both(part, pairs, WITH_AWB)
    assert {outcome for outcome, _ in found} == {"accepted", "duplicate"}
    assert not [codes for _, codes in found if "PARCELS_OPEN" in codes or "CONFLICT" in codes]


#: How an order goes out whose parcels come day by day: rows of each day, and their ends.
DAY_BY_DAY = (
    (("X1", "Delivered", "1 of 2"), PARCELS),
    (("X2", "Delivered", "2 of 2"), SENT),
    (("X1", "Delivered", "1 of 2"), ("duplicate", "ALREADY_ACCEPTED:status")),
)
#: The same where something is missing: heading, and rows of two days, the second of which is held.
NOT_YET_ALL = (
    ("Box", ("X1", "Delivered", "1 of 3"), ("X2", "Delivered", "2 of 3")),
    ("Box", ("X1", "Delivered", "1 of 2"), ("X1", "Delivered", "2 of 2")),
    ("Box", ("", "Delivered", "1 of 2"), ("", "Delivered", "2 of 2")),
    ("Box", ("X1", "RTO Delivered", "1 of 2"), ("X2", "Delivered", "2 of 2")),
    ("Box", ("X1", "Undeliverd", "1 of 2"), ("X2", "Delivered", "2 of 2")),
    ("Box", ("1.49E+13", "Delivered", "1 of 2"), ("X2", "Delivered", "2 of 2")),
    ("Is Split", ("X1", "Delivered", "Yes"), ("X2", "Delivered", "Yes")),  # or more than two
)


@together
def test_parcels_that_come_day_by_day_are_counted_over_files(part: Part) -> Iterator[None]:
    for day, (row, _) in enumerate(DAY_BY_DAY):
        part.drop_rows(f"day{day}", [("A1", *row)], (*WITH_AWB, "Box"))
        for at, (heading, *rows) in enumerate(NOT_YET_ALL):
            if day < len(rows):
                part.drop_rows(f"{at} day{day}", [(f"B{at}", *rows[day])], (*WITH_AWB, heading))
        yield
    assert [part.ends(f"day{day}") for day in range(3)] == [[end] for _, end in DAY_BY_DAY]
    assert part.sent("A1") == ["delivery_done"]
    for at, each in enumerate(NOT_YET_ALL):
        assert part.ends(f"{at} day1")[0][1].startswith("PARCELS_OPEN"), each


@together
def test_every_word_of_a_parcel_under_way_keeps_its_order_open(part: Part) -> Iterator[None]:
    words = ("Picked Up", "Out For Delivery", "RTO Initiated", "Lost")
    pairs = [(("X2", word), ("X1", "Delivered")) for word in words]
    pairs.append((("X2", "In Transit"), ("X1", "RTO Delivered")))
    found = yield from both(part, pairs, WITH_AWB)
    assert found == [PARCELS] * 5


@together
def test_the_last_word_on_a_parcel_counts(part: Part) -> Iterator[None]:
    yield from drop(part, "monday", ROAD)
    yield from drop(part, "tuesday", [("A1", "X2", "Cancelled")])
    yield from drop(part, "wednesday", [("A1", "X1", "Delivered")])
    assert part.ends("wednesday") == [SENT]


@together
def test_a_profile_says_that_any_parcel_speaks_for_the_order_over_files_too(
    part: Part,
) -> Iterator[None]:
    acme = part.courier("acme", f'parcels = "any"\n{STATUSES}')
    yield from drop(part, "monday", ROAD, folder=acme)
    yield from drop(part, "tuesday", [("A1", "X1", "Delivered")], folder=acme)
    assert part.ends("tuesday") == [SENT]


LATER = ("A1", "X1", "Undelivered", "26-11-2026 14:00")
EARLIER = ("A1", "X1", "Delivered", "26-11-2026 10:15")


@together
def test_an_end_that_an_earlier_file_has_a_later_scan_of_is_not_sent(part: Part) -> Iterator[None]:
    yield from drop(part, "new", [LATER], WITH_TIME)
    yield from drop(part, "old", [EARLIER], WITH_TIME)
    assert part.ends("old") == [TAKEN_BACK]
    assert f'row 2 of "{part.tag} new.csv"' in part.of("old").lines()[0]["message"]
    yield from drop(part, "last", [("A1", "X1", "Delivered", "27-11-2026 09:00")], WITH_TIME)
    assert part.ends("last") == [SENT]


SCANS = (
    *(("In Transit", "26-11-2026 20:00"), ("Reached At Hub", "27-11-2026 20:00")),
    *(("Out For Delivery", "26-11-2026 20:00"), ("Undelivered", "26-11-2026 20:00")),
    ("RTO In Transit", "26-11-2026 20:00"),
)
"""The first may be of a hub that booked it late."""


@together
def test_a_scan_of_a_hub_that_was_booked_late_takes_no_end_back(part: Part) -> Iterator[None]:
    """It was, if a file that was made after it still tells of the end of some hours before."""
    scans = [(f"A{at}", f"X{at}001", *scan) for at, scan in enumerate(SCANS)]
    yield from drop(part, "evening", scans, WITH_TIME)
    ends = [(order, awb, "Delivered", "26-11-2026 19:00") for order, awb, *_ in scans]
    yield from drop(part, "before", ends, WITH_TIME)
    yield from drop(
        part, "after", [*ends, ("A9", "X9001", "Picked Up", "27-11-2026 09:00")], WITH_TIME
    )
    assert part.ends("before") == [TAKEN_BACK] * len(SCANS)
    assert part.ends("after") == [SENT, *[TAKEN_BACK] * (len(SCANS) - 1), SENT]


@together
def test_a_row_of_long_ago_that_was_accepted_before_needs_nobody(part: Part) -> Iterator[None]:
    first = [("A1", "X1001", "Delivered", "26-11-2026"), ("A2", "X2001", "Delivered", "26-11-2026")]
    yield from drop(part, "first", first, WITH_TIME)
    statuses = (("A1", "Delivered"), ("A1", "Picked Up"), ("A2", "RTO Delivered"))
    rows = [(order, f"X{order[1]}001", status, "05-01-2026") for order, status in statuses]
    new = [("A3", "X3001", "Delivered", "05-01-2026"), ("A4", "X4001", "Delivered", "27-11-2026")]
    yield from drop(part, "year", [*rows, *new], WITH_TIME)
    too_old = ("rejected", "DATE_RANGE:event_time")
    settled = [("duplicate", "ALREADY_ACCEPTED:status"), ("duplicate", "STALE:status")]
    assert part.ends("year") == [*settled, too_old, too_old, SENT]
    told = part.of("year").summary
    assert [(e["code"], e["count"]) for e in told["errors"]] == [("DATE_RANGE", 2)]


#: What a tracker has beside a delivery that was accepted, when its customer sends it back.
SINCE = (
    *(("RMA", "RMA01"), ("Return Requested", "Yes"), ("Return AWB", "9911223344")),
    *(("Is Return", "Yes"), ("Remarks", "Returned by customer"), ("Type", "Return")),
)
TIME = "26-11-2026 10:00"
#: Rows of two days (AWB, time, cell), the second of which is held; AWB and time show the event.
NOT_THE_SAME = (
    ("RMA", ("X1", TIME, ""), ("X2", TIME, "RMA01")),
    ("RMA", ("X1", TIME, ""), ("X1", "27-11-2026 10:00", "RMA01")),
    ("RMA", ("", "", ""), ("", "", "RMA01")),
    ("RTO AWB", ("X1", TIME, ""), ("X1", TIME, "9911223344")),
)


@together
def test_a_return_that_began_since_holds_no_delivery_that_was_accepted(
    part: Part,
) -> Iterator[None]:
    header = ("Order ID", "AWB No", "Event Time", "Status")
    for day in (0, 1, 2):
        for at, (heading, cell) in enumerate(SINCE):
            rows = [(f"A{at}", "X1", TIME, "Delivered", cell if day else "")]
            rows.append((f"B{at}", "X2", TIME, "Delivered", ""))
            part.drop_rows(f"{at} day{day}", rows, (*header, heading))
        for at, (heading, *days) in enumerate(NOT_THE_SAME):
            awb, when, cell = days[min(day, 1)]
            rows = [(f"C{at}", awb, when, "Delivered", cell), (f"D{at}", "X3", TIME, "NDR", "")]
            part.drop_rows(f"not {at} day{day}", rows, (*header, heading))
        yield
    for day in (1, 2):
        for at, each in enumerate(SINCE):
            found = part.of(f"{at} day{day}")
            assert part.ends(f"{at} day{day}") == [("duplicate", "ALREADY_ACCEPTED:status")] * 2
            assert found.summary["errors"] == [], each
        for at, each in enumerate(NOT_THE_SAME):
            assert part.ends(f"not {at} day{day}")[0] == HELD, each


@together
def test_an_item_that_was_cancelled_takes_its_order_s_parcel_not_back(part: Part) -> Iterator[None]:
    columns = (*WITH_TIME, "SKU")
    moved, when = "25-11-2026 09:00", "26-11-2026 09:00"
    cases = (
        (("", "S2"), "S1", SENT),  # AWB and item of the cancelled row, item of the other one
        (("X1", "S2"), "S1", SENT),
        (("X1", "S1"), "S1", TAKEN_BACK),
        (("", "S2"), "", TAKEN_BACK),
        (("", ""), "S1", TAKEN_BACK),
    )
    for name, status in (("monday", "In Transit"), ("tuesday", "Delivered")):
        rows = []
        for at, ((awb, cancelled), item, _) in enumerate(cases):
            rows.append((f"A{at}", "X1", status, when if status == "Delivered" else moved, item))
            rows.append((f"A{at}", awb, "Cancelled", moved, cancelled))
        yield from drop(part, name, rows, columns)
    assert part.ends("tuesday")[::2] == [end for *_, end in cases]


@together
def test_without_awbs_an_order_is_its_only_parcel(part: Part) -> Iterator[None]:
    columns = ("Order ID", "Status", "Event Time")
    yield from drop(part, "new", [(LATER[0], *LATER[2:])], columns)
    yield from drop(part, "old", [(EARLIER[0], *EARLIER[2:])], columns)
    assert part.ends("old") == [TAKEN_BACK]


@together
def test_earlier_files_that_take_no_delivery_back_hold_nothing(part: Part) -> Iterator[None]:
    later, earlier = LATER[1:], EARLIER[1:]
    pairs = [
        (("X1", "Out For Delivery", "26-11-2026 09:00"), earlier),
        (later, ("X1", "Delivered", "26-11-2026")),  # a date alone: until the day's end
        (later, ("X1", "Delivered", "")),
        (("X1", "POD Uploaded", "27-11-2026 09:00"), earlier),
        (("X1", "Return In Transit", "27-11-2026 09:00"), earlier),
        (("X1", "Manifested", "27-11-2026 09:00"), earlier),
        # As within a file: a pickup is the step before, by whatever clock.
        (("X1", "Picked Up", "27-11-2026 09:00"), earlier),
        (("X1", "Pickup Cancelled", "25-11-2026 09:00"), ("X1", "Picked Up", "26-11-2026 10:15")),
        (("X1", "Pickup Cancelled", ""), ("X1", "Picked Up", "26-11-2026 10:15")),
        (("X1", "Return Cancelled", "27-11-2026 09:00"), ("X1", "Picked Up", "26-11-2026 10:15")),
        (("X2", "Cancelled", "27-11-2026 09:00"), ("X1", "Picked Up", "26-11-2026 10:15")),
    ]
    found = yield from both(part, pairs, WITH_TIME)
    assert not [codes for _, codes in found if "STATUS_CONFLICT" in codes]


@together
def test_a_pickup_that_an_earlier_file_calls_off_later_is_not_sent(part: Part) -> Iterator[None]:
    pairs = [
        (("X1", "Pickup Cancelled", "27-11-2026"), ("X1", "Picked Up", "26-11-2026")),
        (("X1", "Cancelled", "27-11-2026"), ("X1", "Picked Up", "26-11-2026")),
        (("X1", "Return Cancelled", "27-11-2026"), ("X1", "Return Picked Up", "26-11-2026")),
        (("X1", "Cancelled", "25-11-2026"), ("X1", "Return Picked Up", "26-11-2026")),
        (("X1", "Picked Up", "27-11-2026"), ("X1", "Delivered", "15-11-2026")),
    ]
    found = yield from both(part, pairs, WITH_TIME)
    assert found == [TAKEN_BACK] * 5


@together
def test_a_delivery_of_what_an_earlier_file_saw_turn_back_is_not_sent(part: Part) -> Iterator[None]:
    pairs = [
        (("X1", "RTO In Transit", "25-11-2026"), ("X1", "Delivered", "27-11-2026")),
        (("X1", "RTO Initiated", ""), ("X1", "Delivered", "")),
        (("", "RTO In Transit", "25-11-2026"), ("X1", "Delivered", "27-11-2026")),
        (("X1", "Cancelled", "25-11-2026"), ("X1", "Delivered", "27-11-2026")),
        (("X1", "RTO Cancelled", "25-11-2026"), ("X1", "Delivered", "27-11-2026")),
        (("X1", "RTO In Transit", "25-11-2026"), ("X1", "RTO Delivered", "27-11-2026")),
        (("X1", "RTO In Transit", "25-11-2026"), ("X1", "Return Delivered", "27-11-2026")),
        (("X1", "RTO Initiated", ""), ("X1", "Return In Transit", "")),
        (("X1", "Delivered", "20-11-2026"), ("X1", "Return In Transit", "27-11-2026")),
        (("X1", "RTO In Transit", "25-11-2026"), ("X2", "Return In Transit", "27-11-2026")),
    ]
    found = yield from both(part, pairs, WITH_TIME)
    assert found == [TAKEN_BACK] * 4 + [SENT] * 2 + [TAKEN_BACK] * 2 + [SENT] * 2
    told = part.of("tuesday").lines()[0]["message"]
    assert f'back to the seller, or was cancelled: row 2 of "{part.tag} monday.csv"' in told
    part.drop("again.csv", came_back(part, "tuesday"))
    yield
    assert part.ends("again") == [TAKEN_BACK] * 6
    part.drop("meant.csv", came_back(part, "tuesday", _reject_codes="CONFIRMED"))
    yield
    assert part.ends("meant") == [SENT] * 6


#: AWB, what an earlier file says of another order's, and whether this one's delivery is held.
UNDER_ANOTHER = (
    ("880010001", "RTO Initiated", "25-11-2026", TAKEN_BACK),
    ("880010002", "RTO Delivered", "", TAKEN_BACK),
    ("880010003", "RTO Delivered", "20-08-2026", SENT),  # the number was given to another parcel
    ("880010004", "Delivered", "25-11-2026", SENT),
    ("880010005", "In Transit", "25-11-2026", SENT),
    ("88", "RTO Initiated", "25-11-2026", SENT),
)


@together
def test_a_delivery_of_what_went_back_under_another_order_is_not_sent(part: Part) -> Iterator[None]:
    mine = [(f"A{at}", awb, "Delivered", DAYS[1]) for at, (awb, *_) in enumerate(UNDER_ANOTHER)]
    back = [(f"B{at}", *said) for at, (*said, _) in enumerate(UNDER_ANOTHER)]
    trip = [(f"T{at}", "880010006", "RTO Delivered", DAYS[0]) for at in range(2)]
    part.drop_rows("monday", [*back, *trip], WITH_TIME)
    part.drop_rows("elsewhere", [("B7", "880010007", "RTO Delivered", DAYS[0])], WITH_TIME, "dtdc")
    yield
    others = [("A6", "880010006", "Delivered", DAYS[1]), ("A7", "880010007", "Delivered", DAYS[1])]
    yield from drop(part, "tuesday", [*mine, *others], WITH_TIME)
    assert part.ends("tuesday") == [*(end for *_, end in UNDER_ANOTHER), SENT, SENT]
    told = part.of("tuesday").lines()[0]["message"]
    assert f'under another order, "{part.order("B0")}"' in told
    part.drop("meant.csv", came_back(part, "tuesday", _reject_codes="CONFIRMED"))
    yield
    assert part.ends("meant") == [SENT, SENT]


@together
def test_a_way_back_that_was_called_off_later_holds_no_delivery(part: Part) -> Iterator[None]:
    orders = ("A1", "A2", "A3")
    part.drop_rows("first", [(e, "X1", "RTO Initiated", "24-11-2026") for e in orders], WITH_TIME)
    yield
    days = ("25-11-2026", "23-11-2026", "")
    again = [(e, "X1", "RTO Cancelled", at) for e, at in zip(orders, days, strict=True)]
    part.drop_rows("second", again, WITH_TIME)
    yield
    on_tuesday(part, orders)
    yield
    assert part.ends("second") == [NOTHING] * 3
    assert part.ends("tuesday") == [SENT, TAKEN_BACK, TAKEN_BACK]


BESIDE_THE_STATUS = (
    ("delhivery", "Waybill,Status Type,Status", ("RT", "In Transit"), ("DL", "Delivered")),
    ("delhivery", "Waybill,Status Type,Status", ("RT", "Pending"), ("DL", "Delivered")),
    ("bluedart", "AWB,Status Type,Status", ("RT", "Shipment In Scan"), ("", "Shipment Delivered")),
    ("", "AWB,Direction,Status", ("RTO", "On Hold"), ("Forward", "Delivered")),
    ("ecomexpress", "AWB,product_type,Status", ("rts", "77"), ("ppd", "999")),
)
"""Folder, headings, a scan on its way back by the cell beside its status, and an end."""


@together
def test_a_cell_beside_the_status_names_the_way_back(part: Part) -> Iterator[None]:
    for at, (folder, header, back, end) in enumerate(BESIDE_THE_STATUS):
        columns = ("Order Id", *header.split(","), "Event Time")
        scan, early, late = ("X1", *back), "2026-11-25", "2026-11-27"
        day = [(f"A{at}", *scan, early), (f"A{at}", "X1", *end, late), (f"B{at}", "X2", *end, late)]
        part.drop_rows(f"day{at}", day, columns, folder)
        part.drop_rows(f"monday{at}", [(f"C{at}", *scan, early)], columns, folder)
    yield
    for at, (folder, header, _, end) in enumerate(BESIDE_THE_STATUS):
        columns = ("Order Id", *header.split(","), "Event Time")
        part.drop_rows(f"tuesday{at}", [(f"C{at}", "X1", *end, "2026-11-27")], columns, folder)
    yield
    for at, (_, _, back, _) in enumerate(BESIDE_THE_STATUS):
        assert part.ends(f"day{at}") == [NOTHING, TAKEN_BACK, SENT], back
        assert part.ends(f"tuesday{at}") == [TAKEN_BACK], back
    assert "goes back to the seller" in part.of("day0").lines()[1]["message"]


MAYBE_BACK = ("RTO", "RTO Initiatd", "Returned", "Return Initiated")
"""Words of a way back: some open, one misspelt, one that is ignored."""
DAYS = ("25-11-2026", "27-11-2026")


def on_tuesday(part: Part, orders: Sequence[str], name: str = "tuesday") -> None:
    """Drop a plain file in which these orders are delivered."""
    part.drop_rows(name, [(each, "X1", "Delivered", DAYS[1]) for each in orders], WITH_TIME)


@together
def test_a_way_back_that_an_earlier_file_named_in_a_rejected_row_holds_a_delivery(
    part: Part,
) -> Iterator[None]:
    words = (*MAYBE_BACK, "Dlvx", "Undelivered", "RTO Revoked by seller")
    rows = [(f"A{at}", "X1", word, DAYS[0]) for at, word in enumerate(words)]
    part.drop_rows("monday", rows, WITH_TIME)
    whole = [(f"B{at}", "X1", "Nonesuch", DAYS[0]) for at in range(24)]
    whole += [(f"B{at}", "X1", word, DAYS[0]) for at, word in enumerate(MAYBE_BACK, 30)]
    part.drop_rows("refused", whole, WITH_TIME)
    part.drop_rows("no time", [("F1", "X1", "Return Initiated")], WITH_AWB)
    yield
    assert part.of("refused").summary["refused"]["code"] == "TOO_MANY_REJECTS"
    on_tuesday(part, [*(f"A{at}" for at in range(len(words))), "F1"])
    on_tuesday(part, [f"B{at}" for at in (0, 30, 31, 32, 33)], "after refused")
    yield
    assert part.ends("tuesday") == [*[TAKEN_BACK] * 4, SENT, SENT, SENT, TAKEN_BACK]
    assert part.ends("after refused") == [SENT, *[TAKEN_BACK] * 4]
    told = [line["message"] for line in part.of("tuesday").lines()]
    assert all(f'row {2 + at} of "{part.tag} monday.csv"' in told[at] for at in range(4))
    part.drop("meant.csv", came_back(part, "tuesday", _reject_codes="CONFIRMED"))
    yield
    assert part.ends("meant") == [SENT] * 5


@together
def test_a_way_back_that_an_earlier_file_named_beside_its_rows_holds_a_delivery(
    part: Part,
) -> Iterator[None]:
    header = ",".join(WITH_TIME)
    order = part.order
    titled = f"{header}\nRTO SHIPMENTS,,,\n{order('T1')},X1,Delivered,{DAYS[0]}\n"
    part.drop("titled.csv", titled)
    flags = [(each, "X1", "Delivered", DAYS[0], "Yes") for each in ("I1",)]
    flags.append(("I2", "X1", "In Transit", DAYS[0], "Yes"))
    flags.append(("I3", "X1", "Delivered", DAYS[0], "No"))
    part.drop_rows("flags", flags, (*WITH_TIME, "Is RTO"))
    second = [("S1", "X1", "In Transit", DAYS[0], "R7712")]
    second.append(("S2", "X1", "In Transit", DAYS[0], ""))
    part.drop_rows("second", second, (*WITH_TIME, "RTO AWB"))
    moving = [(each, "X1", word, DAYS[0]) for each, word in (("N1", "In Transit"), ("N2", "OFD"))]
    part.drop_rows("RTO_report", moving, WITH_TIME)
    part.drop_rows("plain", [("P1", "X1", "Out For Delivery", DAYS[0])], WITH_TIME, "rto")
    part.drop_rows("other", [("O1", "X1", "In Transit", DAYS[0])], WITH_TIME)
    yield
    held = ("T1", "I1", "I2", "S1", "N1", "N2", "P1")
    on_tuesday(part, [*held, "S2", "O1"])
    yield
    assert part.ends("tuesday") == [*[TAKEN_BACK] * len(held), SENT, SENT]


@together
def test_a_file_of_an_earlier_day_by_its_name_takes_no_later_scan_back(
    part: Part,
) -> Iterator[None]:
    orders = [f"A{at}" for at in range(1, 8)]
    part.drop_rows("MIS_29-11-2026", [(o, "X1", "Undelivered") for o in orders], WITH_AWB)
    part.drop_rows("MIS 26 Nov", [("B1", "X1", "In Transit")], WITH_AWB)
    part.drop_rows("MIS", [("B2", "X1", "In Transit")], WITH_AWB)
    yield
    part.drop_rows("MIS_28-11-2026", [("A1", "X1", "Delivered")], WITH_AWB)
    part.drop_rows("MIS_30-11-2026", [("A2", "X1", "Delivered")], WITH_AWB)
    part.drop_rows("update", [("A3", "X1", "Delivered")], WITH_AWB)
    part.drop_rows("MIS 27 Nov", [("B1", "X1", "Delivered"), ("B2", "X1", "Delivered")], WITH_AWB)
    periods = ("MIS_01-11-2026_to_29-11-2026", "POD 01 Nov to 30 Nov", "Orders booked 25-11-2026")
    for at, name in enumerate(periods, 5):
        part.drop_rows(name, [(f"A{at}", "X1", "Delivered")], WITH_AWB)
    timed = [("A4", "X1", "Delivered", "29-11-2026 18:00")]
    part.drop_rows("MIS 28-11-2026 late", timed, WITH_TIME)
    yield
    assert part.ends("MIS_28-11-2026") == [TAKEN_BACK]
    assert "a file of a later day by its name" in part.of("MIS_28-11-2026").lines()[0]["message"]
    for name in ("MIS_30-11-2026", "update", "MIS 28-11-2026 late", *periods):
        assert part.ends(name) == [SENT], name
    assert part.ends("MIS 27 Nov") == [SENT] * 2


@together
def test_what_was_not_delivered_by_a_rejected_row_is_not_delivered_by_the_same_event_later(
    part: Part,
) -> Iterator[None]:
    morning, noon, evening = (f"27-11-2026 {hour}:00" for hour in (10, 12, 18))
    beside = (
        ("Fake Delivery", "Yes"),
        ("Is Delivered", "No"),
        ("Cancelled", "Yes"),
        ("Bucket", "Undelivered"),
        ("Current Status", "Undelivered"),
    )
    for at, (heading, cell) in enumerate(beside):
        rows = [(f"{day}{at}", "X1", "Delivered", noon, cell) for day in "ABC"]
        part.drop_rows(f"monday {at}", rows, (*WITH_TIME, heading))
    header = ",".join(WITH_TIME)
    order = part.order
    part.drop("Tab.csv", f"{header}\nUndelivered,,,\n{order('T1')},X1,Delivered,{noon}\n")
    words = ("Undeliverd", "Partially Delivered", "Dlvx")
    part.drop_rows("words", [(f"W{at}", "X1", each, noon) for at, each in enumerate(words)],
                   WITH_TIME)  # fmt: skip
    late = [(f"L{at}", "X1", each, noon) for at, each in enumerate(words)]
    part.drop_rows("late", late, WITH_TIME)
    part.drop_rows("no time", [("N1", "X1", "Delivered", "Yes")], (*WITH_AWB, "Fake Delivery"))
    part.drop_rows("no time, a word", [("N2", "X1", "Undeliverd")], WITH_AWB)
    part.drop_rows("not to be sent", [("U1", "X1", "Delivered", noon, "No")],
                   (*WITH_TIME, "Upload"))  # fmt: skip
    part.drop_rows("of a return", [("R1", "X1", "RTO Delivered", noon, "Yes")],
                   (*WITH_TIME, "Void"))  # fmt: skip
    yield
    many = range(len(beside))
    same = [(f"A{at}", "X1", "Delivered", noon) for at in many]
    earlier = [(f"B{at}", "X1", "Delivered", morning) for at in many]
    later = [(f"C{at}", "X1", "Delivered", evening) for at in many]
    part.drop_rows("same", same, WITH_TIME)
    part.drop_rows("earlier", earlier, WITH_TIME)
    part.drop_rows("later", later, WITH_TIME)
    held = [("T1", "X1", "Delivered", noon), ("N1", "X1", "Delivered", "")]
    part.drop_rows("held", held, WITH_TIME)
    part.drop_rows("words again", [(f"W{at}", "X1", "Delivered", noon) for at in range(3)],
                   WITH_TIME)  # fmt: skip
    part.drop_rows("words later", [(f"L{at}", "X1", "Delivered", evening) for at in range(3)],
                   WITH_TIME)  # fmt: skip
    sent = [("N2", "X1", "Delivered", ""), ("U1", "X1", "Delivered", noon)]
    part.drop_rows("sent", [*sent, ("R1", "X1", "RTO Delivered", noon)], WITH_TIME)
    yield
    assert part.ends("same") == [TAKEN_BACK] * len(beside)
    assert part.ends("earlier") == [TAKEN_BACK] * len(beside)
    assert part.ends("later") == [SENT] * len(beside)
    assert part.ends("held") == [TAKEN_BACK] * 2
    assert part.ends("words again") == [TAKEN_BACK, TAKEN_BACK, SENT]
    assert part.ends("words later") == [SENT] * 3
    assert part.ends("sent") == [SENT] * 3
    told = part.of("same").lines()[0]["message"]
    assert "was not delivered, in its status, a column, a title or a tab: row 2 of" in told
    part.drop("meant.csv", came_back(part, "same", _reject_codes="CONFIRMED"))
    mended = came_back(part, "words").replace("Undeliverd", "Delivered")
    part.drop("mended.csv", mended)
    yield
    assert part.ends("meant") == [SENT] * len(beside)
    assert part.ends("mended")[0] == SENT


@together
def test_a_later_file_whose_own_column_no_longer_denies_a_delivery_settles_it(
    part: Part,
) -> Iterator[None]:
    noon = "27-11-2026 12:00"
    beside = (
        *(("Is Delivered", "No", "Yes"), ("Tag", "Undelivered", ""), ("Tag", "Refused", "")),
        *(("Claim", "Lost", "Claim rejected"), ("Current Status", "Undelivered", "Delivered")),
    )
    for at, (heading, denied, _) in enumerate(beside):
        rows = [(f"{each}{at}", "X1", "Delivered", noon, denied) for each in "ABCD"]
        part.drop_rows(f"monday {at}", rows, (*WITH_TIME, heading))
    header = ",".join((*WITH_TIME, "Tag"))
    part.drop("Tab.csv", f"{header}\nUndelivered,,,,\n{part.order('T1')},X1,Delivered,{noon},\n")
    yield
    for at, (heading, denied, now) in enumerate(beside):
        told = part.of(f"monday {at}").lines()[0]["message"]
        assert "correct" in told.lower(), told
        row = ("X1", "Delivered", noon)
        part.drop_rows(f"tuesday {at}", [(f"A{at}", *row, now)], (*WITH_TIME, heading))
        part.drop_rows(f"lacks {at}", [(f"B{at}", *row, "")], (*WITH_TIME, "Hub"))
        part.drop_rows(f"still {at}", [(f"B{at}", *row, denied)], (*WITH_TIME, heading))
    part.drop_rows("titled", [("T1", "X1", "Delivered", noon, "")], (*WITH_TIME, "Tag"))
    part.drop("meant.csv", came_back(part, "monday 1", _reject_codes="CONFIRMED", Tag=""))
    yield
    for at in range(len(beside)):
        assert part.ends(f"tuesday {at}") == [SENT], beside[at]
        assert part.ends(f"lacks {at}") == [TAKEN_BACK], beside[at]
        assert part.ends(f"still {at}")[0][0] == "rejected", beside[at]
    assert part.ends("titled") == [TAKEN_BACK]
    assert part.ends("meant")[1:] == [SENT] * 3


@together
def test_a_corrected_row_says_no_more_what_it_said_before(part: Part) -> Iterator[None]:
    words = ("RTO Initiatd", "RTO", "RTO Deliverd", "RTO")
    rows = [(f"A{at}", "X1", word, DAYS[0]) for at, word in enumerate(words)]
    part.drop_rows("monday", rows, WITH_TIME)
    yield
    back = came_back(part, "monday")
    lines = back.splitlines()
    mended = [
        lines[1].replace("RTO Initiatd", "Delivered"),
        lines[2].replace(",RTO,", ",In Transit,"),
        lines[3].replace("RTO Deliverd", "RTO Delivered"),
        lines[4],
    ]
    part.drop("mended.csv", "\r\n".join([lines[0], *mended, ""]))
    yield
    assert part.ends("mended")[:3] == [SENT, NOTHING, SENT]
    on_tuesday(part, ["A1", "A3"])
    yield
    assert part.ends("tuesday") == [SENT, TAKEN_BACK]
    assert f'"{part.tag} mended.csv"' in part.of("tuesday").lines()[1]["message"]


LOST_IDS = ("", "1.77881E+19", "12345678901234500000", "FYA 3/4", "#REF!")
"""Ids that are missing, damaged or none."""


@together
def test_a_way_back_that_an_earlier_file_named_without_an_order_id_holds_a_delivery(
    part: Part,
) -> Iterator[None]:
    awb = f"7{part.tag[1:]}40000{{}}".format
    words = ("RTO Initiated", "RTO", "Cancelled", "Returned", "Return Initiated")
    lost = zip(LOST_IDS, words, strict=True)
    rows = [(each, awb(at), word, DAYS[0]) for at, (each, word) in enumerate(lost)]
    rows += [("", awb(5), "In Transit", DAYS[0]), ("", "12", "RTO Initiated", DAYS[0])]
    rows += [("", awb(6), "RTO Initiated", DAYS[0]), ("", awb(7), "RTO Revoked", DAYS[0])]
    monday = sheet(rows, WITH_TIME)
    part.drop("monday.csv", monday)
    whole = [("", awb(f"9{at}"), "RTO", DAYS[0]) for at in range(20)]
    part.drop("no ids.csv", sheet([*whole, ("B0", "X1", "Delivered", DAYS[1])], WITH_TIME))
    yield
    assert {outcome for outcome, _ in part.ends("monday")} == {"rejected"}
    assert part.of("no ids").summary["refused"]["code"] == "WRONG_COLUMN"
    tuesday = [(f"A{at}", awb(at), "Delivered", DAYS[1]) for at in (*range(6), 8)]
    tuesday += [("A20", "12", "Delivered", DAYS[1]), ("A90", awb("90"), "Delivered", DAYS[1])]
    part.drop_rows("tuesday", tuesday, WITH_TIME)
    part.drop_rows("back", [("A6", awb(6), "RTO Delivered", DAYS[1])], WITH_TIME)
    yield
    held = [TAKEN_BACK] * 5
    assert part.ends("tuesday") == [*held, SENT, SENT, SENT, TAKEN_BACK]
    assert part.ends("back") == [SENT]
    told = [line["message"] for line in part.of("tuesday").lines()]
    assert all(f'row {2 + at} of "{part.tag} monday.csv"' in told[at] for at in range(5))
    part.drop("again.csv", came_back(part, "tuesday"))
    yield
    assert part.ends("again") == [*held, TAKEN_BACK]
    part.drop("meant.csv", came_back(part, "tuesday", _reject_codes="CONFIRMED"))
    yield
    assert part.ends("meant") == [SENT] * 6


@together
def test_a_row_whose_order_id_was_put_in_says_no_more_what_it_said_without(
    part: Part,
) -> Iterator[None]:
    awb = f"8{part.tag[1:]}40000{{}}".format
    rows = [("", awb(at), "RTO", DAYS[0]) for at in range(3)]
    part.drop("monday.csv", sheet(rows, WITH_TIME))
    yield
    lines = came_back(part, "monday").splitlines()
    ids = [line.replace(f",,{awb(at)}", f",{part.order(f'A{at}')},{awb(at)}")
           for at, line in enumerate(lines[1:])]  # fmt: skip
    mended = [ids[0].replace(",RTO,", ",Delivered,"), ids[1].replace(",RTO,", ",In Transit,")]
    part.drop("mended.csv", "\r\n".join([lines[0], *mended, ""]))
    yield
    assert part.ends("mended") == [SENT, NOTHING]
    tuesday = [(f"A{at}", awb(at), "Delivered", DAYS[1]) for at in (1, 2)]
    part.drop_rows("tuesday", tuesday, WITH_TIME)
    yield
    assert part.ends("tuesday") == [SENT, TAKEN_BACK]


@together
def test_a_parcel_that_kept_its_order_open_keeps_it_so_until_it_is_heard_of(
    part: Part,
) -> Iterator[None]:
    rows = [("A1", "X1", "Delivered", DAYS[0]), ("A1", "X2", "Dlvx", DAYS[0])]
    part.drop_rows("monday", rows, WITH_TIME)
    yield
    on_tuesday(part, ["A1"])
    yield
    assert part.ends("tuesday") == [PARCELS]
    part.drop_rows("wednesday", [("A1", "X2", "Delivered", DAYS[1])], WITH_TIME)
    yield
    assert part.ends("wednesday") == [SENT]


@together
def test_a_person_says_that_what_earlier_files_held_is_true(part: Part) -> Iterator[None]:
    orders = {"A": [PARCELS], "B": [TAKEN_BACK]}
    yield from drop(part, "monday A", [("A1", "X2", "In Transit", "")], WITH_TIME)
    yield from drop(part, "monday B", [("B1", *LATER[1:])], WITH_TIME)
    part.drop_rows("tuesday A", [("A1", "X1", "Delivered", "")], WITH_TIME)
    part.drop_rows("tuesday B", [("B1", *EARLIER[1:])], WITH_TIME)
    yield
    assert {name: part.ends(f"tuesday {name}") for name in orders} == orders
    for name in orders:
        part.drop(f"again {name}.csv", came_back(part, f"tuesday {name}"))
    yield
    assert {name: part.ends(f"again {name}") for name in orders} == orders
    for name in orders:
        part.drop(f"meant {name}.csv", came_back(part, f"tuesday {name}", _reject_codes=""))
    yield
    assert {name: part.ends(f"meant {name}") for name in orders} == {"A": [SENT], "B": [SENT]}


@together
def test_a_corrected_row_is_held_against_earlier_files_like_any_other(part: Part) -> Iterator[None]:
    yield from drop(part, "monday", ROAD)
    yield from drop(part, "tuesday", [("A1", "X1", "Delievered ho gaya")])
    part.drop("mended.csv", came_back(part, "tuesday", Status="Delivered"))
    yield
    assert part.ends("mended") == [PARCELS]


@together
def test_what_was_delivered_before_stays_a_duplicate(part: Part) -> Iterator[None]:
    yield from drop(part, "monday", [("A1", "X1", "Delivered")])
    yield from drop(part, "tuesday", [("A1", "X2", "In Transit")])
    yield from drop(part, "wednesday", [("A1", "X1", "Delivered")])
    assert part.ends("tuesday") == [NOTHING]
    assert [outcome for outcome, _ in part.ends("wednesday")] == ["duplicate"]
    rows = [
        ("A1", "X1", "Return Picked Up", "27-11-2026"),
        ("A1", "X1", "Delivered", "28-11-2026"),
        ("A1", "X1", "RTO Initiated", "26-11-2026"),
    ]
    yield from drop(part, "thursday", rows, WITH_TIME)
    assert part.ends("thursday")[1][0] == "duplicate"


def test_check_shows_what_earlier_files_hold(root: Root) -> None:
    drop_alone(root, "monday", ROAD)
    path = root.path / "tuesday.csv"
    path.write_text(sheet([("A1", "X1", "Delivered")], WITH_AWB), encoding="utf-8")
    (told,) = root.run("check", str(path), "--json").json
    assert [each["code"] for each in told["errors"]] == ["PARCELS_OPEN"]
    assert "monday.csv" in told["errors"][0]["message"]


@together
def test_nobody_has_said_anything_of_the_sound_rows_of_a_file_that_was_refused_whole(
    part: Part,
) -> Iterator[None]:
    others = [(f"B{at}", f"Y{at}", "Nonesuch") for at in range(24)]
    yield from drop(part, "whole", [("A1", "X1", "Delivered"), *others])
    assert part.of("whole").summary["refused"]["code"] == "TOO_MANY_REJECTS"
    yield from drop(part, "tuesday", [("A1", "X2", "In Transit")])
    part.drop("back.csv", came_back(part, "whole", Status="Delivered"))
    yield
    assert part.ends("back") == [PARCELS, *[SENT] * 24]
    part.drop("emptied.csv", came_back(part, "whole", Status="Delivered", _reject_codes=""))
    yield
    assert part.ends("emptied")[0] == PARCELS
    part.drop("meant.csv", came_back(part, "back", _reject_codes=""))
    yield
    assert part.ends("meant") == [SENT]


@together
def test_the_rejects_of_a_refused_file_say_where_other_parcels_are(part: Part) -> Iterator[None]:
    others = [(f"B{at}", f"Y{at}", "Nonesuch") for at in range(24)]
    road = [("A1", "X2", "In Transit"), ("C1", "Z1", "In Transit")]
    yield from drop(part, "whole", [("A1", "X1", "Nonesuch"), *road, *others])
    assert part.of("whole").summary["refused"]["code"] == "TOO_MANY_REJECTS"
    back = came_back(part, "whole").replace("Nonesuch", "Delivered")
    assert "X2,In Transit" in back
    assert "C1" not in back, "nothing else of this order is to be sent"
    part.drop("back.csv", back)
    yield
    assert part.ends("back") == [PARCELS, NOTHING, *[SENT] * 24]
    lost = [("", "Z9", "Nonesuch"), *road, *((f"D{each[0]}", *each[1:]) for each in others)]
    yield from drop(part, "lost", lost)
    back = came_back(part, "lost").replace("Nonesuch", "Delivered")
    part.drop("mended.csv", back.replace(",,Z9,", f",{part.order('C1')},Z9,"))
    yield
    assert part.ends("mended") == [PARCELS, NOTHING, NOTHING, *[SENT] * 24]


@together
def test_a_line_that_was_added_to_a_rejects_file_is_judged_like_any_other(
    part: Part,
) -> Iterator[None]:
    yield from drop(part, "monday", ROAD)
    yield from drop(part, "tuesday", [("A2", "Y1", "Nonesuch")])
    first = came_back(part, "tuesday", Status="Delivered")
    row = f"{part.order('A1')},X1,Delivered"
    for at, added in enumerate((f",,,,{row}", f"7,,,d20010101t000000000aaaa,{row}")):
        part.drop(f"more{at}.csv", f"{first}{added}\r\n")
        yield
        assert part.ends(f"more{at}")[1] == PARCELS


SAYING_SO = ("CONFIRMED", "PARCELS_OPEN:awb;confirmed", " Confirmed ;X")


@together
def test_a_person_confirms_in_so_many_words_what_earlier_files_held(part: Part) -> Iterator[None]:
    numbers = range(len(SAYING_SO))
    road = [(f"A{at}", *each) for at in numbers for _, *each in ROAD]
    yield from drop(part, "monday", road)
    for at in numbers:
        part.drop_rows(f"tuesday{at}", [(f"A{at}", "X1", "Delivered")], WITH_AWB)
    yield
    no = {"_reject_codes": "PARCELS_OPEN:awb;not confirmed"}
    part.drop("not.csv", came_back(part, "tuesday0", **no))
    yield
    assert part.ends("not") == [PARCELS]
    for at, codes in enumerate(SAYING_SO):
        part.drop(f"meant{at}.csv", came_back(part, f"tuesday{at}", _reject_codes=codes))
    yield
    assert [part.ends(f"meant{at}") for at in numbers] == [[SENT]] * len(SAYING_SO)


@together
def test_a_word_that_was_copied_with_its_row_is_nobodys(part: Part) -> Iterator[None]:
    yield from drop(part, "monday", [*ROAD, ("A2", "Y2", "In Transit")])
    yield from drop(part, "tuesday", [("A1", "X1", "Delivered")])
    meant = came_back(part, "tuesday", _reject_codes="CONFIRMED")
    line = meant.splitlines()[1]
    part.drop("copied.csv", f"{meant}{line.replace('A1,X1', 'A2,Y1')}\r\n")
    yield
    assert part.ends("copied") == [PARCELS, PARCELS]
    part.drop("twice.csv", f"{meant}{line}\r\n")
    yield
    assert part.ends("twice")[0] == SENT


def copies(row: str) -> list[tuple[str, str]]:
    """Name ways to copy a row with its word to another order, each with its line."""
    other = row.replace("A1,X1", "A2,Y1")
    return [
        ("space", other.replace("2,", "2 ,", 1)),
        ("float", other.replace("2,", "2.0,", 1)),
        ("unnumbered", other.replace("2,", ",", 1)),
        ("stranger", re.sub(r",d[^,]+,(\w*A2)", r",d20010101t000000000aaaa,\1", other)),
        ("emptied", other.replace("CONFIRMED", "")),
    ]


@together
def test_a_word_counts_for_the_order_of_the_row_that_it_names(part: Part) -> Iterator[None]:
    yield from drop(part, "monday", [*ROAD, ("A2", "Y2", "In Transit")])
    yield from drop(part, "tuesday", [("A1", "X1", "Delivered")])
    meant = came_back(part, "tuesday", _reject_codes="CONFIRMED")
    header, row = meant.splitlines()
    for name, copy in copies(row):
        part.drop(f"{name}.csv", f"{header}\r\n{copy}\r\n")
        part.drop(f"{name} beside it.csv", f"{meant}{copy}\r\n")
    yield
    for name, _ in copies(row):
        assert part.ends(name) == [PARCELS], name
        assert part.ends(f"{name} beside it")[1] == PARCELS, name


@together
def test_a_word_that_was_copied_to_another_sheet_is_nobodys(part: Part) -> Iterator[None]:
    yield from drop(part, "monday", [*ROAD, ("A2", "Y2", "In Transit")])
    yield from drop(part, "tuesday", [("", "X1", "Delivered")])
    (line,) = part.of("tuesday").lines("rejects.csv")
    book = openpyxl.Workbook()
    other = {"Order ID": part.order("A2"), "AWB Number": "Y1"}
    for at, changed in enumerate(({"Order ID": part.order("A1")}, other)):
        tab = book.worksheets[0] if not at else book.create_sheet("Copies")
        tab.append(list(line))
        tab.append(list({**line, "_reject_codes": "CONFIRMED", **changed}.values()))
    file = io.BytesIO()
    book.save(file)
    part.drop("copied.xlsx", file.getvalue())
    yield
    assert part.ends("copied") == [PARCELS, PARCELS]


LOST = ("", "#####", "1.23457E+17", "123456789012345000")


@together
def test_a_row_whose_order_id_is_mended_can_be_confirmed(part: Part) -> Iterator[None]:
    ids = [f"12345678901234501{at}" for at in range(len(LOST))]
    road = [(order, awb, "In Transit") for order in ids for awb in ("X1", "X2")]
    part.drop("monday.csv", sheet(road, WITH_AWB))
    yield
    for at, lost in enumerate(LOST):
        part.drop(f"tuesday{at}.csv", sheet([(lost, "X1", "Delivered")], WITH_AWB))
    yield
    for at, order in enumerate(ids):
        mended = {"Order ID": order, "_reject_codes": "CONFIRMED"}
        part.drop(f"meant{at}.csv", came_back(part, f"tuesday{at}", **mended))
    yield
    assert [part.ends(f"meant{at}") for at in range(len(LOST))] == [[SENT]] * len(LOST)


def test_the_rejects_of_a_file_that_is_still_open_can_be_confirmed(
    root: Root, api: SandboxHandle
) -> None:
    drop_alone(root, "monday", ROAD)
    api.set_faults(fail_rate=1.0, fail_status=(401,))
    drop_alone(root, "tuesday", [("A1", "X1", "Delivered"), ("A3", "Z1", "Delivered")])
    root.drop("meant.csv", came_back(root, "tuesday", _reject_codes="CONFIRMED"))
    root.once()
    assert root.of("tuesday").counts == {"rejected": 1, "unsent": 1}
    api.set_faults(fail_rate=0.0)
    root.once()
    assert ends(root, "meant") == [SENT]


@together
def test_a_long_awb_is_the_same_parcel_in_both_files(part: Part) -> Iterator[None]:
    long = "X" + "1234567890" * 7
    found = yield from both(part, [((long, "In Transit"), (f" '{long} ", "Delivered"))], WITH_AWB)
    assert found == [SENT]


def test_a_retry_looks_at_what_later_files_say_of_the_orders_parcels(
    root: Root, api: SandboxHandle
) -> None:
    late = "27-11-2026 18:00"
    header = (*WITH_AWB, "Event Time")
    first = [
        ("A1", "X1", "Delivered", "27-11-2026 10:00"),
        ("A2", "X2", "Delivered", "27-11-2026 10:00"),
        ("A3", "X3", "Delivered", "27-11-2026 10:00"),
        ("A4", "140004", "Delivered", "27-11-2026 10:00"),
    ]
    api.set_faults(fail_rate=1.0, fail_status=(503,))
    drop_alone(root, "monday", first, header)
    assert root.run("cancel", root.of("monday").id).code == 0
    root.once()
    api.set_faults(fail_rate=0.0)
    assert root.of("monday").counts == {"unsent": 4}
    since = [("A1", "Y1", "In Transit", late), ("A2", "X2", "Undelivered", late)]
    drop_alone(root, "tuesday", [*since, ("", "140004", "RTO", late)], header)
    assert root.run("retry", root.of("monday").id).code == 3
    assert ends(root, "monday") == [PARCELS, TAKEN_BACK, SENT, TAKEN_BACK]
    assert list(api.orders()) == ["A3"]
    assert '"Y1"' in root.of("monday").lines()[0]["message"]


def test_a_file_that_rested_looks_at_what_later_files_say_when_it_goes_on(
    root: Root, api: SandboxHandle
) -> None:
    late = "27-11-2026 18:00"
    header = (*WITH_AWB, "Event Time")
    api.set_faults(fail_rate=1.0, fail_status=(401,))
    first = [(f"A{at}", f"X{at}", "Delivered", "27-11-2026 10:00") for at in (1, 2, 3)]
    drop_alone(root, "monday", first, header)
    assert root.of("monday").counts == {"unsent": 3}
    drop_alone(root, "alone", [("A4", "X4", "Delivered", "27-11-2026 10:00")], header)
    since = [
        ("A4", "Y4", "In Transit", late),
        ("A1", "Y1", "In Transit", late),
        ("A2", "X2", "Undelivered", late),
    ]
    drop_alone(root, "tuesday", since, header)
    api.set_faults(fail_rate=0.0)
    root.once()
    assert ends(root, "monday") == [PARCELS, TAKEN_BACK, SENT]
    assert ends(root, "alone") == [PARCELS]
    assert list(api.orders()) == ["A3"]


@together
def test_files_that_are_planned_together_know_of_each_others_parcels(part: Part) -> Iterator[None]:
    part.drop_rows("1 monday", ROAD, WITH_AWB)
    part.drop_rows("2 tuesday", [("A1", "X1", "Delivered"), ("A2", "X9", "Delivered")], WITH_AWB)
    yield
    assert part.ends("2 tuesday") == [PARCELS, SENT]
    assert (part.sent("A1"), part.sent("A2")) == ([], ["delivery_done"])
