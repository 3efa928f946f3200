"""CSV injection (hazards, section G): what we write never runs, and comes back as it was."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.formula_guard import (
    guard_array,
    guard_cell,
    unguard_array,
    unguard_cell,
)
from schemas.display import encodable

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SHARP = st.text("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20' \u00a0\u3000aZ1\x00\u200b\"")


@pytest.mark.parametrize("trigger", "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
@pytest.mark.parametrize("before", ["", " ", "   ", "\u00a0", "\u3000 "])
def test_every_trigger_is_guarded_also_after_spaces(trigger: str, before: str) -> None:
    assert guard_cell(f"{before}{trigger}1+1") == f"'{before}{trigger}1+1"


@pytest.mark.parametrize(
    "harmless", ["", " ", "Delivered", "17788112345678901234", "a=b", "O'Neil", " 'x"]
)
def test_a_harmless_cell_stays_as_it_is(harmless: str) -> None:
    assert guard_cell(harmless) == harmless


def test_an_apostrophe_at_the_start_is_doubled_or_it_would_be_lost() -> None:
    assert guard_cell("'x") == "''x"


def test_a_negative_number_as_text_is_guarded_too() -> None:
    assert guard_cell("-5") == "'-5"


@given(TEXT | SHARP)
def test_the_inverse_gives_any_text_back(text: str) -> None:
    assert unguard_cell(guard_cell(text)) == text


@given(TEXT | SHARP)
def test_a_guarded_cell_begins_with_nothing_that_runs(text: str) -> None:
    assert (
        not guard_cell(text)
        .lstrip(" \u00a0\u3000")
        .startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
    )


@given(st.lists(TEXT | SHARP, max_size=12), st.sampled_from([pa.string(), pa.large_string()]))
def test_columns_are_treated_like_cells(texts: list[str], kind: pa.DataType) -> None:
    guarded = guard_array(pa.array(texts, kind))
    assert guarded.type == kind
    assert guarded.to_pylist() == [guard_cell(text) for text in texts]
    assert unguard_array(guarded).to_pylist() == texts


def test_only_one_apostrophe_is_stripped() -> None:
    assert unguard_array(pa.array(["''x", "'x", "x"])).to_pylist() == ["'x", "x", "x"]


def test_in_a_workbook_only_what_the_guard_may_have_added_goes() -> None:
    cells = pa.array(["'=1", "''x", "'17788", "' -", "x"])
    assert unguard_array(cells, only_guarded=True).to_pylist() == ["=1", "'x", "'17788", " -", "x"]


def test_a_file_name_that_is_no_utf8_can_be_written() -> None:
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    assert encodable(name).encode() == "caf\ufffd.csv".encode()
