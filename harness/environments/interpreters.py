"""The CPythons of this machine: those of pyenv, the one that runs the harness, and which of all that are found is meant."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from packaging.version import Version

from harness.model import Interpreter

_PYENV_VERSION = re.compile(r"3\.[0-9]+\.[0-9]+")


class Interpreters(Protocol):
    """Finds the interpreters of a run; see sources.py."""

    def find(self, version: str) -> Interpreter | None:
        """The interpreter for a version on the python axis, or None."""

    def why_missing(self, version: str) -> str:
        """The sentence about a version for which there is none."""


def in_pyenv(root: Path | None = None) -> list[Interpreter]:
    """The released CPythons that pyenv built; `root` defaults to `$PYENV_ROOT` or `~/.pyenv`."""
    root = root or Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = []
    for folder in sorted((root / "versions").glob("3.*")):
        executable = folder / "bin" / "python"
        if _PYENV_VERSION.fullmatch(folder.name) and executable.exists():
            found.append(Interpreter(version=folder.name, path=str(executable)))
    return found


def running() -> Interpreter:
    """The interpreter that runs the harness; from a virtual environment, the one it was made with."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Interpreter(version=version, path=os.path.realpath(getattr(sys, "_base_executable", sys.executable)))


def choose(version: str, interpreters: Iterable[Interpreter]) -> Interpreter | None:
    """The newest patch release of `version` (`3.11` or `3.11.7`), the first of equal ones; None if there is none."""
    release = Version(version).release
    matching = [python for python in interpreters if Version(python.version).release[: len(release)] == release]
    return max(matching, key=lambda python: Version(python.version), default=None)
