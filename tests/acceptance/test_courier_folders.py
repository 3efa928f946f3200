"""A courier folder that no profile is called like: its words may mean another courier's things."""

from collections.abc import Iterator

from tests.acceptance.stories import Part, together

UNICOMMERCE = ("Sale Order Code", "Shipping Package Status Code")


def told(part: Part, name: str) -> str:
    """The notice about the folder's name."""
    warnings = part.of(name).summary["warnings"]
    (notice,) = (each for each in warnings if each["code"] == "COURIER_UNKNOWN")
    return str(notice["message"])


NEAR = {
    "unicommerce-blr": "unicommerce",
    "Unicomerce": "unicommerce",
    "wh2_unicommerce": "unicommerce",
    "Blue Dart Surface": "bluedart",
    "delhivery2": "delhivery",
    "Xpress Bees Mumbai": "xpressbees",
    "DTDC Express": "dtdc",
    "Shiprockt": "shiprocket",
}


@together
def test_a_folder_whose_name_is_near_to_a_profile_is_read_with_it(part: Part) -> Iterator[None]:
    header = ("Order ID", "Status", "Status Type")
    for at, folder in enumerate(NEAR):
        part.drop_rows(f"day{at}", [(f"A{at}", "PICKED", "UD")], header, folder)
    yield
    for at, (folder, courier) in enumerate(NEAR.items()):
        assert part.of(f"day{at}").summary["courier"] == courier
        assert f'"{folder}"' in told(part, f"day{at}")
        assert f'"{courier}"' in told(part, f"day{at}")


@together
def test_an_unknown_folder_is_read_by_its_header(part: Part) -> Iterator[None]:
    folders = ("blr", "acme", "Delhivery or Shadowfax", "express")
    for at, folder in enumerate(folders):
        rows = [(f"A{at}", "PICKED"), (f"B{at}", "DELIVERED")]
        part.drop_rows(f"day{at}", rows, UNICOMMERCE, folder)
    yield
    for at, folder in enumerate(folders):
        assert part.of(f"day{at}").summary["courier"] == "unicommerce"
        assert [outcome for outcome, _ in part.ends(f"day{at}")] == ["ignored", "accepted"]
        assert folder in told(part, f"day{at}")


@together
def test_words_that_mean_different_things_are_held_where_nobody_knows_the_courier(
    part: Part,
) -> Iterator[None]:
    words = ("PICKED", "Pickup Done", "Picked Up", "Delivered", "In Transit", "RTO Delivered")
    part.drop_rows("day", [(f"A{at}", word) for at, word in enumerate(words)], folder="acme")
    yield
    assert part.of("day").summary["courier"] == "generic"
    found = part.ends("day")
    outcomes = ["rejected", "rejected", "accepted", "accepted", "ignored", "accepted"]
    assert [outcome for outcome, _ in found] == outcomes
    assert {codes for _, codes in found[:2]} == {"STATUS_AMBIGUOUS:status"}

    # What comes back uncorrected is read with the same care.
    part.drop("back.csv", part.of("day").path("rejects.csv").read_text("utf-8-sig"), "acme")
    yield
    assert {outcome for outcome, _ in part.ends("back")} == {"rejected"}


@together
def test_rejects_of_a_courier_nobody_knows_are_read_with_care_wherever_they_come_back(
    part: Part,
) -> Iterator[None]:
    part.drop_rows("day", [("A1", "PICKED"), ("A2", "Pickup Done")], folder="acme")
    for name, of in (("back", "day"), ("again", "back")):
        yield
        part.drop(f"{name}.csv", part.of(of).path("rejects.csv").read_text("utf-8-sig"))
    yield
    for name in ("back", "again"):
        assert {codes for _, codes in part.ends(name)} == {"STATUS_AMBIGUOUS:status"}


@together
def test_the_same_words_are_sent_where_no_courier_was_named(part: Part) -> Iterator[None]:
    part.drop_rows("day", [("A1", "Picked"), ("A2", "Pickup Done")])
    yield
    assert part.ends("day") == [("accepted", "")] * 2
