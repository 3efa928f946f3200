"""Which column is the order id: a wrong one would report other people's orders."""

import io
from collections.abc import Iterator, Sequence

import openpyxl

from tests.acceptance.harness import sheet
from tests.acceptance.stories import Part, together


def sent(part: Part, name: str) -> list[str]:
    """The ids that the rows of a drop were sent with."""
    return [line["order_id"] for line in part.of(name).lines() if line["outcome"] == "accepted"]


HEADINGS = (
    (("shipment_id", "order_code"), 1),
    (("Reference No", "Order #"), 1),
    (("Ref No", "Shipment ID", "Parent Order ID"), 2),
    (("Sale Order No", "Shipment ID"), 0),
    (("Sale OrderNo", "Shipment ID"), 0),
    (("Reference No", "Channel Order ID"), 1),
    (("Order Item ID", "Order Id.1"), 1),
    (("Sub Order", "Channel Order ID", "Order ID"), 2),
    (("Order Ref", "Invoice No", "Shipment ID"), 0),
    (("Order Serial No", "Shipment ID"), 1),
    (("Order Priority Code", "Reference No"), 1),
)
"""Headings, and which of them is the order id's."""


@together
def test_names_with_order_go_before_shipments_and_references(part: Part) -> Iterator[None]:
    ids = {}
    for number, (headings, own) in enumerate(HEADINGS):
        rows = [[f"{each[:2]}{number}{at}" for each in headings] for at in range(3)]
        text = sheet([(*row, "Delivered") for row in rows], header=(*headings, "Status"))
        part.drop(f"day{number}.csv", text)
        ids[headings] = [row[own] for row in rows]
    yield
    found = {headings: sent(part, f"day{n}") for n, (headings, _) in enumerate(HEADINGS)}
    assert found == ids


RIVALS = (
    ("Orders ID", "Order IDs"),
    ("Order ID", "Order No"),
    ("Order ID", "Fynd Order No"),
    ("Fynd Order ID", "Order ID"),
    ("Sale Order No", "Channel Order ID"),
    ("Sub Order", "Order Number"),
    ("Reference No", "Shipment ID"),
    ("Order Code", "Order #"),
    ("Shipment ID", "Order"),
    ("Reference No", "Sale Order"),
    ("Reference No", "Ordr ID"),  # misspelt
    ("Reference No", "Order IéD"),  # a stray byte in it
    ("Shipment ID", "Oder Number"),
    ("Order No", "Ordr ID"),
    ("Order ID", "Correct Order ID"),
    ("Order ID", "New Order No"),
    ("Order No", "Fynd Shipment ID"),
    ("Order ID", "Fynd ID"),
    ("Order ID", "Order ID.1"),  # as programs name a second one
    ("Order ID", "Order ID2"),
    ("Order ID", "orders.Order ID"),
)


#: Cells of Order No and of Sub Order, which is none where one number stands for all orders.
SUB_ORDERS = (
    ((("FYD1", "1"), ("FYD2", "1"), ("FYD3", "")), ["FYD1", "FYD2", "FYD3"]),
    ((("FYE1", "1"), ("FYE2", "2")), None),
    ((("FYF1", "1"),), None),
    ((("77", "7788"), ("78", "7788")), None),
)


@together
def test_two_columns_that_could_be_the_order_id_and_differ_are_refused(
    part: Part,
) -> Iterator[None]:
    rows = [("A1", "A1", "Delivered"), ("A2", "", "Delivered"), ("A3", "B3", "Delivered")]
    for number, headings in enumerate(RIVALS):
        part.drop(f"day{number}.csv", sheet(rows, header=(*headings, "Status")))
    for number, (cells, _) in enumerate(SUB_ORDERS):
        text = sheet([(*each, "Delivered") for each in cells], ("ORDER NO", "SUB ORDER", "Status"))
        part.drop(f"sub{number}.csv", text)
    yield
    for number, (cells, ids) in enumerate(SUB_ORDERS):
        if ids:
            assert sent(part, f"sub{number}") == ids
        else:
            refused = part.of(f"sub{number}").summary["refused"]
            assert refused["code"] == "ID_COLUMN_AMBIGUOUS", cells
    for number, headings in enumerate(RIVALS):
        refused = part.of(f"day{number}").summary["refused"]
        assert refused is not None, headings
        assert refused["code"] == "ID_COLUMN_AMBIGUOUS", headings
        assert all(f'"{heading}"' in refused["message"] for heading in headings)
        assert all(each in refused["message"] for each in ("row 4", '"A3"', '"B3"'))
        assert "profile" in part.of(f"day{number}").path("REFUSED.txt").read_text("utf-8")


NO_RIVALS = (
    ("Order No", ("A00", " A01 ", "")),
    ("Order Date", ("1-11-2026", "2-11-2026", "3-11-2026")),
    ("Order Type", ("Prepaid", "COD", "COD")),
    ("Order Item ID", ("1", "2", "3")),
    ("Order Line No", ("1", "2", "1")),
    ("Order Total", ("100", "200", "300")),
    ("Channel Order ID", ("C1", "C2", "C3")),
    ("Order", ("1", "2", "3")),
    ("Shipment ID", ("S1", "S2", "S3")),
    ("Reference No", ("R1", "R2", "R3")),
    ("Return Order ID", ("", "", "")),
    ("Order Number 1", ("1", "2", "3")),
    ("Sub Orders", ("1", "2", "1")),
    ("Referece No", ("R1", "R2", "R3")),
    ("RTO AWB,Trackin Number,AWB No", ("1001,1002,W1",) * 3),
)


@together
def test_columns_that_agree_or_are_no_order_ids_are_no_rivals(part: Part) -> Iterator[None]:
    assert NO_RIVALS[0][1][0] == "A00", "the first column has the very ids"
    for number, (heading, cells) in enumerate(NO_RIVALS):
        rows = [(f"A{number}{at}", "Picked Up", cell) for at, cell in enumerate(cells)]
        part.drop(f"day{number}.csv", sheet(rows, header=("Order ID", "Status", heading)))
    yield
    found = {heading: sent(part, f"day{n}") for n, (heading, _) in enumerate(NO_RIVALS)}
    assert found == {
        heading: [f"A{number}{at}" for at in range(3)]
        for number, (heading, _) in enumerate(NO_RIVALS)
    }


OF_OTHERS = (
    ("Channel Order ID", "5001", "FYMP65A1{}", True),
    ("Seller Order ID", "5001", "1732862978486144635{}", True),
    ("Client Order No", "FYMP65A{}", "FYMP66B{}", True),  # both are of the API's kind
    ("Channel Order ID", "FYMP65A{}", "5001{}", False),
    ("Marketplace Order No", "FYMP65A{}", "1732862978486144635{}", False),
    ("Customer Order ID", "SO-{}", "402-1234567-{}", False),
    ("Shipment ID", "1{}", "1732862978486144637{}", True),
    ("Reference No", "OD1001{}", "FYMP67B{}", True),
    ("Shipment ID", "FYMP68A{}", "1732862978486144638{}", False),
    ("Shipment ID", "1732862978486144639{}", "1732862978486144649{}", False),
    ("Reference No", "FYMP69A{}", "FYMP70B{}", False),
)
"""Headings beside Order ID, ids of both, and whether the second may be the API's."""


@together
def test_cells_tell_whether_another_order_id_is_the_one_of_the_api(part: Part) -> Iterator[None]:
    for number, (heading, own, its, _) in enumerate(OF_OTHERS):
        rows = [(own.format(at), its.format(at), "Delivered") for at in range(2)]
        part.drop(f"day{number}.csv", sheet(rows, header=("Order ID", heading, "Status")))
    yield
    for number, (heading, _, _, refused) in enumerate(OF_OTHERS):
        found = part.of(f"day{number}").summary["refused"]
        assert (found["code"] if found else None) == ("ID_COLUMN_AMBIGUOUS" if refused else None), (
            heading
        )
        assert not found or all(f'"{each}"' in found["message"] for each in ("Order ID", heading))


WRONG_IDS = (
    ("AWB", [f"149000000{at:04}" for at in range(30)], True),
    ("Mobile No", [f"98200000{at:02}" for at in range(30)], True),
    ("Pincode", [f"4000{at:02}" for at in range(30)], True),
    ("Payment", ["COD", "Prepaid"] * 15, True),
    ("Contact No", [f"+9198100000{at:02}" for at in range(30)], True),
    ("Sr No", [f"{at}" for at in range(1, 31)], True),
    ("Invoice No", [f"INV{at:04}" for at in range(30)], False),
    ("AWB", [f"148000000{at:04}" for at in range(29)] + [""], False),
    ("AWB", [f"147000000{at:04}" for at in range(19)], False),
    ("Remarks", ["FYNDWARA", *(f"FY{at}" for at in range(29))], False),
)


@together
def test_what_is_never_an_order_id_is_refused(part: Part) -> Iterator[None]:
    for number, (heading, cells, _) in enumerate(WRONG_IDS):
        rows = [(cell.removeprefix("+91") or "FY1", cell, "Delivered") for cell in cells]
        part.drop(f"day{number}.csv", sheet(rows, header=("Order ID", heading, "Status")))
    yield
    for number, (heading, cells, wrong) in enumerate(WRONG_IDS):
        refused = part.of(f"day{number}").summary["refused"]
        assert (refused is not None) == wrong, heading
        if refused is not None:
            assert refused["code"] == "WRONG_COLUMN"
            assert f'"{cells[0].removeprefix("+91")}"' in refused["message"]


NO_ORDER_IDS = (
    *("No of Orders", "Number of Orders", "No. Orders", "Old Order No", "Order Id Old"),
    *("Cancelled Order ID", "Wrong Order ID", "Order ID (wrong)"),
    *("Short Order ID", "Order ID last 6", "Order ID (last 5 digits)"),
    *("Older Order ID", "Border No", "Order Not", "Order Now"),
)


@together
def test_a_count_an_old_id_and_another_word_are_no_order_id(part: Part) -> Iterator[None]:
    for number, heading in enumerate(NO_ORDER_IDS):
        rows = [(f"C{number}{at}", f"W{at}", "Delivered") for at in range(3)]
        part.drop(f"day{number}.csv", sheet(rows, header=(heading, "AWB", "Status")))
    yield
    for number, heading in enumerate(NO_ORDER_IDS):
        refused = part.of(f"day{number}").summary["refused"]
        assert refused is not None, heading
        assert refused["code"] == "HEADER_NOT_FOUND", heading


MESSAGES = (
    ("Mobile,Template,Status,Sent At", "9820000001,order_shipped,Delivered,28-11-2026", True),
    ("SMS ID,Sender ID,Status,DLR Time", "1,FYND,Delivered,28-11-2026", True),
    ("Campaign,Mobile,Status,Clicked", "sale,9820000001,Delivered,", True),
    ("Gift Card Code,Status,Email", "GC1,Delivered,a@example.com", True),
    ("Mobile,Status,Sent At", "9820000001,Read,28-11-2026", True),
    ("Message ID,Recipient,Status", "wamid1,9820000001,Delivered", True),
    ("Mobile,Status,Remarks", "9820000001,Delivered,Read at the gate", False),
    ("AWB No,Template,Status", "W1,order_shipped,Delivered", False),
    ("Courier,SMS,Status", "DTDC,Yes,Delivered", False),
    ("Mobile,Status,Message", "9820000001,Delivered,Left at the gate", False),
    ("SMS Sent,Email,Status", "Yes,a@example.com,Delivered", False),
    ("AWB No,Status", "W1,Read", False),
)
"""Headings beside Order ID, a row, and whether it is of messages to customers."""


@together
def test_a_report_on_messages_is_refused(part: Part) -> Iterator[None]:
    for number, (headings, row, _) in enumerate(MESSAGES):
        made = sheet(
            [("FYM0001", *row.split(",")), ("FYM0002", *row.replace("Read", "Sent").split(","))],
            header=("Order ID", *headings.split(",")),
        )
        part.drop(f"day{number}.csv", made)
    yield
    for number, (headings, _, wrong) in enumerate(MESSAGES):
        refused = part.of(f"day{number}").summary["refused"]
        assert (refused is not None) == wrong, headings
        assert refused is None or refused["code"] == "HEADER_NOT_FOUND"
        assert refused is None or "messages" in refused["message"], headings


@together
def test_a_word_that_no_order_is_called_is_none_beside_any_other(part: Part) -> Iterator[None]:
    rows = [(each, f"W{each}", "Delivered") for each in ("FYSOLE1", "PENDING", "Ravi")]
    part.drop("sole.csv", sheet(rows, header=("Order ID", "AWB", "Status")))
    yield
    assert [codes for _, codes in part.ends("sole")] == ["", "ID_INVALID:order_id", ""]


def rows_of(name: str, last: Sequence[str], count: int = 12) -> list[tuple[str, ...]]:
    """Rows of deliveries, and one more with another id."""
    rows = [(f"FY{name}{at:04}", f"990{at:04}", "Delivered") for at in range(count)]
    return [*rows, *((each, "12", "Delivered") for each in last)]


ODD_IDS = {
    "count": (["12", "4"], True),
    "total": (["Total"], True),
    "word": (["Mumbai", "TBD", "COD"], True),
    "words": (["same", "as above", "pending"], True),
    "date": (["27-11-2026", "5-Nov-26", "2026-11-27"], True),
    "month": (["12-Mar", "Mar-12"], True),
    "months": ([f"Mar-{at}" for at in range(11, 19)], False),
    "numbers": (["9912"], False),  # more than there are rows
    "others": (["AB12CD34", "OD-1002"], False),
    "letters": (["FYABCDEFGHIJK"], False),  # as long as the others
    "double": (["FYDOUBLE0001-FYDOUBLE0002", "FYDOUBLE0001_FYDOUBLE0003"], True),
    "halves": (["FYHALVES0001-FYOTHERS0002", "FYHALVES0001-B"], False),
    "half": ([str(at) for at in range(1, 9)], False),  # no exceptions
}
"""Ids below twelve others: by a name, and whether they are held."""


@together
def test_ids_unlike_all_others_are_none(part: Part) -> Iterator[None]:
    for name, (last, _) in ODD_IDS.items():
        rows = rows_of(name.upper(), last)
        part.drop(f"{name}.csv", sheet(rows, header=("Order ID", "AWB", "Status")))
    yield
    held = ("rejected", "ID_INVALID:order_id")
    for name, (last, odd) in ODD_IDS.items():
        ends = part.ends(name)
        assert ends[:12] == [("accepted", "")] * 12, name
        assert [end == held for end in ends[12:]] == [odd] * len(last), name


_AWBS_FOR_IDS = {
    "awb": (["99C0001", "99C0002"], True),
    "digits": (["149000000001", "149000000002"], True),
    "own": (["FYown0101", "FYown0102"], False),  # delivered by the seller, its id for the AWB
    "other": (["OD-77120001", "OD-77120002"], False),
}
"""AWBs that stand for the order id too, below twelve rows with both, and whether they are held."""


@together
def test_an_awb_in_place_of_the_order_id_is_none(part: Part) -> Iterator[None]:
    for name, (awbs, _) in _AWBS_FOR_IDS.items():
        begin = "99C" if name == "awb" else "1480000"
        rows = [(f"FY{name}{at:04}", f"{begin}{at + 1000}", "Delivered") for at in range(12)]
        rows += [(each, each, "Delivered") for each in awbs]
        part.drop(f"{name}.csv", sheet(rows, header=("Order ID", "AWB", "Status")))
    yield
    held = ("rejected", "ID_INVALID:order_id")
    for name, (_, odd) in _AWBS_FOR_IDS.items():
        ends = part.ends(name)
        assert ends[:12] == [("accepted", "")] * 12, name
        assert [end == held for end in ends[12:]] == [odd] * 2, name


@together
def test_the_counts_of_a_summary_are_no_order_ids(part: Part) -> Iterator[None]:
    book = openpyxl.Workbook()
    tab = book.active
    for row in (("Status", "Order ID"), ("Delivered", 6), ("RTO Delivered", 3), ("Total", 9)):
        tab.append(row)
    data = book.create_sheet("Data")
    for line in (("Order ID", "AWB", "Status"), *rows_of("PIVOT", [])):
        data.append(line)
    out = io.BytesIO()
    book.save(out)
    part.drop("day.xlsx", out.getvalue())
    yield
    assert sent(part, "day") == [line[0] for line in rows_of("PIVOT", [])]
    told = part.of("day").lines()[0]["message"]
    assert '"6" is unlike the other order ids' in told


@together
def test_a_profile_says_which_column_is_the_order_id(part: Part) -> Iterator[None]:
    text = '[headers]\norder_id = ["Order No"]\n[statuses]\ndelivery_done = ["OK"]\n'
    acme = part.courier("acme", text)
    header = ("Order ID", "Order No", "Status")
    part.drop("own.csv", sheet([("A1", "B1", "OK")], header=header), acme)
    yield
    assert sent(part, "own") == ["B1"]


@together
def test_a_hidden_order_id_is_not_passed_over_for_a_shipment_id(part: Part) -> Iterator[None]:
    book = openpyxl.Workbook()
    tab = book.active
    for row in (("Order ID", "Shipment ID", "Status"), ("A1", "S1", "Delivered")):
        tab.append(row)
    tab.column_dimensions["A"].hidden = True
    data = io.BytesIO()
    book.save(data)
    part.drop("day.xlsx", data.getvalue())
    yield
    assert part.of("day").summary["refused"]["code"] == "ID_COLUMN_AMBIGUOUS"


@together
def test_a_misspelt_awb_is_not_passed_over_for_the_one_of_the_way_back(
    part: Part,
) -> Iterator[None]:
    rows = [("A1", "3600001", "", "RTO Initiated"), ("A2", "3600002", "4600002", "RTO Delivered")]
    head = ("Order ID", "Trackig Number", "RTO AWB", "Status")
    part.drop("day.csv", sheet(rows, header=head))
    part.drop("same.csv", sheet([(each[0], each[1], each[1], each[3]) for each in rows], head))
    yield
    refused = part.of("day").summary["refused"]
    assert refused["code"] == "ID_COLUMN_AMBIGUOUS"
    assert all(f'"{heading}"' in refused["message"] for heading in head[1:3])
    assert "could be the AWB" in refused["message"]
    assert part.of("same").summary["refused"] is None
