"""Cores and memory of this machine, as far as the control group of this process allows them (cgroups of version 2 and 1).

And the memory that processes have.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

_ROOT = Path("/")
_NO_LIMIT = 2**60
"""Version 1 writes a number of about 2**63 where there is no limit."""


def cores(root: Path = _ROOT) -> int:
    """How many cores this process may use, 1 at least; a share of a core counts as none."""
    able = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([able, *_quotas(root)])))


def memory(root: Path = _ROOT) -> float:
    """Bytes of memory that are available now."""
    return max(0.0, min([float(psutil.virtual_memory().available), *_left(root)]))


def _quotas(root: Path) -> Iterator[float]:
    """Cores that each control group allows."""
    for folder in _groups(root, "", "cpu"):
        match _words(folder / "cpu.max"):
            case [quota, period] if quota.isdigit() and period.isdigit():
                yield int(quota) / int(period)
        match _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us"):
            case [quota], [period] if quota.isdigit() and period.isdigit():
                yield int(quota) / int(period)


def _left(root: Path) -> Iterator[float]:
    """Bytes that each control group leaves."""
    for names in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        for folder in _groups(root, "", "memory"):
            match _words(folder / names[0]), _words(folder / names[1]):
                case [limit], [used] if limit.isdigit() and used.isdigit() and int(limit) < _NO_LIMIT:
                    yield float(int(limit) - int(used) + _cached(folder))


def _cached(folder: Path) -> int:
    """Bytes of files in memory that the kernel gives up when they are needed."""
    counts = dict(zip(*[iter(_words(folder / "memory.stat"))] * 2, strict=False))
    return int(counts.get("total_inactive_file") or counts.get("inactive_file") or 0)


def _groups(root: Path, *controllers: str) -> Iterator[Path]:
    """The folders of the control groups of this process with one of `controllers` (empty for version 2), and those above."""
    for line in _lines(root / "proc" / "self" / "cgroup"):
        _, found, path = [*line.split(":", 2), "", ""][:3]
        if set(found.split(",")).isdisjoint(controllers):
            continue
        mount = root / "sys" / "fs" / "cgroup" / found.split(",")[0]
        group = mount / path.lstrip("/")
        # In a container the path may be that of the host: then only the mount itself is there.
        yield from (folder for folder in (group, *group.parents) if folder == mount or mount in folder.parents)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def footprint(pid: int, limit: int) -> tuple[int, int]:
    """(resident bytes, number) of a process and of all that it started; (0, 0) if it has ended.

    A page that several of them share counts once for each, unless that would be more than `limit`: then it counts once.
    """
    with contextlib.suppress(psutil.Error):
        leader = psutil.Process(pid)
        processes = [leader, *_started_by(leader)]
        total = sum(_bytes(process, "rss") for process in processes)
        return total if total <= limit else min(total, _shared_once(processes)), len(processes)
    return 0, 0


def _started_by(leader: psutil.Process) -> list[psutil.Process]:
    """All descendants. Where the kernel lists the children of a process, the others of this machine are not looked at."""
    if not Path("/proc/thread-self/children").exists():
        return leader.children(recursive=True)
    found, open_ = list[psutil.Process](), [leader.pid]
    while open_:
        for child in _children(open_.pop()):
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(child))
                open_.append(child)
    return found


def _children(pid: int) -> list[int]:
    """The ids of a process' children; none if it has ended."""
    with contextlib.suppress(OSError):
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for thread in threads for child in _words(thread / "children")]
    return []


def _shared_once(processes: Sequence[psutil.Process]) -> int:
    """The larger of two sums that both are too small where pages are shared: with other processes, or among the started."""
    leader, *others = processes
    proportional = sum(_bytes(process, "pss") for process in processes)
    return max(proportional, _bytes(leader, "rss") + sum(_bytes(process, "uss") for process in others))


def _bytes(process: psutil.Process, kind: str) -> int:
    """A number of psutil's (`rss`, `uss`, `pss`); 0 if the process has ended, and rss where the system does not tell."""
    with contextlib.suppress(psutil.NoSuchProcess):
        plain = process.memory_info().rss
        with contextlib.suppress(psutil.AccessDenied):
            return plain if kind == "rss" else int(getattr(process.memory_full_info(), kind, plain))
        return plain
    return 0
