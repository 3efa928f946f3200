"""Columns that deny the milestone of a row: RTO Received, No."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.model import Block
from pipeline.validation.columns import data_header
from pipeline.validation.evidence.sheet import SheetContext
from pipeline.validation.evidence.traits import Trait
from schemas.denials import denial_of
from schemas.normalise import fold, is_absent
from schemas.statuses import Direction
from schemas.vocabulary import Role


class Denials:
    """Reads the columns of a sheet that may deny milestones."""

    def __init__(self, sheet: SheetContext) -> None:
        self._sheet = sheet
        self._mapping, self._profile, self._traits = sheet.mapping, sheet.profile, sheet.traits
        mapping, nothing = sheet.mapping, sheet.profile.nothing
        self._denials = {
            at: denial
            for at, heading in enumerate(mapping.headers)
            if at not in mapping.columns.values() and (denial := denial_of(heading)) is not None
            if data_header(heading) not in nothing
        }

    def said(self, block: Block, said: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """Return where a column denies the milestone of its row's status: RTO Received, No."""
        found = {}
        if self._denials:
            statuses = block.cells[self._mapping.columns[Role.STATUS]].dictionary_encode()
            ruled = map(self._profile.statuses.rule, statuses.dictionary.to_pylist())
            milestones = np.array([each.milestone for each in ruled])[statuses.indices]
        for at, denial in self._denials.items():
            source, cells = self._sheet.column(at), block.cells[at].dictionary_encode()
            bare = said.get(source, pa.repeat("", len(block)))
            words = [
                f"{Direction.DENIED}:{cell.strip()}" if denial.holds(cell) else ""
                for cell in cells.dictionary.to_pylist()
            ]
            claims = pa.array(words, pa.string()).take(cells.indices)
            of_these = np.isin(milestones, [*denial.milestones])
            mine = pc.and_(pa.array(of_these), pc.not_equal(claims, ""))
            some = bool(pc.any(mine).as_py())
            others = (fold(cell) for cell in cells.dictionary.to_pylist() if not denial.holds(cell))
            contrary = not denial.unless_all or source in said or not all(map(is_absent, others))
            if self._traits.holds(at, Trait.SAID, found=contrary, matters=some) and some:
                found[source] = pc.if_else(mine, claims, bare)
        return found
