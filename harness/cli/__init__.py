# PYTHON_ARGCOMPLETE_OK
"""The command line: options, commands, progress, exit codes. Nothing else prints."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Callable, Sequence

from harness import invocation
from harness.cli.interrupts import interrupt_once
from harness.cli.streams import guarded
from harness.errors import DiskFullError, HarnessError, Interrupted

_COLLECTIONS = (50_000, 20, 50)
"""Thresholds of the garbage collector. Python's own, (700, 10, 10), cost a fourth of the time of 10,000 known cells."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (docs/design.md lists them)."""
    return _guarded(_command, argv)


def check_each(argv: Sequence[str] | None = None) -> int:
    """Run `check` for each of several files, as pre-commit names them, and return the exit code that is worst."""
    return _guarded(_check_each, argv)


def _guarded(program: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    """Run `program` where it can run at all; Ctrl-C ends it without a traceback."""
    if sys.platform == "win32":
        sys.stderr.write(f"error: {invocation.WINDOWS}\n")
        return HarnessError.exit_code
    # First: the imports take a second, and Ctrl-C must not give a traceback meanwhile.
    interrupt_once()
    for stream in (sys.stdout, sys.stderr):
        # A sign that the terminal's encoding lacks is no reason to end a command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Nearly all objects of the imports, and of a large matrix, live until the end, and a collection visits every one.
    gc.set_threshold(*_COLLECTIONS)
    with guarded() as out:
        code = _ended(program, argv)
        out.flush()
        if out.problems:
            code = _undelivered(out.problems[0], code)
    return code


def _undelivered(problem: OSError, code: int) -> int:
    """Say that stdout could not be written, and return the exit code; `code` is that of the command."""
    from harness import disk_space  # noqa: PLC0415

    sys.stderr.write(f"error: stdout cannot be written: {problem.strerror}\n")
    if code not in {0, 1}:
        return code
    return DiskFullError.exit_code if disk_space.is_full(problem) else HarnessError.exit_code


def _ended(program: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    """The exit code of `program`, however it ends."""
    try:
        return program(argv)
    except SystemExit as ended:  # argparse has printed help, a version, or what is wrong with the arguments
        return int(ended.code or 0)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return Interrupted.exit_code


def _command(argv: Sequence[str] | None) -> int:
    from harness.cli.command_line import parser  # noqa: PLC0415

    made = parser()
    if "_ARGCOMPLETE" in os.environ:
        from harness.cli import completion  # noqa: PLC0415

        completion.complete(made)
    options = made.parse_args(argv)
    # These imports take most of the time, and `--help` needs none of them.
    from harness.cli import commands  # noqa: PLC0415

    return commands.run(options)


def _check_each(argv: Sequence[str] | None) -> int:
    from harness.cli import changed_files  # noqa: PLC0415

    return changed_files.check_each(sys.argv[1:] if argv is None else argv)
