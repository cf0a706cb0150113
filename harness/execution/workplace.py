"""The environments of a worker, built when a task first needs them, and the artifacts that it reads and writes."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from pathlib import Path

from harness import disk_space
from harness.environments.environments import Environments
from harness.environments.layers import Closure
from harness.errors import DiskFullError
from harness.execution.process.repetition import compared
from harness.model import StageResult, Status
from harness.store.store import Store
from harness.tasks.install import Install
from harness.tasks.interface import Parts
from harness.tasks.records import Records


class LocalWorkplace:
    """See tasks.interface.Workplace. Used by many threads at once."""

    def __init__(self, store: Store, records: Records, environments: Environments, given: Mapping[str, Path]) -> None:
        """`given` maps closures (by key) to the interpreter of an environment that the caller made and that holds them."""
        self._store = store
        self._records = records
        self._environments = environments
        self._given = given
        self._installed: dict[str, Path | None] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def with_records(self, records: Records) -> LocalWorkplace:
        """The same environments, with other records."""
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

    def release(self, parts: Parts) -> None:
        """No planned task needs this environment; if another does after all, it is built again."""
        if len(parts) == 1:
            self._installed.pop(parts[0].key, None)
        self._environments.release(parts)

    def is_given(self, closure: Closure) -> bool:
        """See tasks.interface.Workplace."""
        return closure.key in self._given

    def site(self, closure: Closure) -> Path:
        """See tasks.interface.Workplace."""
        return self._environments.site(closure)

    def artifact(self, digest: str) -> Path:
        """See tasks.interface.Workplace."""
        return self._store.artifacts.folder(digest)

    def publish(self, folder: Path) -> str:
        """See tasks.interface.Workplace."""
        return self._store.artifacts.publish(folder)

    def _built(self, closure: Closure) -> tuple[Path | None, StageResult]:
        """See Environments.ensure; a failure is tried twice. The environment is verified in the end."""
        python, result = self._environments.ensure(closure)
        if result.status is Status.FAILS:
            python, again = self._environments.ensure(closure)
            result = again if again.ok else compared([result], [again])[-1]
        if result.error and disk_space.says_full(result.error.message):
            raise DiskFullError(result.error.message)
        return python, result

    def _building(self, closure: Closure) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(closure.key, threading.Lock())
