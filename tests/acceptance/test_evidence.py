"""What a file says elsewhere about the way of its shipments holds the updates it speaks against."""

import io
from collections.abc import Sequence

import openpyxl
import pytest

from tests.acceptance.harness import Root, sheet

STATUSES = ("Delivered", "RTO Delivered", "Return Delivered")


def ends(root: Root, name: str) -> list[tuple[str, str]]:
    """The outcome and codes of each row of a drop."""
    return [(line["outcome"], line["codes"]) for line in root.of(name).lines()]


HELD = ("rejected", "STATUS_AMBIGUOUS:status")
SENT = ("accepted", "")

Column = tuple[str, Sequence[str]]


def drop_deliveries(root: Root, columns: Sequence[Column]) -> dict[str, str]:
    """Drop a file of deliveries for each column beside the status; heading → the file's stem.

    They are taken by one run, and have no order in common.
    """
    for number, (heading, cells) in enumerate(columns):
        rows = [(f"A{number}B{at}", "Delivered", cell) for at, cell in enumerate(cells)]
        root.drop(f"day{number}.csv", sheet(rows, header=("Order ID", "Status", heading)))
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


def test_a_direction_in_a_column_that_is_no_direction_holds_deliveries(root: Root) -> None:
    files = drop_deliveries(root, DIRECTIONS)
    assert root.once().code == 3
    found = {heading: ends(root, name) for heading, name in files.items()}
    assert found == {heading: [SENT, HELD, HELD] for heading in files}
    for heading, name in files.items():
        assert heading in root.of(name).lines()[1]["message"]


def test_what_agrees_with_a_direction_is_sent(root: Root) -> None:
    ways = ("Forward", "RTO", "Reverse")
    rows = [(f"A{at}", *each) for at, each in enumerate(zip(STATUSES, ways, strict=True))]
    root.drop("day.csv", sheet(rows, header=("Order ID", "Status", "Leg")))
    assert root.once().code == 0
    assert ends(root, "day") == [SENT] * 3


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


def test_harmless_columns_hold_nothing(root: Root) -> None:
    files = drop_deliveries(root, HARMLESS)
    assert root.once().code == 0
    found = {heading: ends(root, name) for heading, name in files.items()}
    assert found == {heading: [SENT] * 3 for heading in files}


def test_a_tab_that_names_a_direction_holds_deliveries(root: Root) -> None:
    book = openpyxl.Workbook()
    for at, name in enumerate(("Forward", "RTO", "Reverse Pickup")):
        tab = book.create_sheet(name)
        tab.append(("Order ID", "Status"))
        tab.append((f"A{at}", "Delivered"))
    del book["Sheet"]
    data = io.BytesIO()
    book.save(data)
    root.drop("tabs.xlsx", data.getvalue())
    assert root.once().code == 3
    assert ends(root, "tabs") == [SENT, HELD, HELD]
    assert 'the tab "RTO"' in root.of("tabs").lines()[1]["message"]


def test_a_title_above_a_table_holds_deliveries_below_it(root: Root) -> None:
    text = (
        "FORWARD,\nOrder ID,Status\nA1,Delivered\n,\nREVERSE SHIPMENTS,\nOrder ID,Status\n"
        "A2,Delivered\nRTO,\nA3,Delivered\nA4,RTO Delivered\nFORWARD,\nA5,Delivered\n"
    )
    root.drop("day.csv", text)
    assert root.once().code == 3
    found = {line["order_id"]: line["outcome"] for line in root.of("day").lines()}
    assert [found[f"A{at}"] for at in range(1, 6)] == [
        "accepted",
        "rejected",
        "rejected",
        "accepted",
        "accepted",
    ]


def test_a_title_in_the_column_of_the_statuses_holds_deliveries_below_it(root: Root) -> None:
    text = "Status,Order ID\nDelivered,A1\n,\nRTO SHIPMENTS,\nDelivered,A2\nUndelivered,\n"
    root.drop("day.csv", f"{text}Delivered,A3\nForward,\nDelivered,A4\n")
    assert root.once().code == 3
    found = {line["order_id"]: line["outcome"] for line in root.of("day").lines()}
    assert [found[f"A{at}"] for at in range(1, 5)] == ["accepted", *["rejected"] * 2, "accepted"]


def test_a_file_name_that_names_a_direction_holds_deliveries(root: Root) -> None:
    names = {"RTO_delivered": HELD, "reverse pickup mis": HELD, "non-rto": SENT, "day": SENT}
    for at, name in enumerate(names):
        root.drop(f"{name}.csv", sheet([(f"A{at}", "Delivered")]))
    assert root.once().code == 3
    assert {name: ends(root, name) for name in names} == {n: [end] for n, end in names.items()}


def test_a_folder_that_names_a_direction_holds_deliveries(root: Root) -> None:
    told = sheet([("A1", "Delivered", "Forward")], header=("Order ID", "Status", "Leg"))
    root.drop("told.csv", told, folder="rto")
    root.drop("day.csv", sheet([("A2", "Delivered"), ("A3", "RTO Delivered")]), folder="rto")
    root.drop("mis.csv", sheet([("A4", "Delivered")]), folder="Reverse pickups")
    profile = root.path / "couriers" / "acme-returns.toml"
    profile.parent.mkdir(exist_ok=True)
    profile.write_text(
        'name = "acme-returns"\n[statuses]\ndelivery_done = ["Delivered"]\n', encoding="utf-8"
    )
    root.drop("own.csv", sheet([("A5", "Delivered")]), folder="acme-returns")
    assert root.once().code == 3
    assert ends(root, "told") == [SENT]
    assert ends(root, "day") == [HELD, SENT]
    assert ends(root, "mis") == [HELD]
    assert ends(root, "own") == [SENT]
    assert "its folder" in root.of("day").lines()[0]["message"]


def test_a_file_name_says_nothing_beside_a_direction_column(root: Root) -> None:
    rows = [("A1", "Delivered", "Forward"), ("A2", "Delivered", "")]
    root.drop("rto.csv", sheet(rows, header=("Order ID", "Status", "Direction")))
    assert root.once().code == 0


def test_a_file_that_is_called_after_a_column_says_nothing_by_its_name(root: Root) -> None:
    """The column tells the rows apart: one without an RTO AWB was delivered."""
    header = ("Order ID", "AWB No", "RTO AWB", "Status")
    rows = [("A1", "4601", "", "Delivered"), ("A2", "4602", "46302", "Delivered")]
    root.drop("rto_awb.csv", sheet(rows, header=header))
    other = [("A3", "4603", "", "Delivered"), ("A4", "4604", "46304", "Delivered")]
    root.drop("RTO-awb report rto.csv", sheet(other, header=header))
    assert root.once().code == 3
    assert ends(root, "rto_awb") == [SENT, HELD]
    assert ends(root, "RTO-awb report rto") == [HELD, HELD]


def test_a_file_name_counts_beside_an_rto_awb_that_is_empty(root: Root) -> None:
    header = ("Order ID", "Status", "RTO AWB", "Is RTO")
    rows = [("A1", "RTO Delivered", "46001", ""), ("A2", "Delivered", "", "")]
    root.drop("Return mis.csv", sheet(rows, header=header))
    blank = [("A5", "Delivered", "", ""), ("A6", "RTO Delivered", "", "")]
    root.drop("rto blank.csv", sheet(blank, header=(*header[:3], "Is Reverse")))
    told = [("A3", "RTO Delivered", "46003", "Yes"), ("A4", "Delivered", "", "No")]
    root.drop("rto mis.csv", sheet(told, header=header))
    assert root.once().code == 3
    assert ends(root, "Return mis") == [SENT, HELD]
    assert ends(root, "rto mis") == [SENT, SENT]
    assert ends(root, "rto blank") == [HELD, SENT]


def test_a_second_awb_that_is_none_says_nothing_of_the_way_back(root: Root) -> None:
    header = ("Order Number", "AWB Number", "Status Code", "Product Type", "ref_awb")
    odd = ("2026-11-26 06:00:44", "20-11-2026", "0.5", "Prepaid")
    for number, cell in enumerate(odd):
        rows = [
            (f"A{number}-{at}", f"36{number}{at}", "999", "ppd", awb)
            for at, awb in enumerate((cell, f"3600000{number}", "-"))
        ]
        root.drop(f"day{number}.csv", sheet(rows, header=header), "ecomexpress")
    assert root.once().code == 3
    for number, cell in enumerate(odd):
        assert ends(root, f"day{number}") == [HELD, SENT, SENT], cell
        lines = root.of(f"day{number}").lines()
        sent = [line["order_status"] for line in lines[1:]]
        assert sent == ["rto_bag_delivered", "delivery_done"], cell
        assert '"ref_awb"' in lines[0]["message"]


def test_a_profile_can_say_that_a_column_and_a_file_name_mean_nothing(root: Root) -> None:
    profile = root.path / "couriers" / "acme.toml"
    profile.parent.mkdir(exist_ok=True)
    profile.write_text(
        'name = "acme"\nnothing = ["Leg", "rto*"]\n[statuses]\ndelivery_done = ["Delivered"]\n',
        encoding="utf-8",
    )
    rows = [("A1", "Delivered", "RTO")]
    root.drop("rto.csv", sheet(rows, header=("Order ID", "Status", "Leg")), folder="acme")
    assert root.once().code == 0


TWO_STATUSES = (
    ("Status", "Current Status"),
    ("Status", "Shipment Status"),
    ("Delivery Status", "Order Status"),
    ("Status", "Latest Courier Status"),
    ("Status", "Last Event"),
)


def test_two_status_columns_that_disagree_hold_their_row(root: Root) -> None:
    seconds = ("Delivered", "RTO Delivered", "In Transit", "Return Delivered", "", "n/a", "RTO")
    for number, headings in enumerate(TWO_STATUSES):
        rows = [(f"A{number}B{at}", "Delivered", second) for at, second in enumerate(seconds)]
        rows.append((f"A{number}B7", "In Transit", "Delivered"))
        root.drop(f"day{number}.csv", sheet(rows, header=("Order ID", *headings)))
    assert root.once().code == 3
    for number, headings in enumerate(TWO_STATUSES):
        found = ends(root, f"day{number}")
        assert found == [SENT, HELD, HELD, HELD, SENT, SENT, HELD, HELD], headings
        message = root.of(f"day{number}").lines()[1]["message"]
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


def test_what_is_no_second_status_holds_nothing(root: Root) -> None:
    files = drop_deliveries(root, NO_SECOND_STATUS)
    assert root.once().code == 0
    found = {heading: ends(root, name) for heading, name in files.items()}
    assert found == {heading: [SENT] * 3 for heading in files}


def test_few_scans_of_a_parcel_that_is_still_on_its_way_hold_its_delivery(root: Root) -> None:
    rows = [("A1", "Delivered", "Undelivered"), ("A2", "In Transit", "In Transit")]
    for heading in ("Last Event", "Last Scan", "Stage"):
        root.drop(f"{heading}.csv", sheet(rows, header=("Order ID", "Status", heading)))
    assert root.once().code == 3
    for heading in ("Last Event", "Last Scan", "Stage"):
        assert ends(root, heading) == [HELD, ("ignored", "NO_MILESTONE:status")]


def test_a_status_in_words_beside_codes_with_a_type_is_compared(root: Root) -> None:
    header = ("Ref No", "Waybill No", "Scan Group", "Scan Code", "Stage")
    ways = ("RTO Delivered", "Delivered")
    rows = [(f"A{at}", f"36{at}", "T", "118", ways[at == 4]) for at in range(5)]
    root.drop("day.csv", sheet(rows, header=header), folder="bluedart")
    assert root.once().code == 3
    assert ends(root, "day") == [SENT] * 4 + [HELD]


def test_a_courier_that_orders_its_status_columns_is_believed(root: Root) -> None:
    header = ("Sale Order Code", "Shipping Package Status Code", "Shipping Tracking Status")
    root.drop("day.csv", sheet([("A1", "DELIVERED", "Shipped")], header=header), "unicommerce")
    assert root.once().code == 0
    assert ends(root, "day") == [SENT]


def test_a_profile_of_ones_own_orders_its_status_columns(root: Root) -> None:
    profile = root.path / "couriers" / "acme.toml"
    profile.parent.mkdir(exist_ok=True)
    text = '[headers]\nstatus = ["Scan", "Current Status"]\n[statuses]\ndelivery_done = ["OK"]\n'
    own = text + 'rto_bag_delivered = ["BACK"]\n'
    profile.write_text(f'name = "acme"\n{own}', encoding="utf-8")
    header = ("Order ID", "Current Status", "Scan", "Last Leg")
    rows = [("A1", "BACK", "OK", ""), ("A2", "BACK", "OK", "BACK")]
    root.drop("day.csv", sheet(rows, header=header), folder="acme")
    assert root.once().code == 3
    assert ends(root, "day") == [SENT, HELD]


HEADED_TWICE = (
    "Order ID,AWB,Status,,Remarks\n,,Previous,Current,\nA1,1,Picked Up,Delivered,\n",
    "Order ID,Status,Status\n,Previous,Current\nA1,Picked Up,Delivered\n",
    "Order ID,Status,Remarks\n,Old Status,\nA1,Delivered,\n",
    "Order ID,Status,Dates,,\n,,Pickup,Delivery,Promised\nA1,Delivered,,,\n",
    "Order ID,Status,,Remarks\n,Forward,RTO,\nA1,Delivered,,\n",
)


def test_headings_in_two_rows_are_refused(root: Root) -> None:
    for at, text in enumerate(HEADED_TWICE):
        root.drop(f"day{at}.csv", text)
    assert root.once().code == 4
    for at, text in enumerate(HEADED_TWICE):
        refused = root.of(f"day{at}").summary["refused"]
        assert refused["code"] == "HEADER_AMBIGUOUS", text
        assert "1 and 2" in refused["message"], text


def test_a_row_without_an_id_below_the_header_is_data(root: Root) -> None:
    firsts = ("A0,Delivered,,", ",Delivered,Pune,", "B0,,,", ",RTO,,", ",Shiped,,", "RTO,,,")
    for at, first in enumerate(firsts):
        text = f"Order ID,Status,City,\n{first}\nC{at},RTO Delivered,Pune,\n"
        root.drop(f"day{at}.csv", text)
    assert root.once().code in {0, 3}
    for at, first in enumerate(firsts):
        assert root.of(f"day{at}").lines()[-1]["outcome"] == "accepted", first


@pytest.mark.parametrize("first", [1, 3])
def test_a_hidden_column_stands_back_and_is_told(root: Root, first: int) -> None:
    book = openpyxl.Workbook()
    tab = book.active
    for row, cells in enumerate(
        (("Order ID", "Status", "Current Status"), ("A1", "Delivered", "RTO Delivered")), start=1
    ):
        for column, cell in enumerate(cells, start=first):
            tab.cell(row=row, column=column, value=cell)
    tab.column_dimensions[openpyxl.utils.get_column_letter(first + 1)].hidden = True
    data = io.BytesIO()
    book.save(data)
    root.drop("book.xlsx", data.getvalue())
    assert root.once().code == 0
    (line,) = root.of("book").lines()
    assert (line["order_status"], line["outcome"]) == ("rto_bag_delivered", "accepted")
    (told,) = (w for w in root.of("book").summary["warnings"] if w["code"] == "HIDDEN_COLUMN")
    assert '"Status"' in told["message"]
    assert "HIDDEN_COLUMN" in root.run("check", next(root.path.rglob("book.xlsx"))).out


def test_a_hidden_column_has_no_twin_in_one_without_a_heading(root: Root) -> None:
    book = openpyxl.Workbook()
    tab = book.active
    tab.append(("Order ID", "Status", "EDD", "", "Location"))
    tab.append(("A1", "Delivered", "2026-11-30", "seen", "Pune"))
    for letter in "CE":
        tab.column_dimensions[letter].hidden = True
    data = io.BytesIO()
    book.save(data)
    root.drop("book.xlsx", data.getvalue())
    assert root.once().code == 0
    assert ends(root, "book") == [SENT]


def test_a_table_of_returns_is_held_whatever_its_status_is_called(root: Root) -> None:
    couriers = {"acme": "Status", "bolt": "Package Status", "crow": "Current Status"}
    for name, heading in couriers.items():
        profile = root.path / "couriers" / f"{name}.toml"
        profile.parent.mkdir(exist_ok=True)
        text = f'name = "{name}"\n[headers]\nstatus = ["{heading}"]\n[statuses]\n'
        words = 'delivery_done = ["Delivered"]\nbag_picked = ["Picked Up"]\n'
        profile.write_text(text + words, encoding="utf-8")
        header = ("Return_ID", "Order_ID", heading, "return_action")
        rows = [("501", f"{name}1", "Delivered", "Refund"), ("502", f"{name}2", "Picked Up", "")]
        root.drop(f"day {name}.csv", sheet(rows, header=header), folder=name)
    assert root.once().code == 3
    for name, heading in couriers.items():
        assert ends(root, f"day {name}") == [HELD] * 2, heading


def test_check_tells_what_spoke_and_which_columns_say_nothing(root: Root) -> None:
    header = ("Order ID", "Status", "Leg", "Current Status", "City", "Status Date")
    row = ("A1", "Delivered", "Forward", "Delivered", "Pune", "2026-11-28")
    file = root.path / "day.csv"
    file.write_text(sheet([row], header=header), encoding="utf-8")
    told = root.run("check", file).out
    assert 'direction from: the column "Leg"' in told
    assert "Leg (looked at for the direction)" in told
    assert "Current Status (looked at for the status)" in told
    assert "columns not read: City;" in told
    assert "Status Date → event_time" in told
    (columns,) = root.run("check", "--json", file).json[0]["columns"]
    assert columns["heard"] == {
        'the column "Leg"': "direction",
        'the column "Current Status"': "status",
    }
    file.write_text(sheet([("A1", "Delivered")]), encoding="utf-8")
    assert "nothing says one" in root.run("check", file).out


AGAINST = ("RTO done - seller", "Return completed", "Cancelled", "Lost in hub", "Undelivered: shut")


def test_unknown_words_of_a_second_status_hold_what_they_speak_against(root: Root) -> None:
    headings = ("Current Status", "Courier Status Text", "Status Description")
    files = drop_deliveries(root, [(each, (*AGAINST, "Completed", "OK")) for each in headings])
    root.configure(manifest__max_reject_ratio=1)  # five of seven are held
    assert root.once().code == 3
    found = {heading: ends(root, name) for heading, name in files.items()}
    assert found == {heading: [HELD] * len(AGAINST) + [SENT] * 2 for heading in files}


def test_a_profile_can_say_that_a_second_status_means_nothing(root: Root) -> None:
    profile = root.path / "couriers" / "acme.toml"
    profile.parent.mkdir(exist_ok=True)
    text = 'name = "acme"\nnothing = ["Current Status"]\n[statuses]\n'
    words = 'delivery_done = ["Delivered"]\nrto_bag_delivered = ["RTO Delivered"]\n'
    profile.write_text(text + words, encoding="utf-8")
    header = ("Order ID", "Status", "Current Status")
    root.drop("day.csv", sheet([("A1", "Delivered", "RTO Delivered")], header=header), "acme")
    assert root.once().code == 0
    assert ends(root, "day") == [SENT]
