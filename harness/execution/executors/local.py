"""The local machine: a thread per task, because the work itself happens in child processes."""

from __future__ import annotations

import os
from concurrent.futures import Executor, ThreadPoolExecutor

import psutil

from harness.execution.scheduler import INSTALLS
from harness.execution.worker import Worker


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def jobs(wanted: int | str) -> int:
    """How many probes run at once: as asked, or one on each core."""
    return max(1, wanted if isinstance(wanted, int) else cores())


class Local(Worker):
    """Does the tasks in this process."""

    def lanes(self, wanted: int | str) -> tuple[int, int]:
        """As many probes as asked, or as this machine carries."""
        return jobs(wanted), INSTALLS

    def memory(self) -> float:
        """What is available now."""
        return psutil.virtual_memory().available


def executor(slots: int) -> Executor:
    """A pool for `slots` tasks at once."""
    return ThreadPoolExecutor(slots, thread_name_prefix="task")
