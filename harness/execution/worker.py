"""Performs one task: its environment, its probe processes, and their results into the records.

It runs in a thread or process of an executor. Whatever a task meets becomes a result: a fact, or an error that says what
went wrong. The only exceptions that it lets through end the whole run.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

from harness.environments.environments import Environments
from harness.environments.layers import Closure
from harness.errors import DiskFullError
from harness.execution.process.probes import OnStage, Probes
from harness.execution.workplace import LocalWorkplace
from harness.model import Limits, Stage
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks import harness_failure
from harness.tasks.interface import Batch, Parts, Task
from harness.tasks.keys import require_unchanged
from harness.tasks.records import Records


class Worker:
    """Holds what every task needs. Thread-safe: each task's state is its own."""

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
    ) -> None:
        """`given` maps closures (by key) to the interpreter of an environment that the caller made and that holds them."""
        self._store = store
        self._records = records
        self._environments = environments
        self._supervisor = supervisor
        self._workplace = LocalWorkplace(store, records, environments, given)
        self._probes = Probes(
            store=store, environments=environments, supervisor=supervisor, limits=limits, given=given, forks=forks
        )

    def perform(self, task: Task, on_stage: OnStage) -> None:
        """Do `task` and record its results.

        Raises:
            InterruptedError: the run is being stopped; nothing was recorded for what was in flight.
            DiskFullError: nothing was recorded for what was in flight.
        """
        try:
            with harness_failure.recorded(task, self._records):
                self._perform(task, on_stage)
        except DiskFullError:
            self._probes.distrust_bytecode()
            raise

    def _perform(self, task: Task, on_stage: OnStage) -> None:
        if task.installs:
            on_stage(Stage.INSTALL)
        batch = task.next_batch(self._records, self._workplace)
        while batch is not None:
            self._run(batch, on_stage)
            following = task.next_batch(self._records, self._workplace)
            # If nothing has changed, its process died before the first result.
            batch = following if following != batch else None

    def _run(self, batch: Batch, on_stage: OnStage) -> None:
        """Run one process and record its results.

        Raises:
            RuntimeError: the source that keys name, or the checkpoint, was edited during this run.
        """
        with self._store.scratch() as out:
            output = self._probes.run(batch, self._workplace, out, self._records.repeated, on_stage)
            require_unchanged(batch.model)
            batch.store(output, self._records, self._workplace, out)

    def with_records(self, records: Records) -> Worker:
        """The same worker with its environments, and other records."""
        other = copy.copy(self)
        other._records, other._workplace = records, self._workplace.with_records(records)  # noqa: SLF001 -- of the same class
        return other

    def build(self, closure: Closure) -> None:
        """See LocalWorkplace.build."""
        self._workplace.build(closure)

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
        self._workplace.release(parts)
