"""Seeds and size of the campaigns: small for the gate, as large as wanted by hand."""

from collections.abc import Iterator

import pytest


def _seeds(text: str) -> Iterator[int]:
    """``3,7-9`` is 3, 7, 8, 9."""
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("campaign_seeds")
        seeds = list(_seeds(chosen or "1"))
        metafunc.parametrize("seed", seeds, ids=[f"seed{seed}" for seed in seeds])


@pytest.fixture
def orders(request: pytest.FixtureRequest) -> int:
    """How many orders a week has; about three rows to one."""
    return int(request.config.getoption("campaign_orders"))


@pytest.fixture
def again(request: pytest.FixtureRequest) -> str:
    """What to run to see this test once more."""
    seed, orders = request.getfixturevalue("seed"), request.getfixturevalue("orders")
    return (
        f".venv/bin/python -m pytest '{request.node.nodeid}'"
        f" --campaign-seeds {seed} --campaign-orders {orders}"
    )
