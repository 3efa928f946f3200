"""Read and write tables in Arrow files, for the spool."""

from collections.abc import Iterable, Iterator, Sequence
from io import RawIOBase
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.model import Block, PreparedBlock
from pipeline.core.row_columns import PREPARED
from pipeline.storage.spool_marks import in_spool

_EXTRA = pa.field("extra", pa.list_(pa.string()))
_SMALL = 64 * 1024


class RowsWriter:
    """Takes the blocks of one sheet, in order. Raises StorageError."""

    def __init__(self, path: Path, columns: int) -> None:
        self._folder = path.parent
        cells = [pa.field(f"c{n}", pa.string(), nullable=False) for n in range(columns)]
        self._schema = pa.schema([*PREPARED, *cells, _EXTRA])
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._sink, self._schema)

    def add(self, block: Block, prepared: PreparedBlock) -> None:
        """Append a block with its rows' dispositions."""
        extra = pa.nulls(len(block), _EXTRA.type)
        if block.extra:
            cells = [block.extra.get(at) for at in range(len(block))]
            extra = pa.array(cells, type=_EXTRA.type)
        table = prepared.table.combine_chunks()
        arrays = [*(_whole(column) for column in table.columns), *map(_whole, block.cells), extra]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        with in_spool(self._folder):
            self._writer.write_batch(batch)

    def close(self) -> None:
        """Finish the file."""
        with in_spool(self._folder):
            self._writer.close()
            self._sink.close()


def batches_of(path: Path, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    """Yield a file's batches in order; only these columns if named, as far as it has them.

    A file that an earlier build wrote may lack one. Raises OSError, ArrowException.
    """
    with _opened(path) as source:
        reader = pa.ipc.open_file(source)
        names = reader.schema.names
        columns = None if columns is None else [each for each in columns if each in names]
        # To open it a second time for some columns costs more than to read all of a small one.
        few = columns if columns is not None and source.size() < _SMALL else None
        if columns is not None and few is None:
            options = pa.ipc.IpcReadOptions()
            options.included_fields = [names.index(name) for name in columns]
            source.seek(0)
            reader = pa.ipc.open_file(source, options=options)
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            yield batch if few is None else batch.select(sorted(few, key=names.index))


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table. Raises OSError, ArrowException."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_table(path: Path) -> pa.Table:
    """Read a table. Raises OSError, ArrowException."""
    with _opened(path) as source:
        return pa.ipc.open_file(source).read_all()


def _opened(path: Path) -> pa.NativeFile:
    """Open a file to be read; a small one as a whole, or each part is fetched in another thread."""
    source = pa.OSFile(str(path))
    if source.size() >= _SMALL:
        return source
    with source:
        return pa.BufferReader(source.read_buffer())


def write_lines(file: RawIOBase, pieces: Iterable[pa.Array]) -> npt.NDArray[np.int64]:
    """Write texts one after the other; return their lengths in bytes, line ends not counted.

    ``pieces``: arrays of ``large_string``, each text with its line end. Raises OSError.
    """
    lengths = [np.zeros(0, np.int64)]
    for piece in pieces:
        _, ends, data = piece.buffers()
        at = np.frombuffer(ends, np.int64)[piece.offset : piece.offset + len(piece) + 1]
        lengths.append(np.diff(at) - 1)
        _write_all(file, memoryview(data)[at[0] : at[-1]] if data else b"")
    return np.concatenate(lengths)


def _write_all(file: RawIOBase, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
    return column
