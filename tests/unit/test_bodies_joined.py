"""Bodies are cut out of items that come block by block, whatever the blocks' lengths."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.chunks import join_items
from pipeline.planning.freeze import _joined

_SIZES = st.lists(st.integers(1, 5), max_size=12)


@given(sizes=_SIZES, cuts=st.lists(st.integers(0, 60), max_size=6))
def test_a_body_holds_its_items_wherever_the_blocks_end(sizes: list[int], cuts: list[int]) -> None:
    items = [f'{{"n":{n}}}' for n in range(sum(sizes))]
    edges = sorted({0, len(items), *(cut for cut in cuts if cut < len(items))})
    pieces = [pa.array(items[start:stop], pa.large_string()) for start, stop in pairwise(edges)]
    starts = np.cumsum([0, *sizes])
    lines = [line for piece in _joined(iter(pieces), sizes) for line in piece.to_pylist()]
    assert lines == [
        join_items([item.encode() for item in items[start : start + size]]).decode() + "\n"
        for start, size in zip(starts, sizes, strict=False)
    ]
