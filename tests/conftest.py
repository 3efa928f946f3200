"""For all tests: with SHIPDROP_TEST_ALL set (as the gate does), a skipped test has failed."""

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("SHIPDROP_TEST_ALL"):
        report.outcome = "failed"
        report.longrepr = f"skipped although SHIPDROP_TEST_ALL is set: {report.longrepr}"
    return report
