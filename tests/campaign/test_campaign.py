"""A slice of the fault campaign; ``make soak`` runs all of its kinds, larger, by many seeds."""

from pathlib import Path

import pytest

from tests.campaign.kinds import KINDS

SEED, ORDERS = 1, 120


@pytest.mark.parametrize(
    "kind", ["mixed", "kill -9 and lost answers", "carried out after all", "everything"]
)
def test_the_invariants_hold(tmp_path: Path, kind: str) -> None:
    counts = KINDS[kind](SEED, ORDERS, tmp_path)
    assert counts["rows"] > 2 * ORDERS
    assert counts["faults"] + counts["kills"], "without a fault this proves nothing"
