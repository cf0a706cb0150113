"""The command clean."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness import clean as cleaning
from harness.cli.console import show
from harness.cli.progress import listener
from harness.cli.settings import settings_of
from harness.report.pages import clean as pages


def clean(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Free what the matrices do not reach."""
    with listener(err, quiet=options.quiet) as listen:
        cleaned = cleaning.clean(
            settings_of(options),
            [options.config, *options.keep],
            listen,
            dry=options.dry_run,
            uv_cache=options.uv_cache,
            force=options.force,
        )
    show(pages.page(cleaned), options.format, out)
    return 0
