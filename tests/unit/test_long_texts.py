"""A stranger's long texts and lists are read in time that grows with their length."""

import time
from collections.abc import Callable

import pytest

from pipeline.validation.evidence.traits import Traits
from schemas.date_headings import told_apart
from schemas.directions import fate_named, way_of_file
from schemas.normalise import fold, fold_header
from schemas.notes import told_of_rows
from schemas.tab_days import days_of

DATES = [f"Delivered Date {number}" for number in range(900)]


def _list_ids(count: int) -> Traits:
    traits = Traits()
    for each in range(count):
        traits.list(("the list below the rows", "RTO"), frozenset({f"A{each}"}), first=True)
    return traits


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: told_of_rows("rto:1 " * 24 + "of all"), id="a line of counts"),
        pytest.param(lambda: told_of_rows("* " * 8_000 + "RTO"), id="a line of stars"),
        pytest.param(lambda: fate_named("filter " * 4_000), id="a line of filters"),
        pytest.param(lambda: way_of_file("filter:," * 4_000), id="a name of filters"),
        pytest.param(lambda: fold("À" * 3_000_000), id="a text that may have been misread"),
        pytest.param(lambda: told_of_rows("Delivered" + "&" * 20_000), id="a line of ampersands"),
        pytest.param(lambda: fold_header("(Pickup)" * 10_000), id="a heading of brackets"),
        pytest.param(lambda: _list_ids(20_000), id="ids that are listed one a row"),
        pytest.param(
            lambda: [told_apart(DATES, at) for at in range(len(DATES))],
            id="a header of dates",
        ),
    ],
)
def test_long_texts_are_read_at_once(read: Callable[[], object]) -> None:
    began = time.process_time()
    read()
    assert time.process_time() - began < 0.5


def test_a_tab_with_a_number_as_its_name_is_no_day() -> None:
    """Python reads no number of more than 4,300 digits."""
    assert days_of(["9" * 5_000, "Mon", "Tue"]) == [-1, 0, 1]
