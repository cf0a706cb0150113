"""The command plan."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from harness import pipeline
from harness.cli.console import show
from harness.cli.progress import listener
from harness.cli.settings import settings_of
from harness.errors import ShardError
from harness.execution import shards
from harness.execution.preparation import opened
from harness.matrix.shard import GITHUB_JOBS
from harness.report.pages import plan as plan_pages
from harness.store.access import Access


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
