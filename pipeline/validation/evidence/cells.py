"""Questions to all cells of a column at once."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.normalise import fold, is_absent


def which(cells: pa.Array, tells: Callable[[str], bool]) -> pa.Array:
    """Tell of which cells something is true."""
    encoded = cells.dictionary_encode()
    found = [tells(cell) for cell in encoded.dictionary.to_pylist()]
    return pa.array(found, pa.bool_()).take(encoded.indices)


def says_nothing(cell: str) -> bool:
    """Tell whether a cell is empty, or says that there is nothing."""
    return is_absent(fold(cell))


def empty_cells(cells: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell which cells are empty."""
    empty: npt.NDArray[np.bool_] = pc.equal(pc.binary_length(cells), 0).to_numpy(
        zero_copy_only=False
    )
    return empty
