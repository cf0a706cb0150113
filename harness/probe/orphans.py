"""A host that is killed leaves no probe behind, and a probe that is killed no fork."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_the_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies (Linux only); a fork has to ask for itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
