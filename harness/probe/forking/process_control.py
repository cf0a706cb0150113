"""Linux prctl helpers: die with the parent process, adopt orphaned descendants; and the ids of child processes."""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_the_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies (Linux only); each fork has to ask again."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (Linux only); each fork has to ask again."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """Return the ids of this process' children (Linux only, if its kernel lists them)."""
    threads = Path("/proc/self/task")
    if not threads.is_dir():
        return set()
    lists = [thread / "children" for thread in threads.iterdir()]
    return {int(child) for path in lists if path.exists() for child in path.read_text().split()}


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
