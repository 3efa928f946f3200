"""For all tests: the options of the fault campaign; with SHIPDROP_TEST_ALL a skip is a failure."""

import os
from collections.abc import Generator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("campaign", "the fault campaign (tests/campaign)")
    group.addoption("--campaign-seeds", help="for example 3,7-20 [default: 1]")
    group.addoption("--campaign-orders", type=int, default=500, help="[default: 500]")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("SHIPDROP_TEST_ALL"):
        report.outcome = "failed"
        report.longrepr = f"skipped although SHIPDROP_TEST_ALL is set: {report.longrepr}"
    return report
