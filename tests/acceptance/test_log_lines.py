"""A service that is quiet still says a line for each drop, and for what was asked of it."""

import json
import subprocess
import sys

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import REPOSITORY, Root, sheet, until


def test_a_quiet_service_logs_a_line_for_each_drop_and_each_request(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(api__probe_seconds=0.2, inbox__scan_seconds=0.2)
    service = root.start("run", "--quiet", "--log-format", "json")
    rows = [("LOG1", "Delivered"), ("LOG2", "Delivered"), ("LOG3", "Nonesuch")]
    root.drop("a.csv", sheet(rows), folder="generic")
    until(root.delivered, what="its summary")
    api.set_faults(status_all=401)
    root.drop("b.csv", sheet([("LOG4", "Delivered")]))
    until(lambda: len(root.delivered()) == 2, what="the summary of one that is held")
    held = root.of("b").id
    assert root.run("cancel", held).code == 0
    until(lambda: root.of("b").summary["state"] == "cancelled", what="its end")
    ended = service.end()
    assert ended.code == 0
    assert ended.out == ""
    (first, second) = (each for each in ended.logs if each["event"] == "drop.closed")
    assert first.pop("seconds") >= 0
    assert first.pop("timestamp")
    assert first == {
        "event": "drop.closed",
        "level": "info",
        "drop": root.of("a").id,
        "file": "a.csv",
        "folder": "generic",
        "courier": "generic",
        "state": "completed",
        "rows": 3,
        "accepted": 2,
        "rejected": 1,
    }
    assert (second["state"], second["unsent"]) == ("cancelled", 1)
    (asked,) = (each for each in ended.logs if each["event"] == "drop.requested")
    assert (asked["drop"], asked["request"]) == (held, "cancel")
    others = {each["event"] for each in ended.logs if each["level"] == "info"}
    assert others == {"drop.closed", "drop.requested"}


def test_a_quiet_run_that_ends_says_nothing(root: Root) -> None:
    root.drop("a.csv", sheet([("LOG1", "Delivered")]))
    ran = root.run("run", "--once", "--quiet", "--log-format", "json")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_a_thread_that_dies_is_a_line_of_the_log() -> None:
    script = (
        "import threading; from pipeline.service.logging_setup import configure;"
        "configure(level='WARNING', form='json');"
        "dies = threading.Thread(target=lambda: 1 / 0, name='hears'); dies.start(); dies.join()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["thread"], told["level"]) == ("thread.died", "hears", "error")
    assert "ZeroDivisionError" in told["exception"]
