"""The commands plan, run, report, merge and cell, and the exit code of every command.

Data goes to stdout, progress and logs to stderr.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness import disk_space, pipeline, published
from harness.cli.console import console, show
from harness.cli.given import same_matrix, settings_of
from harness.cli.options import ARGUMENTS
from harness.cli.progress import listener
from harness.errors import DiskFullError, HarnessError, Interrupted, NothingObservedError, ShardError
from harness.execution import executors, given_environment, shards
from harness.execution.audit import AuditError
from harness.execution.executors import local
from harness.execution.opening import opened
from harness.execution.settings import Settings
from harness.execution.timings import Recorder
from harness.execution.work import BUDGET_OVER
from harness.matrix.shard import GITHUB_JOBS
from harness.model import Status
from harness.report import files
from harness.report.failures import harness_failure, nothing_observed
from harness.report.formats import format_named
from harness.report.page import Page
from harness.report.pages import cell, matrix, plan, timings
from harness.store.access import Access
from harness.verdicts.report_model import Report

Command = Callable[[argparse.Namespace, Console, Console], int]
"""Options, where data goes, where progress goes → exit code."""


def run(options: argparse.Namespace) -> int:
    """Run the command that `options` name, and return its exit code (docs/design.md lists them)."""
    err = console(color=options.color, stderr=True)
    try:
        _with_matrix(options, err)
        code = COMMANDS[options.command](options, console(color=options.color, stderr=False), err)
    except HarnessError as error:
        return _failed(error, str(error), error.exit_code, options, err)
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 -- Python's own exit code for it, 1, would say that the answer is no
        return _failed(error, _unforeseen(error), HarnessError.exit_code, options, err)
    return code


def _with_matrix(options: argparse.Namespace, err: Console) -> None:
    """Where there is no matrix.toml, and none is named, take the one that comes with the project."""
    config = getattr(options, "config", None)
    if config is not None and config == ARGUMENTS["--config"]["default"] and not config.exists() and published.MATRIX.is_file():
        options.config = published.MATRIX
        text = f"there is no {config} here: the matrix that comes with the project is used"
        err.print(text, highlight=False, soft_wrap=True, style="dim")


def _failed(error: Exception, words: str, code: int, options: argparse.Namespace, err: Console) -> int:
    """Show why a command ended, and return its exit code; a full disk has a message of its own."""
    if disk_space.is_full(error) or disk_space.says_full(words):
        code = DiskFullError.exit_code
        words = disk_space.sentence(error, _places(options))
    err.print("error: ", style="bold red", end="")
    err.print(words, markup=False, highlight=False, soft_wrap=True)
    return code


def _places(options: argparse.Namespace) -> dict[str, Path]:
    """Name → path of the places where a command writes."""
    places = {"the store": getattr(options, "store", None), "the reports": getattr(options, "reports", None)}
    temporary, cache = os.environ.get("TMPDIR", "/tmp"), os.environ.get("UV_CACHE_DIR")  # noqa: S108 -- it is only looked at
    places |= {"temporary files": Path(temporary), "uv's cache": Path(cache) if cache else Path.home() / ".cache" / "uv"}
    return {name: place for name, place in places.items() if isinstance(place, Path)}


def _unforeseen(error: Exception) -> str:
    """The message of the system, or what is needed to correct the harness."""
    if isinstance(error, OSError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"the harness itself failed: {type(error).__name__}: {error} ({place.filename}:{place.lineno})"


def _run(options: argparse.Namespace, out: Console, err: Console) -> int:
    settings = settings_of(options)
    # Before ten minutes of work, and not after them.
    files.require_writable(options.reports)
    executors.module(settings.executor)
    try:
        with listener(err, quiet=options.quiet) as listen:
            recorder = Recorder(listen=listen, cores=local.cores())
            report, disputes = pipeline.run(settings, recorder.on_event)
            measured = recorder.timings()
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
    """The exit code of a run: 1 if a cell has the status `fail_on`, 3 if the harness failed or nothing was proven."""
    problem = harness_failure(report) or nothing_observed(report)
    if problem:
        err.print(problem, style="bold red", markup=False, highlight=False, soft_wrap=True)
    if fail_on and report.count(Status(fail_on)):
        return 1
    if problem or fail_on is None:
        return 3 if problem else 0
    over = any(variant.reason == BUDGET_OVER for cell in report.cells for variant in cell.variants)
    unproven = report.count(Status.ERROR) or report.count(Status.FLAKY) or over
    return 3 if unproven and not report.count(Status.WORKS) else 0


def _report(options: argparse.Namespace, out: Console, err: Console) -> int:
    files.require_writable(options.reports)
    with listener(err, quiet=options.quiet) as listen:
        report = pipeline.known(settings_of(options), listen)
    _deliver(report, options, out, err)
    return 0


def _merge(options: argparse.Namespace, out: Console, err: Console) -> int:
    files.require_writable(options.reports)
    with listener(err, quiet=options.quiet) as listen:
        report = pipeline.merged(options.sources, settings_of(options), listen)
    _deliver(report, options, out, err)
    return 0


def _page(report: Report, options: argparse.Namespace) -> Page[Report]:
    return matrix.page(report, same_matrix(options))


def _deliver(report: Report, options: argparse.Namespace, out: Console, err: Console) -> None:
    """Write and print the report.

    Raises:
        NothingObservedError: it was printed, and not written.
    """
    page = _page(report, options)
    try:
        written = files.write(page, options.reports)
    except NothingObservedError:
        show(page, options.format, out)
        raise
    show(page, options.format, out)
    err.print(f"wrote {', '.join(map(str, written))}", highlight=False, soft_wrap=True)


def _plan(options: argparse.Namespace, out: Console, err: Console) -> int:
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
    page = plan.page(chosen, session.pending(chosen), coverage, ordered=settings.budget is not None)
    show(page, options.format, out)
    return 0


def _cell(options: argparse.Namespace, out: Console, err: Console) -> int:
    settings = replace(settings_of(options), keep_envs=True)
    given = options.environment.resolve() if options.environment else None
    with listener(err, quiet=options.quiet) as listen:
        session = opened(settings, listen)
        session.given = given
        (verdict,) = pipeline.run_steps(session, pipeline.CELL_STEPS)
    (reported,) = pipeline.report(session, [verdict]).cells
    environments = [given] if given and session.tasks else given_environment.keep(session.cells, session.store, session.uv)
    show(cell.page(verdict, reported, store=session.store.root, environments=environments), options.format, out)
    return 0


def _by_name(name: str) -> Command:
    """A command of a wing; it is imported when it is called."""

    def command(options: argparse.Namespace, out: Console, err: Console) -> int:
        code: int = pkgutil.resolve_name(name)(options, out, err)
        return code

    return command


COMMANDS: dict[str, Command] = {
    "show": _by_name("harness.cli.show:show"),
    "plan": _plan,
    "run": _run,
    "report": _report,
    "merge": _merge,
    "cell": _cell,
    "explain": _by_name("harness.cli.explain:explain"),
    "pin": _by_name("harness.cli.pin:pin"),
    "check": _by_name("harness.cli.check:check"),
    "bisect": _by_name("harness.cli.bisect:bisect"),
}
"""The commands of options.py, by name."""
