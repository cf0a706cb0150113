"""Probe processes of a worker: started or forked, repeated where they fail, checked against the keys of their results."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import disk_space
from harness.environments.bytecode import Bytecode
from harness.environments.environments import Environments
from harness.environments.layers import Closure, layers
from harness.errors import DiskFullError
from harness.execution.process.forks import Forks
from harness.execution.process.probe import ProbeOutput, run_probe
from harness.execution.process.repetition import Subject, settle
from harness.model import Failure, Limits, Stage, StageResult, Status, digest
from harness.store.store import BYTECODE, Store
from harness.subprocesses import Supervisor
from harness.tasks.repetitions import Repeated

OnStage = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What one process is asked."""

    python: Path
    job: Mapping[str, Any]
    keys: Sequence[str]
    """Of the results that it is to give."""
    parts: tuple[Closure, ...]
    """What it can import."""
    beside: Mapping[str, tuple[Closure, ...]] = field(default_factory=dict)
    """Subject → what its fork for that subject can import."""
    places: Mapping[Subject, str]
    """Subject → the name of the environment that its failure is about."""


Ask = Callable[[Path, Collection[Subject] | None], Question]
"""The question about these subjects, or about all (None), whose files go into that folder."""

_COMPILING = 60.0
"""Seconds that a process may need besides where nothing has been compiled for it: torch and transformers take up to half."""

_NOT_OF_BYTECODE = {"timeout", "memory", "signal"}
"""Types of errors that no damaged bytecode causes."""


class Probes:
    """Runs probe processes in the environments of a worker; used by many threads at once."""

    def __init__(
        self,
        *,
        store: Store,
        environments: Environments,
        children: Supervisor,
        limits: Limits,
        given: Mapping[str, Path],
        forks: bool,
    ) -> None:
        """`given` maps closures (by key) to the python of an environment that somebody else made and that holds them.

        Without `forks` a process is started for every job.
        """
        self._store = store
        self._environments = environments
        self._children = children
        self._limits = limits
        self._given = given
        self._forks = Forks(environments=environments, children=children, store=store, limits=limits) if forks else None
        self._bytecode = Bytecode(store.root / BYTECODE, envs=store.root / "envs", scratch=store.root / "tmp")

    def release(self, closure: Closure) -> None:
        """The environment of `closure` is to go."""
        if self._forks:
            self._forks.release(closure)

    def close(self, *, seal: bool) -> None:
        """End all servers; nothing runs any more. With `seal` the bytecode that is there now is believed from now on."""
        if self._forks:
            self._forks.close()
        if seal:
            self._bytecode.seal()

    def ask(self, ask: Ask, out: Path, repeated: Repeated, on_stage: OnStage) -> ProbeOutput:
        """The results of a process whose failures have repeated; its files are left in `out`.

        Raises:
            InterruptedError: the run is being stopped.
            RuntimeError: its environment was changed while it ran.
            DiskFullError: it failed while the store's disk was full, which proves nothing.
        """
        question = ask(out, None)
        for mends in (True, False):
            told = self._run(question, on_stage)

            def mended(*, may: bool = mends) -> bool:
                return may and self._bytecode.mend(question.python, self._folders(question))

            suspicious = any(one.error and one.error.type not in _NOT_OF_BYTECODE for one in _errors(told))
            if not (suspicious and mended()) and settle(
                told, question.places, repeated, lambda subjects: self._again(ask, subjects, on_stage), mended=mended
            ):
                break
            shutil.rmtree(out)
            out.mkdir()
        return told

    def _again(self, ask: Ask, subjects: Collection[Subject], on_stage: OnStage) -> ProbeOutput:
        with self._store.scratch() as out:
            return self._run(ask(out, subjects), on_stage, fresh=True)

    def _run(self, question: Question, on_stage: OnStage, *, fresh: bool = False) -> ProbeOutput:
        """One process; a `fresh` one is no fork, and reads no bytecode that another has left."""
        # A given environment is somebody else's, and holds the whole lock: one side of it can import the other.
        ours = not any(part.key in self._given for part in question.parts)
        forks = self._forks if ours and not fresh else None
        self._bytecode.verify(self._folders(question))
        with self._store.scratch() as folder, self._store.temporary() as temporary:
            told = run_probe(
                question.python,
                question.job,
                folder=folder,
                temporary=temporary,
                log=self._store.log(digest([*question.keys, *(["repeated"] if fresh else [])])),
                store=self._store.root,
                limits=replace(self._limits, seconds=self._limits.seconds + _COMPILING) if fresh else self._limits,
                children=self._children,
                on_stage=lambda stage, subject: on_stage(f"{stage} {subject}" if subject else stage),
                fork=forks.of(question.python, question.job, question.parts[0]) if forks else None,
                bytecode=folder / BYTECODE if fresh else None,
            )
            if any(not one.ok for results in told.results.values() for one in results) and disk_space.nearly_full(folder):
                raise DiskFullError("a probe failed while the disk was full")
        if ours:
            sides = ((side,) for other in question.beside.values() for side in other)
            if not all(map(self._environments.intact, (question.parts, *sides))):
                raise RuntimeError("its environment was removed or found changed while it ran")
            for subject, distributions in told.distributions.items():
                _audit(told, subject, distributions, question.beside.get(subject or "", question.parts))
        return told

    def _folders(self, question: Question) -> list[Path]:
        """The environments whose files the process reads."""
        parts = {*question.parts, *(part for other in question.beside.values() for part in other)}
        sites = [self._environments.site(layer) for part in parts for layer in layers(part)]
        return [question.python.parents[1], *(site.parents[2] for site in sites)]


def _errors(told: ProbeOutput) -> Iterator[StageResult]:
    return (one for results in told.results.values() for one in results if one.status is Status.ERROR)


def _audit(told: ProbeOutput, subject: str | None, distributions: Mapping[str, str], parts: Sequence[Closure]) -> None:
    """A process that imported what its key does not name has a result nobody may reuse; a fork of it has one of its own."""
    keyed = {name: version for part in parts for name, version in part.lock.versions.items()}
    strangers = [f"{name} {version}" for name, version in sorted(distributions.items()) if keyed.get(name) != version]
    if strangers:
        message = f"the probe imported what its key leaves out: {', '.join(strangers)}"
        failure = Failure(type="key", message=message)
        for one in told.results if subject is None else [subject]:
            told.results[one] = [StageResult(stage=Stage.IMPORT, status=Status.ERROR, error=failure, finished=time.time())]
