"""The command doctor."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness.cli.console import show
from harness.cli.settings import settings_of
from harness.doctor import Outcome, checks
from harness.report.pages import doctor as pages


def doctor(options: argparse.Namespace, out: Console, _err: Console) -> int:
    """Check this machine; 1 if a run would meet a problem."""
    found = checks(settings_of(options))
    show(pages.page(found), options.format, out)
    return int(any(check.outcome is Outcome.PROBLEM for check in found))
