"""Lines beside the rows of a table: titles above them, notes below them, and legends."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.model import Block
from pipeline.validation.evidence.cells import SEEN, empty_cells
from pipeline.validation.evidence.sheet import SheetContext
from pipeline.validation.evidence.sources import LINE, NOTE, TITLE
from schemas.directions import fate_named
from schemas.normalise import fold_header
from schemas.notes import is_legend, is_title, sides_of, told_of_rows
from schemas.statuses import Direction, StatusMeaning
from schemas.vocabulary import Role


class Lines:
    """Reads the lines of a sheet that stand alone. ``title``: the one above its headings."""

    def __init__(self, sheet: SheetContext, title: str) -> None:
        self._sheet = sheet
        self._mapping, self._profile, self._traits = sheet.mapping, sheet.profile, sheet.traits
        self._title = self._of_sheet = self._way_titled(title)
        self._line = ""

    def said(self, block: Block) -> dict[str, pa.Array]:
        """Return for each row the title that it stands under, and the note below it, if any.

        A note may stand in a later block. One that says forward takes none back.
        """
        self._note_legends(block)
        columns = self._mapping.columns
        no_id, no_status = (
            empty_cells(block.cells[columns[role]]) for role in (Role.ORDER_ID, Role.STATUS)
        )
        alone = self._alone(block, np.flatnonzero(no_id | no_status).tolist())
        last = self._last_row(block, no_id & no_status, [at for at, _, _ in alone])
        if not (alone or self._of_sheet or self._title or self._line or self._traits.notes):
            return {}
        told = (self._title, *self._traits.notes.values(), *(line for _, line, _ in alone))
        needless = self._needless(block, told)
        titles = ["" if self._title in needless else self._title]
        notes, rests = [""], ["", self._line]
        of_title, of_note, of_rest = np.zeros((3, len(block)), dtype=np.int64)
        of_rest[:] = 1
        for at, line, is_rest in (each for each in alone if each[1] not in needless):
            title = self._way_titled(line)
            if is_rest:
                if title:
                    of_rest[at:] = len(rests)
                    rests.append(title)
                continue
            of_above, of_below = sides_of(line) if title else (False, True)
            row = int(block.rows[at])
            if of_above or (at > last and self._traits.is_last(row, line)):
                self._traits.note(row, line, first=self._sheet.first)
            if of_below:
                of_title[at:], of_rest[at:] = len(titles), 0
                titles.append(title)
        self._title, self._line = titles[-1], rests[of_rest[-1]]
        needed = (each for each in self._traits.notes.items() if each[1] not in needless)
        for row, line in sorted(needed):
            above = block.rows < row
            if fate_named(line) is Direction.FORWARD:
                above &= of_note == 0
            of_note[above] = len(notes)
            notes.append(line)
        found = ((TITLE, titles, of_title), (LINE, rests, of_rest), (NOTE, notes, of_note))
        return {
            source: pa.array(lines, pa.string()).take(pa.array(index))
            for source, lines, index in found
            if any(lines)
        }

    def _note_legends(self, block: Block) -> None:
        for at, line in self._legends(block):
            self._traits.note(_OF_ALL + at, line, first=self._sheet.first)

    def _needless(self, block: Block, lines: Iterable[str]) -> set[str]:
        """Return the legends of what the sheet's own statuses say: Red = RTO; and its title so."""
        legends = {line for line in lines if is_legend(line)} | ({self._of_sheet} - {""})
        if not legends:
            return set()
        apart = self._sheet.ways_told_apart(block)
        return {line for line in legends if apart(line, told_of_rows(line))}

    def _legends(self, block: Block) -> Iterator[tuple[int, str]]:
        """Give the legends beside the table, in headings or below none: Red = RTO."""
        headers = self._mapping.headers
        for at, heading in enumerate(headers):
            pair = " ".join(headers[at : at + 2])
            if is_legend(heading):
                yield at, heading
            elif any(map(str.isalpha, heading)) and is_legend(pair):
                yield at, pair  # not "*" beside "RTO AWB": two columns
        bare = [at for at, heading in enumerate(headers) if not heading.strip()]
        filled = np.zeros(len(block), dtype=np.bool_)
        for at in bare:
            filled |= ~empty_cells(block.cells[at])
        if filled.sum() <= SEEN:
            for row in np.flatnonzero(filled):
                line = " ".join(block.cells[at][row].as_py() for at in bare).strip()
                if is_legend(line):
                    yield len(headers) + int(block.rows[row]), line

    def _last_row(self, block: Block, empty: npt.NDArray[np.bool_], alone: Sequence[int]) -> int:
        """Return the last row of a block that is no line alone and has an id or status, or -1.

        ``empty``: which have neither. Where there is one, lines of earlier blocks have rows below
        them.
        """
        empty[list(alone)] = True
        filled = np.flatnonzero(~empty)
        if not len(filled):
            return -1
        self._traits.more_below(int(block.rows[0]))
        return int(filled[-1])

    def _alone(self, block: Block, lacking: Iterable[int]) -> list[tuple[int, str, bool]]:
        """Return the rows in which one cell stands alone, or few words: titles, and notes.

        ``lacking``: those without an id, or without a status. In the column of the statuses only
        one that names a way: else it is a row without an id.
        With each, whether it may be the rest of a row, by a status, an id or a date: it holds the
        rows below it like a title, and is not the end of the title above.
        """
        of_statuses = self._mapping.columns[Role.STATUS]
        found = []
        for at in lacking:
            filled = [text for cells in block.cells if (text := cells[at].as_py().strip())]
            line = " ".join(filled)
            if sum(map(str.isalnum, line)) < _SHORTEST:
                continue  # a stray byte or a divider ends no title
            title = self._way_titled(line)
            has_status = bool(block.cells[of_statuses][at].as_py().strip())
            if len(filled) == 1 and not filled[0].isdigit():
                alone = bool(title) or not has_status
            else:
                alone = bool(title) and not has_status and is_title(filled)
            if alone:
                is_rest = not is_legend(line) and any(map(self._is_data, filled))
                found.append((at, line, is_rest))
        return found

    def _is_data(self, cell: str) -> bool:
        if any(map(str.isdigit, cell)) and (" " not in cell or not self._way_titled(cell)):
            return True
        known = {StatusMeaning.MILESTONE, StatusMeaning.NO_MILESTONE}
        return self._profile.statuses.rule(cell).meaning in known

    def _way_titled(self, title: str) -> str:
        known = fold_header(title) in self._profile.nothing
        return title if title and not known and told_of_rows(title) is not None else ""


_SHORTEST = 2
"""Letters and digits of the shortest line that is a title or a note."""
_OF_ALL = 1 << 40
"""Added to the number of a legend beside the table, which is one on all rows of its sheet."""
