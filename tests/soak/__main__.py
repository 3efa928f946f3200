"""Explore until the time is over, or all seeds are through; end with counts, and 1 for a violation.

    python -m tests.soak [--minutes N] [--seeds 1-50] [--only TEXT] [--at-once N]

Without ``--seeds`` they begin at one that nobody chose: each soak is another one.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count, islice
from math import inf
from multiprocessing import get_context
from pathlib import Path
from traceback import format_exception

from tests.soak.explorations import KINDS, ONCE, SECONDS, USUAL, explore

_COUNTED = ("rows", "files", "tests", "kills", "faults")
_OF_WORKERS = ("freezes", "ends", "restarts", "cuts", "connections", "late calls")
"""Counts that "workers in chaos" has besides. Of the database: restarts, cuts, connections;
of the API: calls of workers that woke, refused as repeats."""
_OF_MUTANTS = ("mutants", "sent", "held", "refused")
_OF_SOME = (*_OF_WORKERS, *_OF_MUTANTS)


def _seeds(text: str) -> Iterator[int]:
    """``3,7-9`` is 3, 7, 8, 9."""
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def main() -> int:
    """Parse the flags and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seeds")
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    parser.add_argument("--at-once", type=int, default=3)
    chosen = parser.parse_args()
    kinds = [kind for kind in KINDS if chosen.only in kind]
    if not kinds:
        parser.error(f"--only: there is {', '.join(KINDS)}")
    minutes = chosen.minutes or (None if chosen.seeds else 10)
    seeds = _seeds(chosen.seeds) if chosen.seeds else count(int(time.time()) % 1_000_000)
    soak = _Soak(until=time.monotonic() + minutes * 60 if minutes else None)
    soak.run(_all(kinds, seeds), at_once=chosen.at_once)
    return soak.tell()


def _all(kinds: list[str], seeds: Iterator[int]) -> Iterator[tuple[str, int]]:
    for seed in seeds:
        yield from ((kind, seed) for kind in kinds)
        kinds = [kind for kind in kinds if kind not in ONCE]
        if not kinds:
            return


class _Soak:
    def __init__(self, until: float | None) -> None:
        self._began = time.monotonic()
        self._until = until
        self._counts: Counter[str] = Counter()
        self._times: dict[str, list[float]] = {}
        self._seeds: set[int] = set()
        self._violations: list[tuple[str, int]] = []
        self._place = Path(tempfile.mkdtemp(prefix="shipdrop-soak-"))

    def run(self, todo: Iterator[tuple[str, int]], *, at_once: int) -> None:
        """Take the next as soon as one is through, until there is none or the time is over."""
        under_way: dict[Future[tuple[Counter[str], float]], tuple[str, int, Path]] = {}
        with ProcessPoolExecutor(at_once, get_context("spawn")) as pool:
            while True:
                while len(under_way) < at_once and (job := self._next(todo)):
                    kind, seed = job
                    place = Path(tempfile.mkdtemp(dir=self._place))
                    under_way[pool.submit(explore, kind, seed, place)] = (kind, seed, place)
                if not under_way:
                    return
                done, _ = wait(under_way, timeout=20, return_when=FIRST_COMPLETED)
                for each in done:
                    self._ended(each, *under_way.pop(each))
                self._progress([kind for kind, _, _ in under_way.values()])

    def _next(self, todo: Iterator[tuple[str, int]]) -> tuple[str, int] | None:
        """Return the next that can end in time; None where none of a round can."""
        left = inf if self._until is None else self._until - time.monotonic()
        a_round = islice(todo, len(KINDS))
        return next((job for job in a_round if SECONDS.get(job[0], USUAL) <= left), None)

    def _ended(
        self, ended: Future[tuple[Counter[str], float]], kind: str, seed: int, place: Path
    ) -> None:
        self._seeds.add(seed)
        error = ended.exception()
        if error is None:
            counts, seconds = ended.result()
            self._counts += Counter({name: counts[name] for name in (*_COUNTED, *_OF_SOME)})
            self._times.setdefault(kind, []).append(seconds)
            shutil.rmtree(place, ignore_errors=True)
            return
        self._violations.append((kind, seed))
        told = "".join(format_exception(error))
        sys.stdout.write(f"\n{kind}, seed {seed}:\n{told}\nAgain: {_again(kind, seed)}\n")
        sys.stdout.flush()

    @property
    def _runs(self) -> int:
        return sum(map(len, self._times.values()))

    def _progress(self, now: list[str]) -> None:
        minutes = (time.monotonic() - self._began) / 60
        sys.stdout.write(
            f"{minutes:5.1f} min  {self._runs} runs, {self._told()}, "
            f"{len(self._violations)} violations; now: {'; '.join(now) or 'nothing'}\n"
        )
        sys.stdout.flush()

    def _told(self) -> str:
        there = [*_COUNTED, *(name for name in _OF_SOME if self._counts[name])]
        return ", ".join(f"{self._counts[name]:,} {name}" for name in there)

    def tell(self) -> int:
        """Print the counts; return the exit code."""
        write = sys.stdout.write
        write(f"\n{'kind':<48} {'runs':>5} {'seconds each':>13}\n")
        for kind, times in self._times.items():
            write(f"{kind:<48} {len(times):>5} {sum(times) / len(times):>13.1f}\n")
        seeds = f"{min(self._seeds)} to {max(self._seeds)}" if self._seeds else "none"
        minutes = (time.monotonic() - self._began) / 60
        write(
            f"\nsoak of {minutes:.1f} minutes, seeds {seeds}: {self._runs} runs, "
            f"{self._told()}, {len(self._violations)} violations\n"
        )
        for kind, seed in self._violations:
            write(f"  {kind}, seed {seed}: {_again(kind, seed)}\n")
        if not self._violations:
            shutil.rmtree(self._place, ignore_errors=True)
        write(f"{self._runs} passed, {len(self._violations)} failed\n")
        return 1 if self._violations or not self._runs else 0


def _again(kind: str, seed: int) -> str:
    return f"make soak SEEDS={seed} ONLY='{kind}'"


if __name__ == "__main__":
    sys.exit(main())
