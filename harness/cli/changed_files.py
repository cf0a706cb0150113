"""The program `export-matrix-check`, which pre-commit calls with the names of files that have changed.

`check` takes one set. Files that change together are not one set (two services, or a lock and its requirements), so each
is checked alone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.cli import commands
from harness.cli.command_line import parser
from harness.cli.console import console
from harness.errors import Interrupted
from harness.report.formats import format_named
from harness.report.formats.markdown import inline

_WORST_LAST = [0, 3, 1, 2, Interrupted.exit_code]
"""Exit codes: a no is worse than nothing proven, and bad input is worse than either."""


def check_each(argv: Sequence[str]) -> int:
    """Run `check` for each file in `argv`, with the options in it; returns the worst exit code."""
    made = parser()
    # `check` has no arguments but options: what its parser does not know are the files.
    options, files = made.parse_known_args(["check", f"--from={_UNSET}", *argv])
    if options.from_ != _UNSET or not files or any(file.startswith("-") for file in files):
        made.error("expected options of check, without --from, and then files")
    chosen = format_named(options.format)
    if len(files) > 1 and not chosen.joins:
        made.error(f"{len(files)} answers are no document of the format {options.format}: name one file, or another --format")
    out, worst = console(color=options.color, stderr=False), 0
    # Of several answers the last one would stand for all of them.
    with _unset(variable for variable, other in chosen.appended.items() if len(files) > 1 and not other.joins):
        for file in files:
            if options.format == "text":
                out.print(f"{file}:", style="bold", soft_wrap=True)
            elif options.format == "markdown":
                out.print(f"{inline(file)}:\n", soft_wrap=True)
            code = commands.run(argparse.Namespace(**{**vars(options), "from_": Path(file)}))
            worst = max(worst, code, key=_WORST_LAST.index)
            if code == Interrupted.exit_code:
                break
    return worst


@contextmanager
def _unset(variables: Iterable[str]) -> Iterator[None]:
    """Without these variables of the environment."""
    kept = {name: os.environ.pop(name) for name in [*variables] if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


_UNSET = Path("-")
