"""Noticing that a mounted folder is gone although a folder is still there: its empty mount point.

Without this an unmounted inbox reads as "all files are gone", and reports go to the disk below an
unmounted outbox, where nobody sees them again.
"""

import os
from pathlib import Path

from pipeline.core.errors import StorageError
from schemas.display import shown


class Mount:
    """One folder. It counts as mounted once it was seen on another file system than its parent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = str(folder)
        self._above = f"{folder}/.."
        self._mounted = False

    def check(self) -> None:
        """Look once.

        Raises:
            StorageError: it was mounted when it was looked at before, and is not any more.
            OSError: it is not there, or cannot be looked at.
        """
        # ".." is where the folder really lies, through links and mounts, as the kernel has it.
        mounted = os.stat(self._path).st_dev != os.stat(self._above).st_dev  # noqa: PTH116 - often
        if self._mounted and not mounted:
            raise StorageError(
                f"The folder {shown(self._folder, 200)} is not mounted any more.",
                hint="Mount it again; it goes on by itself then. If it is meant to be a folder of "
                "this disk from now on, restart Shipdrop.",
            )
        self._mounted = mounted
