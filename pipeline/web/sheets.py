"""Reads the CSV files we wrote ourselves, a page at a time: results and rejects of any length.

A file is read once to find where its lines begin and what they may be filtered by; what is
kept of it is a few bytes per line. Its cells come back as they were before they were guarded.
"""

import csv
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv
from msgspec import Struct

from pipeline.core.errors import StorageError
from pipeline.core.formula_guard import unguard_cell
from pipeline.web.caches import LruCache

_PIECE: Final = 1 << 20
_KEPT: Final = 8
_QUOTE, _NEWLINE = 34, 10
_LONGEST_LINE: Final = 16 << 20

Identity = tuple[int, int, int]


class SheetFile(Struct, frozen=True, kw_only=True):
    """A file of ours, indexed. ``begins``: where each record after the header begins, and the end.

    ``columns``: the columns that were asked for, dictionary-encoded, a value per record.
    """

    path: Path
    identity: Identity
    header: tuple[str, ...]
    begins: npt.NDArray[np.int64]
    columns: dict[str, pa.DictionaryArray]

    def __len__(self) -> int:
        return len(self.begins) - 1

    def records(self, numbers: Sequence[int]) -> list[tuple[str, ...]]:
        """Return the cells of these records (from 0), as they were before the guard."""
        found = []
        try:
            with self.path.open("rb") as file:
                for number in numbers:
                    file.seek(int(self.begins[number]))
                    data = file.read(int(self.begins[number + 1] - self.begins[number]))
                    found.append(_cells(data, len(self.header)))
        except OSError as error:
            raise _gone(self.path, error) from error
        return found

    def where(self, column: str, fits: Callable[[str], bool]) -> npt.NDArray[np.int64]:
        """Return the records whose value in ``column`` fits."""
        values = self.columns[column]
        good = [n for n, value in enumerate(values.dictionary.to_pylist()) if fits(value)]
        return np.flatnonzero(np.isin(values.indices.to_numpy(zero_copy_only=False), good))


class SheetFiles:
    """Keeps the newest indexes. Safe from several threads."""

    def __init__(self) -> None:
        self._kept = LruCache[Path, SheetFile](_KEPT)

    def open(self, path: Path, columns: Sequence[str]) -> SheetFile:
        """Index a file, or return the index of a moment ago. Raises StorageError."""
        try:
            identity = identity_of(path)
            kept = self._kept.get(path)
            if kept and kept.identity == identity and set(columns) <= kept.columns.keys():
                return kept
            return self._kept.put(path, _index(path, identity, columns))
        except (OSError, pa.ArrowException, csv.Error, ValueError) as error:
            raise _gone(path, error) from error


def identity_of(path: Path) -> Identity:
    """Return a mark that identifies this file in this state. Raises OSError."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def read_table(path: Path) -> tuple[tuple[str, ...], pa.Table]:
    """Return the whole file as text: header, and a table whose columns are ``f0``, ``f1``, ….

    Its cells are guarded as in the file. Raises StorageError.
    """
    try:
        header = _header(path)
        return header, _load(path, header, [f"f{n}" for n in range(len(header))], pa.string())
    except (OSError, pa.ArrowException, csv.Error, ValueError) as error:
        raise _gone(path, error) from error


def _index(path: Path, identity: Identity, columns: Sequence[str]) -> SheetFile:
    header = _header(path)
    begins = _beginnings(path)
    named = [f"f{header.index(column)}" for column in columns]
    coded = pa.dictionary(pa.int32(), pa.string())
    table = _load(path, header, named, coded).unify_dictionaries()
    encoded = {
        column: table.column(name).combine_chunks() if table.num_rows else _nothing()
        for column, name in zip(columns, named, strict=True)
    }
    if table.num_rows != len(begins) - 1:
        raise ValueError("its lines cannot be counted")
    return SheetFile(path=path, identity=identity, header=header, begins=begins, columns=encoded)


def _nothing() -> pa.DictionaryArray:
    return pa.array([], pa.string()).dictionary_encode()


def _load(path: Path, header: Sequence[str], wanted: Sequence[str], kind: Any) -> pa.Table:  # noqa: ANN401 - pyarrow ships no types
    names = [f"f{n}" for n in range(len(header))]
    return pacsv.read_csv(
        str(path),
        read_options=pacsv.ReadOptions(column_names=names, skip_rows_after_names=1),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, kind),
            include_columns=list(wanted),
            strings_can_be_null=False,
        ),
    )


def _header(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return tuple(unguard_cell(cell) for cell in next(csv.reader(file), []))


def _beginnings(path: Path) -> npt.NDArray[np.int64]:
    """Return where records begin: after each line end that stands outside quotes."""
    parts, base, inside = [], 0, 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            data = np.frombuffer(piece, np.uint8)
            ends = data == _NEWLINE
            quotes = data == _QUOTE
            if inside or quotes.any():
                depth = (np.cumsum(quotes, dtype=np.int32) + inside) & 1
                ends &= depth == 0
                inside = int(depth[-1])
            parts.append(np.flatnonzero(ends) + base + 1)
            base += len(piece)
    begins = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return begins if len(begins) else np.array([base], np.int64)


def _cells(data: bytes, width: int) -> tuple[str, ...]:
    if len(data) > _LONGEST_LINE:
        return ("…",) * width
    csv.field_size_limit(_LONGEST_LINE)
    return cells_of(data)


def cells_of(line: bytes) -> tuple[str, ...]:
    """Return the cells of one record as they were before the guard. Raises csv.Error."""
    cells = next(csv.reader(io.StringIO(line.decode("utf-8", "replace"), newline="")), [])
    return tuple(unguard_cell(cell) for cell in cells)


def _gone(path: Path, error: Exception) -> StorageError:
    reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "it was changed"
    return StorageError(
        f"{path.name} cannot be read from the outbox: {reason}.",
        hint="Somebody may have taken it away. The file that was dropped is in the archive.",
    )
