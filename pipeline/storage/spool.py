"""A drop's spool: its prepared rows, its plan and its frozen bodies, on disk while they wait.

One folder per drop under ``state/drops``. Rows are Arrow IPC files, a record batch per block, so
that a reader loads one block at a time and only the columns it needs. Bodies stay after the drop is
closed: ``trace`` shows from them what was sent.

Arrow is loaded by whoever first reads or writes a table (``tables``): that a drop is read, which
is all that is needed of it at first, can be asked for before.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.core.model import Drop, DropFacts, DropState
from pipeline.core.row_keys import RejectedRow
from pipeline.storage import spool_marks
from pipeline.storage.durable_files import sync_file
from pipeline.storage.spool_marks import DEPARTURES, TRIES, AttemptCounter, Departures, in_spool

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from pipeline.storage.arrow_files import RowsWriter

_BODIES = "bodies.json"
_READ_AHEAD = 256 * 1024
_PLAN = "plan.arrow"
_IDS = "ids.arrow"
_PASSING = frozenset({TRIES, DEPARTURES})


class Spools:
    """The spools of a root, a folder per drop.

    ``part``: the name under which this worker writes, where several work on the root. Workers never
    write into one another's part: one that was given up may still be writing.
    """

    def __init__(self, folder: Path, *, part: str = "") -> None:
        self.folder = folder
        self._part = part

    @property
    def are_shared(self) -> bool:
        """Return whether several workers write into them."""
        return bool(self._part)

    def of(self, drop: Drop) -> "Spool":
        """Return the spool of a drop: of one that is not planned, the part of this worker."""
        home = self.folder / drop.drop_id
        unplanned = drop.state in {DropState.CLAIMING, DropState.CLAIMED}
        part = drop.facts.spool or (self._part if unplanned else "")
        return Spool(home / part if part else home, home=home)

    def ids(self, drop_id: str) -> "dict[int, tuple[tuple[str, str], ...]]":
        """Return the ids of the rows of a drop that a person may correct (``Spool.ids``)."""
        return Spool(self.folder / drop_id).ids()

    def rejected(self, drop_id: str) -> "dict[int, tuple[RejectedRow, ...]]":
        """Return those rows with the evidence about them (``Spool.rejected``)."""
        return Spool(self.folder / drop_id).rejected()

    def kept(self, drop_id: str) -> "pa.Table | None":
        """Return those rows as they are kept (``Spool.kept``)."""
        return Spool(self.folder / drop_id).kept()

    def placed(self, facts: DropFacts) -> DropFacts:
        """Return a drop's facts, with where its spool is when several workers write."""
        return replace(facts, spool=self._part)


class Spool:
    """The folder of one drop. Raises StorageError when it cannot be written or read."""

    def __init__(self, folder: Path, *, home: Path | None = None) -> None:
        """Take the folder; ``home`` is the drop's own, when ``folder`` is one worker's part."""
        self.folder = folder
        self._home = home or folder

    @property
    def tries(self) -> AttemptCounter:
        """Return the tries of reading and planning it."""
        return AttemptCounter(self._home)

    @contextmanager
    def rows_writer(self, sheet: int, columns: int) -> "Iterator[RowsWriter]":
        """Yield a writer for the sheet with this number, from 0."""
        from pipeline.storage.arrow_files import RowsWriter

        with in_spool(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            writer = RowsWriter(self._rows_path(sheet), columns)
        try:
            yield writer
        finally:
            writer.close()

    def blocks(
        self, sheet: int, columns: Sequence[str] | None = None
    ) -> "Iterator[pa.RecordBatch]":
        """Yield the sheet's blocks in order; only these columns if named."""
        from pipeline.storage.arrow_files import batches_of

        with in_spool(self.folder):
            yield from batches_of(self._rows_path(sheet), columns)

    def write_plan(self, table: "pa.Table") -> None:
        """Write the decision for each row; on the disk after ``keep``, as the rows themselves."""
        self._write(_PLAN, table)

    @property
    def has_plan(self) -> bool:
        """Return whether the rows and what was decided about them are kept."""
        return self._at(_PLAN).exists()

    def plan(self) -> "pa.Table":
        """Return the plan as ``write_plan`` kept it."""
        return self._read_at(self._at(_PLAN))

    def write_bodies(self, pieces: "Iterable[pa.Array]") -> "npt.NDArray[np.int64]":
        """Freeze the bodies of all chunks, a line each; return their lengths in bytes.

        ``pieces``: arrays of ``large_string``, each body with its line end, which no length counts.
        They are on the disk after ``keep``.
        """
        from pipeline.storage.arrow_files import write_lines

        with in_spool(self.folder), (self.folder / _BODIES).open("wb", buffering=0) as file:
            return write_lines(file, pieces)

    @contextmanager
    def body_reader(self) -> Iterator[Callable[[int, int], bytes]]:
        """Yield a function (offset, length) → a frozen body. It raises StorageError too."""
        with in_spool(self.folder):
            handle = os.open(self.folder / _BODIES, os.O_RDONLY)

        start, buffer = 0, b""

        def body(offset: int, length: int) -> bytes:
            nonlocal start, buffer
            # Bodies are asked for nearly in their order: each read gives up the interpreter lock,
            # and getting it back costs more than the read.
            if not start <= offset <= offset + length <= start + len(buffer):
                with in_spool(self.folder):
                    start, buffer = offset, os.pread(handle, max(length, _READ_AHEAD), offset)
                    if len(buffer) < length:
                        raise OSError(f"{_BODIES} is cut off")
            return buffer[offset - start : offset - start + length]

        try:
            yield body
        finally:
            os.close(handle)

    def departures(
        self, chunks: int, doubtful: Iterable[int]
    ) -> AbstractContextManager[Departures]:
        """Yield which calls have left, and where it is noted of those that do.

        ``chunks``: how many there are; ``doubtful``: those that count as left where no earlier run
        noted it.
        """
        return spool_marks.departures(self.folder, chunks, doubtful)

    def forget_departures(self) -> None:
        """Stop noting which calls leave."""
        spool_marks.forget(self.folder)

    def write_ids(self, table: "pa.Table") -> None:
        """Keep rows to correct, on disk: ``sheet``, ``row`` (record number), ``order_id``.

        And ``awb``, ``milestone``, ``said``, ``codes``, ``around``: see ``core.row_keys``.
        """
        from pipeline.storage.arrow_files import write_table

        with in_spool(self.folder):
            write_table(self._at(_IDS), table)
            sync_file(self._at(_IDS))
            (self.folder / _IDS).replace(self._home / _IDS)
            sync_file(self._home)

    def ids(self) -> dict[int, tuple[tuple[str, str], ...]]:
        """Return what ``write_ids`` kept: by record number, the sheets and ids that have it.

        Earlier builds kept no sheets; there they are "".
        """
        kept = self.rejected().items()
        return {row: tuple((each.sheet, each.order_id) for each in rows) for row, rows in kept}

    def kept(self) -> "pa.Table | None":
        """Return what ``write_ids`` kept, as it is; None without any."""
        path = self._home / _IDS
        return self._read_at(path) if path.exists() else None

    def rejected(self) -> dict[int, tuple[RejectedRow, ...]]:
        """Return what ``write_ids`` kept, by record number, which rows of several sheets share."""
        table = self.kept()
        if table is None:
            return {}
        names = RejectedRow.__struct_fields__
        kept = [name for name in names if name in table.column_names]
        found: dict[int, tuple[RejectedRow, ...]] = {}
        texts = zip(*(table.column(name).to_pylist() for name in kept), strict=True)
        for row, cells in zip(table.column("row").to_pylist(), texts, strict=True):
            given = {"sheet": "", **dict(zip(kept, cells, strict=True))}
            found[row] = (*found.get(row, ()), RejectedRow(**given))
        return found

    def forget_rows(self) -> None:
        """Remove the rows of a closed drop.

        Bodies (for ``trace``) and ids (for corrections) stay.
        """
        with in_spool(self.folder):
            self.tries.end_all()
            kept = False
            with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
                for entry in entries:
                    if _is_of_rows(entry.name) or (
                        entry.name == _BODIES and not entry.stat().st_size
                    ):
                        (self.folder / entry.name).unlink()
                    else:
                        kept = True
                if not kept:
                    self.folder.rmdir()

    def folders(self) -> tuple[Path, ...]:
        """Return the folder, and the one above it that is the drop's own, if there is one."""
        return (self.folder,) if self._home == self.folder else (self.folder, self._home)

    def forget_others(self) -> None:
        """Remove the files that other workers wrote of the drop before they were given up."""
        with in_spool(self._home):
            for path in self._home.iterdir() if self._home.exists() else ():
                if path.is_dir() and path != self.folder:
                    shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, name: str, table: "pa.Table") -> None:
        from pipeline.storage.arrow_files import write_table

        with in_spool(self.folder):
            write_table(self._at(name), table)

    def _read_at(self, path: Path) -> "pa.Table":
        from pipeline.storage.arrow_files import read_table

        with in_spool(self.folder):
            return read_table(path)

    def _at(self, name: str) -> Path:
        return self.folder / name

    def _rows_path(self, sheet: int) -> Path:
        return self.folder / f"rows-{sheet:02}.arrow"


def sync_spools(spools: Sequence[Spool]) -> None:
    """Sync rows, plan, bodies and folders of these drops' spools.

    All of it first and then the one folder of all: what was written together costs little more
    than what one drop has.
    """
    above: dict[Path, None] = {}
    for spool in spools:
        with in_spool(spool.folder):
            with os.scandir(spool.folder) as entries:
                files = [entry.path for entry in entries if entry.name not in _PASSING]
            for file in files:
                sync_file(file)
            for folder in spool.folders():
                sync_file(folder)
                above[folder.parent] = None
    for folder in above:
        with in_spool(folder):
            sync_file(folder)


def _is_of_rows(name: str) -> bool:
    return name in {_PLAN, DEPARTURES} or (name.startswith("rows-") and name.endswith(".arrow"))
