"""The command history."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness import invocation, report_locations
from harness.cli.console import show
from harness.errors import ReportError, SelectionError, did_you_mean
from harness.report import history as histories
from harness.report.pages import history as pages


def history(options: argparse.Namespace, out: Console, _err: Console) -> int:
    """Show what a cell came to in each run that the folder of reports knows."""
    found = histories.read(options.reports)
    known = {cell for run in found.runs for cells in run.cells.values() for cell in cells}
    if not known:
        why = "; ".join(found.skipped[:3]) or f"`{invocation.command('run')}` adds a line for each run"
        raise ReportError(f"{options.reports / report_locations.HISTORY} has no runs: {why}")
    if options.id not in known:
        raise SelectionError(f"no run has a cell {options.id!r}{did_you_mean(options.id, known)}")
    show(pages.page(found, options.id), options.format, out)
    return 0
