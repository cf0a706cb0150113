"""The graph of tasks over an Executor: what is ready runs, cell by cell.

Two lanes: probes use cores and are limited by `--jobs`; installs use the network and the disk, and never take a core's
place from a probe. A probe whose memory does not fit beside what runs waits, and a smaller one goes first. So does
another one if a probe would wait for what a running one imports.
"""

from __future__ import annotations

import bisect
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from harness.tasks.interface import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskStarted:
    """A task began."""

    task: Task


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskEnded:
    """A task came to its end; its results are in the records."""

    task: Task


Event = TaskStarted | TaskEnded

INSTALLS = 2
"""At once on a machine: one links what uv's cache holds while another one fetches what it lacks."""

_Entry = tuple[int, int, int, Task]
"""Place of its first cell, rank, number, task: the order in which ready tasks begin."""


@dataclass(kw_only=True, slots=True)
class Scheduler:
    """Runs tasks, each after the ones that it needs.

    Cells come to their verdicts one after another, and tasks that share an environment run while it is there.
    """

    perform: Callable[[Task], None]
    executor: Executor
    probes: int
    """At once."""
    installs: int = 1
    """At once."""
    on_event: Callable[[Event], None]
    order: Mapping[Task, int]
    """Task → place of the first cell that waits for it."""
    deadline: float = math.inf
    """By the monotonic clock; after it no task begins."""
    memory: Callable[[Task], float] = lambda _task: 0.0
    """Bytes that a task will need."""
    available: float = math.inf
    """Bytes that running probes may need together, unless there is only one."""
    _ready: dict[bool, list[_Entry]] = field(default_factory=lambda: {True: [], False: []})
    """Whether they are installs → ready tasks."""
    _running: dict[Future[None], Task] = field(default_factory=dict)
    _imported: set[tuple[str, ...]] = field(default_factory=set)
    """What tasks that have ended imported from shared layers."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(self, tasks: Iterable[Task]) -> bool:
        """Run `tasks`; returns, when all have ended, whether all were begun.

        Raises what `perform` and `on_event` raise, and KeyboardInterrupt at once: the caller stops the children.
        """
        # Equal tasks stand for each other, and these are the ones that carry all that is to be done.
        known = {task: task for task in tasks}
        sorter = TopologicalSorter({task: [known[need] for need in task.needs if need in known] for task in known})
        sorter.prepare()
        while sorter.is_active():
            for task in sorter.get_ready():
                entry = (self.order.get(task, 0), task.rank, next(self._numbers), task)
                bisect.insort(self._ready[task.installs], entry)
            self._begin()
            if not self._running:
                return False
            for task in self._ended():
                sorter.done(task)
                self.on_event(TaskEnded(task=task))
        return True

    def _begin(self) -> None:
        """Begin what there is room for."""
        for installs, limit in ((True, self.installs), (False, self.probes)):
            while self._count(installs=installs) < limit and time.monotonic() < self.deadline:
                place = self._next(self._ready[installs])
                if place is None:
                    break
                *_, task = self._ready[installs].pop(place)
                self.on_event(TaskStarted(task=task))
                self._running[self.executor.submit(self.perform, task)] = task

    def _count(self, *, installs: bool) -> int:
        return sum(task.installs is installs for task in self._running.values())

    def _next(self, queue: list[_Entry]) -> int | None:
        """The place in `queue` of the task that begins now: the first that fits and waits for the fewest imports."""
        importing = frozenset[tuple[str, ...]]().union(*(task.imported_alike for task in self._running.values()))
        importing -= self._imported
        fewest: tuple[float, int | None] = (math.inf, None)
        for place, (*_, task) in enumerate(queue):
            if self._fits(task) and (waits_for := len(task.imported_alike & importing)) < fewest[0]:
                fewest = (waits_for, place)
                if waits_for == 0:
                    break
        return fewest[1]

    def _fits(self, task: Task) -> bool:
        running = [other for other in self._running.values() if not other.installs]
        return task.installs or not running or self.memory(task) + sum(map(self.memory, running)) <= self.available

    def _ended(self) -> Iterator[Task]:
        """The tasks that have ended by now, after a moment."""
        # The timeout lets a signal reach the main thread between completions.
        finished, _ = wait(self._running, timeout=0.5, return_when=FIRST_COMPLETED)
        for future in finished:
            task = self._running.pop(future)
            future.result()
            self._imported |= task.imported_alike
            yield task
