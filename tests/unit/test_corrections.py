"""Count the rows of a returned rejects file that are mended."""

import pyarrow as pa
import pytest

from pipeline.core.model import ResultBlock
from pipeline.core.row_columns import RESULT
from pipeline.reporting.write import corrections
from schemas.vocabulary import Outcome

HEADERS = ("_reject_row", "_reject_codes", "_reject_message", "_reject_drop", "Order Id")


def block(*lines: tuple[str, str, Outcome], headers: tuple[str, ...] = HEADERS) -> ResultBlock:
    """Rows of a file that came back: the row and drop they say they are of, and their outcome."""
    columns = {
        field.name: pa.array(
            [outcome.value for _, _, outcome in lines]
            if field.name == "outcome"
            else ([""] if pa.types.is_string(field.type) else [2]) * len(lines),
            field.type,
        )
        for field in RESULT
    }
    cells = [(row, "", "", drop, "X") for row, drop, _ in lines]
    return ResultBlock(
        sheet="",
        headers=headers,
        table=pa.table(columns, schema=RESULT),
        cells=tuple(pa.array(column, pa.string()) for column in zip(*cells, strict=True)),
    )


@pytest.mark.parametrize("outcome", Outcome)
def test_a_row_is_fixed_once_nothing_is_left_to_do_about_it(outcome: Outcome) -> None:
    found = corrections([block(("7", "d1", outcome))], "d1")
    assert found.rows == {7}
    is_sound = outcome in {Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.IGNORED}
    assert found.fixed == ({7} if is_sound else set())


def test_only_rows_of_this_parent_count_and_each_once() -> None:
    found = corrections(
        [
            block(
                ("7", "d1", Outcome.REJECTED),
                ("7", "d1", Outcome.ACCEPTED),
                ("8", "d2", Outcome.ACCEPTED),
                ("", "d1", Outcome.ACCEPTED),
                ("9", "d1", Outcome.FAILED),
            ),
            block(("10", "d1", Outcome.DUPLICATE)),
            block(("11", "d1", Outcome.ACCEPTED), headers=("a", "b", "c", "d", "e")),
        ],
        "d1",
    )
    assert (found.rows, found.fixed) == ({7, 9, 10}, {7, 10})
