"""Evidence in a file about its shipments, outside the columns that are read for it.

Facts only: each block is given the cells that say a direction or another status, by where they
stand; statuses are resolved with them (``validation.status_resolution``).
"""

from collections.abc import Mapping, Sequence
from itertools import chain

import pyarrow as pa
from msgspec.structs import replace

from pipeline.core.model import Block, ListedIds
from pipeline.validation.columns import ColumnMap
from pipeline.validation.evidence.by_hand import said_by_hand
from pipeline.validation.evidence.cells import Texts
from pipeline.validation.evidence.days import day_columns, days_passed
from pipeline.validation.evidence.denials import Denials
from pipeline.validation.evidence.direction_column import written_out
from pipeline.validation.evidence.directions import Directions
from pipeline.validation.evidence.lines import Lines
from pipeline.validation.evidence.listed_ids import (
    columns_of_lists,
    lists_below,
    lists_beside,
    lists_of_tabs,
    said_by_lists,
)
from pipeline.validation.evidence.marked_ids import MarkedIds
from pipeline.validation.evidence.other_statuses import OtherStatuses
from pipeline.validation.evidence.pieces import Pieces
from pipeline.validation.evidence.sheet import SheetContext
from pipeline.validation.evidence.sources import LINE, NAMES, TITLE, direction_said
from pipeline.validation.evidence.traits import Traits
from schemas.courier import Profile


class Evidence:
    """Looks through the blocks of one sheet, in their order.

    ``traits``: what is known of the whole sheet; each block adds to it. ``lists``: what tabs
    without a table say of ids. ``only_sheet``: whether no other sheet of the file has rows.
    """

    def __init__(
        self,
        mapping: ColumnMap,
        profile: Profile,
        *,
        title: str,
        traits: Traits,
        lists: Sequence[ListedIds] = (),
        only_sheet: bool = True,
    ) -> None:
        self._sheet = sheet = SheetContext(mapping=mapping, profile=profile, traits=traits)
        self._only_sheet = only_sheet
        self._directions = Directions(sheet)
        self._statuses = OtherStatuses(sheet)
        self._denials = Denials(sheet)
        self._lines = Lines(sheet, title)
        self._pieces = Pieces(sheet)
        self._marked_ids = MarkedIds(sheet)
        self._days = day_columns(mapping)
        self._lists = lists_of_tabs(lists, profile)
        self._columns_of_lists = columns_of_lists(mapping, profile)
        self._above: dict[int, str] = {}
        self.heard: dict[str, str] = {}

    def put_into(self, block: Block) -> Block:
        """Return the block with the cells that say a direction or a status elsewhere.

        ``heard`` keeps what spoke: its name in messages → what about.
        """
        whole, (block, texts) = block, self._with_dittos(block)
        passed = days_passed(block, self._days)
        said = self._directions.said(block, texts, passed)
        said |= self._denials.said(block, said)
        said |= self._lines.said(block)
        said |= said_by_hand(block, self._sheet.mapping) | self._pieces.said(block)
        said |= self._listed(block, said)
        for source, marked in self._marked_ids.said(block).items():
            said.setdefault(source, marked)
        said |= self._named(block)
        others = self._statuses.said(block, texts, passed)
        self.heard |= dict.fromkeys(others, "status") | dict.fromkeys(said, "direction")
        said |= self._directions.second_awbs(block)
        self._sheet.first = False
        return replace(whole, said=said, others=others) if said or others else whole

    def _named(self, block: Block) -> dict[str, pa.Array]:
        """Return what names of the tab, table, file and folder say of all rows."""
        around = self._sheet.mapping.around
        directed = self._directions.directed
        names = {name: words for name, words in around.items() if not (directed and name in NAMES)}
        if not names:
            return {}
        apart = self._sheet.ways_told_apart(block)
        return {
            source: pa.repeat(words, len(block))
            for source, words in names.items()
            # A tab beside others is called after what sets its rows apart from theirs.
            if not (
                (self._only_sheet or source in NAMES)
                and apart(words, direction_said(source, words))
            )
        }

    def _with_dittos(self, block: Block) -> tuple[Block, dict[int, Texts]]:
        """Return the block with what stands above in place of ditto marks, where evidence is.

        And its columns where that may be.
        """
        cells, texts = [*block.cells], {}
        for at in {*self._directions.looks, *self._statuses.columns}:
            texts[at] = written_out(Texts(cells[at]), self._above.get(at, ""))
            cells[at] = texts[at].cells
            self._above[at] = cells[at][-1].as_py() if len(block) else ""
        return replace(block, cells=tuple(cells)), texts

    def _listed(self, block: Block, said: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """Return what lists of ids say of rows; ``said``: also the titles above rows."""
        sheet = self._sheet
        titles = [said[source] for source in (TITLE, LINE) if source in said]
        for each, ids in chain(
            lists_beside(block, sheet.mapping, self._columns_of_lists),
            lists_below(block, sheet.mapping, titles),
        ):
            sheet.traits.list(each, ids, first=sheet.first)
        return said_by_lists(block, sheet.mapping, {**self._lists, **sheet.traits.lists})
