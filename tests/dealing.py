"""Deal the tests out to the processes of pytest-xdist.

A module's tests stay in one process, so that what they share (a service, a database, a browser) is
started once. Some share nothing and wait for most of their time: each of those is dealt out alone.
What takes longest comes first, or one process would end long after the others.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from xdist.scheduler import LoadScopeScheduling

REPOSITORY = Path(__file__).parents[1]

Each = TypeVar("Each")

ALONE = (
    "tests/campaign/",
    "tests/acceptance/test_answers.py",
    "tests/acceptance/test_containment.py",
    "tests/acceptance/test_half_uploads.py",
    "tests/acceptance/test_rows_wait_not_files.py",
    "tests/acceptance/test_start_in_trouble.py",
    "tests/acceptance/test_storage_troubles.py",
    "tests/acceptance/test_workers.py",
    "tests/acceptance/test_workers_in_trouble.py",
    "tests/web/test_web_notices.py",
    "tests/web/test_web_workers.py",
)

LONG = (
    "tests/acceptance/test_workers.py",
    "tests/acceptance/test_workers_in_trouble.py",
    "tests/acceptance/test_sftp.py",
    "tests/acceptance/test_containment.py",
    "tests/acceptance/test_half_uploads.py",
    "tests/acceptance/test_start_in_trouble.py",
    "tests/acceptance/test_storage_troubles.py",
    "tests/integration/test_ledger_durability.py",
    "tests/acceptance/test_refused_alike.py",
    "tests/acceptance/test_api_outages.py",
    "tests/acceptance/test_corpora_through_the_service.py",
    "tests/acceptance/test_retry_across_drops.py",
)

WEB = "tests/web/"
LONG_PAGES = (f"{WEB}test_web_workers.py", f"{WEB}test_web_watching.py")
"""The pages' tests come late, since from the first on an event loop runs in their process; of those
the long ones first. What is small and needs no loop of its own fills the gaps at the end."""

SMALL = "tests/unit/"


def processes() -> int:
    """Twice as many as cores, since half of the time is waited; each costs seconds, and memory."""
    return min(2 * (os.cpu_count() or 1), 12)


class Dealing(LoadScopeScheduling):
    """Hand out modules in the order of collection, and of some each test by itself."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return nodeid if module.startswith(ALONE) else module


def begun_elsewhere(found: Sequence[Each], process: str, processes: int) -> list[Each]:
    """Return what a folder holds so that each process begins with another part of it.

    Where no compiled test modules are kept yet, each process compiles its part, and finds the rest.
    """
    begin = len(found) * int(process.removeprefix("gw")) // processes
    return [*found[begin:], *found[:begin]]


def mixed(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Return the tests module by module: the long ones, all others, those of pages, the small."""
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)
    for module in sorted(modules, key=lambda each: (_when(each), each)):
        yield from modules[module]


def _when(module: str) -> int:
    if module.startswith(WEB):
        return len(LONG) + 1 + (module not in LONG_PAGES)
    if module.startswith(SMALL) and "asyncio" not in (REPOSITORY / module).read_text("utf-8"):
        return len(LONG) + 3
    return LONG.index(module) if module in LONG else len(LONG)
