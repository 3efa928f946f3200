"""How the tests are dealt out to the processes of pytest-xdist.

A module's tests stay in one process, so that what they share (a service, a database, a browser) is
started once. Some share nothing and wait for most of their time: each of those is dealt out alone.
Campaigns come one after every module, so that others compute meanwhile.
"""

from collections.abc import Iterable, Iterator

import pytest
from xdist.scheduler import LoadScopeScheduling

CAMPAIGN = "tests/campaign/"
ALONE = (CAMPAIGN, "tests/web/test_web_notices.py", "tests/web/test_web_workers.py")


WEB = "tests/web/"
LONG = (f"{WEB}test_web_workers.py", f"{WEB}test_web_watching.py")
"""The pages' tests come last; of those the long ones first, or one process ends long after all."""


class Dealing(LoadScopeScheduling):
    """Hands out modules in the order of collection, and of some each test by itself."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return nodeid if module.startswith(ALONE) else module


def mixed(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """The same tests, a campaign after every module."""
    campaigns: list[pytest.Item] = []
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        module = item.nodeid.partition("::")[0]
        if module.startswith(CAMPAIGN):
            campaigns.append(item)
        else:
            modules.setdefault(module, []).append(item)
    campaigns.reverse()
    for module in sorted(modules, key=_when):
        yield from modules[module]
        if campaigns:
            yield campaigns.pop()
    yield from reversed(campaigns)


def _when(module: str) -> int:
    if not module.startswith(WEB):
        return 0
    return 1 if module in LONG else 2
