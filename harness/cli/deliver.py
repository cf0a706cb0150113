"""What the commands with a report of the matrix share: they write it, show it, and end with its exit code."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.cli.console import show
from harness.cli.options import REGRESSIONS
from harness.cli.settings import same_matrix
from harness.errors import NothingObservedError
from harness.execution.work import BUDGET_OVER
from harness.model import Status
from harness.published_reports import Published
from harness.report import files, history, published_logs
from harness.report.failures import harness_failure, nothing_observed
from harness.report.page import Page
from harness.report.pages import difference, matrix
from harness.report.pages.difference import Comparison
from harness.source_lines import Places
from harness.verdicts.report_schema import Report


def page_of(report: Report, options: argparse.Namespace) -> Page[Report]:
    """The page of a report; other commands that it names mean the same matrix."""
    page = matrix.page(report, same_matrix(options), _places(options))
    return replace(page, trend=history.trend(options.reports, report))


def write(page: Page[Report], options: argparse.Namespace, logs: Mapping[str, str] | None = None) -> list[Path]:
    """Write the reports. They may be read on another machine, so no command in them names a store of this one."""
    return files.write(replace(page, options=same_matrix(options, here=False)), options.reports, logs)


def shown(page: Page[Report], compared: Comparison | None, options: argparse.Namespace) -> Page[Any]:
    """What a command prints: the report, or what differs from an earlier one."""
    return difference.page(compared, page.options, _places(options)) if compared else page


def _places(options: argparse.Namespace) -> Places:
    return Places([options.config])


def deliver(
    report: Report, old: Published | None, options: argparse.Namespace, out: Console, err: Console, *, ran: bool = False
) -> Comparison | None:
    """Write the report; print it, or what differs from `old`; return that. What `ran` is added to the history.

    Raises:
        NothingObservedError: it was printed, and not written.
    """
    logs = None
    if getattr(options, "publish", False):
        report, logs = published_logs.published(report, Path(options.store))
    page = page_of(report, options)
    compared = difference.compared(old, report) if old else None
    try:
        written = write(page, options, logs)
    except NothingObservedError:
        show(shown(page, compared, options), options.format, out)
        raise
    show(shown(page, compared, options), options.format, out)
    if ran and (path := history.append(report, options.reports)):
        written.append(path)
    err.print(f"wrote {', '.join(map(str, written))}", highlight=False, soft_wrap=True)
    return compared


def answer(report: Report, fail_on: str | None, err: Console, compared: Comparison | None = None) -> int:
    """The exit code of a report: 1 if there is what `fail_on` names, 3 if the harness failed or nothing was proven."""
    problem = harness_failure(report) or nothing_observed(report)
    if problem:
        err.print(problem, style="bold red", markup=False, highlight=False, soft_wrap=True)
    if fail_on and _found(report, fail_on, compared):
        return 1
    if problem or fail_on is None:
        return 3 if problem else 0
    if fail_on == REGRESSIONS and compared and not compared.difference.proves:
        return 3
    over = any(variant.reason == BUDGET_OVER for held in report.cells for variant in held.variants)
    unproven = report.count(Status.ERROR) or report.count(Status.FLAKY) or over
    return 3 if unproven and not report.count(Status.WORKS) else 0


def _found(report: Report, fail_on: str, compared: Comparison | None) -> bool:
    """Whether the report has what `--fail-on` names."""
    if fail_on == REGRESSIONS:
        return compared is not None and bool(compared.difference.regressions)
    return bool(report.count(Status(fail_on)))
