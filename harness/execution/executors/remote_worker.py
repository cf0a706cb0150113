"""Performs tasks on another machine: what is sent there, what runs there, and what is sent back.

Locks are sent and not requirements, so all machines install the same. What belongs to one machine is not sent: a remote
worker finds its own interpreter of the version that a lock is for, has its own uv and uv cache, and gets what the probe
reads (a probe module, a checkpoint) from the store. The records that a task reads are sent with it, because the run may
have hidden some of them. Results go into the shared store, and their keys are sent back.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from harness.environments import providers
from harness.environments.environments import Environments
from harness.environments.layers import Closure
from harness.environments.sources import Pythons
from harness.environments.uv.client import Uv
from harness.environments.uv.command import find_uv
from harness.errors import HarnessError
from harness.execution.executors.interface import RunContext
from harness.execution.process import sandbox
from harness.execution.worker import Worker
from harness.foreign_text import without_userinfo
from harness.matrix.schema import ProbeSection, UvSources
from harness.model import Interpreter, Limits
from harness.regular_files import RefusedFileError
from harness.stack import ECOSYSTEMS
from harness.store.digests import copy_within, folder_digest
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks import keys, probe_snapshot
from harness.tasks.interface import Parts, Task
from harness.tasks.keys import platform_id
from harness.tasks.pending import concerned
from harness.tasks.records import STORED, Record, Records, stages
from harness.tasks.repetitions import Lessons


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """What is the same for all tasks of a run: all that a remote worker is made of. Can be pickled."""

    store: Path | str
    sources: UvSources
    folder: Path
    """Where relative paths in `sources` start; must be there on each machine if there are any."""
    torch_backend: str | None
    offline: bool
    packages: tuple[str, ...]
    """The kinds of packages besides distributions of Python."""
    limits: Limits
    model: ProbeSection
    files: str | None
    """The artifact that holds what `model` reads from disk."""
    keep_envs: bool
    no_forks: bool
    sandbox: str
    """The value of `--sandbox`: each machine tries what it offers."""


def run_config(run: RunContext, store: Path | str, *, secrets: bool = True) -> RunConfig:
    """The configuration of a run whose workers use `store`; puts what its probe reads into the store.

    Without `secrets` the sources have no users and passwords: others may read what is sent.
    """
    return RunConfig(
        store=store,
        sources=run.uv.sources if secrets else _without_passwords(run.uv.sources),
        folder=run.uv.folder,
        torch_backend=run.uv.torch_backend,
        offline=run.uv.offline,
        packages=tuple(run.packages),
        limits=run.limits,
        model=run.probe,
        files=_shared(run.probe, run.store),
        keep_envs=run.settings.keep_envs,
        no_forks=run.settings.no_forks,
        sandbox=run.settings.sandbox,
    )


def _without_passwords(sources: UvSources) -> UvSources:
    places = {name: [without_userinfo(place) for place in getattr(sources, name)] for name in ("index", "find_links")}
    default = without_userinfo(sources.default_index) if sources.default_index else None
    return sources.model_copy(update={**places, "default_index": default})


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
    """One task for a remote worker. Can be pickled."""

    task: Task
    known: dict[str, Record | None]
    """Key → record, or None if it is to be made, of everything that the task reads or produces."""
    unknown: frozenset[str]
    """Those without a record that nothing hides: what the store has of them by then counts."""
    held: frozenset[str]
    """Keys whose results are sent back, and not stored."""
    repeated: Lessons
    """What repetitions have taught the run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskResult:
    """The results of a task. Can be pickled."""

    repeated: Lessons
    """What repetitions have taught the run and this task."""

    passing: dict[str, Record | None]
    """Key → record that counts for this run only."""
    stored: list[str]
    """Keys of the records that are in the store now."""


def task_request(task: Task, records: Records) -> TaskRequest:
    """`task` with the records that it reads."""
    known = {key: records.get(key) for key in concerned(task, records)}
    unknown = frozenset(key for key, record in known.items() if record is None and records.is_remembered(key))
    held = frozenset(records.held).intersection(known)
    return TaskRequest(task=task, known=known, unknown=unknown, held=held, repeated=records.repeated.lessons)


class RemoteWorker:
    """Performs tasks in the process that it is made in; one for each process and run. Used by many threads at once."""

    def __init__(self, config: RunConfig) -> None:
        """Raises StoreError where the store cannot be used from here, SandboxError where a sandbox is required and lacking."""
        self._config = config
        keys.read_anew()
        self._store = Store.open(config.store, pull=False)
        self._supervisor = Supervisor()
        uv = Uv(
            binary=find_uv(),
            sources=config.sources,
            folder=config.folder,
            torch_backend=config.torch_backend,
            offline=config.offline,
            children=self._supervisor,
            temporary=self._store.temporary,
        )
        self._packages = providers.opened(config.packages, self._supervisor, self._store.temporary, offline=config.offline)
        self._pythons = Pythons(uv)
        self._searching = threading.Lock()
        self._model = _localised_model(config.model, config.files, self._store)
        self._worker = Worker(
            store=self._store,
            records=Records(store=self._store, limits=config.limits),
            environments=Environments(self._store, uv, self._packages),
            supervisor=self._supervisor,
            limits=config.limits,
            given={},
            forks=not config.no_forks,
            sandbox=sandbox.of(config.sandbox),
        )

    def perform(self, request: TaskRequest) -> TaskResult:
        """Perform the task of `request`.

        Raises:
            RuntimeError: this machine cannot; another perhaps can.
            InterruptedError: `close` was called.
        """
        task = request.task.localised(self._closure, self._probe)
        records = Records(
            store=self._store,
            limits=self._config.limits,
            passing=dict(request.known),
            unknown=request.unknown,
            held=dict.fromkeys(request.held, STORED),
        )
        records.repeated.learn(request.repeated)
        if not concerned(task, records) <= request.known.keys():
            # Its results would be stored under keys that the run does not read.
            here = f"{socket.gethostname()} ({platform_id()})"
            raise RuntimeError(f"{here} has another platform than the machine that planned, or another version of the harness")
        if self._built(task, records):
            self._worker.with_records(records).perform(task, lambda _stage: None)
        return TaskResult(
            repeated=records.repeated.lessons,
            passing={key: record for key, record in records.passing.items() if request.known.get(key) != record},
            stored=[key for key in request.known if key not in records.passing and records.get(key) is not None],
        )

    def _built(self, task: Task, records: Records) -> bool:
        """Build the environments that `task` needs; False if its own does not install."""
        installs = [need for need in task.needs if need.installs]
        results = {install: stages(records.get(install.key)) for install in installs}
        there = [install for install in installs if results[install] and all(result.ok for result in results[install])]
        for install in there:
            self._worker.build(install.closure)
        # Without the environment of an import beside it, that import is left out.
        return task.installs or any(install.closure == task.closure for install in there)

    def release(self, parts: Parts) -> None:
        """See Worker.release."""
        self._worker.release(parts)

    def close(self) -> None:
        """End what runs, and remove the environments that no other process uses."""
        self._worker.stop()
        self._worker.close(keep=self._config.keep_envs)

    def _closure(self, closure: Closure) -> Closure:
        """`closure` with this machine's interpreter."""
        version = closure.interpreter.version
        if closure.runtime:
            return replace(closure, interpreter=self._program(closure.runtime, version))
        with self._searching:
            found = self._pythons.find(version)
        if found is None:
            raise RuntimeError(f"{socket.gethostname()} has no CPython {version}, which the lock is for")
        return replace(closure, interpreter=found)

    def _program(self, runtime: str, version: str) -> Interpreter:
        """What runs the packages of `runtime` here, in that version."""
        provider = self._packages[ECOSYSTEMS[runtime]]
        program = provider.program()
        if program is None or program.version != version:
            why = f"has version {program.version}" if program else provider.why_missing()
            raise RuntimeError(f"{socket.gethostname()} does not run {runtime} as the plan has it, with {version}: {why}")
        return program

    def _probe(self, probe: ProbeSection) -> ProbeSection:
        """`probe` with this machine's files; a family has none."""
        return probe if probe.module is None and probe.checkpoint is None else self._model


def _localised_model(model: ProbeSection, files: str | None, store: Store) -> ProbeSection:
    """`model`, reading from the artifact `files` what it read from the disk of the machine that planned the run."""
    if files is None:
        return model
    folder = store.artifacts.folder(files)
    if model.module is not None:
        return model.model_copy(update={"module": str(folder / Path(model.module).name)})
    return model.model_copy(update={"model": str(folder)})
