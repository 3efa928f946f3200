"""For all tests; with SHIPDROP_TEST_ALL a skip is a failure."""

import gc
import os
from collections.abc import Generator, Iterator

import pytest

import tests.examples  # noqa: F401 - sets how many each test has
from tests import forked  # notes the environment before other imports change it
from tests.dealing import SMALL, dealt, mixed, processes
from tests.postgres import PrivatePostgres, missing, private_postgres
from tests.scratch import scratch

os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch()))
gc.disable()  # until all is collected: it would look at what stays again and again


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "run tests in so many processes; 0: in this one (default: %(default)s)"
    group = parser.getgroup("general")
    group._addoption("-n", dest="at_once", type=int, default=processes(), help=words)


def pytest_configure(config: pytest.Config) -> None:
    """Begin with what is waited for otherwise: the process that forks commands."""
    if forked.POSSIBLE and not all(SMALL in f"{each}/" for each in config.args):
        forked.begun()


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    return dealt(session, session.config.option.at_once)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = mixed(items)
    gc.freeze()
    gc.enable()


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
