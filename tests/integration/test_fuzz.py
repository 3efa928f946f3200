"""Mutated files, read in a process of their own: every one ends in a table or a plain refusal.

Some hundreds here, thousands in the soak; for longer runs by hand see docs/hazards.md.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.codes import Code
from tests.fakes.corpora import outcome
from tests.fuzz.seeds import seeds

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = 200


@pytest.mark.timeout(600)
def test_mutated_files_end_in_a_table_or_a_refusal(tmp_path: Path) -> None:
    kept = tmp_path / "finding.bin"
    command = [sys.executable, "-m", "tests.fuzz", "--examples", str(EXAMPLES), "--keep", str(kept)]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=580, check=False
    )
    assert done.returncode == 0, f"{done.stderr[-4000:]}\nits bytes: {kept.read_bytes()[:200]!r}"
    ended = {code: int(count) for count, code in map(str.split, done.stdout.splitlines())}
    assert sum(ended.values()) >= EXAMPLES
    assert ended.keys() <= {"table", *Code}
    assert ended["table"] > EXAMPLES / 10, "mutations that leave nothing to read prove nothing"


@pytest.mark.parametrize("name", [name for name in seeds() if name.startswith("own")])
def test_what_mutations_begin_with_can_be_read(name: str) -> None:
    assert outcome(seeds()[name], name) == "table"
