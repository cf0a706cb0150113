"""The command explain."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

from rich.console import Console

from harness import pipeline
from harness.cli.console import show
from harness.cli.given import same_matrix, settings_of
from harness.cli.progress import show_damage
from harness.diagnose import assembly
from harness.execution.opening import opened
from harness.matrix import plan
from harness.report.pages import explain as pages
from harness.store.access import Access


def explain(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Explain one cell, as far as the store knows it."""
    # All cells: the others show what makes this one work, what proves a cause and where it works nearest.
    settings = replace(settings_of(options), cell=None)
    session = opened(settings, partial(show_damage, err), acts=False, access=Access.ADD)
    verdicts = session.verdicts()
    (planned,) = plan.only([verdict.resolved.planned for verdict in verdicts], options.id)
    verdict = next(verdict for verdict in verdicts if verdict.cell.id == planned.cell.id)
    explained = pages.ExplainedCell(
        verdict=verdict,
        report=pipeline.report(session, verdicts),
        remedies=assembly.remedies(session, verdicts),
        nearest=pages.nearest_working(verdict, verdicts),
    )
    show(pages.page(explained, store=session.store.root, options=same_matrix(options)), options.format, out)
    return 0
