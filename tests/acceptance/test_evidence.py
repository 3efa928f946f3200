"""What a file says elsewhere about the way of its shipments holds the updates it speaks against."""

import io
from collections.abc import Iterator, Sequence

import openpyxl

from tests.acceptance.harness import Root, sheet
from tests.acceptance.stories import Part, together

STATUSES = ("Delivered", "RTO Delivered", "Return Delivered")


HELD = ("rejected", "STATUS_AMBIGUOUS:status")
SENT = ("accepted", "")

Column = tuple[str, Sequence[str]]


def drop_deliveries(part: Part, columns: Sequence[Column]) -> dict[str, str]:
    """Drop a file of deliveries for each column beside the status; heading → the file's stem."""
    for number, (heading, cells) in enumerate(columns):
        rows = [(f"A{number}B{at}", "Delivered", cell) for at, cell in enumerate(cells)]
        part.drop_rows(f"day{number}", rows, ("Order ID", "Status", heading))
    return {heading: f"day{number}" for number, (heading, _) in enumerate(columns)}


DIRECTIONS = (
    ("Direction", ("Forward", "RTO", "Reverse")),
    ("Shipment Type", ("ChunkBody", "RTO", "Return Shipment")),
    ("Order Type", ("Prepaid", "RTO Prepaid", "Reverse COD")),
    ("Leg", ("fwd", "Return to Origin", "rvp")),
    ("Type", ("Surface", "RTS", "Customer Return")),
    ("Kya hua", ("Forward", "RTO", "Reverse Pickup")),
    ("Is RTO", ("No", "Yes", "1")),
    ("RTO Flag", ("N", "Y", "TRUE")),
    ("RVP", ("", "Yes", "true")),
    ("Forward/Reverse", ("Forward", "Reverse", "Reverse")),
    ("RTO AWB", ("-", "3600009635085", "3600009739814")),
    ("RTO Delivered Date", ("0000-00-00", "27-11-2026", "28-11-2026")),
    ("Return ID", ("", "501", "502")),
    ("rtoFlag", ("false", "true", "TRUE")),
    ("Movement", ("F", "R", "R")),
    ("Product", ("Surface", "Reverse", "RTO Surface")),
    ("Bucket", ("Forward", "RTO", "Customer Return")),
    ("Delivered To", ("Customer", "Seller", "Shipper (origin)")),
)


@together
def test_a_direction_in_a_column_that_is_no_direction_holds_deliveries(
    part: Part,
) -> Iterator[None]:
    files = drop_deliveries(part, DIRECTIONS)
    yield
    found = {heading: part.ends(name) for heading, name in files.items()}
    assert found == {heading: [SENT, HELD, HELD] for heading in files}
    for heading, name in files.items():
        assert heading in part.of(name).lines()[1]["message"]


@together
def test_what_agrees_with_a_direction_is_sent(part: Part) -> Iterator[None]:
    ways = ("Forward", "RTO", "Reverse")
    rows = [(f"A{at}", *each) for at, each in enumerate(zip(STATUSES, ways, strict=True))]
    part.drop_rows("day", rows, header=("Order ID", "Status", "Leg"))
    yield
    assert part.ends("day") == [SENT] * 3


HARMLESS = (
    ("Product Type", ("T-Shirt", "Kurta", "Return Gift Box")),
    ("Order Type", ("Prepaid", "COD", "Prepaid")),
    ("Shipment Type", ("ChunkBody", "Document", "ChunkBody")),
    ("Type", ("Surface", "Air", "")),
    ("RTO AWB", ("", "N/A", "-")),
    ("Is RTO", ("No", "0", "FALSE")),
    ("Remarks", ("asked for a return", "RTO", "Return")),
    ("City", ("Return Nagar", "Pune", "Rtoli")),
    ("RTO Risk", ("High", "Low", "High")),
    ("Return Address", ("12 MG Road", "12 MG Road", "12 MG Road")),
    ("RTO Charges", ("0.00", "45.50", "")),
    ("Is Returnable", ("Yes", "Yes", "No")),
    ("Return By Date", ("05-12-2026", "06-12-2026", "07-12-2026")),
    ("Return Expiry Date", ("05-12-2026", "06-12-2026", "")),
    ("Return Facility Code", ("RF01", "RF01", "RF02")),
    ("RTO Vendor ID", ("V1", "V1", "V1")),
    ("Return Allowed", ("Yes", "Yes", "No")),
    ("RTO Protection", ("Yes", "No", "Yes")),
    ("Return Label", ("Yes", "No", "Yes")),
    ("No of Returns", ("0", "1", "0")),
    ("Past RTO", ("No", "Yes", "No")),
    ("RVP Serviceable", ("Yes", "Yes", "No")),
    ("Delivered To", ("Self", "Guard", "Neighbour")),
    ("Leg", ("Last Mile", "First Mile", "Last Mile")),
    ("Gender", ("F", "R", "M")),
)


@together
def test_harmless_columns_hold_nothing(part: Part) -> Iterator[None]:
    files = drop_deliveries(part, HARMLESS)
    yield
    found = {heading: part.ends(name) for heading, name in files.items()}
    assert found == {heading: [SENT] * 3 for heading in files}


@together
def test_a_tab_that_names_a_direction_holds_deliveries(part: Part) -> Iterator[None]:
    book = openpyxl.Workbook()
    for at, name in enumerate(("Forward", "RTO", "Reverse Pickup")):
        tab = book.create_sheet(name)
        tab.append(("Order ID", "Status"))
        tab.append((f"TAB{at}", "Delivered"))
    tab.append(("TAB3", "Picked Up"))
    tab.append(("TAB4", "In Transit"))
    del book["Sheet"]
    data = io.BytesIO()
    book.save(data)
    part.drop("tabs.xlsx", data.getvalue())
    yield
    assert part.ends("tabs") == [SENT, *[HELD] * 4]
    _, rto, *back = (line["message"] for line in part.of("tabs").lines())
    assert 'the tab "RTO"' in rto
    assert 'such as "RTO Delivered". If the customer has it, tick' in rto
    # A customer's return is no RTO, and nobody has a parcel that was only picked up.
    assert all('"Return Picked Up" or "Return Delivered"' in each for each in back)
    assert not any("RTO" in each for each in back)
    assert ["the customer has it" in each for each in back] == [True, False, False]
    advised = openpyxl.load_workbook(part.of("tabs").path("rejects.xlsx"))
    rows = list(advised.worksheets[0].iter_rows(min_row=2))
    said = ("RTO Delivered", "Return Delivered", "Return Picked Up", "Return Picked Up")
    for row, status in zip(rows, said, strict=True):
        row[-1].value = status
    data = io.BytesIO()
    advised.save(data)
    part.drop("done as told.xlsx", data.getvalue())
    yield
    assert part.ends("done as told") == [SENT] * 4


_TOLD = {
    # These were suggested ("Did you mean") and came back as unclear.
    ("Return", ""): 'such as "Picked Up" or',
    ("Returned", ""): '"RTO Delivered" or "Return Delivered".',
    ("RTO", ""): '"RTO Delivered" or "RTO Initiated".',
    ("Dispatched", ""): 'such as "Picked Up" or "Out For Delivery" or',
    ("Delivered", "No"): "If that is so, write what happened. If it is wrong",
}


@together
def test_what_is_to_be_written_instead_is_a_status_that_is_taken(part: Part) -> Iterator[None]:
    rows = [(f"T{at}", *cells) for at, cells in enumerate(_TOLD)]
    part.drop_rows("day", rows, ("Order ID", "Status", "Delivery Done?"))
    yield
    for line, told in zip(part.of("day").lines("rejects.csv"), _TOLD.values(), strict=True):
        assert told in line["_reject_message"]


@together
def test_a_title_above_a_table_holds_deliveries_below_it(part: Part) -> Iterator[None]:
    text = (
        "FORWARD,\nOrder ID,Status\nA1,Delivered\n,\nREVERSE SHIPMENTS,\nOrder ID,Status\n"
        "A2,Delivered\nRTO,\nA3,Delivered\nA4,RTO Delivered\nFORWARD,\nA5,Delivered\n"
    )
    part.drop("day.csv", text)
    yield
    found = {line["order_id"]: line["outcome"] for line in part.of("day").lines()}
    assert [found[f"A{at}"] for at in range(1, 6)] == [
        "accepted",
        "rejected",
        "rejected",
        "accepted",
        "accepted",
    ]
    # Who is only told to write RTO Delivered does so for parcels that were delivered.
    advice = openpyxl.load_workbook(part.of("day").path("rejects.xlsx"))["What to fix"]
    (held,) = [row for row in advice.iter_rows(values_only=True) if row[3] == "Delivered"]
    assert "CONFIRMED" in held[5]
    assert "If the customer has it, tick the row" in held[8]


@together
def test_a_title_in_the_column_of_the_statuses_holds_deliveries_below_it(
    part: Part,
) -> Iterator[None]:
    text = "Status,Order ID\nDelivered,E1\n,\nRTO SHIPMENTS,\nDelivered,E2\nUndelivered,\n"
    part.drop("day.csv", f"{text}Delivered,E3\nForward,\nDelivered,E4\n")
    yield
    found = {line["order_id"]: line["outcome"] for line in part.of("day").lines()}
    assert [found[f"E{at}"] for at in range(1, 5)] == ["accepted", *["rejected"] * 2, "accepted"]


@together
def test_a_file_name_that_names_a_direction_holds_deliveries(part: Part) -> Iterator[None]:
    names = {"RTO_delivered": HELD, "reverse pickup mis": HELD, "non-rto": SENT, "day": SENT}
    names |= {"RTO delivered & lost": HELD, "Delivered_RTO": HELD, "RTO and RVP": HELD}
    of_both = ("Delivery & RTO MIS", "all_status_incl_rto", "MIS with RTO", "RTO_and_Delivered")
    names |= dict.fromkeys((*of_both, "Returns & Deliveries", "RTO Rate Nov"), SENT)
    apart = ("RTO28Nov", "rto28", "28NovRTO", "ReverseMIS", "RTOreport", "deliveryRTO", "RVPlist")
    names |= dict.fromkeys((*apart, "returnsNov", "ReturnedToSeller", "revpickup_2"), HELD)
    names |= dict.fromkeys(("B2S_28Nov", "R2S", "C2S_29", "Retun_28", "Retrun", "reverce"), HELD)
    names |= dict.fromkeys(("B2B_28", "S2C_29", "Revenue", "Reverie", "Reserve", "Revised 2"), SENT)
    names |= dict.fromkeys(("Retail28", "MTRTO9", "Artoo28Nov", "ReversoShop", "MISreport"), SENT)
    # A courier's name in it is no profile's word for it.
    names |= dict.fromkeys(("bluedart_rto_28Nov", "xpressbees reverse pickup"), HELD)
    names |= dict.fromkeys(("bluedart_28Nov", "ekart MIS"), SENT)
    for at, name in enumerate(names):
        part.drop_rows(name, [(f"A{at}", "Delivered")])
    yield
    assert {name: part.ends(name) for name in names} == {n: [end] for n, end in names.items()}


@together
def test_a_folder_that_names_a_direction_holds_deliveries(part: Part) -> Iterator[None]:
    told = [("A1", "Delivered", "Forward")]
    part.drop_rows("told", told, ("Order ID", "Status", "Leg"), folder="rto")
    part.drop_rows("day", [("A2", "Delivered"), ("A3", "RTO Delivered")], folder="rto")
    part.drop_rows("mis", [("A4", "Delivered")], folder="Reverse pickups")
    own = part.courier("acme-returns", '[statuses]\ndelivery_done = ["Delivered"]\n')
    part.drop_rows("own", [("A5", "Delivered")], folder=own)
    yield
    assert part.ends("told") == [SENT]
    assert part.ends("day") == [HELD, SENT]
    assert part.ends("mis") == [HELD]
    assert part.ends("own") == [SENT]
    assert "its folder" in part.of("day").lines()[0]["message"]


@together
def test_a_file_name_says_nothing_beside_a_direction_column(part: Part) -> Iterator[None]:
    rows = [("A1", "Delivered", "Forward"), ("A2", "Delivered", "")]
    part.drop_rows("rto", rows, header=("Order ID", "Status", "Direction"))
    yield
    assert part.ends("rto") == [SENT] * 2


@together
def test_a_file_that_is_called_after_a_column_says_nothing_by_its_name(
    part: Part,
) -> Iterator[None]:
    """The column tells the rows apart: one without an RTO AWB was delivered."""
    header = ("Order ID", "AWB No", "RTO AWB", "Status")
    rows = [("A1", "4601", "", "Delivered"), ("A2", "4602", "46302", "Delivered")]
    part.drop_rows("rto_awb", rows, header=header)
    other = [("A3", "4603", "", "Delivered"), ("A4", "4604", "46304", "Delivered")]
    part.drop_rows("RTO-awb report rto", other, header=header)
    yield
    assert part.ends("rto_awb") == [SENT, HELD]
    assert part.ends("RTO-awb report rto") == [HELD, HELD]


@together
def test_a_file_name_counts_beside_an_rto_awb_that_is_empty(part: Part) -> Iterator[None]:
    header = ("Order ID", "Status", "RTO AWB", "Is RTO")
    rows = [("A1", "RTO Delivered", "46001", ""), ("A2", "Delivered", "", "")]
    part.drop_rows("Return mis", [*rows, ("A7", "Picked", "46002", "")], header=header)
    blank = [("A5", "Delivered", "", ""), ("A6", "RTO Delivered", "", "")]
    part.drop_rows("rto blank", blank, header=(*header[:3], "Is Reverse"))
    told = [("A3", "RTO Delivered", "46003", "Yes"), ("A4", "Delivered", "", "No")]
    part.drop_rows("rto mis", told, header=header)
    yield
    assert part.ends("Return mis") == [SENT, HELD, HELD]
    assert part.ends("rto mis") == [SENT, SENT]
    assert part.ends("rto blank") == [HELD, SENT]


@together
def test_a_second_awb_that_is_none_says_nothing_of_the_way_back(part: Part) -> Iterator[None]:
    header = ("Order Number", "AWB Number", "Status Code", "Product Type", "ref_awb")
    odd = ("2026-11-26 06:00:44", "20-11-2026", "0.5", "Prepaid")
    for number, cell in enumerate(odd):
        rows = [
            (f"A{number}-{at}", f"36{number}{at}", "999", "ppd", awb)
            for at, awb in enumerate((cell, f"3600000{number}", "-"))
        ]
        part.drop_rows(f"day{number}", rows, header, folder="ecomexpress")
    yield
    for number, cell in enumerate(odd):
        assert part.ends(f"day{number}") == [HELD, SENT, SENT], cell
        lines = part.of(f"day{number}").lines()
        sent = [line["order_status"] for line in lines[1:]]
        assert sent == ["rto_bag_delivered", "delivery_done"], cell
        assert '"ref_awb"' in lines[0]["message"]


@together
def test_a_profile_can_say_that_a_column_and_a_file_name_mean_nothing(part: Part) -> Iterator[None]:
    says = f'nothing = ["Leg", "{part.tag} rto*"]\n[statuses]\ndelivery_done = ["Delivered"]\n'
    acme, rows = part.courier("acme", says), [("A1", "Delivered", "RTO")]
    part.drop_rows("rto", rows, ("Order ID", "Status", "Leg"), folder=acme)
    yield
    assert part.ends("rto") == [SENT]


TWO_STATUSES = (
    ("Status", "Current Status"),
    ("Status", "Shipment Status"),
    ("Delivery Status", "Order Status"),
    ("Status", "Latest Courier Status"),
    ("Status", "Last Event"),
)


@together
def test_two_status_columns_that_disagree_hold_their_row(part: Part) -> Iterator[None]:
    seconds = ("Delivered", "RTO Delivered", "In Transit", "Return Delivered", "", "n/a", "RTO")
    for number, headings in enumerate(TWO_STATUSES):
        rows = [(f"A{number}B{at}", "Delivered", second) for at, second in enumerate(seconds)]
        rows.append((f"A{number}B7", "In Transit", "Delivered"))
        part.drop_rows(f"day{number}", rows, header=("Order ID", *headings))
    yield
    for number, headings in enumerate(TWO_STATUSES):
        found = part.ends(f"day{number}")
        assert found == [SENT, HELD, HELD, HELD, SENT, SENT, HELD, HELD], headings
        message = part.of(f"day{number}").lines()[1]["message"]
        assert '"RTO Delivered"' in message
        assert all(heading in message for heading in headings)


NO_SECOND_STATUS = (
    ("Previous Status", ("Picked Up", "In Transit", "In Transit")),
    ("Payment Status", ("Delivered", "Returned", "RTO")),
    ("Pickup Status", ("Picked Up", "Picked Up", "Picked Up")),
    ("NDR Status", ("Undelivered", "", "")),
    ("Notification Status", ("Undelivered", "Failed", "")),
    ("1st Attempt Status", ("Undelivered", "Delivered", "")),
    ("Yesterday Status", ("In Transit", "In Transit", "In Transit")),
    ("Order Status", ("Processing", "Completed", "Confirmed")),
    ("Status Code", ("6", "7", "7")),
    ("Internal Notes", ("RTO", "Undelivered", "RTO")),
    ("Docs", ("Manifested", "Manifested", "Manifested")),
    ("City", ("Delivered Nagar", "Pune", "RTO Colony")),
)


@together
def test_what_is_no_second_status_holds_nothing(part: Part) -> Iterator[None]:
    files = drop_deliveries(part, NO_SECOND_STATUS)
    yield
    found = {heading: part.ends(name) for heading, name in files.items()}
    assert found == {heading: [SENT] * 3 for heading in files}


@together
def test_few_scans_of_a_parcel_that_is_still_on_its_way_hold_its_delivery(
    part: Part,
) -> Iterator[None]:
    rows = [("A1", "Delivered", "Undelivered"), ("A2", "In Transit", "In Transit")]
    for heading in ("Last Event", "Last Scan", "Stage"):
        part.drop_rows(heading, rows, header=("Order ID", "Status", heading))
    yield
    for heading in ("Last Event", "Last Scan", "Stage"):
        assert part.ends(heading) == [HELD, ("ignored", "NO_MILESTONE:status")]


@together
def test_a_status_in_words_beside_codes_with_a_type_is_compared(part: Part) -> Iterator[None]:
    header = ("Ref No", "Waybill No", "Scan Group", "Scan Code", "Stage")
    ways = ("RTO Delivered", "Delivered")
    rows = [(f"A{at}", f"36{at}", "T", "118", ways[at == 4]) for at in range(5)]
    part.drop_rows("day", rows, header=header, folder="bluedart")
    words = (("Delivered", "true"), ("Picked Up", "true"), ("Delivered", "false"))
    rows = [(f"B{at}", "8", *each) for at, each in enumerate(words)]
    header = ("Order ID", "Clickpost Status Code", "Clickpost Status", "Is RVP")
    part.drop_rows("back", rows, header=header, folder="clickpost")
    header = ("Ref No", "Waybill No", "Status", "Status Code")
    scans = (("SHIPMENT DELIVERED", "000"), ("SHIPMENT IN TRANSIT", "003"), ("", "003"))
    scans += (("SHIPMENT DELIVERED", "T-118"), ("Gaya", "000"))
    rows = [(f"C{at}", f"37{at}", *each) for at, each in enumerate(scans)]
    part.drop_rows("halves", rows, header=header, folder="bluedart")
    yield
    ends = [outcome for outcome, _ in part.ends("halves")]
    assert ends == ["accepted", "ignored", "rejected", "accepted", "rejected"]
    assert part.ends("day") == [SENT] * 4 + [HELD]
    back = part.ends("back")
    assert back[0] != HELD, "8 and Delivered of a return are the same status"
    assert back[1:] == [HELD, SENT]


_PACKAGE, _TRACKED = "Shipping Package Status Code", "Shipping Tracking Status"

#: A courier, two of its headings of statuses, what stands there, and how the row ends.
ORDERED = (
    ("unicommerce", _PACKAGE, _TRACKED, "DELIVERED", "Shipped", SENT),
    ("unicommerce", _PACKAGE, _TRACKED, "SHIPPED", "Delivered", SENT),
    ("unicommerce", _PACKAGE, _TRACKED, "SHIPPED", "In Transit", SENT),
    ("unicommerce", _PACKAGE, _TRACKED, "DELIVERED", "", SENT),
    ("unicommerce", _PACKAGE, _TRACKED, "DELIVERED", "RETURNED", HELD),
    ("unicommerce", _PACKAGE, _TRACKED, "DELIVERED", "RTO Delivered", HELD),
    ("unicommerce", _PACKAGE, _TRACKED, "DELIVERED", "In Transit", SENT),
    ("unicommerce", _PACKAGE, _TRACKED, "DISPATCHED", "Not picked", HELD),
    ("bluedart", "Status", "Current Status", "SHIPMENT DELIVERED", "Delivered", SENT),
    ("bluedart", "Status", "Current Status", "SHIPMENT DELIVERED", "RTO Initiated", HELD),
    ("bluedart", "Status", "Current Status", "SHIPMENT DELIVERED", "Undelivered", HELD),
    ("ecomexpress", "Status", "Current Status", "999", "RTO Initiated", HELD),
    ("ecomexpress", "Status", "Current Status", "999", "Delivered", SENT),
)


@together
def test_columns_that_a_courier_orders_come_to_one_end(part: Part) -> Iterator[None]:
    for at, (folder, one, other, *cells, _) in enumerate(ORDERED):
        header = ("Sale Order Code" if folder == "unicommerce" else "Order ID", one, other)
        part.drop_rows(f"day{at}", [(f"O{at}", *cells)], header=header, folder=folder)
    yield
    found = [(*each[:-1], *part.ends(f"day{at}")) for at, each in enumerate(ORDERED)]
    assert found == [*ORDERED]


@together
def test_a_profile_of_ones_own_says_which_of_its_status_columns_says_nothing(
    part: Part,
) -> Iterator[None]:
    text = 'nothing = ["Current Status"]\n[headers]\nstatus = ["Scan", "Current Status"]\n'
    text += '[statuses]\ndelivery_done = ["OK"]\nrto_bag_delivered = ["BACK"]\n'
    acme = part.courier("acme", text)
    header = ("Order ID", "Current Status", "Scan", "Last Leg")
    rows = [("A1", "BACK", "OK", ""), ("A2", "BACK", "OK", "BACK")]
    part.drop_rows("day", rows, header, folder=acme)
    part.drop_rows("other", rows, ("Order ID", "Status", "Scan", "Last Leg"), folder=acme)
    yield
    assert part.ends("day") == [SENT, HELD]
    assert part.ends("other") == [HELD, HELD]


HEADED_TWICE = (
    "Order ID,AWB,Status,,Remarks\n,,Previous,Current,\nA1,1,Picked Up,Delivered,\n",
    "Order ID,Status,Status\n,Previous,Current\nA1,Picked Up,Delivered\n",
    "Order ID,Status,Remarks\n,Old Status,\nA1,Delivered,\n",
    "Order ID,Status,Dates,,\n,,Pickup,Delivery,Promised\nA1,Delivered,,,\n",
    "Order ID,Status,,Remarks\n,Forward,RTO,\nA1,Delivered,,\n",
)


@together
def test_headings_in_two_rows_are_refused(part: Part) -> Iterator[None]:
    for at, text in enumerate(HEADED_TWICE):
        part.drop(f"day{at}.csv", text)
    yield
    for at, text in enumerate(HEADED_TWICE):
        refused = part.of(f"day{at}").summary["refused"]
        assert refused["code"] == "HEADER_AMBIGUOUS", text
        assert "1 and 2" in refused["message"], text


@together
def test_a_row_without_an_id_below_the_header_is_data(part: Part) -> Iterator[None]:
    firsts = ("A0,Delivered,,", ",Delivered,Pune,", "B0,,,", ",RTO,,", ",Shiped,,", "RTO,,,")
    for at, first in enumerate(firsts):
        text = f"Order ID,Status,City,\n{first}\nC{at},RTO Delivered,Pune,\n"
        part.drop(f"day{at}.csv", text)
    yield
    for at, first in enumerate(firsts):
        assert part.of(f"day{at}").lines()[-1]["outcome"] == "accepted", first


@together
def test_a_hidden_column_stands_back_and_is_told(part: Part) -> Iterator[None]:
    for first in (1, 3):
        book = openpyxl.Workbook()
        tab = book.active
        row = (part.order(f"A{first}"), "Delivered", "RTO Delivered")
        for at, cells in enumerate((("Order ID", "Status", "Current Status"), row), start=1):
            for column, cell in enumerate(cells, start=first):
                tab.cell(row=at, column=column, value=cell)
        tab.column_dimensions[openpyxl.utils.get_column_letter(first + 1)].hidden = True
        data = io.BytesIO()
        book.save(data)
        part.drop(f"book{first}.xlsx", data.getvalue())
    yield
    for first in (1, 3):
        (line,) = part.of(f"book{first}").lines()
        assert (line["order_status"], line["outcome"]) == ("rto_bag_delivered", "accepted")
        warnings = part.of(f"book{first}").summary["warnings"]
        (told,) = (each for each in warnings if each["code"] == "HIDDEN_COLUMN")
        assert '"Status"' in told["message"]
    archived = next(part.root.path.rglob(f"{part.tag} book3.xlsx"))
    assert "HIDDEN_COLUMN" in part.root.run("check", archived).out


@together
def test_a_hidden_column_has_no_twin_in_one_without_a_heading(part: Part) -> Iterator[None]:
    book = openpyxl.Workbook()
    tab = book.active
    tab.append(("Order ID", "Status", "EDD", "", "Location"))
    tab.append(("H1", "Delivered", "2026-11-30", "seen", "Pune"))
    for letter in "CE":
        tab.column_dimensions[letter].hidden = True
    data = io.BytesIO()
    book.save(data)
    part.drop("book.xlsx", data.getvalue())
    yield
    assert part.ends("book") == [SENT]


@together
def test_a_table_of_returns_is_held_whatever_its_status_is_called(part: Part) -> Iterator[None]:
    couriers = {"acme": "Status", "bolt": "Package Status", "crow": "Current Status"}
    for name, heading in couriers.items():
        text = f'[headers]\nstatus = ["{heading}"]\n[statuses]\n'
        words = 'delivery_done = ["Delivered"]\nbag_picked = ["Picked Up"]\n'
        own = part.courier(name, text + words)
        header = ("Return_ID", "Order_ID", heading, "return_action")
        rows = [("501", f"{own}1", "Delivered", "Refund"), ("502", f"{own}2", "Picked Up", "")]
        part.drop(f"day {name}.csv", sheet(rows, header=header), folder=own)
    yield
    for name, heading in couriers.items():
        assert part.ends(f"day {name}") == [HELD] * 2, heading


def test_check_tells_what_spoke_and_which_columns_say_nothing(root: Root) -> None:
    header = ("Order ID", "Status", "Leg", "Current Status", "City", "Status Date")
    row = ("A1", "Delivered", "Forward", "Delivered", "Pune", "2026-11-28")
    file = root.path / "day.csv"
    file.write_text(sheet([row], header=header), encoding="utf-8")
    told = root.run("check", file).out
    assert 'direction from: the column "Leg"' in told
    assert "Leg (evidence of the direction)" in told
    assert "Current Status (evidence of the status)" in told
    assert "columns not read: City;" in told
    assert "Status Date → event_time" in told
    (columns,) = root.run("check", "--json", file).json[0]["columns"]
    assert columns["heard"] == {
        'the column "Leg"': "direction",
        'the column "Current Status"': "status",
    }
    file.write_text(sheet([("A1", "Delivered")]), encoding="utf-8")
    assert "the file shows none" in root.run("check", file).out


AGAINST = ("RTO done - seller", "Return completed", "Cancelled", "Lost in hub", "Undelivered: shut")


@together
def test_unknown_words_of_a_second_status_hold_what_they_speak_against(
    part: Part,
) -> Iterator[None]:
    headings = ("Current Status", "Courier Status Text", "Status Description")
    files = drop_deliveries(part, [(each, (*AGAINST, "Completed", "OK")) for each in headings])
    yield
    found = {heading: part.ends(name) for heading, name in files.items()}
    assert found == {heading: [HELD] * len(AGAINST) + [SENT] * 2 for heading in files}


@together
def test_a_profile_can_say_that_a_second_status_means_nothing(part: Part) -> Iterator[None]:
    words = 'delivery_done = ["Delivered"]\nrto_bag_delivered = ["RTO Delivered"]\n'
    acme = part.courier("acme", f'nothing = ["Current Status"]\n[statuses]\n{words}')
    header = ("Order ID", "Status", "Current Status")
    part.drop_rows("day", [("A1", "Delivered", "RTO Delivered")], header, folder=acme)
    yield
    assert part.ends("day") == [SENT]
