"""Rows that a later file brought need nobody any more in the file they were left in."""

from collections.abc import Iterator
from typing import Any

from tests.acceptance.harness import Delivered
from tests.acceptance.stories import Part, together
from tests.acceptance.test_evidence_over_rows import STATUSES, WITH_AWB


def named(part: Part, name: str) -> list[Delivered]:
    """Return the drops of a file of this name, oldest first."""
    own = f"{part.tag} {name}"
    found = [each for each in part.root.delivered() if each.summary["source_file"] == own]
    return sorted(found, key=lambda each: each.summary["received_at"])


def to_do(part: Part) -> set[str]:
    listed = part.root.run("drops", "--state", "to_do", "--limit", "500", "--json").json
    return {each["drop_id"] for each in listed}


def shown(part: Part, drop: Delivered) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = part.root.run("drops", "show", drop.id, "--json").json["set_aside"]
    return told


@together
def test_rows_that_came_with_the_corrected_original_need_nobody(part: Part) -> Iterator[None]:
    rows = [
        ("A1", "X11", "Dlvrdd"),
        ("A2", "X12", "Delivered"),
        ("A3", "X13", "Pickt"),
        ("A4", "X14", "Nonesuch"),
        ("A5", "", "Dlvrdd"),
    ]
    part.drop_rows("day", rows, WITH_AWB)
    yield
    mended = {"Dlvrdd": "Delivered", "Pickt": "Picked Up"}
    part.drop_rows("day", [(*each, mended.get(said, said)) for *each, said in rows], WITH_AWB)
    yield
    first, second = named(part, "day.csv")
    assert second.counts == {"accepted": 3, "duplicate": 1, "rejected": 1}
    assert {first.id, second.id} <= to_do(part), "row 5 is wrong in both"
    (told,) = shown(part, first)
    assert told == {"rows": 3, "reason": f"came with {part.tag} day.csv ({second.id})", "who": ""}
    part.drop_rows("late", [("A4", "X14", "Delivered")], WITH_AWB)
    yield
    assert {first.id, second.id}.isdisjoint(to_do(part))
    assert [each["rows"] for each in shown(part, first)] == [3, 1]


#: A row that was rejected, one that a later file of another name brought, which is another.
ANOTHER = (
    (("Dlvrdd", "X21"), ("Picked Up", "X21")),  # it may have been a delivery
    (("Dlvrdd", "X22"), ("Delivered", "X23")),
    (("Dlvrdd", ""), ("Delivered", "X24")),
    (("Dlvrdd", "X25"), ("In Transit", "X25")),
)


@together
def test_what_a_later_file_says_of_another_step_or_parcel_leaves_it_to_do(
    part: Part,
) -> Iterator[None]:
    held = [("H1", "X31", "Delivered"), ("H1", "X32", "In Transit")]
    for at, ((said, awb), _) in enumerate(ANOTHER):
        part.drop_rows(f"day{at}", [(f"A{at}", awb, said)], WITH_AWB)
    part.drop_rows("held", held, WITH_AWB)
    part.drop_rows("split", [("H2", "X51", held[0][2]), ("H2", "X52", held[1][2])], WITH_AWB)
    part.drop_rows("shared", [("S1", "X41", "Dlvrdd")], WITH_AWB)
    yield
    for at, (_, (said, awb)) in enumerate(ANOTHER):
        part.drop_rows(f"later{at}", [(f"A{at}", awb, said)], WITH_AWB)
    part.drop_rows("still", [("H1", "X31", "Picked Up")], WITH_AWB)
    part.drop_rows("other", [("S1", "X41", "Delivered")], WITH_AWB, part.courier("c", STATUSES))
    yield
    left = to_do(part)
    for name in (*(f"day{at}" for at in range(len(ANOTHER))), "held", "split", "shared"):
        assert part.of(name).id in left, name
    assert part.of("still").counts == {"accepted": 1}
    part.drop_rows("both", [(*each[:2], "Delivered") for each in held], WITH_AWB)
    part.drop_rows("rest", [("H2", "X52", "Delivered")], WITH_AWB)
    yield
    assert {part.of("held").id, part.of("split").id}.isdisjoint(to_do(part))


@together
def test_a_file_that_was_cut_or_empty_and_came_whole_needs_nobody(part: Part) -> Iterator[None]:
    cut = "Status,Order ID\n" + "".join(f"Delivered,ORD-{at:04}\n" for at in range(5))
    cut = cut.replace("ORD", part.tag)
    part.drop("cut.csv", cut + f"Delivered,{part.tag}-")
    part.drop("empty.csv", "")
    part.drop("gone.csv", "")
    yield
    part.drop("cut.csv", cut + f"Delivered,{part.tag}-0005\n")
    part.drop_rows("empty", [("E1", "Nonesuch"), ("E2", "Delivered")])
    part.drop("gone.csv", "Nothing,Known\n1,2\n")
    yield
    left = to_do(part)
    for name, needs in (("cut.csv", False), ("empty.csv", False), ("gone.csv", True)):
        first, second = named(part, name)
        assert first.summary["refused"]["code"] in {"TRUNCATED", "EMPTY_FILE"}
        assert (first.id in left) is needs, name
        assert bool(shown(part, first)) is not needs
        assert (second.id in left) is (name != "cut.csv")
    named_so = part.root.run("why", str(part.root.inbox / f"{part.tag} cut.csv")).out
    assert f"Set aside: came with {part.tag} cut.csv" in " ".join(named_so.split())


@together
def test_a_file_that_was_refused_for_its_rows_and_came_corrected_needs_nobody(
    part: Part,
) -> Iterator[None]:
    rows = [(f"B{at}", f"Y5{at}", "Nonesuch") for at in range(24)]
    rows += [("B30", "Y530", "Delivered"), ("B31", "Y531", "In Transit")]
    for name in ("whole", "part"):
        own = [(f"{name[0]}{order}", *rest) for order, *rest in rows]
        part.drop_rows(name, own, WITH_AWB)
    yield
    for name, left in (("whole", 0), ("part", 1)):
        own = [(f"{name[0]}{order}", awb, "Delivered") for order, awb, _ in rows[left:]]
        part.drop_rows(name, own, WITH_AWB)
    yield
    open_ = to_do(part)
    for name, needs in (("whole.csv", False), ("part.csv", True)):
        first, second = named(part, name)
        assert first.summary["refused"]["code"] == "TOO_MANY_REJECTS"
        assert set(second.counts) == {"accepted"}
        assert (first.id in open_) is needs, name
