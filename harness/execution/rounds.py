"""Doing what is missing: rounds of tasks over an executor, and environments made for them or entered by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.environments.environments import Environments
from harness.environments.layers import Closure, closure
from harness.environments.resolver import Resolved
from harness.errors import HarnessError, interruptible
from harness.execution import executors
from harness.execution.events import AtStage, Judged, Listener, Note, Working
from harness.execution.executors import Crew, local
from harness.execution.prepare import Prepared, Settings
from harness.execution.scheduler import TaskEnded, TaskStarted, execute, outstanding
from harness.execution.search.search import CellSearch
from harness.model import Setup
from harness.tasks.memory import Memory
from harness.tasks.pending import repeat
from harness.tasks.tasks import CellTasks, Run, Task, environments, with_layers
from harness.verdicts import cross_checks
from harness.verdicts.judge import judge


def perform(prepared: Prepared, settings: Settings, listen: Listener, *, folder: Path | None = None) -> dict[str, str]:
    """Do every task that is missing and asked for; in the environment at `folder`, where somebody made one for the only cell.

    Returns cell → why it was left out.

    Raises:
        Interrupted: Ctrl-C; results so far are stored, no process is left.
    """
    if settings.force or settings.retry:
        known = [task for cell in prepared.tasks for task in cell.all]
        known += [*prepared.opinions(), *prepared.relatives()]
        repeat(known, prepared.facts, everything=settings.force, statuses=settings.retry)
    crew = hire(prepared, settings, folder)
    try:
        with interruptible():
            rounds = Rounds(prepared, crew, settings, listen)
            search = CellSearch(prepared, settings)
            in_time = True
            while in_time and (cells := search.next()):
                todo = prepared.todo(cells)
                rounds.take(cells, todo)
                in_time = rounds.do(todo)
            if in_time:
                rounds.do(outstanding([*prepared.opinions(), *prepared.relatives()], prepared.facts))
            else:
                listen(Note(text="the budget is over; what is left was not begun"))
            return search.left_out(over=not in_time)
    finally:
        close(crew, listen, keep=settings.keep_envs)


def close(crew: Crew | Environments, listen: Listener, *, keep: bool) -> None:
    """Close it; what cannot be cleaned up is a note, and keeps no result from being reported."""
    try:
        crew.close(keep=keep)
    except Exception as error:  # noqa: BLE001 -- whatever it is, everything is done by now
        listen(Note(text=f"not everything could be cleaned up: {error or type(error).__name__}"))


def hire(prepared: Prepared, settings: Settings, folder: Path | None) -> Crew:
    """Who is to do the tasks, as `--executor` says."""
    if settings.executor != "local":
        crew: Crew = executors.with_dask().Dask(prepared, settings)
        return crew
    made = Environments(prepared.store, prepared.uv)
    try:
        return local.Local(
            store=prepared.store,
            facts=prepared.facts,
            environments=made,
            children=prepared.children,
            limits=prepared.limits,
            given=adopt(made, folder, prepared) if folder and prepared.tasks else {},
        )
    except BaseException:
        made.close(keep=settings.keep_envs)
        raise


class Rounds:
    """Does tasks and announces cells; environments go as soon as no task needs them, of this round or, likely, the next."""

    def __init__(self, prepared: Prepared, crew: Crew, settings: Settings, listen: Listener) -> None:
        self._prepared = prepared
        self._crew = crew
        self._settings = settings
        self._listen = listen
        self._cells: dict[str, tuple[Resolved, CellTasks | None]] = {}
        """Those that were asked for, in the order in which they are to be done."""
        self._open: dict[str, set[Task]] = {}
        self._memory = Memory(prepared.matrix.probe, prepared.facts)
        self._leases: Counter[tuple[Closure, ...]] = Counter()
        self._wanted: set[tuple[Closure, ...]] = set()
        """Where a second opinion will be asked for."""

    def take(self, cells: Sequence[tuple[Resolved, CellTasks | None]], todo: Sequence[Task]) -> None:
        """Announce those of `cells` that do not wait for any of `todo`; the others follow when their last task has ended."""
        missing = set(todo)
        for resolved, cell in cells:
            self._cells[resolved.cell.id] = (resolved, cell)
            self._open[resolved.cell.id] = missing.intersection(cell.all if cell else ())
            if not self._open[resolved.cell.id]:
                self._announce(resolved, cell)

    def do(self, todo: Sequence[Task]) -> bool:
        """Do `todo`, as far as the budget reaches; returns when no child is left, and whether all of it was begun."""
        if not todo:
            return True
        jobs, installs = self._crew.lanes(self._settings.jobs or self._prepared.matrix.run.jobs)
        self._listen(Working(tasks=tuple(todo), jobs=jobs, cells=len(self._cells)))
        self._leases = Counter(parts for task in todo for parts in _held(task))
        self._wanted = set()
        executor = local.executor(jobs + installs)
        try:
            return execute(
                todo,
                self._one,
                executor,
                probes=jobs,
                installs=installs,
                on_event=self._hear,
                order=self._order(),
                deadline=self._prepared.deadline,
                memory=self._memory.needed,
                available=self._crew.memory(),
            )
        except BaseException:
            self._crew.stop()
            raise
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _one(self, task: Task) -> None:
        self._crew.perform(task, lambda stage: self._listen(AtStage(task=task, stage=stage)))

    def _hear(self, event: TaskStarted | TaskEnded) -> None:
        self._listen(event)
        if not isinstance(event, TaskEnded):
            return
        self._memory.learn(event.task)
        for resolved, cell in self._cells.values():
            waiting = self._open[resolved.cell.id]
            if event.task in waiting:
                waiting.discard(event.task)
                if not waiting:
                    self._announce(resolved, cell)
        if isinstance(event.task, Run) and cross_checks.unexplained(event.task, self._prepared.facts):
            self._wanted.update([*with_layers(event.task.export.closure), *with_layers(event.task.closure)])
        for parts in _held(event.task):
            self._leases[parts] -= 1
            if not self._leases[parts] and parts not in self._wanted and not self._settings.keep_envs:
                self._crew.release(parts)

    def _announce(self, resolved: Resolved, cell: CellTasks | None) -> None:
        verdict = judge(resolved, cell, self._prepared.facts, self._prepared.matrix.variants)
        self._listen(Judged(verdict=verdict))

    def _order(self) -> dict[Task, int]:
        """Task → place of the first cell that needs it."""
        order: dict[Task, int] = {}
        for place, (_, cell) in enumerate(self._cells.values()):
            for task in cell.all if cell else ():
                order.setdefault(task, place)
        return order


def _held(task: Task) -> list[tuple[Closure, ...]]:
    """What `task` keeps from being released: its environments, and where the evaluator would be asked if a run fails."""
    return [*environments(task), *(with_layers(task.export.closure) if isinstance(task, Run) else ())]


def adopt(made: Environments, folder: Path, prepared: Prepared) -> dict[str, Path]:
    """Closure key → python of the environment at `folder`, made to hold the lock of the one prepared cell.

    Raises:
        HarnessError: it cannot be made to.
    """
    ((resolved, cell),) = prepared.cells
    if cell is None or resolved.interpreter is None or resolved.lock is None:
        raise HarnessError(f"{resolved.cell.id} has no lock: {resolved.result.status.value} at {resolved.result.stage.value}")
    if resolved.cell.setup is Setup.HANDOFF:
        raise HarnessError(f"{resolved.cell.id} needs two environments and cannot share one; leave out --environment")
    python, result = made.adopt(folder, closure(resolved.interpreter, resolved.lock))
    if python is None:
        raise HarnessError(
            f"{folder} does not hold the lock of {resolved.cell.id}: {result.error.message if result.error else result.status}"
        )
    for install in cell.installs:
        if prepared.facts.get(install.key) is None:
            prepared.facts.put(install.key, [result])
    return {install.closure.key: python for install in cell.installs}


def keep(prepared: Prepared) -> list[Path]:
    """The environments of the prepared cells, built where they are not there: one, or export's and run's of a handoff."""
    made = Environments(prepared.store, prepared.uv)
    folders = []
    try:
        for _, cell in prepared.cells:
            if cell and all([made.ensure(install.closure)[0] for install in cell.installs]):  # noqa: C419 -- build all
                parts = [install.closure for install in cell.installs]
                groups = [tuple(parts)] if cell.together else [(part,) for part in parts]
                folders += [made.compose(group).parent.parent for group in groups]
    finally:
        made.close(keep=True)
    return folders
