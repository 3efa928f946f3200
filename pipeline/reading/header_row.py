"""Where the header is: the first row that holds every column the courier's profile needs."""

import re
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from pipeline.core.errors import DropRefused
from pipeline.validation.profile_choice import LaterHeaders
from schemas.codes import Code
from schemas.display import counted, quoted
from schemas.headings import trimmed
from schemas.notes import is_title, told_of_rows


class HeaderFinder(Protocol):
    """Find the header for the reader; validation implements it."""

    def fits(self, cells: Sequence[str]) -> bool:
        """Return True if these cells hold a header for every required role."""
        ...

    def refusal(
        self, seen: Sequence[Sequence[str]], sheets: Sequence[tuple[str, int]] = ()
    ) -> DropRefused:
        """Return the ``HEADER_NOT_FOUND`` refusal; ``seen`` are the non-blank rows looked at.

        ``sheets``: which sheets they are of, in their order, and how many of each.
        """
        ...

    def is_status(self, cell: str) -> bool:
        """Return True if a cell is a status that a table may have."""
        ...

    def later(self, headers: Sequence[str]) -> LaterHeaders | None:
        """Return a test for heading rows below this header; None: only its exact repeat is one."""
        ...


class Record(Struct, frozen=True, kw_only=True):
    """One record near the top of a table: its number as a spreadsheet shows it, and its cells."""

    number: int
    cells: Sequence[str]


def find_header(records: Sequence[Record], header: HeaderFinder, *, where: str) -> Record | None:
    """Return the header among the first records of a table, or None.

    Raises ``DropRefused`` (``HEADER_AMBIGUOUS``) when a later row is a header with other columns:
    two tables in one sheet cannot be separated safely. Likewise when a row above it is a shipment,
    as in a sheet that was sorted with its header. ``where`` names the sheet ("" for CSV).
    """
    found = next((record for record in records if header.fits(record.cells)), None)
    if found is None:
        return None
    later = header.later(found.cells)
    at = records.index(found)
    above = (record for record in records[:at] if later and later.is_shipment(record.cells))
    if (early := next(above, None)) is not None:
        raise _shipment_above(found, early, where=where)
    below = records[at + 1 :]
    first = next((record for record in below if not is_blank(record.cells)), None)
    if first is not None and later is not None and later.divides(first.cells):
        raise _divided(found, first, where=where)
    for record in below:
        known = later.is_header(record.cells) if later else header.fits(record.cells)
        if known and not _repeats(record, found, later):
            raise two_headers(found.number, record.number, where=where)
    return found


def title_above(records: Sequence[Record], found: Record) -> str:
    """Return the nearest title above the header that tells where its rows went, "" without one.

    What stands alone in the last filled row may be longer than a title.
    """
    above = [each for each in records if each.number < found.number and not is_blank(each.cells)]
    lines = [[cell.strip() for cell in each.cells if cell.strip()] for each in reversed(above)]
    summary = sum(map(_is_count, lines)) > 1  # Delivered | 24, and below it RTO | 8
    for near, words in enumerate(lines):
        if summary and _is_count(words):
            continue
        title = " ".join(words)
        alone = near == 0 and len(words) == 1
        if (alone or is_title(_without_dates(words))) and told_of_rows(title) is not None:
            return title
    return ""


def _is_count(words: Sequence[str]) -> bool:
    return len(words) == _PAIR and words[1].isdecimal() and not any(map(str.isdigit, words[0]))


_PAIR = 2


def _without_dates(words: Sequence[str]) -> list[str]:
    """Return the words of a title without those that tell of which day or month it is."""
    return [_NUMBERED.sub("", word).strip() for word in words if _NUMBERED.sub("", word).strip()]


_NUMBERED = re.compile(r"\S*\d\S*|\s[-–]\s")


def _repeats(record: Record, header: Record, later: LaterHeaders | None) -> bool:
    return trimmed(record.cells) == trimmed(header.cells) or (
        later is not None and later.repeats(record.cells)
    )


def two_headers(first: int, second: int, *, where: str) -> DropRefused:
    """Return the refusal (``HEADER_AMBIGUOUS``) of a table with another one below it."""
    place = f" in {where}" if where else ""
    return DropRefused(
        Code.HEADER_AMBIGUOUS,
        f"Rows {first} and {second}{place} both look like the header, and their columns differ.",
        hint="Keep one table per file or sheet, with one header row, and upload it again.",
    )


def _shipment_above(header: Record, above: Record, *, where: str) -> DropRefused:
    place = f" in {where}" if where else ""
    # Its first cell only: others may be a customer's name or a remark, and messages are logged.
    shown = quoted(next(cell.strip() for cell in above.cells if cell.strip()))
    return DropRefused(
        Code.HEADER_AMBIGUOUS,
        f"Row {above.number}{place} ({shown}) is a shipment, and stands above the header in row "
        f"{header.number}. What stands above a header is not read.",
        hint="Move the header to the top of its table, and upload the file again.",
    )


def _divided(header: Record, below: Record, *, where: str) -> DropRefused:
    place = f" of {where}" if where else ""
    named = ", ".join(quoted(cell.strip()) for cell in below.cells if cell.strip())
    return DropRefused(
        Code.HEADER_AMBIGUOUS,
        f"The headings{place} stand in two rows, {header.number} and {below.number}: {named} stand "
        "below others, so it is not certain which column is which.",
        hint="Give every column one heading, all in one row, and upload the file again.",
    )


def check_width(cells: Sequence[str], limit: int, *, where: str) -> None:
    """Raise ``DropRefused`` (``UNREADABLE``) if a header is wider than ``Limits.max_columns``."""
    if len(cells) > limit:
        place = f" of {where}" if where else ""
        raise DropRefused(
            Code.UNREADABLE,
            f"The table{place} has {counted(len(cells), 'column')}; at most {limit:,} are read.",
            hint="Remove the columns that are not needed and upload the file again.",
        )


def is_blank(cells: Sequence[str]) -> bool:
    """Return True if no cell holds anything but white space."""
    return not any(cell.strip() for cell in cells)
