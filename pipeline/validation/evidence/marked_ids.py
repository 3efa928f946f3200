"""Ids that name a way back in a part of their own: FYA1001-RTO."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.model import Block
from pipeline.validation.columns import data_header
from pipeline.validation.evidence.cells import SEEN
from pipeline.validation.evidence.sheet import SheetContext
from pipeline.validation.evidence.traits import Trait
from schemas.headings import words_of
from schemas.order_ids import only_digits
from schemas.parcels import BACK_IN_ID, SHORT_IN_ID, WAY_OF_ACCOUNT, WORD_IN_ID
from schemas.statuses import Direction
from schemas.vocabulary import Role


class MarkedIds:
    """Reads the order ids, AWBs and accounts of a sheet for such parts."""

    def __init__(self, sheet: SheetContext) -> None:
        self._sheet = sheet
        self._mapping, self._traits = sheet.mapping, sheet.traits
        mapping, nothing = sheet.mapping, sheet.profile.nothing
        self._accounts = [
            at
            for at, heading in enumerate(mapping.headers)
            if words_of(heading) & {"account", "client"} and at not in mapping.columns.values()
            if data_header(heading) not in nothing
        ]

    def said(self, block: Block) -> dict[str, pa.Array]:
        """Return which order ids and AWBs have a part that says RTO: FYA1001-RTO, RTO-99A1001.

        RET may be a shop's own where every id has it, and so may RTO in the name of an account.
        """
        found = {}
        for role in (Role.ORDER_ID, Role.AWB):
            at = self._mapping.columns.get(role)
            if at is None:
                continue
            cells = block.cells[at]
            if (
                only_digits(cells)
                or not pc.any(pc.match_substring_regex(cells, WORD_IN_ID)).as_py()
            ):
                plain = pc.any(pc.not_equal(cells, "")).as_py()
                self._traits.holds(at, Trait.PLAIN_IDS, found=bool(plain), matters=False)
                continue
            sure = pc.match_substring_regex(cells, BACK_IN_ID)
            maybe = pc.match_substring_regex(cells, SHORT_IN_ID)
            some = pc.any(maybe).as_py()
            plain = not pc.all(pc.or_(maybe, pc.equal(cells, ""))).as_py()
            if self._traits.holds(at, Trait.PLAIN_IDS, found=plain, matters=some) and some:
                sure = pc.or_(sure, maybe)
            count = pc.sum(sure).as_py() or 0
            if count:
                texts = cells if count <= SEEN else pa.repeat("RTO", len(cells))
                claims = pc.binary_join_element_wise(Direction.BACK, texts, ":")
                found[self._sheet.column(at)] = pc.if_else(sure, claims, "")
        for at in self._accounts:
            cells = block.cells[at]
            marked = pc.match_substring_regex(cells, WAY_OF_ACCOUNT)
            some = bool(pc.any(marked).as_py())
            plain = not pc.all(pc.or_(marked, pc.equal(cells, ""))).as_py()
            if self._traits.holds(at, Trait.PLAIN_IDS, found=plain, matters=some) and some:
                claims = pc.binary_join_element_wise(Direction.BACK, cells, ":")
                found[self._sheet.column(at)] = pc.if_else(marked, claims, "")
        return found
