"""How messages name where evidence stands, and how what was said there is kept in a block."""

from collections.abc import Sequence

from schemas.directions import way_of_file
from schemas.display import quoted
from schemas.notes import told_by_comment, told_of_rows
from schemas.statuses import Direction

FILE_NAME = "the name of the file"

FOLDER_NAME = "the name of its folder"

TABLE_NAME = "the name of its table"

NAMES = frozenset({FILE_NAME, FOLDER_NAME, TABLE_NAME})
"""How messages name a claim that such a name makes; it holds only where nothing else speaks."""


TITLE = "the title above its rows"

LINE = "the line above its rows"

NOTE = "the note below its rows"

CROSSED_OUT = "the line that crosses its cells out"

COMMENT = "the comment on "

COLUMN = "the column "


def column_named(headers: Sequence[str], at: int) -> str:
    """Return how messages name the source of what a column says."""
    heading = " ".join(headers[at].split())
    return f"{COLUMN}{quoted(heading) if heading else f'{at + 1}, which has no heading,'}"


def direction_said(source: str, cell: str) -> Direction:
    """Return the direction that a cell of ``Block.said``, or of ``ColumnMap.around``, means."""
    if source == CROSSED_OUT:
        return Direction.WITHDRAWN
    if not is_column(source):
        if source in NAMES:
            return way_of_file(cell) or Direction.BLANK
        told = told_by_comment if source.startswith(COMMENT) else told_of_rows
        return told(cell) or Direction.BACK  # a tab such as Inbound beside Outbound
    way, _, _ = cell.partition(":")
    return Direction(way)


def cell_said(source: str, cell: str) -> str:
    """Return such a cell as messages show it."""
    if source == CROSSED_OUT:
        return ""
    return cell.partition(":")[2] if is_column(source) else cell


def is_column(source: str) -> bool:
    """Return whether a direction is said by a column, not by a name or title."""
    return source.startswith(COLUMN)
