"""What was found about rows, in words: gathered per kind, told per row."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.model import Block, Notice
from pipeline.stages.texts import joined
from schemas.codes import Code, Kind

Rows = npt.NDArray[np.int64]
"""Positions in a block, ascending."""


class Finding(Struct, frozen=True, kw_only=True):
    """One kind of thing about some rows: ``sentences`` has one text per position in ``rows``."""

    code: Code
    column: str
    rows: Rows
    sentences: pa.Array

    @property
    def label(self) -> str:
        """``CODE:column``."""
        return f"{self.code}:{self.column}" if self.column else str(self.code)


def found(
    code: Code,
    column: str,
    header: str,
    block: Block,
    rows: Rows,
    cells: pa.Array,
    tell: Callable[[str], str],
) -> Finding:
    """Make a finding whose sentences are told once per distinct cell.

    ``cells`` has one cell per position in ``rows``; ``tell`` turns one into the words after
    "Row 14, Header: ".
    """
    encoded = cells.dictionary_encode()
    words = pa.array([tell(cell) for cell in encoded.dictionary.to_pylist()], pa.string())
    numbers = pa.array(block.rows[rows]).cast(pa.string())
    sentences = pc.binary_join_element_wise(
        "Row ", numbers, f", {header}: ", words.take(encoded.indices), ""
    )
    return Finding(code=code, column=column, rows=rows, sentences=sentences)


def marked(findings: Sequence[Finding], kind: Kind, length: int) -> npt.NDArray[np.bool_]:
    """True for every row that has a finding of this kind."""
    mask = np.zeros(length, dtype=np.bool_)
    for finding in findings:
        if finding.code.kind is kind:
            mask[finding.rows] = True
    return mask


def labels(findings: Sequence[Finding], length: int) -> pa.Array:
    """Per row the labels of its findings, joined by ``;``."""
    texts = [
        _spread(pa.repeat(finding.label, len(finding.rows)), finding.rows, length)
        for finding in findings
    ]
    return joined(texts, ";") if texts else pa.repeat("", length)


def messages(findings: Sequence[Finding], length: int) -> pa.Array:
    """Per row the sentences of its findings, joined by a space."""
    texts = [_spread(finding.sentences, finding.rows, length) for finding in findings]
    return joined(texts, " ") if texts else pa.repeat("", length)


def notices(findings: Sequence[Finding], block: Block) -> tuple[Notice, ...]:
    """What was found, grouped by code and column, each with its count and first example."""
    grouped: dict[tuple[Code, str], Notice] = {}
    for finding in findings:
        key = (finding.code, finding.column)
        known = grouped.get(key)
        grouped[key] = Notice(
            code=finding.code,
            column=finding.column,
            count=len(finding.rows) + (known.count if known else 0),
            message=known.message if known else finding.sentences[0].as_py(),
            example_row=known.example_row if known else int(block.rows[finding.rows[0]]),
        )
    return tuple(grouped.values())


def _spread(texts: pa.Array, rows: Rows, length: int) -> pa.Array:
    """Texts at their positions, null elsewhere."""
    if len(rows) == length:
        return texts
    at = np.full(length, -1, dtype=np.int64)
    at[rows] = np.arange(len(rows))
    return texts.take(pa.array(at, mask=at < 0))
