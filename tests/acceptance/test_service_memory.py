"""A service gives memory back to the system, seen from outside."""

import platform
import re
from pathlib import Path

import pytest

from pipeline.sandbox.server import SandboxHandle
from pipeline.storage.memory import HEAPS
from tests.acceptance.harness import Root, orders, until

_SPAN = 64 * 1024 * 1024
"""glibc sets aside so much for each further heap, at a multiple of it."""

_MAPPED = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+)")


def _further_heaps(pid: int) -> int:
    """Beside the first: what is used of one is readable, and the rest of its span is not."""
    found, used = 0, (0, 0)
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        start, end, rights, inode = _MAPPED.match(line).groups()  # type: ignore[union-attr] - all are so
        begins, ends = int(start, 16), int(end, 16)
        if (rights, inode) == ("rw-p", "0"):
            used = (begins, ends)
        elif rights == "---p" and used[1] == begins:
            found += used[0] % _SPAN == 0 and ends == used[0] + _SPAN
    return found


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are not told")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the size of a heap's span is its own")
def test_all_threads_of_a_service_share_two_heaps(root: Root, api: SandboxHandle) -> None:
    service = root.start("run")
    for number in range(5):
        root.drop(f"{number}.csv", orders(3000, prefix=f"N{number}"))
    until(lambda: len(root.delivered()) == 5, what="five reports")
    assert len(list(Path(f"/proc/{service.process.pid}/task").iterdir())) > HEAPS
    assert _further_heaps(service.process.pid) <= HEAPS - 1
    assert service.end().code == 0
