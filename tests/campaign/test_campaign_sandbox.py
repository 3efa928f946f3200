"""The campaign on the stand-in: everything an API can do, on thousands of rows of several files."""

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import Root
from tests.campaign.campaign import Campaign, login
from tests.campaign.field import TIMEOUT, sandbox_field
from tests.campaign.manifests import a_bad_week

#: name → faults of the sandbox, and settings of ours
FAULTS: dict[str, tuple[dict[str, Any], dict[str, object]]] = {
    "500": ({"fail_rate": 0.1}, {}),
    "503": ({"fail_rate": 0.1, "fail_status": (503,)}, {}),
    "429": ({"fail_rate": 0.04, "fail_status": (429,), "limit_per_second": 60}, {}),
    "reset": ({"reset_rate": 0.1}, {}),
    "lost answer": ({"lose_rate": 0.08, "truncate_rate": 0.05, "truncate_form": "wire"}, {}),
    "token expiry": ({"token_ttl_seconds": 0.1, "latency_ms": 20}, login()),
    "dead token": ({"expire_token_after": 25}, {}),
    "slow": ({"stall_rate": 0.04}, {"api__timeout_seconds": TIMEOUT}),
    "mixed": (
        {
            "fail_rate": 0.04,
            "fail_status": (500, 502, 503, 429, 408),
            "reset_rate": 0.02,
            "lose_rate": 0.03,
            "html_rate": 0.03,
            "truncate_rate": 0.03,
            "token_ttl_seconds": 0.7,
            "jitter_ms": 10,
        },
        {**login(), "manifest__fill_missing_pickup": "true"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_invariants_hold_on_the_sandbox(
    tmp_path: Path, fault: str, seed: int, orders: int, again: str
) -> None:
    faults, settings = FAULTS[fault]
    with sandbox_field(seed, faults) as field:
        campaign = Campaign(
            week=a_bad_week(seed, orders=orders),
            root=Root(tmp_path),
            field=field,
            settings=settings,
        )
        campaign.until_through()
        assert field.struck(), f"without {fault} this proves nothing; {again}"
        campaign.assert_all_holds(again)


@pytest.mark.parametrize("fault", ["kill -9", "kill -9 and lost answers"])
def test_the_invariants_hold_when_we_are_killed(
    tmp_path: Path, fault: str, seed: int, orders: int, again: str
) -> None:
    lossy = {"lose_rate": 0.04, "fail_rate": 0.04} if "lost" in fault else {}
    with sandbox_field(seed, {"latency_ms": 25, "jitter_ms": 25, **lossy}) as field:
        campaign = Campaign(
            week=a_bad_week(seed, orders=orders),
            root=Root(tmp_path),
            field=field,
            settings={"api__timeout_seconds": TIMEOUT},
        )
        campaign.kill_in_mid_run(times=3)
        campaign.until_through()
        campaign.assert_all_holds(again)
