"""Before anything is installed: read the matrix, plan its cells, decide on sources, resolve every cell."""

from __future__ import annotations

import math
import pkgutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.version import Version

from harness.environments import checkpoints, providers, published_versions
from harness.environments.index_answers import IndexAnswers
from harness.environments.interface import ProviderFailure
from harness.environments.layers import closure
from harness.environments.resolver import Resolver
from harness.environments.sources import NOT_NOW, Pythons, downloads_refused, with_torch_backend
from harness.environments.uv import variables
from harness.environments.uv.client import Uv
from harness.environments.uv.run_cache import RunCache
from harness.errors import Interrupted, SelectionError, ShardError, did_you_mean
from harness.execution import shards, unpublished
from harness.execution.cell_lists import client
from harness.execution.events import Damage, Dealt, Listener, Note, Resolving
from harness.execution.process import sandbox
from harness.execution.session import Session
from harness.execution.settings import Settings
from harness.execution.work import EveryCell, Strategy
from harness.matrix import load, plan
from harness.matrix.schema import Matrix
from harness.matrix.selection import Selection
from harness.model import Limits
from harness.stack import RUNTIME, RuntimeVersion
from harness.store.access import Access
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks import cell_tasks, keys, probe_snapshot
from harness.tasks.records import Records
from harness.verdicts import cross_checks


def opened(settings: Settings, listen: Listener, *, acts: bool = True, access: Access = Access.REMOVE) -> Session:
    """A session with the cells of the matrix: read, planned and resolved.

    Without `acts` no index is asked: a cell that no run has resolved stays unresolved.

    Raises:
        HarnessError: see errors.py.
    """
    if settings.shard and settings.strategy != "full":
        raise ShardError("--shard deals out every cell, and a search chooses as it goes: leave out --strategy or --shard")
    deadline = math.inf if settings.budget is None else time.monotonic() + settings.budget
    session = _opened(settings, listen, acts=acts, access=access)
    session.deadline = deadline
    config = session.matrix
    try:
        planned = _planned(session)
        for python in dict.fromkeys(item.cell.python for item in planned):
            session.pythons.find(python)
        _choose_torch_index(session)
        resolver = Resolver(
            config,
            session.answers,
            session.uv,
            session.pythons,
            file=settings.config.name,
            ask=acts,
            packages=session.packages,
        )
        resolved = resolver.resolve(planned, lambda done, total: listen(Resolving(done=done, total=total, cells=len(planned))))
        for text in unpublished.notes(session, resolved) if acts else ():
            listen(Note(text=text))
        for change, ids in resolver.changes.items():
            listen(Note(text=f"resolved otherwise than before: {change} ({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})"))
        session.runtimes = _cross_checking(session, planned, resolver)
        cells = list(zip(resolved, cell_tasks.of_cells(resolved, config.probe), strict=True))
        if settings.shard:
            cells = shards.share(cells, settings.shard)
            listen(Dealt(shard=settings.shard, cells=len(cells), of=len(resolved)))
        session.cells = tuple(cells)
    except ProviderFailure as failure:
        raise failure.as_error() from None
    except KeyboardInterrupt:
        session.supervisor.stop()
        raise Interrupted("interrupted while resolving; locks that were found are kept") from None
    return session


def _planned(session: Session) -> list[plan.Planned]:
    """The cells of the matrix that are selected; sets the axes of `session`, selectors resolved."""
    settings, config = session.settings, session.matrix
    selection = Selection.of(settings.select, settings.exclude, axes=list(config.axes))
    if any(";" in value for values in config.axes.values() for value in values):
        # A selector keeps what has a file for one of the interpreters: they must be there before it is resolved.
        for version in config.axes["python"]:
            if selection.may_admit("python", version):
                session.pythons.find(version)
    present = session.pythons.present(config.axes["python"])
    versions = published_versions.resolve if session.acts else published_versions.recorded
    session.axes = versions(config, session.answers, session.uv, present, file=settings.config.name, packages=session.packages)
    for axis, why in published_versions.left_out(config, session.axes, session.packages):
        session.note(f"{axis}: what its selectors stand for is not known, and they are left out: {why}")
    _require_axes(settings.close_boundaries or (), session.axes)
    planned = plan.plan(config, session.axes, selection)
    return planned if settings.cell is None else plan.only(planned, settings.cell)


def _require_axes(names: Sequence[str], axes: Iterable[str]) -> None:
    """Raise SelectionError if one of `names` is no axis whose versions an index has."""
    able = [axis for axis in axes if axis != "python"]
    for name in names:
        if name not in able:
            raise SelectionError(
                f"--close-boundaries names {name!r}, which is no axis of distributions{did_you_mean(name, able)}"
            )


def opened_without_cells(settings: Settings, listen: Listener) -> Session:
    """A session with the sources, probe and limits of a matrix, and none of its cells.

    Raises:
        HarnessError: as `opened` does.
    """
    session = _opened(settings, listen, acts=True, access=Access.REMOVE)
    try:
        _choose_torch_index(session)
    except ProviderFailure as failure:
        raise failure.as_error() from None
    return session


def _opened(settings: Settings, listen: Listener, *, acts: bool, access: Access) -> Session:
    """The matrix with the model under test, its store, and uv with its sources."""
    config = load.load(settings.config, note=lambda text: listen(Note(text=text)))
    keys.read_anew()
    if settings.model or settings.profile:
        config = load.with_model(config, settings.model or config.probe.model, "--model", Path.cwd(), settings.profile)
    store = Store.open(settings.store, access=access, note=lambda text: listen(Damage(text=text)))
    supervisor = Supervisor()
    offline = settings.offline or variables.offline()
    uv = client(settings, config, supervisor, offline=offline or not acts)
    uv = replace(uv, run_cache=RunCache(store.scratch), temporary=store.temporary)
    runs = access is Access.REMOVE
    config = _with_checkpoint(config, settings, store, uv, refresh=settings.refresh and acts, runs=runs)
    refused = downloads_refused(config.run.python_downloads, offline=offline) or (None if runs else NOT_NOW)
    limits = Limits(seconds=config.run.time_limit, memory=config.run.memory_limit, disk=_disk_limit(config))
    return Session(
        settings=settings,
        matrix=config,
        axes=config.axes,
        cells=(),
        uv=uv,
        packages=providers.opened(
            providers.kinds(config.axes), supervisor, store.temporary, offline=settings.offline or not acts
        ),
        pythons=Pythons(uv, refused=refused, note=lambda text: listen(Note(text=text))),
        store=store,
        answers=_answers(settings, store, uv, listen, acts=acts, asks=bool(providers.kinds(config.axes))),
        records=Records(store=store, limits=limits, unconfined=settings.sandbox == sandbox.OFF),
        limits=limits,
        supervisor=supervisor,
        sandbox=_sandbox(settings, listen) if runs else None,
        listen=listen,
        acts=acts,
        strategy=_strategy(settings, config),
    )


def _with_checkpoint(config: Matrix, settings: Settings, store: Store, uv: Uv, *, refresh: bool, runs: bool) -> Matrix:
    """`config` with what its probe reads where it is now: a checkpoint on the hub in the store, a copy of a probe module."""
    file = settings.config.name
    if hub_id := config.probe.hub_id:
        allow = settings.allow_pickle
        folder = checkpoints.checkpoint(hub_id, store, uv, file=file, refresh=refresh, installs=runs, allow_pickle=allow)
        config = load.with_model(config, str(folder), file, folder)
    if runs and config.probe.checkpoint and not settings.allow_pickle:
        checkpoints.require_no_pickle(Path(config.probe.checkpoint), file)
    return config.model_copy(update={"probe": probe_snapshot.of(config.probe, store)}) if runs else config


def _sandbox(settings: Settings, listen: Listener) -> sandbox.Sandbox | None:
    """What confines the probes of this machine; says what it lacks, unless none is wanted. Raises SandboxError."""
    found = sandbox.of(settings.sandbox)
    if found and found.gaps:
        listen(Note(text=f"probes are confined by {found.words} alone: {'; '.join(found.gaps)} (docs/security.md)"))
    elif found is None and settings.sandbox != sandbox.OFF:
        listen(Note(text="probes are not confined: this machine has neither Landlock nor user namespaces (docs/security.md)"))
    return found


_CHECKPOINT_COPIES = 8
"""How much larger than its checkpoint an export may be: a merged graph and a pair hold the weights several times."""


def _disk_limit(config: Matrix) -> int:
    """Bytes that an export may leave; more for a large checkpoint, unless the matrix says how many."""
    limit, folder = config.run.disk_limit, config.probe.checkpoint
    if folder is None or "disk_limit" in config.run.model_fields_set:
        return limit
    return max(limit, _CHECKPOINT_COPIES * sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()))


_SEARCH = "harness.execution.search.search:CellSearch"
"""The strategy that takes up few cells, or those with the most information first."""


def _strategy(settings: Settings, config: Matrix) -> Strategy:
    if settings.strategy == "full" and settings.budget is None:
        return EveryCell()
    chosen: Strategy = pkgutil.resolve_name(_SEARCH)(config, settings)
    return chosen


def _choose_torch_index(session: Session) -> None:
    """Take torch from the index that the matrix names, or from the first that answers."""
    python = next(iter(session.pythons.present(session.matrix.axes["python"])), None)
    session.uv = with_torch_backend(
        session.uv,
        session.matrix.uv.torch_backend,
        session.store,
        python,
        lambda text: session.listen(Note(text=text)),
        # Offline nothing can be looked up anew, so what is known stands.
        refresh=session.settings.refresh and session.acts,
    )


def _answers(settings: Settings, store: Store, uv: Uv, listen: Listener, *, acts: bool, asks: bool) -> IndexAnswers:
    """What indexes answered; an offline run shows a note that newer versions may be published.

    `asks` says that a registry is asked besides the sources of uv.
    """
    provisional = uv.offline and (uv.asks_index or asks)
    if acts and provisional:
        text = "offline: no index is asked; what is resolved now is what uv's cache holds, and newer versions may be published"
        listen(Note(text=text))
    return IndexAnswers(store, refresh=settings.refresh and acts, provisional=provisional)


def _cross_checking(session: Session, planned: Sequence[plan.Planned], resolver: Resolver) -> cross_checks.Runtimes:
    """For each Python of `planned` the run sides in the whole matrix that cross-check others, as far as a lock is known.

    Those are the two newest onnxruntimes, and what has the version of another runtime.
    """
    settings, axes, pythons = session.settings, session.axes, {item.cell.python for item in planned}
    if settings.select or settings.exclude or settings.cell is not None:
        planned = plan.plan(session.matrix, axes, Selection.of((), (), axes=list(axes)))
    cells: dict[str, dict[RuntimeVersion, list[plan.Planned]]] = {}
    for item in planned:
        if item.cell.runtime is not None and item.cell.python in pythons:
            cells.setdefault(item.cell.python, {}).setdefault(item.cell.runtime, []).append(item)
    runtimes: dict[str, dict[object, cross_checks.RunSide]] = {}
    for by_runtime in cells.values():
        known = 0
        for runtime in sorted(by_runtime, key=lambda runtime: Version(runtime.version), reverse=True):
            if (runtime.name != RUNTIME or known == _NEWEST) and not _has_sibling(runtime, by_runtime):
                continue
            found = [
                cross_checks.RunSide(closure(cell.interpreter, cell.run), cell.packages)
                for cell in resolver.known(by_runtime[runtime])
                if cell.interpreter and cell.run
            ]
            for side in found:
                runtimes.setdefault(side.closure.interpreter.version, {})[side] = side
            known += bool(found) and runtime.name == RUNTIME
    return {interpreter: list(sides.values()) for interpreter, sides in runtimes.items()}


_NEWEST = 2
"""So many onnxruntimes cross-check all others: one of them may be the one in question."""


def _has_sibling(runtime: RuntimeVersion, runtimes: Iterable[RuntimeVersion]) -> bool:
    """Whether another of `runtimes` has the same version, and so the same library."""
    same = (other for other in runtimes if other.name != runtime.name)
    return any(Version(other.version) == Version(runtime.version) for other in same)
