"""Which column is the order id: a wrong one would report other people's orders."""

import io
from collections.abc import Sequence

import openpyxl
import pytest

from tests.acceptance.harness import Root, sheet


def sent(root: Root) -> list[str]:
    """The ids that the rows of the only drop were sent with."""
    return [line["order_id"] for line in root.of("day").lines() if line["outcome"] == "accepted"]


@pytest.mark.parametrize(
    ("headings", "own"),
    [
        (("shipment_id", "order_code"), 1),
        (("Reference No", "Order #"), 1),
        (("Ref No", "Shipment ID", "Parent Order ID"), 2),
        (("Sale Order No", "Shipment ID"), 0),
        (("Reference No", "Channel Order ID"), 1),
        (("Order Item ID", "Order Id.1"), 1),
        (("Sub Order", "Channel Order ID", "Order ID"), 2),
        (("Order Ref", "Invoice No", "Shipment ID"), 0),
        (("Order Serial No", "Shipment ID"), 1),
        (("Order Priority Code", "Reference No"), 1),
    ],
)
def test_names_with_order_go_before_shipments_and_references(
    root: Root, headings: Sequence[str], own: int
) -> None:
    rows = [[f"{heading[:2]}{at}" for heading in headings] for at in range(3)]
    text = sheet([(*row, "Delivered") for row in rows], header=(*headings, "Status"))
    root.drop("day.csv", text)
    assert root.once().code == 0
    assert sent(root) == [row[own] for row in rows]


@pytest.mark.parametrize(
    "headings",
    [
        ("Orders ID", "Order IDs"),
        ("Order ID", "Order No"),
        ("Sale Order No", "Channel Order ID"),
        ("Sub Order", "Order Number"),
        ("Reference No", "Shipment ID"),
        ("Order Code", "Order #"),
        ("Shipment ID", "Order"),
        ("Reference No", "Sale Order"),
    ],
)
def test_two_columns_that_could_be_the_order_id_and_differ_are_refused(
    root: Root, headings: Sequence[str]
) -> None:
    rows = [("A1", "A1", "Delivered"), ("A2", "", "Delivered"), ("A3", "B3", "Delivered")]
    root.drop("day.csv", sheet(rows, header=(*headings, "Status")))
    assert root.once().code == 4
    refused = root.of("day").summary["refused"]
    assert refused["code"] == "ID_COLUMN_AMBIGUOUS"
    assert all(f'"{heading}"' in refused["message"] for heading in headings)
    assert all(each in refused["message"] for each in ("row 4", '"A3"', '"B3"'))
    assert "profile" in root.of("day").path("REFUSED.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Order No", ("A0", " A1 ", "")),
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
    ],
)
def test_columns_that_agree_or_are_no_order_ids_are_no_rivals(
    root: Root, heading: str, cells: Sequence[str]
) -> None:
    rows = [(f"A{at}", "Picked Up", cell) for at, cell in enumerate(cells)]
    root.drop("day.csv", sheet(rows, header=("Order ID", "Status", heading)))
    assert root.once().code == 0
    assert sent(root) == ["A0", "A1", "A2"]


def test_a_profile_says_which_column_is_the_order_id(root: Root) -> None:
    profile = root.path / "couriers" / "acme.toml"
    profile.parent.mkdir(exist_ok=True)
    text = 'name = "acme"\n[headers]\norder_id = ["Order No"]\n[statuses]\ndelivery_done = ["OK"]\n'
    profile.write_text(text, encoding="utf-8")
    root.drop(
        "day.csv", sheet([("A1", "B1", "OK")], header=("Order ID", "Order No", "Status")), "acme"
    )
    assert root.once().code == 0
    assert sent(root) == ["B1"]


def test_a_hidden_order_id_is_not_passed_over_for_a_shipment_id(root: Root) -> None:
    book = openpyxl.Workbook()
    tab = book.active
    for row in (("Order ID", "Shipment ID", "Status"), ("A1", "S1", "Delivered")):
        tab.append(row)
    tab.column_dimensions["A"].hidden = True
    data = io.BytesIO()
    book.save(data)
    root.drop("day.xlsx", data.getvalue())
    assert root.once().code == 4
    assert root.of("day").summary["refused"]["code"] == "ID_COLUMN_AMBIGUOUS"
