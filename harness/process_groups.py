"""Processes that a child has started: in its group, in other sessions, or left to this process."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil


def members(group: int) -> list[int]:
    """The descendants of the leader that are in its group: of a confined probe, the first process of its namespace."""
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        descendants = psutil.Process(group).children(recursive=True)
        return [one.pid for one in descendants if os.getpgid(one.pid) == group]
    return []


def kill_group(group: int) -> None:
    """Kill all processes of a group; there may be none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def kill_strays(mark: str, token: str, since: float) -> None:
    """Kill what a child started in another session: it is not in its group, but has inherited the variable `mark`."""
    tried = set[int]()
    # What one of them starts before it is killed is found the next time.
    while found := [one for one in psutil.process_iter() if one.pid not in tried and _is_marked(one, mark, token, since)]:
        for process in found:
            tried.add(process.pid)
            with contextlib.suppress(psutil.Error, OSError):
                process.kill()


def _is_marked(process: psutil.Process, mark: str, token: str, since: float) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        # A second of grace: creation times are rounded to clock ticks.
        return bool(process.create_time() >= since - 1 and process.environ().get(mark) == token)
    return False


def kill_orphans(since: float) -> None:
    """Kill the children that this process has not started, but adopted: they are in another session."""
    tried = set[int]()
    # Those that one of them leaves are adopted in turn.
    while found := [one for one in psutil.Process().children() if one.pid not in tried and _is_adopted(one, since)]:
        for process in found:
            tried.add(process.pid)
            with contextlib.suppress(psutil.Error, ChildProcessError):
                process.kill()
                os.waitpid(process.pid, 0)


def _is_adopted(process: psutil.Process, since: float) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return bool(process.create_time() >= since - 1 and os.getsid(process.pid) != os.getsid(0))
    return False
