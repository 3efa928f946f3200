"""Rows by their numbers, and by sheet and number where a file has several."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.model import DropFacts, SheetFacts
from pipeline.core.row_keys import (
    RowKey,
    in_order,
    in_words,
    row_key,
    rows_meant,
    rows_named,
    without_doubles,
)

NORTH, SOUTH = ("North", 12), ("South", 12)
KEYS = st.sets(
    st.builds(row_key, st.integers(1, 3), st.sampled_from(["", "North", "South"])), max_size=9
)


def test_a_row_of_the_only_sheet_is_its_number() -> None:
    assert (row_key(12), row_key(12, "North"), row_key(12, " North  side ")) == (
        12,
        NORTH,
        ("North side", 12),
    )
    assert (in_words(12), in_words(NORTH)) == ("12", "12 of North")
    only, a, b = (SheetFacts(name=n, headers=(), roles={}, rows=1) for n in ("Only", "A", "B"))
    assert DropFacts(sheets=(only,)).key_sheets == [""]
    assert DropFacts(sheets=(a, b)).key_sheets == ["A", "B"]
    assert DropFacts().key_sheets == []


def test_a_number_alone_names_the_only_row_that_has_it() -> None:
    assert rows_named({12}, [NORTH]) == {NORTH}
    assert rows_named({12}, [NORTH, SOUTH]) == set()
    assert rows_named({12}, [12, 12]) == set()  # a rejects file that names no sheets
    assert rows_named({NORTH}, [12]) == {12}
    assert rows_named({NORTH}, [SOUTH]) == set()
    assert rows_named({SOUTH}, {NORTH: 1, SOUTH: 2}) == {SOUTH}
    assert rows_meant({12}, [NORTH, SOUTH, 13]) == {NORTH, SOUTH}


def test_a_number_alone_gives_way_to_a_row_that_is_named_whole() -> None:
    assert without_doubles({12, NORTH, 13}) == {NORTH, 13}
    assert without_doubles({12, 13}, {SOUTH}) == {13}


@given(KEYS)
def test_keys_are_read_as_they_were_kept(keys: set[RowKey]) -> None:
    stored = msgspec.json.decode(msgspec.json.encode(DropFacts(fixed_rows=in_order(keys))))
    assert {*msgspec.convert(stored, DropFacts).fixed_rows} == keys


@given(KEYS, KEYS)
def test_no_more_rows_are_done_than_were_named(keys: set[RowKey], rows: set[RowKey]) -> None:
    named = rows_named(keys, rows)
    assert named <= rows_meant(keys, rows) <= rows
    assert len(named) <= len(keys)
    assert keys & rows <= named
