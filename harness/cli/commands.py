"""Runs a command, and gives its exit code. The command is imported when it is called.

Data goes to stdout, progress and logs to stderr.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import traceback
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from harness import disk_space, report_locations
from harness.cli.console import console
from harness.cli.options import ARGUMENTS
from harness.errors import DiskFullError, HarnessError, UvError

Command = Callable[[argparse.Namespace, Console, Console], int]
"""Options, where data goes, where progress goes → exit code."""


def run(options: argparse.Namespace) -> int:
    """Run the command that `options` name, and return its exit code (docs/design.md lists them)."""
    err = console(color=options.color, stderr=True)
    try:
        _with_matrix(options, err)
        code = COMMANDS[options.command](options, console(color=options.color, stderr=False), err)
    except HarnessError as error:
        return _failed(error, str(error), error.exit_code, options, err)
    except Exception as error:  # noqa: BLE001 -- Python's own exit code for it, 1, would say that the answer is no
        return _failed(error, _unforeseen(error), HarnessError.exit_code, options, err)
    return code


def _with_matrix(options: argparse.Namespace, err: Console) -> None:
    """Where there is no matrix.toml, and none is named, take the one that comes with the project."""
    config = getattr(options, "config", None)
    if (
        config is not None
        and config == ARGUMENTS["--config"]["default"]
        and not config.exists()
        and report_locations.MATRIX.is_file()
    ):
        options.config = report_locations.MATRIX
        text = f"there is no {config} here: the matrix that comes with the project is used"
        err.print(text, highlight=False, soft_wrap=True, style="dim")


def _failed(error: Exception, words: str, code: int, options: argparse.Namespace, err: Console) -> int:
    """Show why a command ended, and return its exit code; a full disk has a message of its own."""
    # The message of another HarnessError may quote a name that somebody gave; its cause is looked at all the same.
    speaks = isinstance(error, UvError) or not isinstance(error, HarnessError)
    if disk_space.is_full(error) or (speaks and disk_space.says_full(words)):
        code = DiskFullError.exit_code
        words = disk_space.sentence(error, _places(options))
    err.print("error: ", style="bold red", end="")
    err.print(words, markup=False, highlight=False, soft_wrap=True)
    return code


def _places(options: argparse.Namespace) -> dict[str, Path]:
    """Name → path of the places where a command writes."""
    places = {"the store": getattr(options, "store", None), "the reports": getattr(options, "reports", None)}
    temporary, cache = os.environ.get("TMPDIR", "/tmp"), os.environ.get("UV_CACHE_DIR")  # noqa: S108 -- it is only looked at
    places |= {"temporary files": Path(temporary), "uv's cache": Path(cache) if cache else Path.home() / ".cache" / "uv"}
    return {name: place for name, place in places.items() if isinstance(place, Path)}


def _unforeseen(error: Exception) -> str:
    """The message of the system, or what is needed to correct the harness."""
    if isinstance(error, OSError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"the harness itself failed: {type(error).__name__}: {error} ({place.filename}:{place.lineno})"


def _by_name(name: str) -> Command:
    """The function `module:function`: nobody who looks something up waits for what runs a matrix."""

    def command(options: argparse.Namespace, out: Console, err: Console) -> int:
        code: int = pkgutil.resolve_name(name)(options, out, err)
        return code

    return command


COMMANDS: dict[str, Command] = {
    "show": _by_name("harness.cli.show:show"),
    "history": _by_name("harness.cli.history:history"),
    "lookup": _by_name("harness.cli.lookup:lookup"),
    "inspect": _by_name("harness.cli.inspection:inspect"),
    "init": _by_name("harness.cli.init:init"),
    "doctor": _by_name("harness.cli.doctor:doctor"),
    "plan": _by_name("harness.cli.plan:plan"),
    "run": _by_name("harness.cli.run:run"),
    "report": _by_name("harness.cli.report:report"),
    "merge": _by_name("harness.cli.merge:merge"),
    "cell": _by_name("harness.cli.cell:cell"),
    "clean": _by_name("harness.cli.clean:clean"),
    "explain": _by_name("harness.cli.explain:explain"),
    "pin": _by_name("harness.cli.pin:pin"),
    "check": _by_name("harness.cli.check:check"),
    "bisect": _by_name("harness.cli.bisect:bisect"),
}
"""The commands of command_line.py, by name."""
