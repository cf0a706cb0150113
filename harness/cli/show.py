"""The command show."""

from __future__ import annotations

import argparse
import tempfile
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from harness import published_reports, report_locations
from harness.cli.console import show as print_page
from harness.cli.published_reports import chosen
from harness.errors import ReportError
from harness.published_reports import Published
from harness.report import history
from harness.report.formats import format_named
from harness.report.page import Page
from harness.report.pages import difference
from harness.report.pages import show as pages
from harness.verdicts.report_schema import Report


def show(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Show a published report, or the one in the folder of reports: the answer first, or what differs from another one.

    With --open in a browser.
    """
    shown = chosen(options)
    compared = difference.compared(published_reports.named(options.against), shown.report) if options.against else None
    page = difference.page(compared) if compared else _page(shown)
    if not options.open:
        print_page(page, options.format, out)
        return 0
    path = _temporary(page) if compared else _file(shown, page)
    if not webbrowser.open(path.as_uri()):
        raise ReportError(f"no browser can be started here; the page is {path}")
    err.print(f"opened {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _page(shown: Published) -> Page[Report]:
    """The page of a report, with the runs that its folder knows."""
    return replace(pages.page(shown), trend=history.trend(shown.path.parent, shown.report))


def _file(shown: Published, page: Page[Any]) -> Path:
    """The page beside a report, or a new file."""
    beside = shown.path.with_name("matrix.html")
    is_there = shown.path.name in report_locations.REPORT_FILES and beside.exists()
    return beside.resolve() if is_there else _temporary(page)


def _temporary(page: Page[Any]) -> Path:
    """A new temporary file with a page, which stays: a browser reads it when this program has ended."""
    with tempfile.NamedTemporaryFile("w", prefix="matrix-", suffix=".html", delete=False, encoding="utf-8") as file:
        file.write(str(format_named("html").render(page)))
    return Path(file.name)
