"""Deal the tests out to processes that are forked from the one that has collected them all.

A module's tests stay in one process, so that what they share (a service, a database, a browser) is
started once. Some share nothing and wait for most of their time: each of those is dealt out alone.
What takes longest comes first, or one process would end long after the others.
"""

import os
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import count, groupby, islice
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path

import pytest
from _pytest._io import TerminalWriter

from tests.forked import single_threaded

REPOSITORY = Path(__file__).parents[1]

LONG = (
    "evidence_over_blocks", "workers", "workers_in_trouble", "sftp", "containment", "half_uploads",
    "start_in_trouble", "storage_troubles", "ledger_durability", "refused_alike", "api_outages",
    "corpora_through_the_service", "retry_across_drops",
)  # fmt: skip
ALONE = (
    "answers", "campaign", "containment", "half_uploads", "rows_wait_not_files", "start_in_trouble",
    "storage_troubles", "workers", "workers_in_trouble", "web_health_is_true", "web_notices",
    "web_workers",
)  # fmt: skip
LONG_PAGES = ("web_workers", "web_watching", "web_health_is_true", "web_machines")
"""The pages' tests come late, since from the first on an event loop runs in their process; of those
the long ones first. What is small and needs no loop of its own fills the gaps at the end."""

WEB, SMALL = "tests/web/", "tests/unit/"

_FORK = get_context("fork")


def processes() -> int:
    """More than there are cores, since half of the time is waited; 0 where none can be forked."""
    return min(4 * (os.cpu_count() or 1), 12) if sys.platform == "linux" else 0


def dealt(session: pytest.Session, at_once: int) -> bool | None:
    """Run the tests in so many processes; None where pytest's own loop is to do it."""
    places = groupby(range(len(session.items)), lambda at: _group(session.items[at].nodeid))
    groups = deque(deque(each) for _, each in places)
    if min(at_once, len(groups)) < 2 or session.testsfailed or session.config.option.collectonly:
        return None
    assert single_threaded(), "a module of tests starts a thread when it is imported"
    session.config.pluginmanager.getplugin("terminalreporter").showfspath = False
    session.config._tmp_path_factory.getbasetemp()
    running: dict[object, _Child] = {}
    numbers = count()
    try:
        while groups or running:
            while groups and len(running) < at_once:
                child = _Child(session, next(numbers))
                running[child.here] = child
                child.give(groups)
            for here in wait([*running]):
                if not running[here].goes_on(groups):
                    del running[here]
    finally:
        for here in running:
            here.close()
        for child in running.values():
            child.process.join()
    if why := session.shouldfail or session.shouldstop:
        raise session.Failed(why)
    return True


class _Child:
    """A process that runs one test after the other, and tells what came of each."""

    def __init__(self, session: pytest.Session, number: int) -> None:
        self.here, self._there = _FORK.Pipe()
        self._session, self._config, self._hook = session, session.config, session.config.hook
        self._busy = False
        self._left: deque[int] = deque()
        """Places of the tests of its group that it was not given yet."""
        self._reports: list[object] = []
        self.process = _FORK.Process(target=self._run, args=(number,))
        self.process.start()
        self._there.close()

    def give(self, groups: deque[deque[int]]) -> None:
        """Have it run the next test of its group, or the first of another; or end."""
        if not self._left and groups:
            self._left = groups.popleft()
        places = [*islice(self._left, 2)]
        if places:
            self._item = self._session.items[self._left.popleft()]
        self._busy = bool(places)
        with suppress(ConnectionError):  # it has ended: ``goes_on`` sees it
            self.here.send(places)

    def goes_on(self, groups: deque[deque[int]]) -> bool:
        """Report what it tells, and give it the next; false when it has ended.

        Should it have gone on, its test has failed; another process does the rest of its group.
        """
        try:
            reports = [
                self._hook.pytest_report_from_serializable(config=self._config, data=each)
                for each in self.here.recv()
            ]
        except (EOFError, ConnectionError):
            self.process.join()
            if self._busy or self.process.exitcode:
                why = f"its process has ended: {self.process.exitcode}"
                failed = ({}, "failed", why, "call")
                self._tell([pytest.TestReport(self._item.nodeid, self._item.location, *failed)])
            groups.extendleft([self._left] if self._left else [])
            return False
        self._tell(reports)
        if self._session.shouldfail or self._session.shouldstop:
            groups.clear()
            self._left.clear()
        self.give(groups)
        return True

    def _tell(self, reports: list[pytest.TestReport]) -> None:
        test = {"nodeid": self._item.nodeid, "location": self._item.location}
        self._hook.pytest_runtest_logstart(**test)
        for each in reports:
            self._hook.pytest_runtest_logreport(report=each)
        self._hook.pytest_runtest_logfinish(**test)

    def _run(self, number: int) -> None:
        """Be that process, until it is given nothing."""
        self.here.close()
        random.seed()
        plugins = self._config.pluginmanager
        plugins.unregister(name="terminalreporter")
        plugins.register(self, "terminalreporter")
        self._tw = TerminalWriter(sys.stderr)  # where a time-out tells what each thread does
        capture = plugins.getplugin("capturemanager")
        capture.stop_global_capturing()
        capture.start_global_capturing()  # into files of its own
        capture.suspend_global_capture()
        self._config._tmp_path_factory._basetemp /= f"process-{number}"
        self._config._tmp_path_factory._basetemp.mkdir(0o700)
        with suppress(KeyboardInterrupt, EOFError, ConnectionError):  # all are to end
            while places := self._there.recv():
                item, *more = (self._session.items[each] for each in places)
                # After the last of a group, only what belongs to the session stays set up.
                following = more[0] if more else self._session
                self._hook.pytest_runtest_protocol(item=item, nextitem=following)
                self._there.send(self._reports)
                self._reports = []
        self._session._setupstate.teardown_exact(None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep it, as it can be sent."""
        made = self._hook.pytest_report_to_serializable(config=self._config, report=report)
        self._reports.append(made)


def _group(nodeid: str) -> str:
    module = nodeid.partition("::")[0]
    return nodeid if _name(module) in ALONE else module


def _name(module: str) -> str:
    return Path(module).stem.removeprefix("test_")


def mixed(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Return the tests module by module: the long ones, all others, those of pages, the small."""
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)
    for module in sorted(modules, key=lambda each: (_when(each), each)):
        yield from modules[module]


def _when(module: str) -> int:
    name = _name(module)
    if module.startswith(WEB):
        return len(LONG) + 1 + (name not in LONG_PAGES)
    if module.startswith(SMALL) and "asyncio" not in (REPOSITORY / module).read_text("utf-8"):
        return len(LONG) + 3
    return LONG.index(name) if name in LONG else len(LONG)
