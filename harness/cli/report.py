"""The command report."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from harness import pipeline, published_reports, report_locations
from harness.cli.console import show
from harness.cli.deliver import answer, deliver, page_of, shown
from harness.cli.progress import listener
from harness.cli.published_reports import earlier, same_question
from harness.cli.settings import settings_of
from harness.published_reports import Published
from harness.report import files
from harness.report.failures import nothing_observed
from harness.report.pages import difference


def report(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Write the reports from what is known."""
    old = earlier(options)
    stored = not isinstance(options.store, Path) or options.store.exists()
    if not stored and (shipped := same_question(options)):
        return _published(shipped, old, options, out, err)
    files.require_writable(options.reports)
    with listener(err, quiet=options.quiet) as listen:
        report = pipeline.known(settings_of(options), listen)
    if nothing_observed(report) and (shipped := same_question(options)):
        return _published(shipped, old, options, out, err)
    compared = deliver(report, old, options, out, err)
    return answer(report, options.fail_on, err, compared)


def _published(shipped: Published, old: Published | None, options: argparse.Namespace, out: Console, err: Console) -> int:
    """Show the published report of this matrix, or that in the folder of reports; write nothing."""
    own = report_locations.report_in(options.reports) if files.observed(options.reports) else None
    found = published_reports.read(own) if own else shipped
    text = f"nothing has run here: this is the report {found.source}; nothing was written"
    err.print(text, markup=False, highlight=False, soft_wrap=True)
    compared = difference.compared(old, found.report) if old else None
    show(shown(page_of(found.report, options), compared, options), options.format, out)
    return answer(found.report, options.fail_on, err, compared) if options.fail_on else 0
