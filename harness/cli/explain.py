"""The command explain."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

from rich.console import Console

from harness import pipeline
from harness.cli.given import same_matrix, settings_of
from harness.cli.progress import say_damage
from harness.diagnose import assembly
from harness.execution.opening import opened
from harness.matrix import plan
from harness.report import explain as story
from harness.store.access import Access


def explain(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Print the story of one cell, as far as the store knows it."""
    # All cells, because what mends one, what proves a cause and where it works nearest is told by the others.
    settings = replace(settings_of(options), cell=None)
    session = opened(settings, partial(say_damage, err), acts=False, access=Access.ADD)
    verdicts = session.verdicts()
    (planned,) = plan.only([one.resolved.planned for one in verdicts], options.id)
    verdict = next(one for one in verdicts if one.cell.id == planned.cell.id)
    report = pipeline.report(session, verdicts)
    mended = assembly.remedies(session, verdicts)
    neighbour = story.neighbour(verdict, verdicts)
    story.show(verdict, report, mended, neighbour, out, store=session.store.root, options=same_matrix(options))
    return 0
