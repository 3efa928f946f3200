"""Ask the kernel who has a file open for writing, and whether a folder is still mounted.

A read lease (F_SETLEASE, fcntl(2)) is granted only while no process has the file open for writing,
and an open for writing waits until the lease is released. It is granted to the file's owner and to
holders of CAP_LEASE. Network file systems refuse leases for other reasons, so they are not asked.
"""

import errno
import fcntl
import os
import signal
from contextlib import suppress
from enum import Enum
from functools import lru_cache
from pathlib import Path

from pipeline.core.errors import StorageError
from schemas.display import shown

NETWORK_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph"})
"""File systems to which another machine may write without this kernel knowing."""


_CAP_LEASE = 1 << 28


class Writer(Enum):
    """Whether a process has a file open for writing, as far as it is known."""

    NOBODY = "nobody"
    SOMEBODY = "somebody"
    UNKNOWN = "unknown"


def writer_of(handle: int) -> Writer:
    """Return whether a process has the file open for writing.

    If none has, none can until ``handle``, a file opened for reading, is closed: it
    holds a lease, and an open for writing waits for it.

    Raises:
        OSError: the file cannot be looked at.
    """
    if _is_shared(os.fstat(handle).st_dev):
        return Writer.UNKNOWN
    try:
        # A waiting open is announced by a signal. SIGIO, the one by default, would end us.
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return Writer.SOMEBODY if error.errno == errno.EAGAIN else Writer.UNKNOWN
    return Writer.NOBODY


@lru_cache(maxsize=64)
def _is_shared(device: int) -> bool:
    return system_of(device) in NETWORK_SYSTEMS


def system_of(device: int) -> str:
    """Return the type of the file system with this device number, or "" if it is not known."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    for mount in mounts:
        fields = mount.split(" ")
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return ""


def writers_of(path: Path) -> list[str]:
    """Name the processes that have a file open for writing, as far as we may see them."""
    try:
        this = path.stat()
    except OSError:
        return []
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended, or is none of our business
            if any(_writes(process, handle.name, this) for handle in (process / "fd").iterdir()):
                name = (process / "comm").read_text("utf-8", "replace").strip()
                found.append(f"process {process.name} ({name})")
    return found


def _writes(process: Path, handle: str, this: os.stat_result) -> bool:
    try:
        if not os.path.samestat((process / "fd" / handle).stat(), this):
            return False
        text = (process / "fdinfo" / handle).read_text("ascii")
    except OSError:
        return False  # closed meanwhile
    flags = next(line for line in text.splitlines() if line.startswith("flags:"))
    return int(flags.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY


def sees_all_files(pid: int) -> bool | None:
    """Return whether this process can see who writes files of other users; None if unknown."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
        held = next(line for line in lines if line.startswith("CapEff:"))
        return bool(int(held.split()[1], 16) & _CAP_LEASE)
    return None


class Mount:
    """One folder. It counts as mounted once it was seen on another file system than its parent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._above = folder / ".."
        self._mounted = False

    def check(self) -> None:
        """Look once.

        Raises:
            StorageError: it was mounted when it was looked at before, and is not any more.
            OSError: it is not there, or cannot be looked at.
        """
        # ".." is where the folder really lies, through links and mounts, as the kernel has it.
        mounted = self._folder.stat().st_dev != self._above.stat().st_dev
        if self._mounted and not mounted:
            raise StorageError(
                f"The folder {shown(self._folder, 200)} is not mounted any more.",
                hint="Mount it again; it goes on by itself then. If it is meant to be a folder of "
                "this disk from now on, restart Shipdrop.",
            )
        self._mounted = mounted
