"""Measures where the time of a run went, against the floor: the CPU time of what had to be done, over all cores.

What the children of a local run used is known from the operating system, which adds up all that were waited for; of a
run by dask's workers only the times of the tasks are known.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from harness.execution.events import AtStage, Event, Listener, Working
from harness.execution.scheduler import TaskEnded, TaskStarted
from harness.tasks.interface import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSpan:
    """What a task was at, in seconds since the run began."""

    name: str
    """A stage, and the variant if it is about one; `elsewhere` while a worker of dask has the task."""
    began: float
    ended: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpan:
    """One task, in seconds since the run began."""

    task: Task
    began: float
    ended: float
    stages: tuple[StageSpan, ...] = ()
    cells: tuple[str, ...] = ()
    """Ids of the cells that needed it."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """A run that is over; everything in seconds."""

    wall: float
    cpu: float
    """Of the harness and of all children that it waited for."""
    own_cpu: float
    """Of the harness alone."""
    prepared: float
    """Until the first task could begin: matrix, axes, locks."""
    jobs: int
    """Probes at once."""
    cores: int
    spans: tuple[TaskSpan, ...]

    @property
    def floor(self) -> float:
        """What all this work takes on all cores at once."""
        return self.cpu / self.cores

    def busy(self, *, installs: bool) -> float:
        """The time that all lanes of installs, or all of probes, together had something to do."""
        return sum(span.seconds for span in self.spans if span.task.installs is installs)

    @property
    def probing(self) -> tuple[float, float]:
        """From when to when probes ran."""
        probes = [span for span in self.spans if not span.task.installs]
        return (min(span.began for span in probes), max(span.ended for span in probes)) if probes else (0.0, 0.0)


@dataclass(kw_only=True, slots=True)
class Stopwatch:
    """Records when tasks begin and end, and passes every event on."""

    listen: Listener
    cores: int
    clock: Callable[[], float] = time.monotonic
    _began: float = 0.0
    _first: float | None = None
    _jobs: int = 1
    _open: dict[Task, float] = field(default_factory=dict)
    _stages: dict[Task, list[tuple[str, float]]] = field(default_factory=dict)
    """Running task → its stages with their beginnings."""
    _cells: dict[Task, Sequence[str]] = field(default_factory=dict)
    _spans: list[TaskSpan] = field(default_factory=list)
    _used: tuple[float, float] = (0.0, 0.0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._began, self._used = self.clock(), _cpu()

    def on_event(self, event: Event) -> None:
        """Note when a task begins and ends."""
        now = self.clock() - self._began
        with self._lock:
            match event:
                case Working():
                    self._jobs = event.jobs
                    self._first = now if self._first is None else self._first
                    self._cells.update(event.needed_by)
                case TaskStarted():
                    self._open[event.task] = now
                case AtStage():
                    self._stages.setdefault(event.task, []).append((event.stage, now))
                case TaskEnded():
                    self._spans.append(self._ended(event.task, now))
                case _:
                    pass
        self.listen(event)

    def _ended(self, task: Task, now: float) -> TaskSpan:
        stages = [*self._stages.pop(task, []), ("", now)]
        return TaskSpan(
            task=task,
            began=self._open.pop(task, now),
            ended=now,
            stages=tuple(StageSpan(name=name, began=began, ended=end) for (name, began), (_, end) in pairwise(stages)),
            cells=tuple(self._cells.get(task, ())),
        )

    def timings(self) -> Timings:
        """What it came to, now."""
        wall = self.clock() - self._began
        own, children = (now - before for now, before in zip(_cpu(), self._used, strict=True))
        return Timings(
            wall=wall,
            cpu=own + children,
            own_cpu=own,
            prepared=wall if self._first is None else self._first,
            jobs=self._jobs,
            cores=self.cores,
            spans=tuple(self._spans),
        )


def _cpu() -> tuple[float, float]:
    """CPU seconds of (this process, its children that have ended)."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own, children = (usage.ru_utime + usage.ru_stime for usage in used)
    return own, children
