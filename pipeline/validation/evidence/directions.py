"""Columns besides the one that is read for it that may say which way a shipment went."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.model import Block
from pipeline.validation.columns import data_header, is_ours
from pipeline.validation.evidence.cells import Texts, says_nothing, which
from pipeline.validation.evidence.direction_column import DirectionColumn
from pipeline.validation.evidence.sheet import SheetContext
from pipeline.validation.evidence.traits import Trait
from schemas.direction_headings import (
    OF_CARRIER,
    OF_RETURN,
    is_of_customers,
    look_of,
    only_of_returns,
    plain_look,
)
from schemas.headings import is_free_text
from schemas.looks import ALONE, Asks, Look
from schemas.normalise import fold, is_absent
from schemas.statuses import Direction
from schemas.tab_days import days_of, is_of_later_day
from schemas.vocabulary import UNCALCULATED, Role


class Directions:
    """Reads the columns of a sheet that may say directions.

    ``directed``: a block had a column that says of its rows which way they go.
    """

    def __init__(self, sheet: SheetContext) -> None:
        self._sheet = sheet
        self._mapping, self._profile, self._traits = sheet.mapping, sheet.profile, sheet.traits
        self.looks = dict(self._candidates())
        self.directed = False
        ways, headers = sheet.profile.ways, sheet.mapping.headers
        self._columns = {
            at: DirectionColumn(at, look, sheet.traits, ways.get(data_header(headers[at])))
            for at, look in self.looks.items()
        }
        self._own = sheet.mapping.columns.get(Role.DIRECTION)
        if self._own is not None:
            words = Look(asks=Asks.WORDS)
            self._columns[self._own] = DirectionColumn(self._own, words, sheet.traits)

    def said(
        self, block: Block, texts: Mapping[int, Texts], passed: Mapping[int, pa.Array]
    ) -> dict[str, pa.Array]:
        """Return the claims of columns.

        ``texts``: those of ``looks``; ``passed``: see ``days_passed``.
        """
        found, own = {}, self._own
        self.directed = False
        if own is not None:
            cells = Texts(block.cells[own])
            self.directed = _says_something(cells)
            claims = self._columns[own].open_below(cells)
            if claims is not None:
                found[self._sheet.column(own)] = claims
        for at, look in self.looks.items():
            claims = self._claims(at, look, block, texts[at], passed.get(at))
            if look is not None and look.asks in ALONE:
                self.directed |= self._columns[at].is_of_directions
            else:
                self.directed |= _is_of_directions(texts[at], look, claims)
            if claims is not None:
                found[self._sheet.column(at)] = claims
        return found

    def second_awbs(self, block: Block) -> dict[str, pa.Array]:
        """Return where the second AWB, which a profile reads itself, is the row's own.

        It says nothing where all parcels have theirs there; elsewhere couriers write the AWB of
        the way back into both.
        """
        at = self._mapping.helpers.get("rto_awb")
        same = None if at is None else self._own_awbs(at, block)
        if at is None or same is None or not self._is_for_all(at, block, same):
            return {}
        return {self._sheet.column(at): pc.if_else(same, f"{Direction.BLANK}:", "")}

    def _candidates(self) -> list[tuple[int, Look | None]]:
        columns, helpers = self._sheet.read_for_itself, self._mapping.helpers
        known = {Role.ORDER_ID, Role.STATUS, Role.STATUS_TYPE, Role.DIRECTION, Role.LOCATION}
        passed = {columns[role] for role in known if role in columns}
        passed |= {other for each in self._mapping.duplicates.values() for other in each}
        if self._profile.filled_rto_awb:
            passed |= {*helpers.values()}
        used = {*columns.values(), *helpers.values()}
        found: list[tuple[int, Look | None]] = []
        returns = only_of_returns(self._mapping.headers)
        for at, header in enumerate(self._mapping.headers):
            folded = data_header(header)
            if at in passed or is_ours(header) or folded in self._profile.nothing:
                continue
            if is_of_customers(header):
                continue
            known_words = folded in self._profile.ways
            look = look_of(header) if header.strip() else Look(asks=Asks.NOTES)
            if at == columns.get(Role.REMARK) or (look is None and is_free_text(header)):
                look = Look(asks=Asks.REMARKS)
            if look is None and self._mapping.is_like(at, Role.DIRECTION):
                look = look_of(self._mapping.like[at][1])
            if at in returns:
                look = OF_RETURN
            elif look is None:
                look = OF_CARRIER if at == columns.get(Role.COURIER) else plain_look(header)
            # A column with a role of its own is looked at only where its heading names a way.
            named = look is not None and look.asks not in {Asks.WORDS, Asks.NOTES, Asks.PLAIN}
            if at not in used or named or known_words or (look is not None and look.carriers):
                found.append((at, look))
        return found

    def _claims(
        self, at: int, look: Look | None, block: Block, texts: Texts, passed: pa.Array | None
    ) -> pa.Array | None:
        """Return the claims of a column.

        The AWB of its row says nothing as that of the way out, nor do words of a day (27-Nov)
        before the event's.
        """
        claims = self._columns[at].claims(texts, block.kinds.get(at))
        heading, when = self._mapping.headers[at], self._mapping.columns.get(Role.EVENT_TIME)
        if claims is not None and passed is not None:
            failed = pc.starts_with(claims, f"{Direction.UNDELIVERED}:")
            claims = pc.if_else(pc.and_(failed, passed), "", claims)
        if claims is not None and when is not None and days_of([heading]) != [-1]:
            later = which(block.cells[when], lambda event: is_of_later_day(event, heading))
            claims = pc.if_else(later, "", claims)
        if claims is None or look is None or look.asks is not Asks.FILLED:
            return claims
        if look.partly and self._sheet.has_others(
            at, block, pc.invert(which(block.cells[at], says_nothing))
        ):
            return None
        same = self._own_awbs(at, block)
        needless = look.partly or (same is not None and self._is_for_all(at, block, same))
        return claims if same is None or not needless else pc.if_else(same, "", claims)

    def _own_awbs(self, at: int, block: Block) -> pa.Array | None:
        """Return where a column has the AWB of its row once more, None where it nowhere does."""
        of_awbs = self._mapping.columns.get(Role.AWB)
        if of_awbs in {None, at}:
            return None
        other, own = (pc.utf8_trim_whitespace(block.cells[each]) for each in (at, of_awbs))
        same = pc.and_(pc.equal(other, own), pc.not_equal(own, ""))
        return same if pc.any(same).as_py() else None

    def _is_for_all(self, at: int, block: Block, same: pa.Array) -> bool:
        """Return whether a column has the own AWBs of parcels on the way to customers, too.

        Those that are picked up or out for delivery, or failed attempts beside *RTO Delivered*.
        """
        if self._sheet.has_others(at, block, same):
            return True
        own = block.cells[self._mapping.columns[Role.STATUS]]
        seen = {self._sheet.trait_of(each, "") for each in pc.unique(own.filter(same)).to_pylist()}
        both = [
            self._traits.holds(at, trait, found=trait in seen, matters=True)
            for trait in (Trait.RTO_ENDS, Trait.FAILURES)
        ]
        return all(both)


def _is_of_directions(texts: Texts, look: Look | None, claims: pa.Array | None) -> bool:
    """Return whether a column says of each row which way it goes, a no in Is RTO included.

    An RTO AWB does not: where it is empty, nothing is said.
    """
    if look is not None and look.way in {Direction.UNDELIVERED, Direction.WITHDRAWN}:
        return False
    if look is None or look.asks is not Asks.YES:
        return claims is not None and (look is None or look.asks is Asks.WORDS)
    return _says_something(texts)


def _says_something(texts: Texts) -> bool:
    """Return whether a column has a cell that is neither nothing nor the error of a formula."""
    return not all(is_absent(each) or each == _UNCALCULATED for each in texts.first)


_UNCALCULATED = fold(UNCALCULATED)
