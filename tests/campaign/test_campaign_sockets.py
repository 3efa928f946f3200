"""The campaign on a server that breaks its connections in every way a network can."""

from pathlib import Path

import pytest

from tests.acceptance.harness import Root
from tests.campaign.campaign import Campaign
from tests.campaign.field import TIMEOUT, treacherous_field
from tests.campaign.manifests import a_bad_week
from tests.fakes.treacherous import BEGUN, FAULTS, LOST, REFUSED

#: name → fault of the server → its share of the calls
TREACHERIES: dict[str, dict[str, float]] = {
    "accepts and closes": {"accepts and closes": 0.25},
    "half an answer": {
        "half a status line": 0.02,
        "half a head": 0.03,
        "half a body": 0.03,
        "promises more than it sends": 0.03,
        "sends more than it promised": 0.04,
    },
    "stalls": {"stalls": 0.03, "stalls in mid-answer": 0.02},
    "resets": {
        "resets before reading": 0.06,
        "resets after reading": 0.08,
        "closes after reading": 0.04,
    },
    "carried out after all": {"hangs up and lands later": 0.06, "lands after the time-out": 0.04},
    "everything": {
        **dict.fromkeys(FAULTS, 0.01),
        **dict.fromkeys(REFUSED, 0.02),
        "accepts and closes": 0.1,
    },
}
assert {fault for rates in TREACHERIES.values() for fault in rates} == set(FAULTS)


def _campaign(place: Path, field: object, seed: int, orders: int, **settings: object) -> Campaign:
    return Campaign(
        week=a_bad_week(seed, orders=orders),
        root=Root(place),
        field=field,
        settings={"api__timeout_seconds": TIMEOUT, **settings},
    )


@pytest.mark.parametrize("fault", TREACHERIES)
def test_the_invariants_hold_on_a_treacherous_server(
    tmp_path: Path, fault: str, seed: int, orders: int, again: str
) -> None:
    with treacherous_field(seed, TREACHERIES[fault], honest=True) as field:
        campaign = _campaign(tmp_path, field, seed, orders)
        campaign.until_through()
        assert field.struck(), f"without {fault} this proves nothing; {again}"
        campaign.assert_all_holds(again)


@pytest.mark.parametrize("fault", ["it knows no order", "it is not asked"])
def test_the_invariants_hold_where_nobody_can_be_asked(
    tmp_path: Path, fault: str, seed: int, orders: int, again: str
) -> None:
    rates = dict.fromkeys((*LOST, *REFUSED), 0.015)
    asks = fault == "it knows no order"
    with treacherous_field(seed, rates, honest=False) as field:
        campaign = _campaign(
            tmp_path, field, seed, orders, api__reconcile="true" if asks else "false"
        )
        campaign.until_through()
        assert field.struck(), f"without {fault} this proves nothing; {again}"
        campaign.assert_all_holds(again)


def test_the_invariants_hold_when_we_are_killed_before_a_treacherous_server(
    tmp_path: Path, seed: int, orders: int, again: str
) -> None:
    rates = dict.fromkeys((*LOST, *BEGUN, *REFUSED), 0.01)
    with treacherous_field(seed, rates, honest=True) as field:
        campaign = _campaign(tmp_path, field, seed, orders)
        campaign.kill_in_mid_run(times=2)
        campaign.until_through()
        campaign.assert_all_holds(again)


def test_the_invariants_hold_when_we_are_killed_and_calls_are_carried_out_after_all(
    tmp_path: Path, seed: int, orders: int, again: str
) -> None:
    # Longer than a start takes: we are there again, and ask, while the old call is still running.
    timeout = 6.0
    rates = {"hangs up and lands later": 0.3}
    with treacherous_field(seed, rates, honest=True, timeout=timeout) as field:
        campaign = _campaign(tmp_path, field, seed, orders, api__timeout_seconds=timeout)
        campaign.kill_in_mid_run(times=3)
        campaign.until_through()
        assert field.struck(), f"without late landings this proves nothing; {again}"
        campaign.assert_all_holds(again)
