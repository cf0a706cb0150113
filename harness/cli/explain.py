"""The command explain."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from harness import pipeline
from harness.cli.console import show
from harness.cli.progress import show_damage
from harness.cli.published_reports import observing
from harness.cli.settings import same_matrix, settings_of
from harness.diagnose import assembly
from harness.errors import SelectionError
from harness.execution.preparation import opened
from harness.matrix import plan
from harness.model import Status
from harness.report.page import Page
from harness.report.pages import explain as pages
from harness.report.pages import explain_published
from harness.store.access import Access


def explain(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Explain one cell, as far as the store knows it; where it knows nothing, as a published report does."""
    show(_page(options, err), options.format, out)
    return 0


def _page(options: argparse.Namespace, err: Console) -> Page[Any]:
    if isinstance(options.store, Path) and not options.store.exists() and (page := _published(options)):
        return page
    # All cells: the others show what makes this one work, what proves a cause and where it works nearest.
    settings = replace(settings_of(options), cell=None)
    session = opened(settings, partial(show_damage, err), acts=False, access=Access.ADD)
    verdicts = session.verdicts()
    try:
        (planned,) = plan.only([verdict.resolved.planned for verdict in verdicts], options.id)
    except SelectionError:
        if page := _published(options):
            return page
        raise
    verdict = next(verdict for verdict in verdicts if verdict.cell.id == planned.cell.id)
    if verdict.status is Status.NOT_RUN and (page := _published(options)):
        return page
    explained = pages.ExplainedCell(
        verdict=verdict,
        report=pipeline.report(session, verdicts),
        remedies=assembly.remedies(session, verdicts),
        nearest=pages.nearest_working(verdict, verdicts),
    )
    return pages.page(explained, store=session.store.root, options=same_matrix(options))


def _published(options: argparse.Namespace) -> Page[Any] | None:
    """The page of a cell of a published report; None if none of this matrix knows it."""
    found = observing(options)
    reported = found and found.observed(options.id)
    return explain_published.page(found, reported) if found and reported else None
