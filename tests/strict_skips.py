"""`--strict-skips`: what would be skipped, a test or a file, fails: so in CI, where everything that tests need is there.

A test in a browser is skipped all the same where there is none, but not in CI: pip cannot install it. What needs a kernel
with some feature is skipped everywhere where there is none, and a test of a real runner where its program is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--strict-skips", action="store_true", help="a test that would be skipped fails")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    without_browser = item.get_closest_marker("browser") is not None and "CI" not in os.environ
    without_program = any(shutil.which(name) is None for mark in item.iter_markers("programs") for name in mark.args)
    without_kernel = item.get_closest_marker("kernel") is not None
    # A failure that is expected is reported as skipped too.
    allowed = hasattr(report, "wasxfail") or without_browser or without_program or without_kernel
    return report if allowed else _strict(item.config, report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _strict(collector.config, (yield))


def _strict(config: pytest.Config, report: Report) -> Report:
    if report.skipped and config.getoption("--strict-skips"):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"{report.nodeid} would be skipped, and --strict-skips is set: {reason}"
    return report
