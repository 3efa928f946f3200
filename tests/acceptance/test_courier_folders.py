"""A courier folder that no profile is called like: its words may mean another courier's things."""

import pytest

from tests.acceptance.harness import Root, sheet

UNICOMMERCE = ("Sale Order Code", "Shipping Package Status Code")


def told(root: Root) -> str:
    """The notice about the folder's name."""
    (notice,) = (w for w in root.of("day").summary["warnings"] if w["code"] == "COURIER_UNKNOWN")
    return str(notice["message"])


@pytest.mark.parametrize(
    ("folder", "courier"),
    [
        ("unicommerce-blr", "unicommerce"),
        ("Unicomerce", "unicommerce"),
        ("wh2_unicommerce", "unicommerce"),
        ("Blue Dart Surface", "bluedart"),
        ("delhivery2", "delhivery"),
        ("Xpress Bees Mumbai", "xpressbees"),
        ("DTDC Express", "dtdc"),
        ("Shiprockt", "shiprocket"),
    ],
)
def test_a_folder_whose_name_is_near_to_a_profile_is_read_with_it(
    root: Root, folder: str, courier: str
) -> None:
    header = ("Order ID", "Status", "Status Type")
    root.drop("day.csv", sheet([("A1", "PICKED", "UD")], header=header), folder)
    root.once()
    assert root.of("day").summary["courier"] == courier
    assert f'"{folder}"' in told(root)
    assert f'"{courier}"' in told(root)


@pytest.mark.parametrize("folder", ["blr", "acme", "Delhivery or Shadowfax", "express"])
def test_an_unknown_folder_is_read_by_its_header(root: Root, folder: str) -> None:
    root.drop("day.csv", sheet([("A1", "PICKED"), ("A2", "DELIVERED")], header=UNICOMMERCE), folder)
    assert root.once().code == 0
    assert root.of("day").summary["courier"] == "unicommerce"
    assert [line["outcome"] for line in root.of("day").lines()] == ["ignored", "accepted"]
    assert folder in told(root)


def test_words_that_mean_different_things_are_held_where_nobody_knows_the_courier(
    root: Root,
) -> None:
    words = ("PICKED", "Pickup Done", "Picked Up", "Delivered", "In Transit", "RTO Delivered")
    rows = [(f"A{at}", word) for at, word in enumerate(words)]
    root.drop("day.csv", sheet(rows), "acme")
    assert root.once().code == 3
    found = root.of("day")
    assert found.summary["courier"] == "generic"
    assert [line["outcome"] for line in found.lines()] == [
        "rejected",
        "rejected",
        "accepted",
        "accepted",
        "ignored",
        "accepted",
    ]
    assert {line["codes"] for line in found.lines()[:2]} == {"STATUS_AMBIGUOUS:status"}

    # What comes back uncorrected is read with the same care.
    root.drop("back.csv", found.path("rejects.csv").read_text("utf-8-sig"), "acme")
    assert root.once().code in {3, 4}
    assert {line["outcome"] for line in root.of("back").lines()} == {"rejected"}


def test_rejects_of_a_courier_nobody_knows_are_read_with_care_wherever_they_come_back(
    root: Root,
) -> None:
    root.drop("day.csv", sheet([("A1", "PICKED"), ("A2", "Pickup Done")]), "acme")
    for name, of in (("back", "day"), ("again", "back")):
        root.once()
        root.drop(f"{name}.csv", root.of(of).path("rejects.csv").read_text("utf-8-sig"))
    assert root.once().code == 3
    for name in ("back", "again"):
        assert {line["codes"] for line in root.of(name).lines()} == {"STATUS_AMBIGUOUS:status"}


def test_the_same_words_are_sent_where_no_courier_was_named(root: Root) -> None:
    root.drop("day.csv", sheet([("A1", "Picked"), ("A2", "Pickup Done")]))
    assert root.once().code == 0
