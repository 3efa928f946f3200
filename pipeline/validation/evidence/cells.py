"""Questions to all cells of a column at once."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.normalise import fold, is_absent

FEW = 512
"""Cells that plain Python has looked at before Arrow would have begun."""

_SOME = 2048


def are_alike(cells: pa.Array) -> bool:
    """Tell by its first cells whether many of a column are alike, so that distinct ones are few."""
    some = cells.slice(0, _SOME)
    return len(pc.unique(some)) <= len(some) // 2


def which(cells: pa.Array, tells: Callable[[str], bool]) -> pa.Array:
    """Tell of which cells something is true."""
    encoded = cells.dictionary_encode()
    found = [tells(cell) for cell in encoded.dictionary.to_pylist()]
    return pa.array(found, pa.bool_()).take(encoded.indices)


def says_nothing(cell: str) -> bool:
    """Return whether a cell is empty, or says that there is nothing."""
    return is_absent(fold(cell))


def empty_cells(cells: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell which cells are empty."""
    empty: npt.NDArray[np.bool_] = pc.equal(pc.binary_length(cells), 0).to_numpy(
        zero_copy_only=False
    )
    return empty
