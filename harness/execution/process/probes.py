"""Probe processes of a worker: started or forked, repeated if they fail, checked against the keys of their results."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness import disk_space
from harness.environments.bytecode import Bytecode
from harness.environments.environments import Environments
from harness.environments.layers import Closure, layers
from harness.errors import DiskFullError
from harness.execution.process import process_dependence
from harness.execution.process.bytecode_compiler import Compiler
from harness.execution.process.forked import ForkLostError
from harness.execution.process.forks import Forks, Launching
from harness.execution.process.probe_process import run_probe
from harness.execution.process.probe_results import REFUSED
from harness.execution.process.repetition import Processes, Settled, settle
from harness.execution.process.sandbox import OFF, Sandbox, confinement
from harness.hashing import digest
from harness.model import Failure, Limits, Stage, StageResult, Status
from harness.packaging_values import same_build
from harness.store.removal import remove
from harness.store.store import BYTECODE, Store
from harness.subprocesses import Supervisor
from harness.tasks.interface import Batch, ProbeOutput, ProbeRequest, Subject, Workplace
from harness.tasks.repetitions import Repeated

OnStage = Callable[[str], None]

_COMPILING = 60.0
"""Seconds that a process without bytecode may need besides: torch and transformers take up to half."""

_NOT_OF_BYTECODE = {"timeout", "memory", "signal", "processes", "disk", "events", REFUSED}
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
        batches: bool,
        sandbox: Sandbox | None,
    ) -> None:
        """`given` maps closures (by key) to the interpreter of an environment that the caller made and that holds them.

        Without `forks` a process is started for every job, without `batches` for every variant.
        """
        self._store = store
        self._environments = environments
        self._supervisor = supervisor
        self._limits = limits
        self._given = given
        self._batches = batches
        self._sandbox = sandbox
        self._bytecode = bytecode = Bytecode(store.root / BYTECODE, envs=store.root / "envs", scratch=store.root / "tmp")
        compiler = partial(Compiler, store=store, bytecode=bytecode, supervisor=supervisor, limits=limits)
        self._compiler = compiler(sandbox=sandbox) if sandbox else None
        servers = partial(Forks, environments=environments, supervisor=supervisor, store=store, limits=limits)
        self._forks = servers(sandbox=sandbox, compiler=self._compiler) if forks else None
        self._sealing = True

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
        if self._compiler:
            self._compiler.close()
        if self._sealing:
            self._bytecode.seal()

    def run(self, batch: Batch, workplace: Workplace, out: Path, repeated: Repeated, on_stage: OnStage) -> ProbeOutput:
        """The results of `batch`, whose failures have repeated; its files are left in `out`.

        One process does all of it, unless something in this closure works in a process of its own only, or does not work there.

        Raises:
            InterruptedError: the run is being stopped.
            RuntimeError: its environment was changed while it ran.
            DiskFullError: it failed while the store's disk was full, which proves nothing.
        """
        process = _Process(batch=batch, workplace=workplace, repeated=repeated, on_stage=on_stage)
        request = batch.request(workplace, out)
        closure = digest([part.key for part in (*request.parts, *request.packages)])
        if self._batches and closure not in repeated.alone:
            output, settled = self._settled(process, out)
            apart = {None, *request.beside}
            leaning = () if settled.dependent else self._leaning(process, process_dependence.witnesses(output, apart))
            if not settled.dependent and not leaning:
                return output
            repeated.alone.add(closure)
            _empty(out)
            alone = self._each_alone(process, request, out)
            process_dependence.note_dependent(alone, settled.dependent, output, apart)
            process_dependence.note_leaning(alone, leaning)
            return alone
        return self._each_alone(process, request, out)

    def _leaning(self, process: _Process, subjects: Iterable[Subject]) -> Collection[Subject]:
        """The first of `subjects`, which work after others in a process, that fails in one of its own; empty if none does."""
        for subject in subjects:
            with self._store.scratch() as folder:
                alone, _ = self._settled(process, folder, only=[subject])
            if any(result.status is Status.FAILS for result in alone.results.get(subject, ())):
                return [subject]
        return ()

    def _each_alone(self, process: _Process, request: ProbeRequest, out: Path) -> ProbeOutput:
        """The results of each subject of `request` in a process that is started for it."""
        subjects: list[Subject] = [subject for subject in request.places if subject is not None]
        if not subjects or (request.job.get("reference") and request.beside.keys() >= {*subjects}):
            # No variant does what the process as a whole is to do.
            subjects.insert(0, None)
        output = ProbeOutput()
        for subject in subjects:
            with self._store.scratch() as folder:
                one, _ = self._settled(process, folder, only=[subject])
                for path in folder.iterdir():
                    remove(out / path.name)
                    path.rename(out / path.name)
            if not output.take(subject, one):
                break
        return output

    def _settled(self, process: _Process, out: Path, only: Collection[Subject] | None = None) -> tuple[ProbeOutput, Settled]:
        """The results of a batch, or of `only` some subjects in a process that is no fork, and what their repetitions gave."""
        batch, workplace = process.batch, process.workplace
        request = batch.request(workplace, out, only)
        alone = only is not None

        def again(subjects: Collection[Subject]) -> ProbeOutput:
            with self._store.scratch() as folder:
                return self._run(batch.request(workplace, folder, subjects), process.on_stage, fresh=True)

        def anew() -> ProbeOutput:
            with self._store.scratch() as folder:
                return self._run(batch.request(workplace, folder, only), process.on_stage, may_fork=not alone)

        for may_mend in (True, False):
            output = self._run(request, process.on_stage, may_fork=not alone)

            def mended(*, may: bool = may_mend) -> bool:
                interpreter = request.parts[0].interpreter
                return may and self._bytecode.mend(Path(interpreter.path), self._folders(request))

            errors = (result.error for result in _results(output) if result.status is Status.ERROR)
            suspicious = any(error and error.type not in _NOT_OF_BYTECODE for error in errors)
            settled = Settled(damaged=suspicious and mended())
            if not settled.damaged:
                processes = Processes(again=again, anew=anew, mended=mended)
                settled = settle(output, request.places, process.repeated, processes, apart={None, *request.beside})
            if not settled.damaged:
                break
            _empty(out)
        return output, settled

    def _run(self, request: ProbeRequest, on_stage: OnStage, *, fresh: bool = False, may_fork: bool = True) -> ProbeOutput:
        """One process; a `fresh` one, or an undivided one, is no fork, and reads only bytecode that is known to be intact."""
        try:
            return self._run_once(request, on_stage, fresh=fresh, may_fork=may_fork)
        except ForkLostError:
            if "out" in request.job:
                _empty(Path(request.job["out"]))
            return self._run_once(request, on_stage, fresh=fresh, may_fork=False)

    def _run_once(self, request: ProbeRequest, on_stage: OnStage, *, fresh: bool, may_fork: bool) -> ProbeOutput:
        """See `_run`. Raises ForkLostError."""
        # An environment of the caller holds the whole lock, so one side of it can import the other.
        own = not any(part.key in self._given for part in request.parts)
        # An undivided environment is removed, and the store's bytecode is for those that come again.
        apart = fresh or not request.parts[0].composed
        forks = self._forks if own and may_fork and request.may_fork and not apart else None
        log = self._store.log(digest([*request.keys, *(["repeated"] if fresh else [])]))
        self._bytecode.verify(self._folders(request))
        with self._store.scratch() as folder, self._store.temporary() as temporary, self._store.scratch() as kept:
            writes = [folder, temporary.parent, *([Path(request.job["out"])] if "out" in request.job else [])]
            if apart:
                self._bytecode.copy(request.parts[0].interpreter, self._folders(request), folder / BYTECODE)
            with Launching(forks, request, writes) as launching, self._asked(request, launching, apart=apart) as asks:
                output = run_probe(
                    request.python,
                    request.job,
                    folder=folder,
                    temporary=temporary,
                    output=kept / "output.log",
                    log=log,
                    store=self._store.root,
                    limits=replace(self._limits, seconds=self._limits.seconds + _COMPILING) if apart else self._limits,
                    supervisor=self._supervisor,
                    on_stage=lambda stage, subject: on_stage(f"{stage} {subject}" if subject else stage),
                    fork=launching.fork,
                    on_end=launching.give_back,
                    bytecode=folder / BYTECODE if apart else None,
                    confined=confinement(self._sandbox, request.python, request.job, store=self._store, writes=writes),
                    asks=asks,
                )
            if any(not result.ok for result in _results(output)) and disk_space.nearly_full(folder):
                raise DiskFullError("a probe failed while the disk was full")
        output.forked = launching.made is not None
        output.note(sandbox=self._sandbox.words if self._sandbox else OFF)
        if self._compiler and not apart:
            self._compiler.add(request.parts[0].interpreter, request.python, output.uncompiled, beside=False)
        if own:
            self._check(request, output)
        return output

    def _asked(
        self, request: ProbeRequest, launching: Launching, *, apart: bool
    ) -> contextlib.AbstractContextManager[int | None]:
        """A channel on which the process asks for bytecode, unless it is a fork or its bytecode serves no other."""
        if self._compiler is None or apart or launching.fork:
            return contextlib.nullcontext()
        sites = [self._environments.site(layer) for part in request.parts for layer in layers(part)]
        return self._compiler.asked(request.parts[0].interpreter, request.python, [site.parents[2] for site in sites])

    def _check(self, request: ProbeRequest, output: ProbeOutput) -> None:
        """The environments are intact, and the process imported nothing that its key leaves out.

        Raises:
            RuntimeError: an environment was changed.
        """
        sides = ((side,) for parts in request.beside.values() for side in parts)
        packages = ((closure,) for closure in request.packages)
        if not all(map(self._environments.intact, (request.parts, *sides, *packages))):
            raise RuntimeError("its environment was removed or found changed while it ran")
        for subject, distributions in output.distributions.items():
            _check_distributions(output, subject, distributions, request.beside.get(subject or "", request.parts))

    def _folders(self, request: ProbeRequest) -> list[Path]:
        """The environments whose files the process reads."""
        parts = {*request.parts, *(part for beside in request.beside.values() for part in beside)}
        sites = [self._environments.site(layer) for part in parts for layer in layers(part)]
        return [request.python.parents[1], *(site.parents[2] for site in sites)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Process:
    """What the processes of a batch have in common."""

    batch: Batch
    workplace: Workplace
    repeated: Repeated
    on_stage: OnStage


def _empty(folder: Path) -> None:
    remove(folder)
    folder.mkdir()


def _results(output: ProbeOutput) -> Iterator[StageResult]:
    return (result for results in output.results.values() for result in results)


def _check_distributions(
    output: ProbeOutput, subject: Subject, distributions: Mapping[str, str], parts: Sequence[Closure]
) -> None:
    """A result is an error if its process, or its fork, imported a distribution that its key does not name."""
    keyed = {name: version for part in parts for name, version in part.lock.versions.items()}
    strangers = [
        f"{name} {version}" for name, version in sorted(distributions.items()) if not same_build(keyed.get(name), version)
    ]
    if strangers:
        failure = Failure(type="key", message=f"the probe imported what its key leaves out: {', '.join(strangers)}")
        for name in output.results if subject is None else [subject]:
            output.results[name] = [StageResult(stage=Stage.IMPORT, status=Status.ERROR, error=failure, finished=time.time())]
