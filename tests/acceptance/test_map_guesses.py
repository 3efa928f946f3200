"""Which column ``map`` takes for which: cells decide, guesses are marked, people have the word."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.acceptance.harness import Root, sheet

PEOPLE = ("Asha Rao", "Ravi Kumar", "Meena Iyer", "John Paul", "Sunil", "Fatima")
STATES = ("Telangana", "Kerala", "Delhi", "Maharashtra")
KNOWN = ("Delivered", "Shipped", "Cancelled", "RTO Delivered")
UNKNOWN = ("Gadi nikli", "Pahunch gaya", "Wapas pahuncha")


def drafted(
    root: Root, columns: Mapping[str, Sequence[str]], *arguments: str, rows: int = 24
) -> dict[str, Any]:
    """The profile that ``map`` writes for a file of these columns, whose cells repeat."""
    table = [[cells[at % len(cells)] for cells in columns.values()] for at in range(rows)]
    root.path.joinpath("day.csv").write_text(sheet(table, header=[*columns]), encoding="utf-8")
    ran = root.run("map", "day.csv", "--courier", "acme", *arguments)
    assert ran.code == 0, ran.err
    return tomllib.loads(root.path.joinpath("acme.toml").read_text(encoding="utf-8"))


IDS = [f"ORD{at:05}" for at in range(24)]


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Update", UNKNOWN),
        ("Last Event", UNKNOWN),
        ("Position", UNKNOWN),
        ("Kahan hai", UNKNOWN),
        ("Reason for Credit Entry", KNOWN),
        ("Haal", ("Delivered", *UNKNOWN)),
        ("Order Sts", KNOWN),
    ],
)
def test_the_column_of_statuses_is_found_by_its_cells(
    root: Root, heading: str, cells: Sequence[str]
) -> None:
    others = {
        "State": STATES,
        "City": ("Pune", "Kochi", "Agra"),
        "Customer": PEOPLE,
        "Payment Method": ("COD", "Prepaid"),
        "Order Type": ("COD", "Prepaid"),
        "Booked": ("Refunded", "Paid", "Pending"),
        "Status By": ("Ravi", "Sunil", "Amit"),
        "Qty": ("1", "2"),
        "Gift": ("Yes", "No"),
        "Kahan se": STATES,
    }
    found = drafted(root, {"Order ID": IDS, **others, heading: cells})
    assert found["headers"]["status"] == [f"?{heading}"]
    listed = {word.removeprefix("?") for words in found["statuses"].values() for word in words}
    assert listed == {*cells}


def test_places_names_numbers_and_flags_are_no_statuses(root: Root) -> None:
    columns = {
        "Order ID": IDS,
        "State": STATES,
        "Ilaka": STATES,
        "Customer Name": PEOPLE,
        "Delivery Boy": PEOPLE,
        "Quantity": ("1", "2", "3"),
        "Gift": ("Yes", "No"),
        "Order Date": ("2026-11-01", "2026-11-02"),
        "Shipping Zip": ("560001", "411001", "682001"),
    }
    found = drafted(root, columns)
    assert set(found["headers"]) == {"order_id"}
    assert "required" not in found


@pytest.mark.parametrize(
    ("heading", "cells", "role"),
    [
        ("Product Quantity", ("1", "1", "0"), "direction"),
        ("Is Gift", ("Yes", "No"), "direction"),
        ("Order Date", ("2026-11-01",), "event_time"),
        ("Created at", ("2026-11-01 10:00:00",), "estimated_delivery_date"),
        ("State", STATES, "status_type"),
        ("Payment Type", ("COD", "PPD"), "status_type"),
        ("Stats Type", ("1", "2"), "status_type"),
        ("Shipping Zip", ("560001", "411001"), "order_id"),
        ("Contact Number", ("9000000001", "9000000002"), "order_id"),
        ("Contact Number", ("9000000001", "9000000002"), "awb"),
    ],
)
def test_a_heading_is_not_followed_against_its_cells(
    root: Root, heading: str, cells: Sequence[str], role: str
) -> None:
    found = drafted(root, {"Bill": ("A", "B"), "Status": KNOWN, heading: cells})
    assert role not in found["headers"]


def test_an_empty_column_is_not_the_status_beside_one_that_has_them(root: Root) -> None:
    columns = {"Order ID": IDS, "Latest Courier Status": ("",), "Unified Status": KNOWN}
    assert drafted(root, columns)["headers"]["status"] == ["?Unified Status"]


def test_a_parcel_s_number_is_no_order_and_directions_and_times_are_found(root: Root) -> None:
    dockets = [f"77{at:08}" for at in range(24)]
    ways = ("F", "F", "R")
    when = ("11/27/2026 2:30 PM", "11/26/2026 9:05 AM")
    columns = {"Docket No": dockets, "Party Ref": IDS, "Status": KNOWN, "Flow": ways, "When": when}
    found = drafted(root, columns)["headers"]
    assert found == {
        "order_id": ["?Party Ref"],
        "awb": ["?Docket No"],
        "status": ["Status"],
        "event_time": ["?When"],
        "direction": ["?Flow"],
    }
    fynd = [f"FY26A{at:04}" for at in range(24)]
    phones = [f"98765{at:05}" for at in range(24)]
    for columns, wanted in (
        ({"Consignment": fynd, "AWB No": dockets, "Status": KNOWN}, "?Consignment"),
        ({"Consignment": dockets, "Party Ref": fynd, "Status": KNOWN}, "?Party Ref"),
        ({"Order ID": phones, "Customer Ref": fynd, "Status": KNOWN}, "?Order ID"),
        ({"Order ID": fynd, "Customer Ref": IDS, "Status": KNOWN}, "Order ID"),
    ):
        (root.path / "acme.toml").unlink()
        assert drafted(root, columns)["headers"]["order_id"] == [wanted], columns
    assert "order_id" not in drafted(root, {"AWB": fynd, "Status": KNOWN})["headers"]
    for heading, cells in (
        ("Leg Type", ("Onward", "Backward")),
        ("दिशा", ("फॉरवर्ड", "रिवर्स")),
        ("Movement", ("Outward", "Inward", "Outward")),
    ):
        (root.path / "acme.toml").unlink()
        columns = {"पार्सल क्रमांक": dockets, "ऑर्डर": IDS, "Status": KNOWN, heading: cells}
        found = drafted(root, columns)["headers"]
        assert found["order_id"] == ["?ऑर्डर"]
        assert found["direction"] == [f"?{heading}"], heading


def test_headings_may_be_words_of_statuses(root: Root) -> None:
    days = [f"{at % 27 + 1:02}-11-2026" for at in range(24)]
    columns = {"Order": IDS, "Delivered": ("Y", "N"), "RTO": ("N", "Y"), "Booked": days}
    found = drafted(root, columns)
    assert found["headers"]["order_id"] == ["?Order"]
    (root.path / "acme.toml").unlink()
    columns = {"Lost": IDS, "Delivered": KNOWN, "RTO": ("N", "Y")}
    found = drafted(root, columns, "--column", "status=Delivered", "--column", "order_id=Lost")
    assert found["headers"]["status"] == ["Delivered"]


def test_a_role_that_no_column_has_is_not_read_by_the_headings_that_all_know(root: Root) -> None:
    columns = {"Order ID": IDS, "Status": KNOWN, "Expected Date": ("28-12-2026",)}
    drafted(root, columns, "--no", "estimated_delivery_date")
    root.path.joinpath("couriers").mkdir()
    root.path.joinpath("acme.toml").rename(root.path / "couriers" / "acme.toml")
    told = root.run("check", "--courier", "acme", "day.csv").out
    assert "Expected Date → estimated_delivery_date" not in told
    assert "columns not read: Expected Date" in told


def test_map_offers_to_write_that_a_column_means_nothing(root: Root) -> None:
    drafted(root, {"Order ID": IDS, "Status": KNOWN, "Is RTO": ("Yes", "Yes", "x")})
    draft = root.path.joinpath("acme.toml").read_text(encoding="utf-8")
    assert '# nothing = ["Is RTO"]' in draft


def test_every_guess_is_marked_what_it_requires_too(root: Root) -> None:
    columns = {"Shipment": IDS, "StatusType": ("UD", "DL"), "Status": ("In Transit", "Delivered")}
    found = drafted(root, columns)
    assert found["headers"]["order_id"] == ["?Shipment"]
    assert found["headers"]["status_type"] == ["?StatusType"]
    assert found["required"] == ["?status_type"]
    (root.path / "acme.toml").unlink()
    found = drafted(root, {**columns, "Status Type": ("Fast", "Slow")} | {"StatusType": ("X",)})
    assert found["headers"]["status_type"] == ["?Status Type"]  # its cells are nobody's types
    assert found["required"] == ["?status_type"]
    # Marked it asks for nothing: the courier's other files are not refused for it.
    root.path.joinpath("couriers").mkdir()
    root.path.joinpath("acme.toml").rename(root.path / "couriers" / "acme.toml")
    file = root.path / "plain.csv"
    file.write_text(sheet([("A1", "Delivered")]), encoding="utf-8")
    told = root.run("check", "--courier", "acme", file).out
    assert "status type" not in told
    assert "required: status_type" in root.run("profiles", "acme").out


def test_a_person_says_which_column_is_which(root: Root) -> None:
    columns = {"Parcel": IDS, "Kahan": STATES, "Status": KNOWN, "Leg": ("Forward", "RTO")}
    words = ("--column", "status=Kahan", "--column", "order_id=parcel", "--no", "direction")
    found = drafted(root, columns, *words)
    assert found["headers"] == {"order_id": ["Parcel"], "status": ["Kahan"]}
    assert set(found["statuses"]["unconfirmed"]) == {*STATES}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--column", "status=Haal"), 'no column "Haal"'),
        (("--column", "statis=Status"), '"statis" is not a role'),
        (("--column", "status"), "names no column"),
        (("--no", "direktion"), "not a role"),
        (("--column", "status=Status", "--no", "status"), '"status" is named twice'),
        (("--column", "status=Status", "--column", "Status=AWB"), '"status" is named twice'),
        (("--column", "status=Status", "--column", "awb=STATUS"), '"status" is named twice'),
        (("--column", "order_id=AWB"), "never the order id"),
    ],
)
def test_what_cannot_be_said_is_told(root: Root, words: Sequence[str], told: str) -> None:
    root.path.joinpath("day.csv").write_text("Order ID,AWB,Status\nA1,1,Delivered\n")
    ran = root.run("map", "day.csv", "--courier", "acme", *words)
    assert ran.code == 2
    assert told in ran.err
    assert not root.path.joinpath("acme.toml").exists()


def test_a_draft_is_not_in_its_own_way_until_somebody_works_on_it(root: Root) -> None:
    couriers = root.path / "couriers"
    couriers.mkdir()
    file = couriers / "acme.toml"
    columns = {"Order ID": IDS, "Last Event": UNKNOWN}
    drafted(root, columns, "-o", "acme.toml")
    for _ in range(2):
        root.path.joinpath("acme.toml").replace(file)
        drafted(root, columns, "-o", "acme.toml")
        assert root.run("map", "day.csv", "--courier", "acme", "-o", file).code == 0
    assert root.run("map", "day.csv", "--courier", "acme", "--no", "awb").code == 0
    changed = file.read_text(encoding="utf-8").replace('"?Gadi', '"Gadi')
    file.write_text(changed.replace("# zone", "zone"), encoding="utf-8")
    ran = root.run("map", "day.csv", "--courier", "acme", "-o", file)
    assert ran.code == 2
    assert "is there already" in ran.err


def test_what_a_person_says_of_statuses_stands_in_the_profile_without_a_mark(root: Root) -> None:
    columns = {"Order ID": IDS, "Last Event": UNKNOWN}
    said = [f"--means={UNKNOWN[0]}=no_milestone", f"--means={UNKNOWN[1]}=delivery_done"]
    named = ["--column", "order_id=Order ID", "--column", "status=Last Event"]
    found = drafted(root, columns, *named, *said)
    assert found["statuses"] == {
        "no_milestone": [UNKNOWN[0]],
        "delivery_done": [UNKNOWN[1]],
        "unconfirmed": [UNKNOWN[2]],
    }
    assert "shipdrop check" in (root.path / "acme.toml").read_text("utf-8")
    more = f"--means={UNKNOWN[2].upper()}=rto_bag_delivered"
    whole = drafted(root, columns, *named, *said, more)
    assert whole["statuses"]["rto_bag_delivered"] == [UNKNOWN[2]]
    assert "?" not in (root.path / "acme.toml").read_text("utf-8")
    wrong = root.run("map", "day.csv", "--courier", "new", "--means", "Gadi nikli=deliverd")
    assert wrong.code == 2
    assert "Gadi nikli=deliverd" in wrong.err
