"""The command show."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness import published
from harness.cli.console import show as print_page
from harness.cli.published import chosen
from harness.report.pages import difference
from harness.report.pages import show as pages


def show(options: argparse.Namespace, out: Console, _err: Console) -> int:
    """Show a published report, or the one in the folder of reports: the answer first, or what differs from another one."""
    shown = chosen(options)
    if options.against:
        print_page(difference.page(difference.compared(published.named(options.against), shown.report)), options.format, out)
    else:
        print_page(pages.page(shown), options.format, out)
    return 0
