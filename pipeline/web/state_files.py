"""Keep the page's own JSON beside the ledger: each file is written as a whole or not at all."""

from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline.storage.durable_files import make_directory, replace_with, storing

_T = TypeVar("_T")


def place_of(root: Path) -> Path:
    """Return the folder of the page's own files of a root."""
    return root / "state" / "web"


def write(path: Path, data: bytes) -> None:
    """Write a file in the place of the one before. Raises StorageError."""
    with storing("write", path):
        make_directory(path.parent)
        replace_with(path, path.with_name(f".{path.name}.tmp"), [data])


def write_json(path: Path, record: object) -> None:
    """Write a record in the place of the one before. Raises StorageError."""
    write(path, msgspec.json.encode(record))


def read_json(path: Path, kind: type[_T]) -> _T | None:
    """Return the record of this kind; None where there is none, or it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None
