"""Ways of knowing a header, for tests of the reader that need no courier profile."""

from collections.abc import Sequence

from pipeline.core.errors import DropRefused
from schemas.codes import Code


class ExactHeader:
    """Knows the header cell by cell; keeps the rows it was shown when none was the header."""

    def __init__(self, *cells: str) -> None:
        self.cells = list(cells)
        self.seen: list[list[str]] = []

    def fits(self, cells: Sequence[str]) -> bool:
        """Return True for the very cells."""
        return bool(self.cells) and list(cells) == self.cells

    def is_status(self, cell: str) -> bool:
        """Return True for one word."""
        return cell == "Delivered"

    def later(self, headers: Sequence[str]) -> None:
        """Return None: only an exact repeat of the header is known below it."""

    def refusal(
        self,
        seen: Sequence[Sequence[str]],
        sheets: Sequence[tuple[str, int]] = (),
    ) -> DropRefused:
        """Return a refusal and remember what was seen."""
        self.seen = [list(cells) for cells in seen]
        return DropRefused(Code.HEADER_NOT_FOUND, f"No header in {self.seen[:3]!r}.")


class NamedColumns(ExactHeader):
    """Knows a header by some of its names, in any order and among others."""

    def fits(self, cells: Sequence[str]) -> bool:
        """Return True if every name is there."""
        return set(self.cells) <= {cell.strip() for cell in cells}
