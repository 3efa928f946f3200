"""Which root a drop lies in, where several roots share a ledger."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from pipeline.core.errors import StorageError

_NAME = "root-id"


def root_id(root: Path) -> str:
    """The name of this root for the ledger: made once, kept in ``state/root-id``.

    Machines that share the root's folder read the same. Raises StorageError.
    """
    path = root / "state" / _NAME
    try:
        if not has_id(root):
            _make(path)
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be used: {error}.") from error


def has_id(root: Path) -> bool:
    """True when the root has a name already."""
    return (root / "state" / _NAME).exists()


def _make(path: Path) -> None:
    """Whoever is first wins: a link never replaces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{_NAME}.{secrets.token_hex(4)}")
    with temporary.open("w", encoding="ascii") as file:
        file.write(f"r{secrets.token_hex(5)}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()
