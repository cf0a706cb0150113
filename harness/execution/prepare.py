"""Before anything is installed: read the matrix, plan its cells, decide on sources, resolve every cell."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from harness.environments import checkpoints
from harness.environments import published_versions as axis_versions
from harness.environments import resolver as locks
from harness.environments.index_answers import IndexAnswers
from harness.environments.layers import closure
from harness.environments.sources import Pythons, with_torch_backend
from harness.environments.uv import variables
from harness.environments.uv.client import Uv, find_uv
from harness.environments.uv.errors import UvFailure
from harness.environments.uv.run_cache import RunCache
from harness.errors import Interrupted, ShardError
from harness.execution import shards
from harness.execution.events import Damage, Dealt, Listener, Note, Resolving
from harness.execution.scheduler import outstanding
from harness.matrix import load, plan
from harness.matrix.schema import Matrix
from harness.matrix.selection import Selection
from harness.model import Cell, Limits, Setup
from harness.store import scratch
from harness.store.access import Access
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks import keys, probe_snapshot, tasks
from harness.tasks.records import Records
from harness.tasks.tasks import CellTasks, Task
from harness.verdicts import control_model, cross_checks
from harness.verdicts.judge import Verdict, judge


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What the command line says; paths are as given, lists are selection expressions."""

    config: Path = Path("matrix.toml")
    store: Path | str = Path(".harness")
    """A folder, or a URL that fsspec knows."""
    executor: str = "local"
    """Or `dask`, or `dask:ADDRESS`."""
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    cell: str | None = None
    """The id, or a pattern for it, of the only cell that is asked for."""
    shard: shards.Shard | None = None
    """The share of the cells that this process does; None for all."""
    jobs: int | str | None = None
    offline: bool = False
    force: bool = False
    retry: tuple[str, ...] = ()
    """Statuses (`error`, `flaky`): what has one of them is run again."""
    refresh: bool = False
    keep_envs: bool = False
    model: str | None = None
    """Instead of `[probe] model`; a folder is taken from the current one."""
    profile: str | None = None
    strategy: str = "full"
    """`pairwise` asks few cells, and those that what they say makes interesting (execution/search/search.py)."""
    audit: float = 0.0
    """The share of the cells that is done again from scratch, to be compared (audit.py)."""
    budget: float | None = None
    """Seconds after which nothing more is begun."""
    remedies: bool = True
    """Whether changes are tried on what fails, and reported."""
    close_boundaries: tuple[str, ...] | None = None
    """The axes on which the boundaries of rules are closed (diagnose/rules/boundaries.py): none of them stands for all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A matrix that has been planned and resolved: everything a run needs to know before it installs anything."""

    matrix: Matrix
    axes: Mapping[str, Sequence[str]]
    cells: tuple[tuple[locks.Resolved, CellTasks | None], ...]
    uv: Uv
    store: Store
    answers: IndexAnswers
    """What indexes answered, as far as this run believes it."""
    facts: Records
    limits: Limits
    children: Supervisor
    runtimes: cross_checks.Runtimes
    """What else is asked where an onnxruntime fails: the two newest of the matrix, whatever is selected."""
    deadline: float = math.inf
    """When nothing more is begun, by the monotonic clock."""

    def todo(self, cells: Sequence[tuple[locks.Resolved, CellTasks | None]]) -> list[Task]:
        """The distinct tasks of `cells` whose results nobody knows yet."""
        return outstanding((task for _, cell in cells if cell for task in cell.all), self.facts)

    @property
    def tasks(self) -> list[CellTasks]:
        """The tasks of every cell that has a lock."""
        return [cell for _, cell in self.cells if cell]

    def opinions(self) -> list[Task]:
        """The tasks of a second opinion on what is known to have failed; some may be known too."""
        return list(cross_checks.wanted(self.tasks, self.facts, self.runtimes))

    def relatives(self) -> list[Task]:
        """The tasks of the same cells with another model, where nothing works; some may be known too."""
        return control_model.wanted(self.judged(), self.matrix.probe)

    def verdicts(self) -> list[Verdict]:
        """What is known of every cell now."""
        return control_model.told(self.judged(), self.facts, self.matrix)

    def judged(self, *, opinions: bool = True) -> list[Verdict]:
        """The same where no other model was asked; without `opinions` where no other runtime was asked either."""
        runtimes = self.runtimes if opinions else None
        return [judge(resolved, cell, self.facts, self.matrix.variants, runtimes) for resolved, cell in self.cells]


def prepare(settings: Settings, listen: Listener, *, ask: bool = True, access: Access = Access.REMOVE) -> Prepared:
    """Read, plan and resolve. Without `ask` nothing is asked of an index: what no run has resolved stays unresolved."""
    deadline = math.inf if settings.budget is None else time.monotonic() + settings.budget
    if settings.shard and settings.strategy != "full":
        raise ShardError("--shard deals out every cell, and a search chooses as it goes: leave out --strategy or --shard")
    config, store, uv = _opened(settings, listen, ask=ask, access=access)
    pythons = Pythons(uv)
    limits = Limits(seconds=config.run.time_limit, memory=config.run.memory_limit)
    file = settings.config.name
    # Where nobody is asked, nothing can be resolved anew: what is known stands.
    refresh = settings.refresh and ask
    answers = _answers(settings, store, uv, listen, ask=ask)

    def say(text: str) -> None:
        listen(Note(text=text))

    try:
        wanted = pythons.present(config.axes["python"])
        if ask:
            axes = axis_versions.resolve(config, answers, uv, wanted, file=file)
        else:
            axes = axis_versions.recorded(config, answers, uv, wanted, file=file)
        planned = plan.plan(config, axes, Selection.of(settings.select, settings.exclude, axes=list(axes)))
        if settings.cell is not None:
            planned = plan.only(planned, settings.cell)
        uv = with_torch_backend(uv, config.uv.torch_backend, store, next(iter(wanted), None), say, refresh=refresh)
        resolver = locks.Resolver(config, answers, uv, pythons.find, file=file, ask=ask)
        resolved = resolver.resolve(planned, lambda done, total: listen(Resolving(done=done, total=total, cells=len(planned))))
        for change, ids in resolver.changes.items():
            say(f"resolved otherwise than before: {change} ({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})")
        runtimes = _newest_runtimes(config, axes, resolver, {one.cell.python for one in planned})
        cells = list(zip(resolved, tasks.of_cells(resolved, config.probe), strict=True))
        if settings.shard:
            cells = shards.share(cells, settings.shard)
            listen(Dealt(shard=settings.shard, cells=len(cells), of=len(resolved)))
    except UvFailure as failure:
        raise failure.as_error() from None
    except KeyboardInterrupt:
        uv.children.stop()
        raise Interrupted("interrupted while resolving; locks that were found are kept") from None
    return Prepared(
        matrix=config,
        axes=axes,
        cells=tuple(cells),
        uv=uv,
        store=store,
        answers=answers,
        facts=Records(store=store, limits=limits),
        limits=limits,
        children=uv.children,
        runtimes=runtimes,
        deadline=deadline,
    )


def workbench(settings: Settings, listen: Listener) -> Prepared:
    """A matrix's sources, probe and limits, and none of its cells: what a question about other cells needs (laboratory.py).

    Raises:
        HarnessError: as `prepare` does.
    """
    config, store, uv = _opened(settings, listen, ask=True, access=Access.REMOVE)
    limits = Limits(seconds=config.run.time_limit, memory=config.run.memory_limit)
    answers = _answers(settings, store, uv, listen, ask=True)
    python = next(iter(Pythons(uv).present(config.axes["python"])), None)
    try:
        uv = with_torch_backend(
            uv, config.uv.torch_backend, store, python, lambda text: listen(Note(text=text)), refresh=settings.refresh
        )
    except UvFailure as failure:
        raise failure.as_error() from None
    return Prepared(
        matrix=config,
        axes=config.axes,
        cells=(),
        uv=uv,
        store=store,
        answers=answers,
        facts=Records(store=store, limits=limits),
        limits=limits,
        children=uv.children,
        runtimes={},
    )


def _answers(settings: Settings, store: Store, uv: Uv, listen: Listener, *, ask: bool) -> IndexAnswers:
    """What indexes answered; a run that asks none although there are some says so."""
    provisional = uv.offline and uv.asks_index
    if ask and provisional:
        text = "offline: no index is asked; what is resolved now is what uv's cache holds, and newer versions may be published"
        listen(Note(text=text))
    return IndexAnswers(store, refresh=settings.refresh and ask, provisional=provisional)


def _opened(settings: Settings, listen: Listener, *, ask: bool, access: Access) -> tuple[Matrix, Store, Uv]:
    """The matrix with the model that is asked about, its store, and uv with its sources."""
    config = load.load(settings.config)
    keys.read_anew()
    if settings.model or settings.profile:
        config = load.with_model(config, settings.model or config.probe.model, "--model", Path.cwd(), settings.profile)
    store = Store.open(settings.store, access=access, note=lambda text: listen(Damage(text=text)))
    uv = _uv(settings, config, Supervisor(), offline=settings.offline or variables.offline() or not ask)
    uv = replace(uv, run_cache=RunCache(store.scratch), temporary=store.temporary)
    file = settings.config.name
    if hub_id := config.probe.hub_id:
        folder = checkpoints.checkpoint(hub_id, store, uv, file=file, refresh=settings.refresh and ask)
        config = load.with_model(config, str(folder), file, folder)
    if access is Access.REMOVE:
        config = config.model_copy(update={"probe": probe_snapshot.of(config.probe, store)})
    return config, store, uv


def _newest_runtimes(
    config: Matrix, axes: Mapping[str, Sequence[str]], resolver: locks.Resolver, pythons: set[str]
) -> cross_checks.Runtimes:
    """For each of `pythons` the two newest onnxruntimes in the whole matrix of which a lock is known."""
    cells: dict[str, dict[Version, list[plan.Planned]]] = {}
    for one in plan.plan(config, axes, Selection.of((), (), axes=list(axes))):
        runtime = one.cell.version("onnxruntime")
        if runtime is not None and one.cell.python in pythons:
            cells.setdefault(one.cell.python, {}).setdefault(Version(runtime), []).append(one)
    closures = []
    for by_version in cells.values():
        there = 0
        for version in sorted(by_version, reverse=True):
            resolved = resolver.known(by_version[version])
            found = [closure(one.interpreter, one.run) for one in resolved if one.interpreter and one.run]
            closures += found
            there += bool(found)
            if there == 2:
                break
    return cross_checks.newest(closures)


def _uv(settings: Settings, config: Matrix, children: Supervisor, *, offline: bool) -> Uv:
    folder = settings.config.resolve().parent
    return Uv(binary=find_uv(), sources=config.uv, folder=folder, torch_backend=None, offline=offline, children=children)


def listed(settings: Settings) -> list[tuple[Cell, str]]:
    """The cells that one environment can hold, each with the path of its interpreter (or the wanted version: there is none).

    Quick, makes no folders and asks no network: a selector that no run has resolved yet contributes nothing.
    """
    config, axes, pythons = _recorded(settings, file=None)
    found = {version: pythons.find(version) for version in axes["python"]}
    return [
        (cell, python.path if (python := found.get(cell.python) or pythons.find(cell.python)) else cell.python)
        for cell in plan.cells(config, axes)
        if cell.setup is Setup.TOGETHER
    ]


def selected(settings: Settings) -> tuple[list[str], list[str]]:
    """(ids of the selected cells in the matrix's order, names of its axes), as quickly; a selector must have been resolved."""
    config, axes, _ = _recorded(settings, file=settings.config.name)
    planned = plan.plan(config, axes, Selection.of(settings.select, settings.exclude, axes=list(axes)))
    return [one.cell.id for one in planned], list(axes)


def _recorded(settings: Settings, *, file: str | None) -> tuple[Matrix, dict[str, list[str]], Pythons]:
    """The matrix, its axes as far as known (see `axes.recorded`), and the interpreters."""
    config = load.load(settings.config)
    uv = _uv(settings, config, Supervisor(), offline=True)
    pythons = Pythons(uv)
    with scratch.temporary() as empty:
        store = Store.open(settings.store if Path(settings.store).is_dir() else empty, access=Access.ADD)
        try:
            known = IndexAnswers(store, provisional=uv.asks_index)
            axes = axis_versions.recorded(config, known, uv, pythons.present(config.axes["python"]), file=file)
        except UvFailure as failure:
            raise failure.as_error() from None
    return config, axes, pythons
