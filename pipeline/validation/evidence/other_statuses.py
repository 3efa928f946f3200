"""Further columns with statuses, which may contradict the one that is read."""

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.model import Block
from pipeline.validation.columns import WORDS, data_header, is_ours
from pipeline.validation.evidence.cells import SEEN, Texts, which
from pipeline.validation.evidence.direction_column import NEARLY_ALL, sound
from pipeline.validation.evidence.sheet import SheetContext
from pipeline.validation.evidence.traits import Trait
from pipeline.validation.sheet_dates import events
from schemas.directions import direction_of, speaks_against, tells_of_attempt, way_named
from schemas.headings import words_of
from schemas.normalise import fold, is_absent
from schemas.parcels import is_cancelled
from schemas.status_headings import (
    AsksStatus,
    asks_status,
    gives_status,
    hides_status,
    misspells_another,
)
from schemas.statuses import Direction, StatusMeaning, StatusTable
from schemas.vocabulary import FINALS, Milestone, Role


class OtherStatuses:
    """Reads the further columns of a sheet that may hold statuses."""

    def __init__(self, sheet: SheetContext) -> None:
        self._sheet = sheet
        self._mapping, self._profile, self._traits = sheet.mapping, sheet.profile, sheet.traits
        self.columns = dict(self._candidates())

    def said(
        self, block: Block, texts: Mapping[int, Texts], passed: Mapping[int, pa.Array]
    ) -> dict[str, pa.Array]:
        """Return their statuses, "" for other cells.

        ``texts``: those of ``columns``; ``passed``: see ``days_passed``.
        """
        found = {}
        for at, asks in self.columns.items():
            statuses = self._other_statuses(at, texts[at], asks)
            if statuses is not None:
                statuses = self._unordered(at, statuses, block)
                found[self._sheet.column(at)] = self._of_now(statuses, block, passed.get(at))
        return found

    def _candidates(self) -> list[tuple[int, AsksStatus]]:
        """Return the further columns that may hold statuses."""
        listed, passed = self._profile.headers[Role.STATUS], self._profile.nothing
        mapping = self._mapping
        times = {at for at, _ in events(mapping)}
        used = {*self._sheet.read_for_itself.values()}
        used |= {
            other
            for some in (mapping.duplicates, mapping.rivals)
            for each in some.values()
            for other in each
        }
        codes = "code" in words_of(mapping.header(Role.STATUS))
        words = set() if codes else {mapping.helpers.get(WORDS, -1)}
        used |= {*mapping.helpers.values()} - times - words
        found = []
        for at, header in enumerate(mapping.headers):
            folded = data_header(header)
            if at in used or at in mapping.hidden or is_ours(header) or folded in passed:
                continue
            known = folded in listed or mapping.is_like(at, Role.STATUS)
            asks = AsksStatus.ANY if known else asks_status(header)
            if asks is not None:
                found.append((at, asks))
        return found

    def _other_statuses(self, at: int, texts: Texts, asks: AsksStatus) -> pa.Array | None:
        """Return the cells that are statuses, "" for the others; None where there are none.

        Where a column's heading is a misspelt one of a status, it may be the row's own: that it
        has none there (``#N/A``) counts, as it does of two columns of one heading.
        """
        table = self._profile.statuses
        if asks is AsksStatus.MOSTLY:
            first = texts.first
            mostly = _mostly_statuses(sound(first), table)
            some = not all(map(is_absent, first))
            if not self._traits.holds(at, Trait.STATUSES, found=mostly, matters=some):
                return None
        words, indices = texts.words, texts.encoded.indices
        if asks is AsksStatus.ENDS:
            ends = [
                cell.strip()
                if table.rule(cell).milestone in FINALS or hides_status(cell, table)
                else ""
                for cell in words
            ]
            return pa.array(ends, pa.string()).take(indices) if any(ends) else None
        named = asks is not AsksStatus.MOSTLY
        twin = self._mapping.is_like(at, Role.STATUS)
        known = [
            cell.strip()
            if (twin and cell.strip() and is_absent(fold(cell)))
            or gives_status(cell, table, numbers=asks is AsksStatus.ANY)
            or hides_status(cell, table)
            or (
                named
                and len(cell) < SEEN
                and (
                    tells_of_attempt(cell)
                    or any(
                        speaks_against(cell, each) or misspells_another(cell, each, table)
                        for each in Milestone
                    )
                )
            )
            else ""
            for cell in words
        ]
        return pa.array(known, pa.string()).take(indices) if any(known) else None

    def _unordered(self, at: int, statuses: pa.Array, block: Block) -> pa.Array:
        """Return further statuses without those that say nothing where the profile orders them.

        What is behind says nothing of an end, nor what is further on of a pickup: Unicommerce's
        SHIPPED is the seller's word.
        """
        listed = data_header(self._mapping.headers[at]) in self._profile.headers[Role.STATUS]
        if Role.STATUS not in self._profile.orders or not listed:
            return statuses
        rule, picked = self._profile.statuses.rule, Milestone.BAG_PICKED
        own = block.cells[self._mapping.columns[Role.STATUS]]
        of_pickup = which(own, lambda cell: rule(cell).milestone == picked)
        denied = which(statuses, lambda cell: speaks_against(cell, picked))
        behind = which(
            statuses,
            lambda cell: (
                rule(cell).milestone == picked
                or (
                    rule(cell).meaning is StatusMeaning.NO_MILESTONE
                    and not speaks_against(cell, Milestone.DELIVERY_DONE)
                )
            ),
        )
        return pc.if_else(pc.and_not(pc.or_(behind, of_pickup), denied), "", statuses)

    def _of_now(self, statuses: pa.Array, block: Block, passed: pa.Array | None) -> pa.Array:
        """Return the statuses of a day's column without those that a later day passed.

        An end counts whenever it was, and so does a way back beside what goes to the customer.
        """
        if passed is None:
            return statuses
        rule, own = self._profile.statuses.rule, block.cells[self._mapping.columns[Role.STATUS]]
        ends = which(statuses, lambda cell: rule(cell).milestone in FINALS or is_cancelled(cell))
        back = which(statuses, lambda cell: way_named(cell) not in {None, Direction.FORWARD})
        out = which(own, lambda cell: rule(cell).milestone in _OUTWARD)
        stays = pc.or_(ends, pc.and_(back, out))
        return pc.if_else(pc.and_not(passed, stays), "", statuses)


_OUTWARD = frozenset({Milestone.BAG_PICKED, Milestone.DELIVERY_DONE})


def _mostly_statuses(words: Counter[str], table: StatusTable) -> bool:
    """Return whether nearly all of some cells are statuses, and one of them a milestone."""
    known = list[str]()
    may_be, least = words.total(), NEARLY_ALL * words.total()
    for word, count in words.most_common():
        if gives_status(word, table, numbers=False):
            known.append(word)
            continue
        may_be -= count
        if may_be < least:
            return False
    milestones = (table.rule(word).meaning is not StatusMeaning.NO_MILESTONE for word in known)
    return any(milestones) and not all(direction_of(word) for word in words)
