"""Probe processes of a worker: started or forked, repeated if they fail, checked against the keys of their results."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness import disk_space
from harness.environments.bytecode import Bytecode
from harness.environments.environments import Environments
from harness.environments.layers import Closure, layers
from harness.errors import DiskFullError
from harness.execution.process.forks import Forks
from harness.execution.process.probe_process import run_probe
from harness.execution.process.repetition import settle
from harness.hashing import digest
from harness.model import Failure, Limits, Stage, StageResult, Status
from harness.packaging_values import same_version
from harness.store.store import BYTECODE, Store
from harness.subprocesses import Supervisor
from harness.tasks.interface import Batch, ProbeOutput, ProbeRequest, Subject, Workplace
from harness.tasks.repetitions import Repeated

OnStage = Callable[[str], None]

_COMPILING = 60.0
"""Seconds that a process without bytecode may need besides: torch and transformers take up to half."""

_NOT_OF_BYTECODE = {"timeout", "memory", "signal"}
"""Types of errors that no damaged bytecode causes."""


class Probes:
    """Runs probe processes in the environments of a worker; used by many threads at once."""

    def __init__(
        self,
        *,
        store: Store,
        environments: Environments,
        supervisor: Supervisor,
        limits: Limits,
        given: Mapping[str, Path],
        forks: bool,
    ) -> None:
        """`given` maps closures (by key) to the interpreter of an environment that the caller made and that holds them.

        Without `forks` a process is started for every job.
        """
        self._store = store
        self._environments = environments
        self._supervisor = supervisor
        self._limits = limits
        self._given = given
        self._forks = Forks(environments=environments, supervisor=supervisor, store=store, limits=limits) if forks else None
        self._sealing = True
        self._bytecode = Bytecode(store.root / BYTECODE, envs=store.root / "envs", scratch=store.root / "tmp")

    def release(self, closure: Closure) -> None:
        """The environment of `closure` is about to be removed."""
        if self._forks:
            self._forks.release(closure)

    def distrust_bytecode(self) -> None:
        """The disk was full, so bytecode that Python has written since may be incomplete."""
        self._sealing = False

    def close(self) -> None:
        """End all fork servers; nothing runs any more. Later runs trust the present bytecode, unless it is distrusted."""
        if self._forks:
            self._forks.close()
        if self._sealing:
            self._bytecode.seal()

    def run(self, batch: Batch, workplace: Workplace, out: Path, repeated: Repeated, on_stage: OnStage) -> ProbeOutput:
        """The results of `batch`, whose failures have repeated; its files are left in `out`.

        Raises:
            InterruptedError: the run is being stopped.
            RuntimeError: its environment was changed while it ran.
            DiskFullError: it failed while the store's disk was full, which proves nothing.
        """

        def again(subjects: Collection[Subject]) -> ProbeOutput:
            with self._store.scratch() as folder:
                return self._run(batch.request(workplace, folder, subjects), on_stage, fresh=True)

        request = batch.request(workplace, out)
        for may_mend in (True, False):
            output = self._run(request, on_stage)

            def mended(*, may: bool = may_mend) -> bool:
                return may and self._bytecode.mend(request.python, self._folders(request))

            errors = (result.error for result in _results(output) if result.status is Status.ERROR)
            suspicious = any(error and error.type not in _NOT_OF_BYTECODE for error in errors)
            if not (suspicious and mended()) and settle(output, request.places, repeated, again, mended=mended):
                break
            shutil.rmtree(out)
            out.mkdir()
        return output

    def _run(self, request: ProbeRequest, on_stage: OnStage, *, fresh: bool = False) -> ProbeOutput:
        """One process; a `fresh` one is no fork, and reads no bytecode that another process has left."""
        # An environment of the caller holds the whole lock, so one side of it can import the other.
        own = not any(part.key in self._given for part in request.parts)
        forks = self._forks if own and not fresh else None
        self._bytecode.verify(self._folders(request))
        with self._store.scratch() as folder, self._store.temporary() as temporary:
            output = run_probe(
                request.python,
                request.job,
                folder=folder,
                temporary=temporary,
                log=self._store.log(digest([*request.keys, *(["repeated"] if fresh else [])])),
                store=self._store.root,
                limits=replace(self._limits, seconds=self._limits.seconds + _COMPILING) if fresh else self._limits,
                supervisor=self._supervisor,
                on_stage=lambda stage, subject: on_stage(f"{stage} {subject}" if subject else stage),
                fork=forks.launcher(request.python, request.job, request.parts[0]) if forks else None,
                bytecode=folder / BYTECODE if fresh else None,
            )
            if any(not result.ok for result in _results(output)) and disk_space.nearly_full(folder):
                raise DiskFullError("a probe failed while the disk was full")
        if own:
            self._check(request, output)
        return output

    def _check(self, request: ProbeRequest, output: ProbeOutput) -> None:
        """The environments are intact, and the process imported nothing that its key leaves out.

        Raises:
            RuntimeError: an environment was changed.
        """
        sides = ((side,) for parts in request.beside.values() for side in parts)
        if not all(map(self._environments.intact, (request.parts, *sides))):
            raise RuntimeError("its environment was removed or found changed while it ran")
        for subject, distributions in output.distributions.items():
            _check_distributions(output, subject, distributions, request.beside.get(subject or "", request.parts))

    def _folders(self, request: ProbeRequest) -> list[Path]:
        """The environments whose files the process reads."""
        parts = {*request.parts, *(part for beside in request.beside.values() for part in beside)}
        sites = [self._environments.site(layer) for part in parts for layer in layers(part)]
        return [request.python.parents[1], *(site.parents[2] for site in sites)]


def _results(output: ProbeOutput) -> Iterator[StageResult]:
    return (result for results in output.results.values() for result in results)


def _check_distributions(
    output: ProbeOutput, subject: Subject, distributions: Mapping[str, str], parts: Sequence[Closure]
) -> None:
    """A result is an error if its process, or its fork, imported a distribution that its key does not name."""
    keyed = {name: version for part in parts for name, version in part.lock.versions.items()}
    strangers = [
        f"{name} {version}" for name, version in sorted(distributions.items()) if not same_version(keyed.get(name), version)
    ]
    if strangers:
        failure = Failure(type="key", message=f"the probe imported what its key leaves out: {', '.join(strangers)}")
        for name in output.results if subject is None else [subject]:
            output.results[name] = [StageResult(stage=Stage.IMPORT, status=Status.ERROR, error=failure, finished=time.time())]
