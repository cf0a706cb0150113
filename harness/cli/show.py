"""The command show."""

from __future__ import annotations

import argparse
import tempfile
import webbrowser
from pathlib import Path

from rich.console import Console

from harness import locations
from harness.cli.console import show as print_page
from harness.cli.published import chosen
from harness.errors import ReportError
from harness.published import Published
from harness.report.formats import format_named
from harness.report.pages import show as pages


def show(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Show a published report, or the one in the folder of reports: the answer first; with --open, in a browser."""
    report = chosen(options)
    if not options.open:
        print_page(pages.page(report), options.format, out)
        return 0
    path = _file(report)
    if not webbrowser.open(path.as_uri()):
        raise ReportError(f"no browser can be started here; the page is {path}")
    err.print(f"opened {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _file(report: Published) -> Path:
    """The page beside a report, or a new temporary file, which stays: a browser reads it when this program has ended."""
    beside = report.path.with_name("matrix.html")
    if report.path.name in locations.REPORT_FILES and beside.exists():
        return beside.resolve()
    with tempfile.NamedTemporaryFile("w", prefix="matrix-", suffix=".html", delete=False, encoding="utf-8") as file:
        file.write(str(format_named("html").render(pages.page(report))))
    return Path(file.name)
