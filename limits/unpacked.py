"""The files of a release, unpacked from its wheel alone, without what it depends on: nothing of it is imported or built."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.environments.uv.command import find_uv
from harness.environments.uv.variables import environment

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.10", "3.12", "3.13", "3.9", "3.8", "3.7", "3.6")
"""Tried in this order: not each of them has a wheel of each release."""
WORK = ROOT / ".harness"
SECONDS = 1800
"""After which the download of one release is ended."""


@contextmanager
def unpacked(package: str, version: str) -> Iterator[Path | str]:
    """The folder with the files of a release, or why there is none; it is removed at the end, and uv caches nothing."""
    message = ""
    WORK.mkdir(exist_ok=True)
    for python in PYTHONS:
        with tempfile.TemporaryDirectory(dir=WORK) as folder:
            done = subprocess.run(
                [
                    *(find_uv(), "pip", "install", "--quiet", "--no-cache", "--no-deps", "--only-binary=:all:"),
                    *(f"--target={folder}", f"--python-version={python}", f"{package}=={version}"),
                ],
                env=environment(),
                check=False,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
            if done.returncode == 0:
                yield Path(folder)
                return
            message = message or done.stderr.strip().rpartition("\n")[2]
    yield message
