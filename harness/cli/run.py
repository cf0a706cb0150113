"""The command run."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness import machine, pipeline
from harness.cli.console import show
from harness.cli.deliver import answer, deliver, page_of, write
from harness.cli.progress import listener
from harness.cli.published_reports import earlier
from harness.cli.settings import settings_of
from harness.errors import HarnessError, Interrupted
from harness.execution import executors
from harness.execution.audit import AuditError
from harness.execution.settings import Settings
from harness.execution.stopwatch import Stopwatch
from harness.report import files, timeline
from harness.report.formats import format_named
from harness.report.pages import timings


def run(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Run the matrix and write the reports."""
    settings = settings_of(options)
    # Before ten minutes of work, and not after them. The earlier report may be the one that this run replaces.
    old = earlier(options)
    files.require_writable(options.reports)
    if options.timeline:
        options.timeline.open("ab").close()
    executors.module(settings.executor)
    try:
        with listener(err, quiet=options.quiet) as listen:
            stopwatch = Stopwatch(listen=listen, cores=machine.cores())
            report, disputes = pipeline.run(settings, stopwatch.on_event)
            measured = stopwatch.timings()
    except Interrupted as interrupted:
        raise Interrupted(f"{interrupted}; {_partial(settings, options, out)}") from None
    if options.timeline:
        timeline.write(measured, options.timeline)
        err.print(f"wrote {options.timeline}", markup=False, highlight=False, soft_wrap=True)
    compared = deliver(report, old, options, out, err, ran=True)
    if options.timings:
        format_named("text").show(timings.page(measured), err)
    if disputes:
        raise AuditError("the audit found other verdicts; do not trust shared results on this machine: " + "; ".join(disputes))
    return answer(report, options.fail_on, err, compared)


def _partial(settings: Settings, options: argparse.Namespace, out: Console) -> str:
    """Report the finished part of an interrupted run; returns a sentence about that."""
    try:
        page = page_of(pipeline.known(settings, lambda _event: None), options)
        write(page, options)
    except HarnessError as error:
        return f"no report: {error}"
    show(page, options.format, out)
    return f"partial report in {options.reports}"
