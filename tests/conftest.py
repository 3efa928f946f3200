"""For all tests; with SHIPDROP_TEST_ALL a skip is a failure."""

import gc
import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.workermanage import WorkerController

import tests.examples  # noqa: F401 - sets how many each test has
from tests import forked  # notes the environment before other imports change it
from tests.dealing import SMALL, Dealing, begun_elsewhere, mixed, processes
from tests.postgres import PrivatePostgres, missing, private_postgres
from tests.scratch import scratch

os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch()))


def pytest_configure(config: pytest.Config) -> None:
    """Begin with what is waited for otherwise; all processes of a run have one that forks."""
    if stem := told(config).get("stem"):
        forked.share(stem)
    elif forked.POSSIBLE and not all(SMALL in f"{each}/" for each in config.args):
        forked.begun()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    if forked.begun.cache_info().currsize:
        node.workerinput["stem"] = forked.begun()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the collector of garbage what stays: it would look at all tests again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def told(config: pytest.Config) -> dict[str, Any]:
    """Return what a process of pytest-xdist was told; nothing where there are none."""
    return getattr(config, "workerinput", {})


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if isinstance(collector, pytest.Directory) and (process := told(collector.config)):
        report.result = begun_elsewhere(report.result, process["workerid"], process["workercount"])
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Dealing:
    return Dealing(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    return processes()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = mixed(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("SHIPDROP_TEST_ALL"):
        report.outcome = "failed"
        report.longrepr = f"skipped although SHIPDROP_TEST_ALL is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL that only these tests use."""
    if why := missing():
        pytest.skip(why)
    with private_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """The address of a new ledger, once for each kind of database it can be kept in."""
    if request.param == "sqlite":
        return "sqlite:///state/ledger.db"
    server: PrivatePostgres = request.getfixturevalue("postgres")
    return server.database()
