"""A host that is killed leaves no probe behind, and a probe that is killed no fork; and whose parent is gone finds another."""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_the_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies (Linux only); a fork has to ask for itself."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of those descendants whose own parent ends (Linux only); a fork has to ask for itself."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """Ids of this process' children (Linux only, and where its kernel tells)."""
    threads = Path("/proc/self/task")
    if not threads.is_dir():
        return set()
    lists = [thread / "children" for thread in threads.iterdir()]
    return {int(child) for one in lists if one.exists() for child in one.read_text().split()}


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
