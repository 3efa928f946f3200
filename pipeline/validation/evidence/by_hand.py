"""Marks that people put on cells of a workbook: lines through them, and comments."""

import pyarrow as pa

from pipeline.core.model import Block
from pipeline.validation.columns import ColumnMap, is_ours
from pipeline.validation.evidence.sources import COMMENT, CROSSED_OUT
from schemas.notes import said_of_row


def said_by_hand(block: Block, mapping: ColumnMap) -> dict[str, pa.Array]:
    """Return which rows are crossed out, and comments that name a way or a fate.

    In a rejects file the comments are ours.
    """
    ours = any(map(is_ours, mapping.headers))
    found: dict[str, list[str]] = {}
    for at, fact in block.facts.items():
        comment = "" if ours else said_of_row(fact.comment)
        for source, text in (
            (CROSSED_OUT, "x" * fact.crossed_out),
            (f"{COMMENT}its cells", comment),
        ):
            if text:
                found.setdefault(source, [""] * len(block))[at] = text
    return {source: pa.array(texts, pa.string()) for source, texts in found.items()}
