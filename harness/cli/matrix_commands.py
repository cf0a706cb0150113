"""The commands plan, run, report, merge and cell."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness import locations, machine, pipeline, published, regular_files
from harness.cli.console import show
from harness.cli.given import same_matrix, settings_of
from harness.cli.progress import listener
from harness.cli.published import same_question
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
from harness.report import files, published_logs
from harness.report.failures import harness_failure, nothing_observed
from harness.report.formats import format_named
from harness.report.page import Page
from harness.report.pages import cell as cell_pages
from harness.report.pages import matrix, timings
from harness.report.pages import plan as plan_pages
from harness.store.access import Access
from harness.verdicts.judge import Verdict
from harness.verdicts.report_schema import Report


def run(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Run the matrix and write the reports."""
    settings = settings_of(options)
    # Before ten minutes of work, and not after them.
    files.require_writable(options.reports)
    executors.module(settings.executor)
    try:
        with listener(err, quiet=options.quiet) as listen:
            stopwatch = Stopwatch(listen=listen, cores=machine.cores())
            report, disputes = pipeline.run(settings, stopwatch.on_event)
            measured = stopwatch.timings()
    except Interrupted as interrupted:
        raise Interrupted(f"{interrupted}; {_partial(settings, options, out)}") from None
    _deliver(report, options, out, err)
    if options.timings:
        format_named("text").show(timings.page(measured), err)
    if disputes:
        raise AuditError("the audit came to other verdicts; do not trust shared results here: " + "; ".join(disputes))
    return _answer(report, options.fail_on, err)


def _partial(settings: Settings, options: argparse.Namespace, out: Console) -> str:
    """Report the finished part of an interrupted run; returns a sentence about that."""
    try:
        page = _page(pipeline.known(settings, lambda _event: None), options)
        files.write(page, options.reports)
    except HarnessError as error:
        return f"no report: {error}"
    show(page, options.format, out)
    return f"partial report in {options.reports}"


def _answer(report: Report, fail_on: str | None, err: Console) -> int:
    """The exit code of a report: 1 if a cell has the status `fail_on`, 3 if the harness failed or nothing was proven."""
    problem = harness_failure(report) or nothing_observed(report)
    if problem:
        err.print(problem, style="bold red", markup=False, highlight=False, soft_wrap=True)
    if fail_on and report.count(Status(fail_on)):
        return 1
    if problem or fail_on is None:
        return 3 if problem else 0
    over = any(variant.reason == BUDGET_OVER for held in report.cells for variant in held.variants)
    unproven = report.count(Status.ERROR) or report.count(Status.FLAKY) or over
    return 3 if unproven and not report.count(Status.WORKS) else 0


def report(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Write the reports from what is known."""
    stored = not isinstance(options.store, Path) or options.store.exists()
    if not stored and (shipped := same_question(options)):
        return _published(shipped, options, out, err)
    files.require_writable(options.reports)
    with listener(err, quiet=options.quiet) as listen:
        report = pipeline.known(settings_of(options), listen)
    if nothing_observed(report) and (shipped := same_question(options)):
        return _published(shipped, options, out, err)
    _deliver(report, options, out, err)
    variants = (variant for cell in report.cells for variant in cell.variants)
    return 0 if all(variant.reason in pipeline.BEFORE_A_RUN for variant in variants) else _answer(report, None, err)


def _published(shipped: Published, options: argparse.Namespace, out: Console, err: Console) -> int:
    """Show the published report of this matrix, or that in the folder of reports; write nothing."""
    own = locations.report_in(options.reports) if files.observed(options.reports) else None
    found = published.read(own) if own else shipped
    text = f"nothing has run here: this is the report {found.source}; nothing was written"
    err.print(text, markup=False, highlight=False, soft_wrap=True)
    show(_page(found.report, options), options.format, out)
    return 0


def merge(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Make one report of the results of several shards."""
    files.require_writable(options.reports)
    with listener(err, quiet=options.quiet) as listen:
        report = pipeline.merged(options.sources, settings_of(options), listen)
    _deliver(report, options, out, err)
    return _answer(report, None, err)


def _page(report: Report, options: argparse.Namespace) -> Page[Report]:
    return matrix.page(report, same_matrix(options), Places([options.config]))


def _deliver(report: Report, options: argparse.Namespace, out: Console, err: Console) -> None:
    """Write and print the report.

    Raises:
        NothingObservedError: it was printed, and not written.
    """
    logs = None
    if getattr(options, "publish", False):
        report, logs = published_logs.published(report, Path(options.store))
    page = _page(report, options)
    try:
        written = files.write(page, options.reports, logs)
    except NothingObservedError:
        show(page, options.format, out)
        raise
    show(page, options.format, out)
    err.print(f"wrote {', '.join(map(str, written))}", highlight=False, soft_wrap=True)


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
    chosen = session.strategy.next(session.cells, ())
    coverage = session.strategy.coverage(session.cells, chosen)
    pending = session.pending(chosen)
    page = plan_pages.page(
        chosen, pending, coverage, ordered=settings.budget is not None, cost=session.cost(pending) if pending else None
    )
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
    environments = [given] if given and session.tasks else given_environment.keep(session.cells, session.store, session.uv)
    show(cell_pages.page(verdict, report.cells[0], store=session.store.root, environments=environments), options.format, out)
    return _answer(report, None, err)


def _among_others(settings: Settings, verdict: Verdict) -> Report:
    """The report of one cell, with causes as the report of the whole matrix has them: they rest on other cells too."""
    whole = replace(settings, cell=None, select=(), exclude=())
    session = opened(whole, lambda _event: None, acts=False, access=Access.ADD)
    report = pipeline.report(session, session.verdicts())
    return replace(report, cells=[held for held in report.cells if held.id == verdict.cell.id])
