"""Noticing that a mounted folder is gone although a folder is still there: its empty mount point.

Without this an unmounted inbox reads as "all files are gone", and reports go to the disk below an
unmounted outbox, where nobody sees them again.
"""

from pathlib import Path

from pipeline.adapters.naming import shown
from pipeline.errors import StorageError


class Mount:
    """One folder. It counts as mounted once it was seen on another file system than its parent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mounted = False

    def check(self) -> None:
        """Look once.

        Raises:
            StorageError: it was mounted when it was looked at before, and is not any more.
            OSError: it is not there, or cannot be looked at.
        """
        real = self._folder.resolve(strict=True)
        mounted = real.stat().st_dev != real.parent.stat().st_dev
        if self._mounted and not mounted:
            raise StorageError(
                f"The folder {shown(self._folder, 200)} is not mounted any more.",
                hint="Mount it again; it goes on by itself then. If it is meant to be a folder of "
                "this disk from now on, restart Shipdrop.",
            )
        self._mounted = mounted
