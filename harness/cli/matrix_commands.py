"""The commands plan, run, report, merge and cell."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from harness import locations, machine, pipeline, published, regular_files
from harness.cli.console import show
from harness.cli.given import same_matrix, settings_of
from harness.cli.options import REGRESSIONS
from harness.cli.progress import listener
from harness.cli.published import earlier, same_question
from harness.errors import HarnessError, Interrupted, NothingObservedError, ShardError
from harness.execution import executors, given_environment, shards
from harness.execution.audit import AuditError
from harness.execution.opening import opened
from harness.execution.settings import Settings
from harness.execution.stopwatch import Stopwatch
from harness.execution.work import BUDGET_OVER
from harness.matrix.shard import GITHUB_JOBS
from harness.model import Status
from harness.places import Places
from harness.published import Published
from harness.report import files, history, published_logs, timeline
from harness.report.failures import harness_failure, nothing_observed
from harness.report.formats import format_named
from harness.report.page import Page
from harness.report.pages import cell as cell_pages
from harness.report.pages import difference, matrix, timings
from harness.report.pages import plan as plan_pages
from harness.report.pages.difference import Comparison
from harness.store.access import Access
from harness.verdicts.judge import Verdict
from harness.verdicts.report_schema import Report


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
    compared = _deliver(report, old, options, out, err, ran=True)
    if options.timings:
        format_named("text").show(timings.page(measured), err)
    if disputes:
        raise AuditError("the audit came to other verdicts; do not trust shared results here: " + "; ".join(disputes))
    return _answer(report, options.fail_on, err, compared)


def _partial(settings: Settings, options: argparse.Namespace, out: Console) -> str:
    """Report the finished part of an interrupted run; returns a sentence about that."""
    try:
        page = _page(pipeline.known(settings, lambda _event: None), options)
        files.write(page, options.reports)
    except HarnessError as error:
        return f"no report: {error}"
    show(page, options.format, out)
    return f"partial report in {options.reports}"


def _answer(report: Report, fail_on: str | None, err: Console, compared: Comparison | None = None) -> int:
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
    compared = _deliver(report, old, options, out, err)
    variants = (variant for cell in report.cells for variant in cell.variants)
    if options.fail_on is None and all(variant.reason in pipeline.BEFORE_A_RUN for variant in variants):
        return 0
    return _answer(report, options.fail_on, err, compared)


def _published(shipped: Published, old: Published | None, options: argparse.Namespace, out: Console, err: Console) -> int:
    """Show the published report of this matrix, or that in the folder of reports; write nothing."""
    own = locations.report_in(options.reports) if files.observed(options.reports) else None
    found = published.read(own) if own else shipped
    text = f"nothing has run here: this is the report {found.source}; nothing was written"
    err.print(text, markup=False, highlight=False, soft_wrap=True)
    compared = difference.compared(old, found.report) if old else None
    show(_shown(_page(found.report, options), compared), options.format, out)
    return _answer(found.report, options.fail_on, err, compared) if options.fail_on else 0


def merge(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Make one report of the results of several shards."""
    old = earlier(options)
    files.require_writable(options.reports)
    with listener(err, quiet=options.quiet) as listen:
        report = pipeline.merged(options.sources, settings_of(options), listen)
    compared = _deliver(report, old, options, out, err, ran=True)
    return _answer(report, options.fail_on, err, compared)


def _page(report: Report, options: argparse.Namespace) -> Page[Report]:
    return matrix.page(report, same_matrix(options), Places([options.config]))


def _shown(page: Page[Report], compared: Comparison | None) -> Page[Any]:
    """What a command prints: the report, or what differs from an earlier one."""
    return difference.page(compared, page.options) if compared else page


def _deliver(
    report: Report, old: Published | None, options: argparse.Namespace, out: Console, err: Console, *, ran: bool = False
) -> Comparison | None:
    """Write the report; print it, or what differs from `old`; return that. What `ran` is added to the history.

    Raises:
        NothingObservedError: it was printed, and not written.
    """
    logs = None
    if getattr(options, "publish", False):
        report, logs = published_logs.published(report, Path(options.store))
    page = _page(report, options)
    compared = difference.compared(old, report) if old else None
    try:
        written = files.write(page, options.reports, logs)
    except NothingObservedError:
        show(_shown(page, compared), options.format, out)
        raise
    show(_shown(page, compared), options.format, out)
    if ran and (path := history.append(report, options.reports)):
        written.append(path)
    err.print(f"wrote {', '.join(map(str, written))}", highlight=False, soft_wrap=True)
    return compared


def plan(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Count cells and tasks; for a workflow, deal them out as a job matrix."""
    if options.shard and options.format == "github":
        raise ShardError("--format github deals out all cells: leave out --shard")
    if options.shards and options.format != "github":
        raise ShardError("--shards is for --format github; --shard i/n plans one share")
    if options.shards and options.shards > GITHUB_JOBS:
        raise ShardError(f"--shards: expected a number of shards, 1 to {GITHUB_JOBS}, not '{options.shards}'")
    settings = settings_of(options)
    with listener(err, quiet=options.quiet) as listen:
        session = opened(settings, listen, access=Access.REPLACE if settings.refresh else Access.ADD)
    if options.format == "github":
        sys.stdout.write(shards.github(session.cells, options.shards or GITHUB_JOBS))
        return 0
    page = plan_pages.page(pipeline.planned(session), ordered=settings.budget is not None)
    show(page, options.format, out)
    return 0


def cell(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Run one cell, and keep its environments."""
    settings = replace(settings_of(options), keep_envs=True)
    given = regular_files.real(options.environment) if options.environment else None
    with listener(err, quiet=options.quiet) as listen:
        session = opened(settings, listen)
        session.given = given
        (verdict,) = pipeline.run_steps(session, pipeline.CELL_STEPS)
    report = _among_others(settings, verdict)
    environments = (
        [given]
        if given and session.tasks
        else given_environment.keep(session.cells, session.store, session.uv, session.packages)
    )
    show(cell_pages.page(verdict, report.cells[0], store=session.store.root, environments=environments), options.format, out)
    return _answer(report, None, err)


def _among_others(settings: Settings, verdict: Verdict) -> Report:
    """The report of one cell, with causes as the report of the whole matrix has them: they rest on other cells too."""
    whole = replace(settings, cell=None, select=(), exclude=())
    session = opened(whole, lambda _event: None, acts=False, access=Access.ADD)
    report = pipeline.report(session, session.verdicts())
    return replace(report, cells=[held for held in report.cells if held.id == verdict.cell.id])
