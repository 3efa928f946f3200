"""What the rows of an order say together holds an update that one of them alone would send."""

import csv
import io
from collections.abc import Sequence

import pytest

from tests.acceptance.harness import Root, sheet

SENT = ("accepted", "")
PARCELS = ("rejected", "PARCELS_OPEN:awb")
TAKEN_BACK = ("rejected", "STATUS_CONFLICT:event_time")
NOTHING = ("ignored", "NO_MILESTONE:status")
WITH_AWB = ("Order ID", "AWB No", "Status")
WITH_TIME = (*WITH_AWB, "Event Time")


def ends(root: Root, name: str) -> list[tuple[str, str]]:
    """The outcome and codes of each row of a drop."""
    return [(line["outcome"], line["codes"]) for line in root.of(name).lines()]


def profile(root: Root, text: str) -> None:
    """A courier of this root called acme."""
    path = root.path / "couriers" / "acme.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'name = "acme"\n{text}', encoding="utf-8")


STATUSES = '[statuses]\ndelivery_done = ["Delivered"]\nno_milestone = ["In Transit"]\n'


@pytest.mark.parametrize(
    ("other", "held"),
    [
        ("In Transit", NOTHING),
        ("RTO In Transit", NOTHING),
        ("Undelivered", NOTHING),
        ("Kahin gum ho gaya", ("rejected", "STATUS_UNKNOWN:status")),
        ("Picked Up", SENT),
    ],
)
def test_a_split_order_is_not_delivered_while_another_parcel_is_on_its_way(
    root: Root, other: str, held: tuple[str, str]
) -> None:
    root.drop("day.csv", sheet([("A1", "X1", "Delivered"), ("A1", "X2", other)], WITH_AWB))
    assert root.once().code == 3
    assert ends(root, "day") == [PARCELS, held]
    assert "X2" in root.of("day").lines()[0]["message"]


def test_the_parcels_of_an_order_may_lie_in_any_number_of_rows(root: Root) -> None:
    rows = [
        ("A1", "X1", "Picked Up"),
        ("A1", "X1", "Delivered"),
        ("A1", "X2", "In Transit"),
        ("A1", "X3", "Delivered"),
    ]
    root.drop("day.csv", sheet(rows, WITH_AWB))
    assert root.once().code == 3
    assert ends(root, "day") == [SENT, PARCELS, NOTHING, PARCELS]


@pytest.mark.parametrize(
    "rows",
    [
        [("A1", "X1", "Delivered"), ("A1", "X2", "Delivered")],
        [("A1", "X1", "In Transit"), ("A1", "X1", "Delivered")],
        [("A1", "", "In Transit"), ("A1", "X1", "Delivered")],
        [("A1", "X1", "Delivered"), ("A1", "x1 ", "Delivered")],
        [("A1", "X1", "Delivered"), ("A1", "X2", "Return In Transit")],
        [("A1", "X1", "Delivered"), ("A1", "X2", "Return Delivered")],  # refused by the API
        [("A1", "X1", "Delivered"), ("A2", "X2", "In Transit")],
        [("A1", "X1", "Return Picked Up"), ("A1", "X2", "Return Delivered")],
    ],
)
def test_what_all_parcels_of_an_order_say_is_sent(root: Root, rows: list[tuple[str, ...]]) -> None:
    root.drop("day.csv", sheet(rows, WITH_AWB))
    root.once()
    assert "accepted" in root.of("day").counts
    assert "rejected" not in root.of("day").counts


def test_a_cancelled_parcel_holds_nobody(root: Root) -> None:
    rows = [("A1", "X1", "Delivered"), ("A1", "X2", "Cancelled")]
    root.drop("day.csv", sheet(rows, WITH_AWB))
    root.once()
    assert ends(root, "day")[0] == SENT


def test_a_return_with_its_own_awb_is_another_journey(root: Root) -> None:
    rows = [
        ("A1", "X1", "Delivered", "Forward"),
        ("A1", "X2", "Out For Pickup", "Reverse"),
    ]
    root.drop("day.csv", sheet(rows, (*WITH_AWB, "Is Reverse")))
    assert root.once().code == 0
    assert ends(root, "day") == [SENT, NOTHING]


@pytest.mark.parametrize("heading", ["Item ID", "Sub Order No", "SKU", "Sale Order Item Code"])
def test_without_awbs_the_items_of_an_order_are_its_parcels(root: Root, heading: str) -> None:
    rows = [
        ("A1", "1", "Delivered"),
        ("A1", "2", "In Transit"),
        ("A2", "1", "Delivered"),
        ("A2", "2", "Delivered"),
    ]
    root.drop("day.csv", sheet(rows, ("Order ID", heading, "Status")))
    assert root.once().code == 3
    found = ends(root, "day")
    assert found[0][0] == "rejected"
    assert found[0][1].startswith("PARCELS_OPEN")
    assert found[1:3] == [NOTHING, SENT]
    assert found[3] == ("duplicate", "REPEATED_IN_FILE:order_id")


def test_a_profile_can_say_that_any_parcel_speaks_for_the_order(root: Root) -> None:
    profile(root, f'parcels = "any"\n{STATUSES}')
    rows = [("A1", "X1", "Delivered"), ("A1", "X2", "In Transit")]
    root.drop("day.csv", sheet(rows, WITH_AWB), folder="acme")
    assert root.once().code == 0
    profile(root, f'parcels = "some"\n{STATUSES}')
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


def test_a_delivery_that_a_later_scan_takes_back_is_not_sent(root: Root) -> None:
    root.drop("day.csv", sheet(SCANS, WITH_TIME))
    assert root.once().code == 3
    assert ends(root, "day") == [TAKEN_BACK, NOTHING, NOTHING, TAKEN_BACK, NOTHING]
    assert 'row 3 says "Undelivered"' in root.of("day").lines()[0]["message"]


@pytest.mark.parametrize("final", ["RTO Delivered", "Return Delivered"])
def test_every_final_status_can_be_taken_back(root: Root, final: str) -> None:
    rows = [("A1", "X1", final, "26-11-2026"), ("A1", "X1", "Out For Delivery", "27-11-2026")]
    root.drop("day.csv", sheet(rows, WITH_TIME))
    assert root.once().code == 3
    assert ends(root, "day") == [TAKEN_BACK, NOTHING]


@pytest.mark.parametrize(
    "rows",
    [
        [("In Transit", "25-11-2026"), ("Delivered", "26-11-2026")],
        [("Delivered", "26-11-2026"), ("Undelivered", "25-11-2026 18:00")],
        # a date alone is no earlier than what has a time on that day
        [("Delivered", "26-11-2026"), ("Out For Delivery", "26-11-2026 09:00")],
        [("Delivered", "26-11-2026 09:00"), ("Out For Delivery", "26-11-2026 09:00")],
        [
            ("Delivered", "25-11-2026"),
            ("Undelivered", "26-11-2026"),
            ("Delivered", "27-11-2026"),
        ],
        [("Delivered", "25-11-2026"), ("Out For Delivery", "")],
        [("Delivered", "25-11-2026"), ("POD Uploaded", "26-11-2026")],
        [("Delivered", "25-11-2026"), ("Return In Transit", "26-11-2026"), ("OFD", "27-11-2026")],
    ],
)
def test_scans_that_take_no_delivery_back_hold_nothing(
    root: Root, rows: list[tuple[str, str]]
) -> None:
    root.drop("day.csv", sheet([("A1", "X1", *row) for row in rows], WITH_TIME))
    root.once()
    assert "STATUS_CONFLICT" not in root.of("day").codes


def came_back(root: Root, name: str, **changed: str) -> str:
    """The rejects of a drop as they are, but for some cells."""
    lines = root.of(name).lines("rejects.csv")
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    writer.writerows({**line, **changed} for line in lines)
    return text.getvalue()


@pytest.mark.parametrize(
    ("rows", "end"),
    [
        ([("A1", "X1", "Delivered", ""), ("A1", "X2", "In Transit", "")], PARCELS),
        (
            [
                ("A1", "X1", "Delivered", "26-11-2026 10:15"),
                ("A1", "X1", "Undelivered", "26-11-2026 14:00"),
            ],
            TAKEN_BACK,
        ),
    ],
)
def test_what_was_held_is_still_held_when_its_reject_comes_back_as_it_was(
    root: Root, rows: Sequence[tuple[str, ...]], end: tuple[str, str]
) -> None:
    root.drop("day.csv", sheet(rows, WITH_TIME))
    root.once()
    root.drop("again.csv", came_back(root, "day"))
    root.once()
    assert ends(root, "again") == [end]
    root.drop("meant.csv", came_back(root, "day", _reject_codes=""))
    assert root.once().code == 0
    assert ends(root, "meant") == [SENT]
