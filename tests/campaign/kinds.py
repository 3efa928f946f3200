"""The kinds of bad days an API can have, each as a campaign that is run by seed."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.acceptance.harness import Root
from tests.campaign.campaign import Campaign, login
from tests.campaign.field import TIMEOUT, Field, sandbox_field, treacherous_field
from tests.campaign.manifests import a_bad_week
from tests.fakes.treacherous import BEGUN, FAULTS, LOST, REFUSED

Kind = Callable[[int, int, Path], Counter[str]]
"""Seed, orders of the week (about three rows to one), an empty folder → what there was of it:
runs, rows, kills, faults. Raises AssertionError with what does not hold."""

#: name → faults of the sandbox, and settings of ours
ON_THE_SANDBOX: Mapping[str, tuple[dict[str, Any], dict[str, object]]] = {
    "500": ({"fail_rate": 0.1}, {}),
    "503": ({"fail_rate": 0.1, "fail_status": (503,)}, {}),
    "429": ({"fail_rate": 0.04, "fail_status": (429,), "limit_per_second": 60}, {}),
    "reset": ({"reset_rate": 0.1}, {}),
    "lost answer": ({"lose_rate": 0.08, "truncate_rate": 0.05, "truncate_form": "wire"}, {}),
    # Each was taken: of one that was not, an order that was never heard of waits for a person.
    "unclear": ({"unclear_rate": 0.08, "unclear_applied": 1.0}, {"api__timeout_seconds": 0.5}),
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

#: name → fault of the treacherous server → its share of the calls
TREACHERIES: Mapping[str, Mapping[str, float]] = {
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


def _through(
    field: Field,
    seed: int,
    orders: int,
    place: Path,
    *,
    kills: int = 0,
    **settings: object,
) -> Counter[str]:
    campaign = Campaign(
        week=a_bad_week(seed, orders=orders), root=Root(place), field=field, settings=settings
    )
    if kills:
        campaign.kill_in_mid_run(times=kills)
    campaign.until_through()
    campaign.assert_all_holds()
    return campaign.counts()


def _sandbox(name: str, seed: int, orders: int, place: Path) -> Counter[str]:
    faults, settings = ON_THE_SANDBOX[name]
    with sandbox_field(seed, faults) as field:
        return _through(field, seed, orders, place, **settings)


def _killed(seed: int, orders: int, place: Path, *, lossy: bool) -> Counter[str]:
    faults = {"lose_rate": 0.04, "fail_rate": 0.04} if lossy else {}
    with sandbox_field(seed, {"latency_ms": 25, "jitter_ms": 25, **faults}) as field:
        return _through(field, seed, orders, place, kills=3, api__timeout_seconds=TIMEOUT)


def _treacherous(name: str, seed: int, orders: int, place: Path) -> Counter[str]:
    with treacherous_field(seed, TREACHERIES[name], honest=True) as field:
        return _through(field, seed, orders, place, api__timeout_seconds=TIMEOUT)


def _unasked(seed: int, orders: int, place: Path, *, asks: bool) -> Counter[str]:
    rates = dict.fromkeys((*LOST, *REFUSED), 0.015)
    with treacherous_field(seed, rates, honest=False) as field:
        return _through(
            field,
            seed,
            orders,
            place,
            api__timeout_seconds=TIMEOUT,
            api__reconcile="true" if asks else "false",
        )


def _killed_before_treachery(seed: int, orders: int, place: Path) -> Counter[str]:
    rates = dict.fromkeys((*LOST, *BEGUN, *REFUSED), 0.01)
    with treacherous_field(seed, rates, honest=True) as field:
        return _through(field, seed, orders, place, kills=2, api__timeout_seconds=TIMEOUT)


def _killed_and_carried_out(seed: int, orders: int, place: Path) -> Counter[str]:
    # Longer than a start takes: we are there again, and ask, while the old call is still running.
    timeout = 6.0
    rates = {"hangs up and lands later": 0.3}
    with treacherous_field(seed, rates, honest=True, timeout=timeout) as field:
        return _through(field, seed, orders, place, kills=3, api__timeout_seconds=timeout)


KINDS: Mapping[str, Kind] = {
    **{name: partial(_sandbox, name) for name in ON_THE_SANDBOX},
    "kill -9": partial(_killed, lossy=False),
    "kill -9 and lost answers": partial(_killed, lossy=True),
    **{name: partial(_treacherous, name) for name in TREACHERIES},
    "it knows no order": partial(_unasked, asks=True),
    "it is not asked": partial(_unasked, asks=False),
    "kill -9 before a treacherous server": _killed_before_treachery,
    "kill -9 and carried out after all": _killed_and_carried_out,
}
