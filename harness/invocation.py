"""How this program was started, so that a command that it prints works in the same way."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path

STARTED_BY = "HARNESS_STARTED_BY"
"""The variable in which the noxfile says `nox`."""
WINDOWS = "this program does not run on Windows: use it in WSL, or in a Linux container"
"""What it says there, where signals, file locks and process groups of POSIX are missing, before it imports any of them."""
_SCRIPT = "export-matrix"
_SESSIONS = {"run": "matrix"}
"""Command → session of the noxfile, where the names differ."""


def program() -> str:
    """The name of the program in its help."""
    return _named(sys.argv[0])


@lru_cache(maxsize=16)  # every cell of a page has a command
def _named(script: str) -> str:
    return _SCRIPT if Path(script).stem == _SCRIPT else "python -m harness"


def command(name: str, arguments: str = "") -> str:
    """A command to print: `python -m harness explain ID`, `export-matrix explain ID` or `nox -s explain -- ID`."""
    arguments = arguments.strip()
    if os.environ.get(STARTED_BY) == "nox":
        words = ["nox -s", _SESSIONS.get(name, name), f"-- {arguments}" if arguments else ""]
    else:
        words = [program(), name, arguments]
    return " ".join(filter(None, words))
