"""Processes that a child has started: in its group, in other sessions, or left to this process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import threading

import psutil

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37
"""Linux' prctl by which a process becomes the parent of descendants whose own parent has ended, and whether it is."""


class Adoption:
    """Has this process be the parent of orphans as long as anybody wants that, and then what it was before. Thread-safe."""

    def __init__(self) -> None:
        self._wanted = 0
        self._before = 0
        self._guard = threading.Lock()

    def want(self) -> None:
        """Adopt orphans until `release` was called as often."""
        with self._guard:
            self._wanted += 1
            if self._wanted == 1 and sys.platform == "linux":
                before = ctypes.c_int()
                ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
                self._before = before.value
                ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def release(self) -> None:
        """See `want`."""
        with self._guard:
            self._wanted -= 1
            if not self._wanted and sys.platform == "linux":
                ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, self._before)


def _lowered() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    return (hard if hard > 0 else 819_200) - 1


_MARK_LIMIT = _lowered() if sys.platform == "linux" else 0
"""The limit of message queues, in bytes, of children that are marked: what descends from them has it too, or a lower one.

Unlike a variable or a session it is nothing that a daemon leaves behind, and no package needs the one byte.
"""


def mark(pid: int) -> None:
    """Have all descendants of a child that was started just now be known as such, whoever their parent is later."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            soft, _ = resource.prlimit(pid, resource.RLIMIT_MSGQUEUE)
            resource.prlimit(pid, resource.RLIMIT_MSGQUEUE, (min(soft, _MARK_LIMIT) if soft >= 0 else _MARK_LIMIT, _MARK_LIMIT))


def _descends(pid: int) -> bool:
    """Whether a process descends from a marked one. Raises OSError."""
    return sys.platform == "linux" and 0 <= resource.prlimit(pid, resource.RLIMIT_MSGQUEUE)[1] <= _MARK_LIMIT


def members(group: int) -> list[int]:
    """The descendants of the leader that are in its group: of a confined probe, the first process of its namespace."""
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        descendants = psutil.Process(group).children(recursive=True)
        return [one.pid for one in descendants if os.getpgid(one.pid) == group]
    return []


def descends(pid: int, ancestor: int) -> bool:
    """Whether `ancestor` has started that process, or who has started it."""
    with contextlib.suppress(psutil.Error):
        return any(one.pid == ancestor for one in psutil.Process(pid).parents())
    return False


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
    """Kill the children that this process has adopted, and that descend from a child which was marked."""
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
        is_late = process.create_time() >= since - 1
        return bool(is_late and os.getsid(process.pid) != os.getsid(0) and _descends(process.pid))
    return False
