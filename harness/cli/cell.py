"""The command cell."""

from __future__ import annotations

import argparse
from dataclasses import replace

from rich.console import Console

from harness import pipeline, regular_files
from harness.cli.console import show
from harness.cli.deliver import answer
from harness.cli.progress import listener
from harness.cli.settings import settings_of
from harness.execution import given_environment
from harness.execution.preparation import opened
from harness.execution.settings import Settings
from harness.report.pages import cell as cell_pages
from harness.store.access import Access
from harness.verdicts.judge import Verdict
from harness.verdicts.report_schema import Report


def cell(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Run one cell, and keep its environments."""
    settings = replace(settings_of(options), keep_envs=True)
    given = regular_files.real(options.environment) if options.environment else None
    with listener(err, quiet=options.quiet) as listen:
        session = opened(settings, listen)
        session.given = given
        (verdict,) = pipeline.run_steps(session, pipeline.CELL_STEPS)
    report = _among_others(settings, verdict)
    if given and session.tasks:
        environments = [given]
    else:
        environments = given_environment.keep(session.cells, session.store, session.uv, session.packages)
    show(cell_pages.page(verdict, report.cells[0], store=session.store.root, environments=environments), options.format, out)
    return answer(report, None, err)


def _among_others(settings: Settings, verdict: Verdict) -> Report:
    """The report of one cell, with causes as the report of the whole matrix has them: they rest on other cells too."""
    whole = replace(settings, cell=None, select=(), exclude=())
    session = opened(whole, lambda _event: None, acts=False, access=Access.ADD)
    report = pipeline.report(session, session.verdicts())
    return replace(report, cells=[held for held in report.cells if held.id == verdict.cell.id])
