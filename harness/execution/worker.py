"""Performs one task: its environment, its probe processes, and their results into the records.

It runs in a thread or process of an executor. Whatever a task meets becomes a result: a fact, or an error that says what
went wrong. The only exceptions that it lets through end the whole run.
"""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness import disk_space
from harness.environments.environments import Environments
from harness.environments.layers import Closure
from harness.errors import DiskFullError
from harness.execution.process import undivided_check
from harness.execution.process.probes import OnStage, Probes
from harness.execution.process.repetition import compared, times
from harness.execution.process.sandbox import Sandbox
from harness.model import Limits, Stage, StageResult, Status
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks import harness_failure
from harness.tasks.install import Install
from harness.tasks.interface import Batch, Parts, ProbeOutput, Task
from harness.tasks.keys import require_unchanged, runner
from harness.tasks.records import Records


class Worker:
    """Performs tasks, and is their `Workplace`: its environments are built when a task first needs them.

    Thread-safe: each task's state is its own.
    """

    def __init__(
        self,
        *,
        store: Store,
        records: Records,
        environments: Environments,
        supervisor: Supervisor,
        limits: Limits,
        given: Mapping[str, Path],
        forks: bool = True,
        batches: bool = True,
        sandbox: Sandbox | None = None,
    ) -> None:
        """`given` maps closures (by key) to the interpreter of an environment that the caller made and that holds them.

        `forks` and `batches`: see Probes.
        """
        self._store = store
        self._records = records
        self._environments = environments
        self._supervisor = supervisor
        self._given = given
        self._installed: dict[str, Path | None] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._borrowers: Counter[str] = Counter()
        """Undivided closure (by key) → tasks that may work in it now."""
        self._probes = Probes(
            store=store,
            environments=environments,
            supervisor=supervisor,
            limits=limits,
            given=given,
            forks=forks,
            batches=batches,
            sandbox=sandbox,
        )

    def perform(self, task: Task, on_stage: OnStage) -> None:
        """Do `task` and record its results.

        Raises:
            InterruptedError: the run is being stopped; nothing was recorded for what was in flight.
            DiskFullError: nothing was recorded for what was in flight.
        """
        try:
            with harness_failure.recorded(task, self._records), self._claimed(task, on_stage), self._borrowed(task):
                self._perform(task, on_stage)
        except DiskFullError:
            self._probes.distrust_bytecode()
            raise

    def _perform(self, task: Task, on_stage: OnStage) -> None:
        if task.installs:
            on_stage(Stage.INSTALL)

        def settle() -> None:
            undivided_check.settle(task, self._records, self, lambda other: self._run_apart(other, on_stage))

        settle()  # what an interrupted run has left
        batch = task.next_batch(self._records, self)
        while batch is not None:
            undivided_check.expect(task, self._records)
            self._run(batch, on_stage, self._records)
            settle()
            following = task.next_batch(self._records, self)
            # If nothing has changed, its process died before the first result.
            batch = following if following != batch else None

    @contextmanager
    def _claimed(self, task: Task, on_stage: OnStage) -> Iterator[None]:
        """Of the runs that share the store one does the task, and the others take over its results."""
        told = False

        def look() -> None:
            nonlocal told
            if not told:
                on_stage("elsewhere")
            told = True
            self._supervisor.check()

        with self._store.claim(task.claim, look) as waited:
            # Though nobody has it any more, another run may have done it since this one has looked.
            self._records.read_anew(task.keys(self._records), shared=waited)
            yield

    @contextmanager
    def _borrowed(self, task: Task) -> Iterator[None]:
        """The last task that may work in an undivided environment removes it: few need it, and it shares no files."""
        found = {closure.key: closure for closure in task.undivided_closures}
        with self._guard:
            self._borrowers.update(list(found))
        try:
            yield
        finally:
            with self._guard:
                self._borrowers.subtract(list(found))
                for key, closure in found.items():
                    if not self._borrowers[key] and key in self._installed:
                        self.release((closure,))

    def _run_apart(self, batch: Batch, on_stage: OnStage) -> Records:
        """Run one process; its results are in the records that this returns, and nowhere else."""
        apart = Records(store=self._store, limits=self._records.limits, apart=True)
        self._run(batch, on_stage, apart)
        return apart

    def _run(self, batch: Batch, on_stage: OnStage, records: Records) -> ProbeOutput:
        """Run one process and put its results into `records`.

        Raises:
            RuntimeError: the source that keys name, or the checkpoint, was edited during this run.
        """
        with self._store.scratch() as out:
            output = self._probes.run(batch, self, out, self._records.repeated, on_stage)
            require_unchanged(batch.model)
            batch.store(output, records, self, out)
            return output

    def with_records(self, records: Records) -> Worker:
        """The same worker with its environments, and other records."""
        other = copy.copy(self)
        other._records = records  # noqa: SLF001 -- of the same class
        return other

    def python(self, closure: Closure) -> Path | None:
        """The interpreter of the closure's environment, built at most once a run; None if it cannot be built."""
        if closure.key in self._given:
            return self._given[closure.key]
        with self._building(closure):
            if closure.key not in self._installed:
                python, result = self._built(closure)
                install = Install(closure=closure)
                if python is None or install.is_pending(self._records):
                    # The record of an environment that is merely built again keeps the time that it took first.
                    self._records.put(install.key, [result], remember=result.status is not Status.ERROR)
                self._installed[closure.key] = python
            return self._installed[closure.key]

    def build(self, closure: Closure) -> None:
        """Build the environment of a closure that is known to install, perhaps on another machine.

        Raises:
            RuntimeError: this machine cannot; that says nothing about the closure.
        """
        with self._building(closure):
            if self._installed.get(closure.key) is None:
                python, result = self._environments.ensure(closure)
                if python is None:
                    raise RuntimeError(f"its environment cannot be built here: {result.error and result.error.message}")
                self._installed[closure.key] = python

    def runner(self, packages: Closure) -> list[str]:
        """See tasks.interface.Workplace."""
        folder = self.python(packages)
        assert folder is not None
        assert packages.runtime is not None
        return [packages.interpreter.path, str(runner(packages.runtime)), str(folder)]

    def is_given(self, closure: Closure) -> bool:
        """See tasks.interface.Workplace."""
        return closure.key in self._given

    def site(self, closure: Closure) -> Path:
        """See tasks.interface.Workplace."""
        return self._environments.site(closure)

    def artifact(self, digest: str) -> Path:
        """See tasks.interface.Workplace."""
        return self._store.artifacts.folder(digest)

    def publish(self, folder: Path, *inner: Path) -> str:
        """See tasks.interface.Workplace."""
        return self._store.artifacts.publish(folder, *inner)

    def _built(self, closure: Closure) -> tuple[Path | None, StageResult]:
        """See Environments.ensure; a failure is tried again. The environment is verified in the end."""
        python, result = self._environments.ensure(closure)
        tried = 0
        while result.status is Status.FAILS and tried < times([result]):
            python, again = self._environments.ensure(closure)
            result = again if again.ok else compared([result], [again])[-1]
            tried += 1
        if result.error and disk_space.says_full(result.error.message):
            raise DiskFullError(result.error.message)
        return python, result

    def _building(self, closure: Closure) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(closure.key, threading.Lock())

    def stop(self) -> None:
        """End what runs, and begin nothing more: the run is interrupted."""
        self._supervisor.stop()

    def close(self, *, keep: bool) -> None:
        """Remove the environments that are left, unless `keep`; nothing runs any more."""
        try:
            self._probes.close()
        finally:
            self._environments.close(keep=keep)

    def release(self, parts: Parts) -> None:
        """No planned task needs this environment; if another does after all, it is built again."""
        if len(parts) == 1:
            self._probes.release(parts[0])
            self._installed.pop(parts[0].key, None)
        self._environments.release(parts)
