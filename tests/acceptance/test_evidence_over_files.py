"""Rows of an earlier file hold an update that a later one would send."""

import io
import re
from collections.abc import Sequence

import openpyxl
import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, sheet
from tests.acceptance.test_evidence_over_rows import (
    NOTHING,
    PARCELS,
    SENT,
    STATUSES,
    TAKEN_BACK,
    WITH_AWB,
    WITH_TIME,
    came_back,
    ends,
    profile,
)

Rows = Sequence[tuple[str, ...]]
ROAD = [("A1", "X1", "In Transit"), ("A1", "X2", "In Transit")]


def drop(root: Root, name: str, rows: Rows, header: Sequence[str] = WITH_AWB, **more: str) -> None:
    """Drop a file and run."""
    root.drop(f"{name}.csv", sheet(rows, header), **more)
    root.once()


Pair = tuple[tuple[str, ...], tuple[str, ...]]
"""A row of an earlier file, and one of a later, without their order."""


def both(root: Root, pairs: Sequence[Pair], header: Sequence[str]) -> list[tuple[str, str]]:
    """The ends of the later rows, after two files with a row of each order."""
    drop(root, "monday", [(f"A{at}", *before) for at, (before, _) in enumerate(pairs)], header)
    drop(root, "tuesday", [(f"A{at}", *now) for at, (_, now) in enumerate(pairs)], header)
    return ends(root, "tuesday")


def test_a_parcel_that_an_earlier_file_saw_on_its_way_keeps_its_order_open(
    root: Root, api: SandboxHandle
) -> None:
    drop(root, "monday", ROAD)
    drop(root, "tuesday", [("A1", "X1", "Delivered"), ("A2", "X9", "Delivered")])
    assert ends(root, "tuesday") == [PARCELS, SENT]
    told = root.of("tuesday").lines()[0]["message"]
    assert '"X2"' in told
    assert 'row 3 of "monday.csv"' in told
    drop(root, "wednesday", [("A1", "X2", "Delivered")])
    assert ends(root, "wednesday") == [SENT]
    assert [each["status"] for each in api.orders("A1")["A1"]["history"]] == ["delivery_done"]


def test_what_earlier_files_say_of_other_parcels_holds_no_more_than_it_must(root: Root) -> None:
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
    found = both(root, pairs, WITH_AWB)
    assert {outcome for outcome, _ in found} == {"accepted", "duplicate"}
    assert not [codes for _, codes in found if "PARCELS_OPEN" in codes or "CONFLICT" in codes]


def test_every_word_of_a_parcel_under_way_keeps_its_order_open(root: Root) -> None:
    words = ("Picked Up", "Out For Delivery", "RTO Initiated", "Lost")
    pairs = [(("X2", word), ("X1", "Delivered")) for word in words]
    pairs.append((("X2", "In Transit"), ("X1", "RTO Delivered")))
    assert both(root, pairs, WITH_AWB) == [PARCELS] * 5


def test_the_last_word_on_a_parcel_counts(root: Root) -> None:
    drop(root, "monday", ROAD)
    drop(root, "tuesday", [("A1", "X2", "Cancelled")])
    drop(root, "wednesday", [("A1", "X1", "Delivered")])
    assert ends(root, "wednesday") == [SENT]


def test_a_profile_says_that_any_parcel_speaks_for_the_order_over_files_too(root: Root) -> None:
    profile(root, f'parcels = "any"\n{STATUSES}')
    drop(root, "monday", ROAD, folder="acme")
    drop(root, "tuesday", [("A1", "X1", "Delivered")], folder="acme")
    assert ends(root, "tuesday") == [SENT]


LATER = ("A1", "X1", "Undelivered", "26-11-2026 14:00")
EARLIER = ("A1", "X1", "Delivered", "26-11-2026 10:15")


def test_an_end_that_an_earlier_file_has_a_later_scan_of_is_not_sent(root: Root) -> None:
    drop(root, "new", [LATER], WITH_TIME)
    drop(root, "old", [EARLIER], WITH_TIME)
    assert ends(root, "old") == [TAKEN_BACK]
    assert 'row 2 of "new.csv"' in root.of("old").lines()[0]["message"]
    drop(root, "last", [("A1", "X1", "Delivered", "27-11-2026 09:00")], WITH_TIME)
    assert ends(root, "last") == [SENT]


def test_without_awbs_an_order_is_its_only_parcel(root: Root) -> None:
    columns = ("Order ID", "Status", "Event Time")
    drop(root, "new", [(LATER[0], *LATER[2:])], columns)
    drop(root, "old", [(EARLIER[0], *EARLIER[2:])], columns)
    assert ends(root, "old") == [TAKEN_BACK]


def test_earlier_files_that_take_no_delivery_back_hold_nothing(root: Root) -> None:
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
    ]
    found = both(root, pairs, WITH_TIME)
    assert not [codes for _, codes in found if "STATUS_CONFLICT" in codes]


@pytest.mark.parametrize(
    ("before", "now", "end"),
    [
        (("A1", "X2", "In Transit", ""), ("A1", "X1", "Delivered", ""), PARCELS),
        (LATER, EARLIER, TAKEN_BACK),
    ],
)
def test_a_person_says_that_what_earlier_files_held_is_true(
    root: Root, before: tuple[str, ...], now: tuple[str, ...], end: tuple[str, str]
) -> None:
    drop(root, "monday", [before], WITH_TIME)
    drop(root, "tuesday", [now], WITH_TIME)
    assert ends(root, "tuesday") == [end]
    root.drop("again.csv", came_back(root, "tuesday"))
    root.once()
    assert ends(root, "again") == [end]
    root.drop("meant.csv", came_back(root, "tuesday", _reject_codes=""))
    root.once()
    assert ends(root, "meant") == [SENT]


def test_a_corrected_row_is_held_against_earlier_files_like_any_other(root: Root) -> None:
    drop(root, "monday", ROAD)
    drop(root, "tuesday", [("A1", "X1", "Delievered ho gaya")])
    root.drop("mended.csv", came_back(root, "tuesday", Status="Delivered"))
    root.once()
    assert ends(root, "mended") == [PARCELS]


def test_what_was_delivered_before_stays_a_duplicate(root: Root) -> None:
    drop(root, "monday", [("A1", "X1", "Delivered")])
    drop(root, "tuesday", [("A1", "X2", "In Transit")])
    drop(root, "wednesday", [("A1", "X1", "Delivered")])
    assert ends(root, "tuesday") == [NOTHING]
    assert [outcome for outcome, _ in ends(root, "wednesday")] == ["duplicate"]


def test_check_shows_what_earlier_files_hold(root: Root) -> None:
    drop(root, "monday", ROAD)
    path = root.path / "tuesday.csv"
    path.write_text(sheet([("A1", "X1", "Delivered")], WITH_AWB), encoding="utf-8")
    (told,) = root.run("check", str(path), "--json").json
    assert [each["code"] for each in told["errors"]] == ["PARCELS_OPEN"]
    assert "monday.csv" in told["errors"][0]["message"]


def test_nobody_has_said_anything_of_the_sound_rows_of_a_file_that_was_refused_whole(
    root: Root,
) -> None:
    others = [(f"B{at}", f"Y{at}", "Nonesuch") for at in range(24)]
    drop(root, "whole", [("A1", "X1", "Delivered"), *others])
    assert root.of("whole").summary["refused"]["code"] == "TOO_MANY_REJECTS"
    drop(root, "tuesday", [("A1", "X2", "In Transit")])
    root.drop("back.csv", came_back(root, "whole", Status="Delivered"))
    root.once()
    assert ends(root, "back") == [PARCELS, *[SENT] * 24]
    root.drop("emptied.csv", came_back(root, "whole", Status="Delivered", _reject_codes=""))
    root.once()
    assert ends(root, "emptied")[0] == PARCELS
    root.drop("meant.csv", came_back(root, "back", _reject_codes=""))
    root.once()
    assert ends(root, "meant") == [SENT]


def test_the_rejects_of_a_refused_file_say_where_other_parcels_are(root: Root) -> None:
    others = [(f"B{at}", f"Y{at}", "Nonesuch") for at in range(24)]
    road = [("A1", "X2", "In Transit"), ("C1", "Z1", "In Transit")]
    drop(root, "whole", [("A1", "X1", "Nonesuch"), *road, *others])
    assert root.of("whole").summary["refused"]["code"] == "TOO_MANY_REJECTS"
    back = came_back(root, "whole").replace("Nonesuch", "Delivered")
    assert "X2,In Transit" in back
    assert "C1" not in back, "nothing else of this order is to be sent"
    root.drop("back.csv", back)
    root.once()
    assert ends(root, "back") == [PARCELS, NOTHING, *[SENT] * 24]


def test_a_line_that_was_added_to_a_rejects_file_is_judged_like_any_other(root: Root) -> None:
    drop(root, "monday", ROAD)
    drop(root, "tuesday", [("A2", "Y1", "Nonesuch")])
    first = came_back(root, "tuesday", Status="Delivered")
    unknown = "7,,,d20010101t000000000aaaa,A1,X1,Delivered"
    for at, added in enumerate((",,,,A1,X1,Delivered", unknown)):
        root.drop(f"more{at}.csv", f"{first}{added}\r\n")
        root.once()
        assert ends(root, f"more{at}")[1] == PARCELS


@pytest.mark.parametrize("codes", ["CONFIRMED", "PARCELS_OPEN:awb;confirmed", " Confirmed ;X"])
def test_a_person_confirms_in_so_many_words_what_earlier_files_held(root: Root, codes: str) -> None:
    drop(root, "monday", ROAD)
    drop(root, "tuesday", [("A1", "X1", "Delivered")])
    root.drop("not.csv", came_back(root, "tuesday", _reject_codes="PARCELS_OPEN:awb;not confirmed"))
    root.once()
    assert ends(root, "not") == [PARCELS]
    root.drop("meant.csv", came_back(root, "tuesday", _reject_codes=codes))
    root.once()
    assert ends(root, "meant") == [SENT]


def test_a_word_that_was_copied_with_its_row_is_nobodys(root: Root) -> None:
    drop(root, "monday", [*ROAD, ("A2", "Y2", "In Transit")])
    drop(root, "tuesday", [("A1", "X1", "Delivered")])
    meant = came_back(root, "tuesday", _reject_codes="CONFIRMED")
    line = meant.splitlines()[1]
    root.drop("copied.csv", f"{meant}{line.replace('A1,X1', 'A2,Y1')}\r\n")
    root.once()
    assert ends(root, "copied") == [PARCELS, PARCELS]
    root.drop("twice.csv", f"{meant}{line}\r\n")
    root.once()
    assert ends(root, "twice")[0] == SENT


def copies(row: str) -> list[tuple[str, str]]:
    """Name ways to copy a row with its word to another order, each with its line."""
    other = row.replace("A1,X1", "A2,Y1")
    return [
        ("space", other.replace("2,", "2 ,", 1)),
        ("float", other.replace("2,", "2.0,", 1)),
        ("unnumbered", other.replace("2,", ",", 1)),
        ("stranger", re.sub(r",d[^,]+,A2", ",d20010101t000000000aaaa,A2", other)),
        ("emptied", other.replace("CONFIRMED", "")),
    ]


def test_a_word_counts_for_the_order_of_the_row_that_it_names(root: Root) -> None:
    drop(root, "monday", [*ROAD, ("A2", "Y2", "In Transit")])
    drop(root, "tuesday", [("A1", "X1", "Delivered")])
    meant = came_back(root, "tuesday", _reject_codes="CONFIRMED")
    header, row = meant.splitlines()
    for name, copy in copies(row):
        root.drop(f"{name}.csv", f"{header}\r\n{copy}\r\n")
        root.drop(f"{name} beside it.csv", f"{meant}{copy}\r\n")
    root.once()
    for name, _ in copies(row):
        assert ends(root, name) == [PARCELS], name
        assert ends(root, f"{name} beside it")[1] == PARCELS, name


def test_a_word_that_was_copied_to_another_sheet_is_nobodys(root: Root) -> None:
    drop(root, "monday", [*ROAD, ("A2", "Y2", "In Transit")])
    drop(root, "tuesday", [("", "X1", "Delivered")])
    (line,) = root.of("tuesday").lines("rejects.csv")
    book = openpyxl.Workbook()
    for at, changed in enumerate(({"Order ID": "A1"}, {"Order ID": "A2", "AWB Number": "Y1"})):
        tab = book.worksheets[0] if not at else book.create_sheet("Copies")
        tab.append(list(line))
        tab.append(list({**line, "_reject_codes": "CONFIRMED", **changed}.values()))
    file = io.BytesIO()
    book.save(file)
    root.drop("copied.xlsx", file.getvalue())
    root.once()
    assert ends(root, "copied") == [PARCELS, PARCELS]


@pytest.mark.parametrize("lost", ["", "#####", "1.23457E+17", "123456789012345000"])
def test_a_row_whose_order_id_is_mended_can_be_confirmed(root: Root, lost: str) -> None:
    mended = "123456789012345011"
    drop(root, "monday", [(mended, "X1", "In Transit"), (mended, "X2", "In Transit")])
    drop(root, "tuesday", [(lost, "X1", "Delivered")])
    root.drop(
        "meant.csv",
        came_back(root, "tuesday", **{"Order ID": mended, "_reject_codes": "CONFIRMED"}),
    )
    root.once()
    assert ends(root, "meant") == [SENT]


def test_the_rejects_of_a_file_that_is_still_open_can_be_confirmed(
    root: Root, api: SandboxHandle
) -> None:
    drop(root, "monday", ROAD)
    api.set_faults(fail_rate=1.0, fail_status=(401,))
    drop(root, "tuesday", [("A1", "X1", "Delivered"), ("A3", "Z1", "Delivered")])
    root.drop("meant.csv", came_back(root, "tuesday", _reject_codes="CONFIRMED"))
    root.once()
    assert root.of("tuesday").counts == {"rejected": 1, "unsent": 1}
    api.set_faults(fail_rate=0.0)
    root.once()
    assert ends(root, "meant") == [SENT]


def test_a_long_awb_is_the_same_parcel_in_both_files(root: Root) -> None:
    long = "X" + "1234567890" * 7
    found = both(root, [((long, "In Transit"), (f" '{long} ", "Delivered"))], WITH_AWB)
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
    ]
    api.set_faults(fail_rate=1.0, fail_status=(503,))
    drop(root, "monday", first, header)
    assert root.run("cancel", root.of("monday").id).code == 0
    root.once()
    api.set_faults(fail_rate=0.0)
    assert root.of("monday").counts == {"unsent": 3}
    drop(
        root,
        "tuesday",
        [("A1", "Y1", "In Transit", late), ("A2", "X2", "Undelivered", late)],
        header,
    )
    assert root.run("retry", root.of("monday").id).code == 3
    assert ends(root, "monday") == [PARCELS, TAKEN_BACK, SENT]
    assert list(api.orders()) == ["A3"]
    assert '"Y1"' in root.of("monday").lines()[0]["message"]


def test_a_file_that_rested_looks_at_what_later_files_say_when_it_goes_on(
    root: Root, api: SandboxHandle
) -> None:
    late = "27-11-2026 18:00"
    header = (*WITH_AWB, "Event Time")
    api.set_faults(fail_rate=1.0, fail_status=(401,))
    first = [(f"A{at}", f"X{at}", "Delivered", "27-11-2026 10:00") for at in (1, 2, 3)]
    drop(root, "monday", first, header)
    assert root.of("monday").counts == {"unsent": 3}
    drop(root, "alone", [("A4", "X4", "Delivered", "27-11-2026 10:00")], header)
    since = [
        ("A4", "Y4", "In Transit", late),
        ("A1", "Y1", "In Transit", late),
        ("A2", "X2", "Undelivered", late),
    ]
    drop(root, "tuesday", since, header)
    api.set_faults(fail_rate=0.0)
    root.once()
    assert ends(root, "monday") == [PARCELS, TAKEN_BACK, SENT]
    assert ends(root, "alone") == [PARCELS]
    assert list(api.orders()) == ["A3"]


def test_files_that_are_planned_together_know_of_each_others_parcels(
    root: Root, api: SandboxHandle
) -> None:
    root.drop("1 monday.csv", sheet(ROAD, WITH_AWB))
    root.drop(
        "2 tuesday.csv", sheet([("A1", "X1", "Delivered"), ("A2", "X9", "Delivered")], WITH_AWB)
    )
    root.once()
    assert ends(root, "2 tuesday") == [PARCELS, SENT]
    assert list(api.orders()) == ["A2"]
