"""Signals that end a process: which are crashes, and their names. Standard library only, because the host reads it too."""

from __future__ import annotations

import signal

CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP})
"""Signals that a package causes in its own process; any other came from outside."""


def signal_name(number: int) -> str:
    """The name of a signal, `signal 40` of one that has none."""
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
