"""One round of tasks over an executor: announces the cells that are finished, releases the environments nobody needs."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from harness.execution.events import AtStage, Judged, Listener, Working
from harness.execution.executors.interface import TaskExecutor
from harness.execution.scheduler import Scheduler, TaskEnded, TaskStarted
from harness.execution.work import CellWork, Origin, Work
from harness.matrix.schema import Variants
from harness.tasks.graph_run import Run
from harness.tasks.interface import Parts, Task
from harness.tasks.memory_need import Memory
from harness.tasks.records import Records
from harness.verdicts.cross_checks import failures
from harness.verdicts.judge import judge

_UNCOUNTED = frozenset({Origin.TRIAL, Origin.ONCE_MORE})


@dataclass(kw_only=True, slots=True)
class Round:
    """Runs the tasks of one `Work`."""

    work: Work
    executor: TaskExecutor
    jobs: int | str
    records: Records
    variants: Variants
    memory: Memory
    listen: Listener
    deadline: float
    """When no more tasks begin, by the monotonic clock."""
    keep_all: bool
    """Whether environments stay because they will be needed again."""
    announced: int
    """Cells of the matrix that earlier rounds have announced."""
    kept: set[Parts]
    """Environments that stay, because another export or a cross-check will need them; this round adds its own."""
    _waiting: list[set[Task]] = field(default_factory=list)
    """For each cell its tasks that have not ended."""
    _leases: Counter[Parts] = field(default_factory=Counter)
    """Environment → tasks that still need it."""

    def run(self) -> bool:
        """Run the tasks until the budget ends; returns, when no child is left, whether all of them began."""
        todo = set(self.work.tasks)
        self._waiting = [todo.intersection(cell.all if cell else ()) for _, cell in self.work.cells]
        for cell, waiting in zip(self.work.cells, self._waiting, strict=True):
            if not waiting:
                self._announce(cell)
        if not todo:
            return True
        jobs, installs = self.executor.lanes(self.jobs)
        counted = self.announced + len(self.work.cells) if self.work.origin is Origin.MATRIX else 0
        places = self._places()
        self.listen(
            Working(
                tasks=self.work.tasks,
                jobs=jobs,
                cells=counted,
                needed_by={task: [self.work.cells[place][0].cell.id for place in each] for task, each in places.items()},
                trial=self.work.origin in _UNCOUNTED,
            )
        )
        self._leases = Counter(parts for task in self.work.tasks for parts in task.held)
        threads = ThreadPoolExecutor(jobs + installs, thread_name_prefix="task")
        try:
            return Scheduler(
                perform=self._perform,
                executor=threads,
                probes=jobs,
                installs=installs,
                on_event=self._on_event,
                order={task: each[0] for task, each in places.items()},
                deadline=self.deadline,
                memory=self.memory.needed,
                available=self.executor.memory(),
            ).run(self.work.tasks)
        except BaseException:
            self.executor.stop()
            raise
        finally:
            threads.shutdown(wait=True, cancel_futures=True)

    def _perform(self, task: Task) -> None:
        self.executor.perform(task, lambda stage: self.listen(AtStage(task=task, stage=stage)))

    def _on_event(self, event: TaskStarted | TaskEnded) -> None:
        self.listen(event)
        if not isinstance(event, TaskEnded):
            return
        self.memory.learn(event.task)
        for cell, waiting in zip(self.work.cells, self._waiting, strict=True):
            if event.task in waiting:
                waiting.discard(event.task)
                if not waiting:
                    self._announce(cell)
        if not self.keep_all:
            self._release(event.task)

    def _release(self, task: Task) -> None:
        if isinstance(task, Run) and failures(task, self.records):
            self.kept.update(task.held)
        for parts in task.held:
            self._leases[parts] -= 1
            if not self._leases[parts] and parts not in self.kept:
                self.executor.release(parts)

    def _announce(self, cell: CellWork) -> None:
        if self.work.origin not in _UNCOUNTED:
            verdict = judge(*cell, self.records, self.variants)
            self.listen(Judged(verdict=verdict, extra=self.work.origin is not Origin.MATRIX))

    def _places(self) -> dict[Task, list[int]]:
        """Task → places of the cells that need it, in their order."""
        places: dict[Task, list[int]] = {}
        for place, (_, cell) in enumerate(self.work.cells):
            for task in cell.all if cell else ():
                places.setdefault(task, []).append(place)
        return places
