"""For all tests; with SHIPDROP_TEST_ALL a skip is a failure."""

import os
from collections.abc import Generator, Iterator

import pytest
from xdist.remote import Producer

import tests.examples
import tests.forked  # noqa: F401 - notes the environment before other imports change it
from tests.dealing import Dealing, mixed, processes
from tests.postgres import PrivatePostgres, missing, private_postgres
from tests.scratch import scratch

os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch()))


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
