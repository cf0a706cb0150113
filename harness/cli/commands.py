"""The command line: arguments in, a report out. Owns printing and exit codes; nothing else does.

Data goes to stdout, progress and logs to stderr.
"""

from __future__ import annotations

import argparse
import gc
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness import disk_space, pipeline
from harness.cli.console import console
from harness.cli.given import same_matrix, settings_of
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
from harness.report import cell as story
from harness.report import files
from harness.report import timings as spent
from harness.report.failures import hindered, nothing_observed
from harness.report.formats import markdown, matrix_json, text
from harness.store.access import Access
from harness.verdicts.report_model import Report

Command = Callable[[argparse.Namespace, Console, Console], int]
"""Options, where data goes, where progress goes → exit code."""

_COLLECTIONS = (50_000, 20, 50)
"""Python's own are (700, 10, 10): a fourth of the time that 10,000 known cells take."""


def run(options: argparse.Namespace) -> int:
    """Run the command that `options` name, and return its exit code (docs/design.md lists them)."""
    err = console(color=options.color, stderr=True)
    # Nearly all that a large matrix makes stays until the end, and a collection looks at every object of it.
    gc.set_threshold(*_COLLECTIONS)
    try:
        code = COMMANDS[options.command](options, console(color=options.color, stderr=False), err)
    except HarnessError as error:
        return _failed(error, str(error), error.exit_code, options, err)
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 -- Python's own exit code for it, 1, would say that the answer is no
        return _failed(error, _unforeseen(error), HarnessError.exit_code, options, err)
    return code


def _failed(error: Exception, words: str, code: int, options: argparse.Namespace, err: Console) -> int:
    """Say why a command ended, and return its exit code; a full disk is said in words of its own, wherever it was met."""
    if disk_space.is_full(error) or disk_space.says_full(words):
        code = DiskFullError.exit_code
        words = disk_space.sentence(error, _places(options))
    err.print("error: ", style="bold red", end="")
    err.print(words, markup=False, highlight=False, soft_wrap=True)
    return code


def _places(options: argparse.Namespace) -> dict[str, Path]:
    """Where a command writes, by what it is called."""
    places = {"the store": getattr(options, "store", None), "the reports": getattr(options, "reports", None)}
    temporary, cache = os.environ.get("TMPDIR", "/tmp"), os.environ.get("UV_CACHE_DIR")  # noqa: S108 -- it is only looked at
    places |= {"temporary files": Path(temporary), "uv's cache": Path(cache) if cache else Path.home() / ".cache" / "uv"}
    return {name: place for name, place in places.items() if isinstance(place, Path)}


def _unforeseen(error: Exception) -> str:
    """The system's own words, or what somebody needs who mends the harness."""
    if isinstance(error, OSError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"the harness itself failed: {type(error).__name__}: {error} ({place.filename}:{place.lineno})"


def _run(options: argparse.Namespace, out: Console, err: Console) -> int:
    settings = settings_of(options)
    # A folder that cannot be written must not be found out after ten minutes.
    files.require_writable(options.reports)
    executors.module(settings.executor)
    try:
        with listener(err, quiet=options.quiet) as listen:
            recorder = Recorder(listen=listen, cores=local.cores())
            report, disputes = pipeline.run(settings, recorder.on_event)
            timings = recorder.timings()
    except Interrupted as interrupted:
        raise Interrupted(f"{interrupted}; {_partial(settings, options, out)}") from None
    _deliver(report, options, out, err)
    if options.timings:
        spent.show(timings, err)
    if disputes:
        raise AuditError("the audit came to other verdicts; do not trust shared results here: " + "; ".join(disputes))
    return _answer(report, options.fail_on, err)


def _partial(settings: Settings, options: argparse.Namespace, out: Console) -> str:
    """Report what an interrupted run has finished; returns what became of it."""
    try:
        report = pipeline.known(settings, lambda _event: None)
        files.write(report, options.reports)
    except HarnessError as error:
        return f"no report: {error}"
    _print(report, options, out)
    return f"partial report in {options.reports}"


def _answer(report: Report, fail_on: str | None, err: Console) -> int:
    """The exit code of a run: 1 where a cell is what it must not be, 3 where the harness failed or nothing was proven."""
    why = hindered(report) or nothing_observed(report)
    if why:
        err.print(why, style="bold red", markup=False, highlight=False, soft_wrap=True)
    if fail_on and report.count(Status(fail_on)):
        return 1
    if why or fail_on is None:
        return 3 if why else 0
    over = any(one.reason == BUDGET_OVER for cell in report.cells for one in cell.variants)
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


def _deliver(report: Report, options: argparse.Namespace, out: Console, err: Console) -> None:
    """Write and print the report.

    Raises:
        NothingObservedError: it was printed, and not written.
    """
    try:
        written = files.write(report, options.reports)
    except NothingObservedError:
        _print(report, options, out)
        raise
    _print(report, options, out)
    err.print(f"wrote {', '.join(map(str, written))}", highlight=False, soft_wrap=True)


def _plan(options: argparse.Namespace, out: Console, err: Console) -> int:
    if options.shard and options.format == "github":
        raise ShardError("--format github deals out all cells: leave out --shard")
    if options.shards and options.format != "github":
        raise ShardError("--shards is for --format github; --shard i/n plans one share")
    settings = settings_of(options)
    with listener(err, quiet=options.quiet) as listen:
        session = opened(settings, listen, access=Access.REPLACE if settings.refresh else Access.ADD)
    if options.format == "github":
        sys.stdout.write(shards.github(session.cells, options.shards or GITHUB_JOBS))
        return 0
    chosen = session.strategy.next(session.cells, ())
    if coverage := session.strategy.coverage(session.cells, chosen):
        story.show_choice(coverage, out)
    story.show_plan(chosen, session.pending(chosen), out)
    if settings.budget is not None:
        story.show_order(chosen, out)
    return 0


def _cell(options: argparse.Namespace, out: Console, err: Console) -> int:
    settings = replace(settings_of(options), keep_envs=True)
    given = options.environment.resolve() if options.environment else None
    with listener(err, quiet=options.quiet) as listen:
        session = opened(settings, listen)
        session.given = given
        (verdict,) = pipeline.run_steps(session, pipeline.CELL_STEPS)
    (reported,) = pipeline.report(session, [verdict]).cells
    environments = [given] if given else given_environment.keep(session.cells, session.store, session.uv)
    story.show_cell(verdict, reported, out, store=session.store.root, environments=environments)
    return 0


def _by_name(name: str) -> Command:
    """A command that most do without: what it needs is imported when it is called."""

    def command(options: argparse.Namespace, out: Console, err: Console) -> int:
        code: int = pkgutil.resolve_name(name)(options, out, err)
        return code

    return command


COMMANDS: dict[str, Command] = {
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
"""What each command of options.py does."""


def _print(report: Report, options: argparse.Namespace, out: Console) -> None:
    match options.format:
        case "json":
            sys.stdout.write(matrix_json.dumps(report))
        case "markdown":
            sys.stdout.write(markdown.render(report))
        case _:
            text.show(report, out, options=same_matrix(options))
