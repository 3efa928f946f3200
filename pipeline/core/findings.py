"""Gather findings about rows per kind, and return them per row."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct

from pipeline.core.free_text import joined
from pipeline.core.model import Block, Notice
from schemas.codes import Code

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
        """Return ``CODE:column``."""
        return f"{self.code}:{self.column}" if self.column else str(self.code)


def labels(findings: Sequence[Finding], length: int) -> pa.Array:
    """Return per row the labels of its findings, joined by ``;``."""
    texts = [
        _spread(pa.repeat(finding.label, len(finding.rows)), finding.rows, length)
        for finding in findings
    ]
    return joined(texts, ";") if texts else pa.repeat("", length)


def messages(findings: Sequence[Finding], length: int) -> pa.Array:
    """Return per row the sentences of its findings, joined by a space."""
    texts = [_spread(finding.sentences, finding.rows, length) for finding in findings]
    return joined(texts, " ") if texts else pa.repeat("", length)


def notices(findings: Sequence[Finding], block: Block) -> tuple[Notice, ...]:
    """Group the findings by code and column, each with its count and its first example."""
    groups: dict[tuple[Code, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.column), []).append(finding)
    found = []
    for (code, column), alike in groups.items():
        first = min(alike, key=lambda finding: int(finding.rows[0]))
        found.append(
            Notice(
                code=code,
                column=column,
                count=sum(len(finding.rows) for finding in alike),
                message=first.sentences[0].as_py(),
                example_row=int(block.rows[first.rows[0]]),
            )
        )
    return tuple(found)


def _spread(texts: pa.Array, rows: Rows, length: int) -> pa.Array:
    """Return texts at their positions, null elsewhere."""
    if len(rows) == length:
        return texts
    at = np.full(length, -1, dtype=np.int64)
    at[rows] = np.arange(len(rows))
    return texts.take(pa.array(at, mask=at < 0))
