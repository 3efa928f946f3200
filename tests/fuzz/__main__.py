"""Reads mutated files until it has read enough, and ends with 1 at the first finding.

    python -m tests.fuzz [--examples N] [--seed N] [--keep FILE]

Anything but a table or a ``DropRefused`` is a finding: another exception is shrunk and printed by
Hypothesis, and what ends this process (an abort in native code, a refused allocation, a read that
takes a minute) leaves the bytes that did it in ``--keep``.
"""

import argparse
import faulthandler
import resource
import sys
from collections import Counter
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fakes.corpora import outcome
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import seeds

GIGABYTE = 1 << 30
ENDLESS_SECONDS = 60


def main() -> int:
    """Parse the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.fuzz")
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finding.bin"))
    chosen = parser.parse_args()
    # A bomb that gets through must not take the machine with it.
    resource.setrlimit(resource.RLIMIT_AS, (8 * GIGABYTE, 8 * GIGABYTE))
    faulthandler.enable()
    ended: Counter[str] = Counter()

    @seed(chosen.seed)
    @settings(
        max_examples=chosen.examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        one=st.sampled_from(list(seeds())),
        other=st.sampled_from(list(seeds())),
        chance=st.randoms(use_true_random=False),
    )
    def read_one(one: str, other: str, chance: Random) -> None:
        data = mutated(seeds()[one], seeds()[other], chance)
        chosen.keep.write_bytes(data)
        faulthandler.dump_traceback_later(ENDLESS_SECONDS, exit=True)
        ended[outcome(data, one)] += 1

    read_one()
    faulthandler.cancel_dump_traceback_later()
    chosen.keep.unlink(missing_ok=True)
    sys.stdout.write("".join(f"{count:8} {code}\n" for code, count in ended.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
