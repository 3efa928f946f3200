"""Counts of pieces: fewer delivered than there are."""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.model import Block
from pipeline.validation.evidence.sheet import SheetContext
from schemas.headings import words_of
from schemas.parcels import counts_delivered, is_sent, parts_delivered
from schemas.statuses import Direction
from schemas.vocabulary import Role


class Pieces:
    """Compares the columns of a sheet that count pieces."""

    def __init__(self, sheet: SheetContext) -> None:
        self._sheet = sheet
        self._mapping = sheet.mapping
        self._counts = counts_delivered(sheet.mapping.headers)
        self._parts = parts_delivered(sheet.mapping.headers)

    def said(self, block: Block) -> dict[str, pa.Array]:
        """Return where fewer pieces were delivered than there are: Delivered Pieces 1 of 2."""
        found: dict[str, pa.Array] = {}
        for done, every in self._counts:
            delivered, pieces = _numbers(block.cells[done]), _numbers(block.cells[every])
            if is_sent(self._mapping.headers[done]):
                delivered = self._of_order(delivered, block)
            fewer = delivered < pieces
            named = words_of(self._mapping.headers[done])
            if len(named) == 1:
                fewer &= bool((delivered > 1).any())  # ones and noughts say yes and no
            elif "delivered" not in named:
                fewer &= bool((delivered > 0).any())  # a column of noughts is not filled in
            if fewer.any():
                texts = pc.binary_join_element_wise(block.cells[done], block.cells[every], " of ")
                claims = pc.binary_join_element_wise(Direction.UNDELIVERED, texts, ":")
                found[self._sheet.column(done)] = pc.if_else(pa.array(fewer), claims, "")
        for done in self._parts:
            encoded = block.cells[done].dictionary_encode()
            words = encoded.dictionary.to_pylist()
            counts = not all(map(_is_nought, filter(str.strip, words)))
            told = [
                f"{Direction.UNDELIVERED}:{cell}"
                if _is_part(cell) or (counts and _is_nought(cell))
                else ""
                for cell in words
            ]
            if any(told):
                parts = pa.array(told, pa.string()).take(encoded.indices)
                counted = found.get(self._sheet.column(done), "")
                found[self._sheet.column(done)] = pc.if_else(pc.equal(parts, ""), counted, parts)
        return found

    def _of_order(self, counts: npt.NDArray[np.float64], block: Block) -> npt.NDArray[np.float64]:
        """Return the sums of an order's rows with one status: each may be of one of its parcels."""
        own = (block.cells[self._mapping.columns[role]] for role in (Role.ORDER_ID, Role.STATUS))
        rows = pc.binary_join_element_wise(*own, "|").dictionary_encode().indices
        found: npt.NDArray[np.float64] = np.bincount(rows, weights=counts)[rows]
        return found


def _is_nought(cell: str) -> bool:
    """Return whether a cell says that no piece was delivered: 0, 0.00."""
    return bool(re.fullmatch(r"\s*0+(?:\.0+)?\s*", cell))


def _is_part(cell: str) -> bool:
    """Return whether a cell says that fewer were delivered than there are: 1 of 3, 1/3."""
    found = _PART.fullmatch(cell.strip().lower())
    return found is not None and int(found[1]) < int(found[2])


_PART = re.compile(r"([0-9]{1,4})\s*(?:/|of|out of)\s*([0-9]{1,4})")


def _numbers(cells: pa.Array) -> npt.NDArray[np.float64]:
    """Return the whole numbers in cells, and NaN for what is none."""
    encoded = cells.dictionary_encode()
    texts = [cell.strip().removesuffix(".0") for cell in encoded.dictionary.to_pylist()]
    known = [
        float(text) if text.isdecimal() and len(text) < _FEW_DIGITS else np.nan for text in texts
    ]
    found: npt.NDArray[np.float64] = np.array(known)[encoded.indices.to_numpy(zero_copy_only=False)]
    return found


_FEW_DIGITS = 9
