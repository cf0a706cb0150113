"""Tasks done elsewhere: what is sent there, who does it there, and what comes back.

Locks are sent and not requirements, so all machines install the same. What belongs to one machine is not sent: a station
finds its own interpreter of the version that a lock is for, has uv and uv's cache for itself, and gets what the probe
reads (one's own module, a checkpoint) from the store. What a task may know goes with it, because the run may have
decided to forget some of it; what it finds out goes into the store, which all share, and its keys come back.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.environments.environments import Environments
from harness.environments.layers import Closure
from harness.environments.sources import Pythons
from harness.environments.uv.client import Uv, find_uv
from harness.errors import HarnessError
from harness.execution.executors.interface import RunContext
from harness.execution.worker import Worker
from harness.matrix.schema import ProbeSection, UvSources
from harness.model import Interpreter, Limits
from harness.regular_files import RefusedFileError
from harness.store.digests import copy_within, folder_digest
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks import keys, probe_snapshot
from harness.tasks.keys import platform_id
from harness.tasks.pending import concerned
from harness.tasks.records import Record, Records, stages
from harness.tasks.tasks import Evaluate, Export, Import, Install, Run, Task, needs


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """What is the same for all tasks of a run: all that a station is made of. Can be pickled."""

    store: Path | str
    sources: UvSources
    folder: Path
    """Where relative paths in `sources` start; must be there on each machine if there are any."""
    torch_backend: str | None
    offline: bool
    limits: Limits
    model: ProbeSection
    files: str | None
    """The artifact that holds what `model` reads from disk."""
    keep_envs: bool
    no_forks: bool


def terms(run: RunContext, store: Path | str, *, keep_envs: bool) -> RunConfig:
    """The terms of a run whose stations use `store`; what its probe reads is in the store afterwards."""
    return RunConfig(
        store=store,
        sources=run.uv.sources,
        folder=run.uv.folder,
        torch_backend=run.uv.torch_backend,
        offline=run.uv.offline,
        limits=run.limits,
        model=run.probe,
        files=_shared(run.probe, run.store),
        keep_envs=keep_envs,
        no_forks=run.settings.no_forks,
    )


def _shared(model: ProbeSection, store: Store) -> str | None:
    """Put what `model` reads from disk into the store; returns the artifact's digest.

    Raises:
        HarnessError: something of it is no regular file, or lies elsewhere.
    """
    if model.checkpoint is None:
        return probe_snapshot.publish(model, store) if model.module is not None else None
    name = folder_digest(Path(model.checkpoint))
    if store.artifacts.intact(name):
        return name
    with store.scratch() as scratch:
        try:
            copy_within(Path(model.checkpoint), scratch / "files")
        except RefusedFileError as problem:
            raise HarnessError(f"the checkpoint cannot be shared: {problem}") from None
        return store.artifacts.publish(scratch / "files")


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRequest:
    """One task for a station. Can be pickled."""

    task: Task
    known: dict[str, Record | None]
    """Key → record, or None where it is to be found out, of everything that the task is concerned with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskResult:
    """What a task found out. Can be pickled."""

    passing: dict[str, Record | None]
    """Key → record of what is true of this run only."""
    stored: list[str]
    """Keys of what is in the store now."""


def order(task: Task, facts: Records) -> TaskRequest:
    """`task` with what is known today."""
    return TaskRequest(task=task, known={key: facts.get(key) for key in concerned(task, facts)})


class Station:
    """Does tasks in the process it is made in; one for each process and run. Used by many threads at once."""

    def __init__(self, terms: RunConfig) -> None:
        """Raises StoreError where the store cannot be used from here."""
        self._terms = terms
        keys.read_anew()
        self._store = Store.open(terms.store, pull=False)
        self._children = Supervisor()
        uv = Uv(
            binary=find_uv(),
            sources=terms.sources,
            folder=terms.folder,
            torch_backend=terms.torch_backend,
            offline=terms.offline,
            children=self._children,
            temporary=self._store.temporary,
        )
        self._pythons = Pythons(uv)
        self._searching = threading.Lock()
        self._model = _here(terms.model, terms.files, self._store)
        self._worker = Worker(
            store=self._store,
            facts=Records(store=self._store, limits=terms.limits),
            environments=Environments(self._store, uv),
            children=self._children,
            limits=terms.limits,
            given={},
            forks=not terms.no_forks,
        )

    def answer(self, order: TaskRequest) -> TaskResult:
        """Do the task of `order`.

        Raises:
            RuntimeError: this machine cannot; another perhaps can.
            InterruptedError: `close` was called.
        """
        task = localised(order.task, self._python, self._model)
        facts = Records(store=self._store, limits=self._terms.limits, passing=dict(order.known))
        if not concerned(task, facts) <= order.known.keys():
            # Its results would be stored where nobody looks for them.
            here = f"{socket.gethostname()} ({platform_id()})"
            raise RuntimeError(f"{here} has another platform than the machine that planned, or another version of the harness")
        if self._built(task, facts):
            self._worker.knowing(facts).perform(task, lambda _stage: None)
        return TaskResult(
            passing={key: record for key, record in facts.passing.items() if order.known.get(key) != record},
            stored=[key for key in order.known if key not in facts.passing],
        )

    def _built(self, task: Task, facts: Records) -> bool:
        """Have here what `task` needs installed; False where that does not install."""
        installs = [need for need in needs(task) if isinstance(need, Install)]
        results = {install: stages(facts.get(install.key)) for install in installs}
        there = [install for install in installs if results[install] and all(result.ok for result in results[install])]
        for install in there:
            self._worker.build(install.closure)
        # What is to be imported beside it may be missing; that is then left out.
        return isinstance(task, Install) or Install(closure=task.closure) in there

    def release(self, parts: tuple[Closure, ...]) -> None:
        """See Worker.release."""
        self._worker.release(parts)

    def close(self) -> None:
        """End what runs, and remove the environments that only this process uses."""
        self._worker.stop()
        self._worker.close(keep=self._terms.keep_envs)

    def _python(self, version: str) -> Interpreter:
        with self._searching:
            found = self._pythons.find(version)
        if found is None:
            raise RuntimeError(f"{socket.gethostname()} has no CPython {version}, which the lock is for")
        return found


def _here(model: ProbeSection, files: str | None, store: Store) -> ProbeSection:
    """`model`, reading from the artifact `files` what it read from the disk of the machine that planned the run."""
    if files is None:
        return model
    folder = store.artifacts.folder(files)
    if model.module is not None:
        return model.model_copy(update={"module": str(folder / Path(model.module).name)})
    return model.model_copy(update={"model": str(folder)})


def localised(task: Task, python: Callable[[str], Interpreter], model: ProbeSection) -> Task:
    """`task` with this machine's interpreters and files: the same keys, by way of other paths. A family has no files."""

    def at(closure: Closure) -> Closure:
        return replace(closure, interpreter=python(closure.interpreter.version))

    def here(asked: ProbeSection) -> ProbeSection:
        return asked if asked.module is None and asked.checkpoint is None else model

    def beside(one: Import) -> Import:
        export, run = one.parts
        return replace(one, parts=(at(export), at(run)), model=here(one.model))

    def exported(export: Export) -> Export:
        imports = tuple(map(beside, export.imports))
        return replace(export, closure=at(export.closure), model=here(export.model), imports=imports)

    match task:
        case Install():
            return replace(task, closure=at(task.closure))
        case Export():
            return exported(task)
        case Run():
            return replace(task, export=exported(task.export), closure=at(task.closure))
        case Evaluate():
            return replace(task, export=exported(task.export))
