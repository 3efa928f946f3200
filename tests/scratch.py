"""Choose where tests put their files: in memory where there is room, for a disk is waited for.

The product syncs what it writes, many times for each file. Where a folder in memory can stand in
for a disk (Linux's ``/dev/shm``, with room, from which programs may be started), it does. That
bytes are synced, and in which order, is shown by ``tests/integration/test_order_on_disk.py``; a
disk of one's own is chosen by ``--basetemp``.
"""

import os
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30
"""Bytes that a whole run may need at a time, with room to spare."""


def scratch() -> Path:
    """Return the folder below which tests make theirs."""
    return _MEMORY if _will_do(_MEMORY) else Path(tempfile.gettempdir())


def elsewhere(than: Path) -> Path | None:
    """Return a folder on another file system than this one; None where there is none."""
    places = (_MEMORY, Path(tempfile.gettempdir()), Path("/var/tmp"))
    here = than.stat().st_dev
    return next((each for each in places if each.is_dir() and each.stat().st_dev != here), None)


def _will_do(folder: Path) -> bool:
    try:
        facts = os.statvfs(folder)
    except OSError:
        return False
    room = facts.f_bavail * facts.f_frsize >= _ROOM
    return room and not facts.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)
