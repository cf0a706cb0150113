"""The main path, top to bottom: matrix.toml → cells → locks → tasks → results → verdicts → report.

A library: it prints nothing and asks nothing. What happens is told to a listener; what is decided is returned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import axes as axis_versions
from harness import locks, matrix, plan, tasks
from harness.children import Children
from harness.environments import Environments, closure
from harness.errors import HarnessError, Interrupted
from harness.events import AtStage, Judged, Listener, Note, Resolving, Working
from harness.executors import local
from harness.facts import Facts
from harness.matrix import Matrix
from harness.model import Cell, Setup
from harness.processes import Limits
from harness.report import contract
from harness.report.contract import Report
from harness.schedule import Ended, Started, execute, outstanding
from harness.select import Selection
from harness.sources import Pythons, with_torch_backend
from harness.store import Store
from harness.tasks import CellTasks, Task
from harness.uv import Uv, UvFailure, find_uv
from harness.verdict import Verdict, judge
from harness.worker import Worker


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What the command line says; paths are as given, lists are selection expressions."""

    config: Path = Path("matrix.toml")
    store: Path = Path(".harness")
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    jobs: int | str | None = None
    offline: bool = False
    force: bool = False
    retry_errors: bool = False
    refresh: bool = False
    keep_envs: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A matrix that has been planned and resolved: everything a run needs to know before it installs anything."""

    matrix: Matrix
    axes: Mapping[str, Sequence[str]]
    cells: tuple[tuple[locks.Resolved, CellTasks | None], ...]
    uv: Uv
    store: Store
    facts: Facts
    limits: Limits
    children: Children

    def todo(self) -> list[Task]:
        """The distinct tasks whose results nobody knows yet."""
        return outstanding([cell for _, cell in self.cells if cell], self.facts)

    def verdicts(self) -> list[Verdict]:
        """What is known of every cell now."""
        return [judge(resolved, cell, self.facts, self.matrix.variants) for resolved, cell in self.cells]

    def report(self) -> Report:
        """What is known now, as a report."""
        return contract.build(self.verdicts(), list(self.axes), self.matrix.probe, self.uv.torch_backend)


def run(settings: Settings, listen: Listener, *, given: Path | None = None) -> Report:
    """The whole matrix: prepare, do what is missing, report.

    `given` is the folder of an environment that somebody else made for the one selected cell.

    Raises:
        HarnessError: see errors.py; `Interrupted` carries no report, ask `known` for what was finished.
    """
    prepared = prepare(settings, listen)
    perform(prepared, settings, listen, given=given)
    return prepared.report()


def known(settings: Settings, listen: Listener) -> Report:
    """The report from what the store holds, running nothing."""
    return prepare(settings, listen, ask=False).report()


def listed(settings: Settings) -> list[tuple[Cell, str]]:
    """Every cell of the matrix with the path of its interpreter (or the wanted version where there is none).

    Quick, and asks no network: a selector that no run has resolved yet contributes nothing.
    """
    config = matrix.load(settings.config)
    store = Store(settings.store)
    uv = _uv(settings, config, Children(), offline=True)
    axes = axis_versions.recorded(config, store, uv)
    pythons = Pythons(uv)
    found = {version: pythons.find(version) for version in axes["python"]}
    return [
        (cell, python.path if (python := found.get(cell.python) or pythons.find(cell.python)) else cell.python)
        for cell in plan.cells(config, axes)
    ]


def prepare(settings: Settings, listen: Listener, *, ask: bool = True) -> Prepared:
    """Read, plan and resolve. Without `ask` nothing is asked of an index: what no run has resolved stays unresolved."""
    config = matrix.load(settings.config)
    store = Store(settings.store)
    children = Children()
    limits = Limits(seconds=config.run.time_limit, memory=config.run.memory_limit)
    uv = _uv(settings, config, children, offline=settings.offline or not ask)
    pythons = Pythons(uv)
    file = settings.config.name

    def say(text: str) -> None:
        listen(Note(text=text))

    try:
        wanted = [python for version in config.axes["python"] if (python := pythons.find(version.partition(";")[0]))]
        if ask:
            axes = axis_versions.resolve(config, store, uv, wanted, file=file, refresh=settings.refresh)
        else:
            axes = axis_versions.recorded(config, store, uv, file=file)
        planned = plan.plan(config, axes, Selection.of(settings.select, settings.exclude, axes=list(axes)))

        def resolver(uv: Uv) -> locks.Resolver:
            return locks.Resolver(config, store, uv, pythons.find, file=file, refresh=settings.refresh, ask=ask)

        uv = with_torch_backend(
            uv,
            config.uv.torch_backend,
            store,
            next(iter(wanted), None),
            say,
            suffices=lambda uv: not settings.refresh and resolver(uv).knows(planned),
        )
        resolved = resolver(uv).resolve(
            planned, lambda done, total: listen(Resolving(done=done, total=total, cells=len(planned)))
        )
    except UvFailure as failure:
        raise failure.as_error() from None
    except KeyboardInterrupt:
        children.stop()
        raise Interrupted("interrupted while resolving; locks that were found are kept") from None
    return Prepared(
        matrix=config,
        axes=axes,
        cells=tuple((one, tasks.of_cell(one, config.probe)) for one in resolved),
        uv=uv,
        store=store,
        facts=Facts(store=store, limits=limits),
        limits=limits,
        children=children,
    )


def _uv(settings: Settings, config: Matrix, children: Children, *, offline: bool) -> Uv:
    folder = settings.config.resolve().parent
    return Uv(binary=find_uv(), sources=config.uv, folder=folder, torch_backend=None, offline=offline, children=children)


def perform(prepared: Prepared, settings: Settings, listen: Listener, *, given: Path | None = None) -> None:
    """Do every task that is missing; in the environment at `given`, where somebody made one for the only cell.

    Raises:
        Interrupted: Ctrl-C; results so far are stored, no process is left.
    """
    cells = [cell for _, cell in prepared.cells if cell]
    environments = Environments(prepared.store, prepared.uv)
    python = adopt(environments, given, prepared) if given and cells else None
    tasks.forget(cells, prepared.facts, everything=settings.force, errors=settings.retry_errors)
    todo = prepared.todo()
    open_tasks = _open_tasks(prepared, todo)
    _announce_known(prepared, open_tasks, listen)
    if not todo:
        return
    worker = Worker(
        store=prepared.store,
        facts=prepared.facts,
        environments=environments,
        children=prepared.children,
        limits=prepared.limits,
        given=python,
    )
    jobs = local.jobs(settings.jobs or prepared.matrix.run.jobs)
    listen(Working(tasks=tuple(todo), jobs=jobs, cells=len(prepared.cells)))

    def one(task: Task) -> None:
        worker.perform(task, lambda stage: listen(AtStage(task=task, stage=stage)))

    leases = Counter(parts for task in todo for parts in tasks.environments(task))

    def on_event(event: Started | Ended) -> None:
        listen(event)
        if isinstance(event, Ended):
            _announce_judged(prepared, open_tasks, event.task, listen)
            for parts in tasks.environments(event.task):
                leases[parts] -= 1
                if not leases[parts] and not settings.keep_envs:
                    environments.release(parts)

    executor = local.executor(jobs + 1)
    try:
        execute(
            todo,
            one,
            executor,
            probes=jobs,
            on_event=on_event,
            order=_order(prepared),
        )
    except (KeyboardInterrupt, InterruptedError):
        raise Interrupted("interrupted; what was finished is kept, and the same command goes on from there") from None
    finally:
        prepared.children.stop()
        executor.shutdown(wait=True, cancel_futures=True)
        environments.close(keep=settings.keep_envs)


def adopt(environments: Environments, folder: Path, prepared: Prepared) -> Path:
    """The python of the environment at `folder`, made to hold the lock of the one prepared cell.

    Raises:
        HarnessError: it cannot be made to.
    """
    ((resolved, cell),) = prepared.cells
    if cell is None or resolved.interpreter is None or resolved.lock is None:
        raise HarnessError(f"{resolved.cell.id} has no lock: {resolved.result.status.value} at {resolved.result.stage.value}")
    if resolved.cell.setup is Setup.HANDOFF:
        raise HarnessError(f"{resolved.cell.id} needs two environments and cannot share one; leave out --environment")
    python, result = environments.adopt(folder, closure(resolved.interpreter, resolved.lock))
    if python is None:
        raise HarnessError(
            f"{folder} does not hold the lock of {resolved.cell.id}: {result.error.message if result.error else result.status}"
        )
    for install in cell.installs:
        if prepared.facts.get(install.key) is None:
            prepared.facts.put(install.key, [result])
    return python


def keep(prepared: Prepared) -> list[Path]:
    """The environments of the prepared cells, built where they are not there: one, or export's and run's of a handoff."""
    environments = Environments(prepared.store, prepared.uv)
    folders = []
    for _, cell in prepared.cells:
        if cell and all([environments.ensure(install.closure)[0] for install in cell.installs]):  # noqa: C419 -- build all
            parts = [install.closure for install in cell.installs]
            groups = [tuple(parts)] if cell.together else [(part,) for part in parts]
            folders += [environments.compose(group).parent.parent for group in groups]
    return folders


def _order(prepared: Prepared) -> dict[Task, int]:
    """Task → place of the first cell that needs it."""
    order: dict[Task, int] = {}
    for place, (_, cell) in enumerate(prepared.cells):
        for task in cell.all if cell else ():
            order.setdefault(task, place)
    return order


def _open_tasks(prepared: Prepared, todo: Sequence[Task]) -> dict[str, set[Task]]:
    """Cell id → the tasks it still waits for."""
    missing = set(todo)
    return {resolved.cell.id: missing.intersection(cell.all if cell else ()) for resolved, cell in prepared.cells}


def _announce_known(prepared: Prepared, open_tasks: Mapping[str, set[Task]], listen: Listener) -> None:
    for resolved, cell in prepared.cells:
        if not open_tasks[resolved.cell.id]:
            listen(Judged(verdict=judge(resolved, cell, prepared.facts, prepared.matrix.variants)))


def _announce_judged(prepared: Prepared, open_tasks: Mapping[str, set[Task]], ended: Task, listen: Listener) -> None:
    for resolved, cell in prepared.cells:
        waiting = open_tasks[resolved.cell.id]
        if ended in waiting:
            waiting.discard(ended)
            if not waiting:
                listen(Judged(verdict=judge(resolved, cell, prepared.facts, prepared.matrix.variants)))
