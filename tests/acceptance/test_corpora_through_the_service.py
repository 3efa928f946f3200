"""The service takes every file that nobody here made, and is there for the next one."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.acceptance.harness import Root, orders, until
from tests.fakes.corpora import MANIFEST, ROOT, listed
from tests.forked import POSSIBLE

MEGABYTE = 1024 * 1024


@pytest.mark.timeout(400)
@pytest.mark.skipif(not MANIFEST.is_file(), reason="the corpora of real files are not here")
def test_after_each_file_the_service_takes_a_sound_one(root: Root) -> None:
    """Every sixth of them; in the soak, where commands are started in full, all."""
    root.new_interpreter = True  # its memory is looked at
    root.configure(inbox__incomplete_seconds=0)
    root.inbox.mkdir(parents=True)
    paths = listed() if not POSSIBLE else listed()[::6]
    for number, path in enumerate(paths):
        strange = root.drop(f"{number:03} {Path(path).name}", (ROOT / path).read_bytes())
        sound = root.drop(f"sound {number:03}.csv", orders(1, prefix=f"S{number:03}-"))
        # Claimed oldest first: a strange one, a sound one, and so on.
        os.utime(strange, (1_700_000_000 + 2 * number,) * 2)
        os.utime(sound, (1_700_000_001 + 2 * number,) * 2)
    service = root.start("run")
    until(
        lambda: len(list(root.outbox.glob("*.summary.json"))) == 2 * len(paths),
        what="a summary of each",
        seconds=360,
    )
    assert service.process.poll() is None
    memory = [psutil.Process(service.process.pid), *psutil.Process(service.process.pid).children()]
    assert max(peak(process.pid) for process in memory) < 500 * MEGABYTE
    assert service.end(signal.SIGTERM).code == 0

    found = {each.summary["source_file"]: each.summary for each in root.delivered()}
    for number, path in enumerate(paths):
        assert found[f"sound {number:03}.csv"]["rows"]["accepted"] == 1, path
        summary = found[f"{number:03} {Path(path).name}"]
        assert summary["state"] in {"completed", "refused"}
        assert bool(summary["refused"]) == (summary["state"] == "refused")
        if summary["refused"]:
            assert summary["refused"]["code"] != "PROCESSING_FAILED", path


def peak(pid: int) -> int:
    """The most memory a process has held, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
