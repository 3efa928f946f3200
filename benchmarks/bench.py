"""Where the benchmarks work, and the manifests they send."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.data import write_manifest
from benchmarks.measure import Ran, run
from benchmarks.product import Setup


@dataclass
class Bench:
    """Where a run of the benchmarks works, how large, how often."""

    base: Path
    quick: bool = False
    repeat: int = 3
    peaks: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def size(self, rows: int) -> int:
        """The number of rows: a tenth of it when it has to be quick."""
        return rows // 10 if self.quick else rows

    def fresh(self, name: str, url: str, *, concurrency: int = 8, rate: float = 0) -> Setup:
        """A new root."""
        taken = len(list(self.base.glob(f"{name}-*")))
        return Setup.fresh(self.base, f"{name}-{taken}", url, concurrency=concurrency, rate=rate)

    def rival(self, name: str, *arguments: str) -> Ran:
        """Run a rival to its end."""
        return run([sys.executable, "-m", f"benchmarks.rivals.{name}", *arguments])


def manifest(base: Path, rows: int) -> Path:
    """A manifest with so many rows; it is made once."""
    path = base / f"manifest-{rows}.csv"
    if not path.exists():
        write_manifest(path, rows)
    return path
