"""The local machine: a thread per task, because the work itself happens in child processes."""

from __future__ import annotations

import os
from concurrent.futures import Executor, ThreadPoolExecutor

import psutil

from harness.worker import Worker

MEMORY_PER_PROBE = 2_500_000_000
"""Bytes a tiny-profile export was seen to need at most, with room to spare; what `--jobs auto` divides memory by."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def jobs(wanted: int | str) -> int:
    """How many probes run at once: as asked, or as many as cores and available memory carry."""
    if isinstance(wanted, int):
        return max(1, wanted)
    return max(1, min(cores(), psutil.virtual_memory().available // MEMORY_PER_PROBE))


class Local(Worker):
    """Does the tasks in this process."""

    def lanes(self, wanted: int | str) -> tuple[int, int]:
        """As many probes as asked, or as this machine carries; one install (see schedule.py)."""
        return jobs(wanted), 1


def executor(slots: int) -> Executor:
    """A pool for `slots` tasks at once."""
    return ThreadPoolExecutor(slots, thread_name_prefix="task")
