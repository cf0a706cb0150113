"""The command line: options, commands, progress, exit codes. Nothing else prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from harness.cli.interrupts import interrupt_once
from harness.errors import Interrupted


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (docs/design.md lists them)."""
    # First: the imports take a second, and Ctrl-C must not give a traceback meanwhile.
    interrupt_once()
    try:
        from harness.cli.command_line import parser  # noqa: PLC0415

        options = parser().parse_args(argv)
        # These imports take most of the time, and `--help` needs none of them.
        from harness.cli import commands  # noqa: PLC0415

        return commands.run(options)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return Interrupted.exit_code
