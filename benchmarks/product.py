"""Shipdrop as a benchmark starts it: a fresh root, the command as a subprocess, its summaries."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Ran, RunBrokeError, run


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A root and how it is configured."""

    root: Path
    url: str
    concurrency: int = 8
    rate: float = 0

    @classmethod
    def fresh(cls, base: Path, name: str, url: str, **settings: Any) -> "Setup":
        """A new root under ``base``."""
        root = base / name
        (root / "inbox").mkdir(parents=True)
        return cls(root=root, url=url, **settings)

    @property
    def inbox(self) -> Path:
        """Where files are dropped."""
        return self.root / "inbox"

    @property
    def env(self) -> dict[str, str]:
        """The settings, as environment variables."""
        return {
            "SHIPDROP_API__BASE_URL": self.url,
            "SHIPDROP_API__TOKEN": "benchmark",
            "SHIPDROP_API__CONCURRENCY": str(self.concurrency),
            "SHIPDROP_API__RATE_PER_SECOND": str(self.rate),
            "SHIPDROP_INBOX__SETTLE_SECONDS": "0",
        }

    def command(self, *, once: bool) -> list[str]:
        """The command line of ``run``."""
        flags = ["--once"] if once else []
        return [sys.executable, "-m", "pipeline", "run", "--root", str(self.root), *flags]

    def inside(self, mode: str) -> list[str]:
        """The command line of an instrumented run (``benchmarks.inside``)."""
        return [sys.executable, "-m", "benchmarks.inside", mode, str(self.root)]

    def run_once(self, *, rows: int, mode: str | None = None) -> Ran:
        """Process what lies in the inbox. Raises RunBrokeError unless all rows were accepted."""
        command = self.command(once=True) if mode is None else self.inside(mode)
        ran = run(command, env=self.env)
        accepted = sum(summary["rows"]["accepted"] for summary in self.summaries())
        if accepted != rows:
            raise RunBrokeError(f"{accepted} of {rows} rows were accepted: {self.summaries()[:1]}")
        return ran

    def summaries(self) -> list[dict[str, Any]]:
        """The summaries of all drops."""
        return [
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((self.root / "outbox").glob("*.summary.json"))
        ]

    def bodies(self) -> list[bytes]:
        """The frozen bodies of all calls, as they were sent."""
        found: list[bytes] = []
        for path in sorted((self.root / "state" / "drops").glob("*/bodies.json")):
            # A body is a line block that ends in "]"; its items end in "," or "]".
            found += [body + b"]" for body in path.read_bytes().split(b"]\n") if body]
        return found
