"""The command merge."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness import pipeline
from harness.cli.deliver import answer, deliver
from harness.cli.progress import listener
from harness.cli.published_reports import earlier
from harness.cli.settings import settings_of
from harness.report import files


def merge(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Make one report of the results of several shards."""
    old = earlier(options)
    files.require_writable(options.reports)
    with listener(err, quiet=options.quiet) as listen:
        report = pipeline.merged(options.sources, settings_of(options), listen)
    compared = deliver(report, old, options, out, err, ran=True)
    return answer(report, options.fail_on, err, compared)
