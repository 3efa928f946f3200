"""systemd played for one of our units: it starts the command, and starts it again as the unit says.

What systemd would only sleep through is counted instead of slept.
"""

import re
import shlex
import signal
import time
from collections.abc import Callable
from typing import Any

from tests.acceptance.harness import REPOSITORY, Ran, Root, Running, until

DEPLOY = REPOSITORY / "deploy"
SERVICE = "systemd/shipdrop.service"
WORKER = "worker/shipdrop-worker@.service"


def unit(name: str = SERVICE) -> dict[str, list[str]]:
    """Section.Key → values of a systemd unit; a key may come several times."""
    values: dict[str, list[str]] = {}
    section = ""
    for line in (DEPLOY / name).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            values.setdefault(f"{section}.{key}", []).append(value)
    return values


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(ms|s|min)?", text)
    assert found is not None, text
    return float(found[1]) * {"ms": 0.001, "min": 60}.get(found[2], 1)


class Supervised:
    """A unit's command on a root. ``skipped``: seconds that systemd would have slept so far."""

    def __init__(self, root: Root, name: str = SERVICE) -> None:
        self._root = root
        self._values = unit(name)
        _program, *self._arguments = shlex.split(self._one("Service.ExecStart"))
        self._begun = time.monotonic()
        self._starts: list[float] = []
        self.skipped = 0.0
        self.ends: list[Ran] = []
        self.running = self._start()

    def until(self, condition: Callable[[], Any], *, what: str) -> Any:
        """Wait for a condition while systemd does its part. It never gives the unit up."""

        def look() -> Any:
            self._mind()
            return condition()

        return until(look, what=what)

    @property
    def now(self) -> float:
        """Seconds since the unit was started, as systemd would count them."""
        return time.monotonic() - self._begun + self.skipped

    def stop(self) -> Ran:
        """``systemctl stop``."""
        return self.running.end(signal.SIGTERM)

    def _one(self, key: str, default: str = "") -> str:
        return self._values.get(key, [default])[-1]

    def _start(self) -> Running:
        window = _seconds(self._one("Unit.StartLimitIntervalSec", "10"))
        burst = int(self._one("Unit.StartLimitBurst", "5"))
        recent = [each for each in self._starts if self.now - each < window]
        assert len(recent) < burst or not window, "systemd gives up: started too often"
        self._starts.append(self.now)
        return self._root.start(*self._arguments)

    def _mind(self) -> None:
        code = self.running.process.poll()
        if code is None:
            return
        self.ends.append(self.running.wait())
        assert self._restarts(code), f"systemd leaves it dead: {code}, {self.ends[-1].err}"
        self.skipped += _seconds(self._one("Service.RestartSec", "100ms"))
        self.running = self._start()

    def _restarts(self, code: int) -> bool:
        if str(code) in self._one("Service.RestartPreventExitStatus").split():
            return False
        clean = code in {0, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGPIPE}
        return self._one("Service.Restart", "no") in (
            {"always"} if clean else {"always", "on-failure"}
        )
