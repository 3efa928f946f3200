"""A mount namespace of its own for a test: what is mounted in it is gone with it.

The test itself stays outside and sees what lies in the folders that are bound into it.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

NEEDED = ("unshare", "nsenter", "mount", "umount")


@dataclass(frozen=True)
class Namespace:
    """``prefix`` runs a command inside, in place: the process is the command's own."""

    pid: int

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("nsenter", "--target", str(self.pid), "--mount")

    def run(self, *command: object) -> None:
        subprocess.run(
            ["nsenter", "--target", str(self.pid), "--mount", *map(str, command)], check=True
        )

    def bind(self, source: Path, target: Path) -> None:
        self.run("mount", "--bind", source, target)

    def overlay(self, target: Path, place: Path) -> None:
        """Let what is written below ``target`` go into ``place``, and nothing into itself."""
        for name in ("upper", "work"):
            (place / name).mkdir(parents=True)
        options = f"lowerdir={target},upperdir={place}/upper,workdir={place}/work"
        self.run("mount", "-t", "overlay", "-o", options, "overlay", target)

    def tmpfs(self, target: Path, size: str) -> None:
        self.run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", target)

    def remount(self, target: Path, options: str) -> None:
        self.run("mount", "-o", f"remount,{options}", target)

    def unmount(self, target: Path) -> None:
        self.run("umount", "--lazy", target)

    def inside(self, path: Path) -> Path:
        """The way from the test to the mounts inside."""
        return Path(f"/proc/{self.pid}/root{path}")


def fill(folder: Path) -> Path:
    """Leave no byte of the file system that holds the folder."""
    filler = folder / ".filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Skips the test, and says why, where there is no root or no such program."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        pytest.skip(f"needs {', '.join(absent)} (Debian: util-linux, mount)")
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount file systems in a namespace of the test's own")
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo; exec cat"],
        stdin=subprocess.PIPE,  # it ends with the test, however that ends
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        if holder.stdout.readline() == b"":
            pytest.skip("this machine does not let root make a mount namespace")
        yield Namespace(holder.pid)
    finally:
        holder.kill()
        holder.wait()
        for pipe in (holder.stdin, holder.stdout):
            if pipe:
                pipe.close()
