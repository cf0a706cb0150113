"""Where tasks are done: in this process (local.py), or in processes elsewhere (remote_worker.py) that dask finds and watches.

`scheduler.execute` decides what is done when, over threads of the harness, whoever does it: a thread of it either works
itself or waits for another machine's.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

from harness.environments.layers import Closure
from harness.environments.uv.client import Uv
from harness.errors import HarnessError
from harness.execution.settings import Settings
from harness.matrix.schema import ProbeSection
from harness.model import Limits
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks.records import Records
from harness.tasks.tasks import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """What an executor needs to know of a run."""

    settings: Settings
    probe: ProbeSection
    uv: Uv
    store: Store
    records: Records
    limits: Limits
    supervisor: Supervisor


class Crew(Protocol):
    """Who does the tasks of a run; used by many threads at once."""

    def lanes(self, wanted: int | str) -> tuple[int, int]:
        """How many probes, and how many installs, go on at once, where `wanted` probes (or `auto`) were asked for."""

    def memory(self) -> float:
        """Bytes that all probes together may need; infinite where somebody else sees to that."""

    def perform(self, task: Task, on_stage: Callable[[str], None]) -> None:
        """Do `task`; afterwards the run's facts hold what came of it. Raises InterruptedError after `stop`."""

    def release(self, parts: tuple[Closure, ...]) -> None:
        """Nothing that is planned needs this environment any more."""

    def stop(self) -> None:
        """End what runs, and begin nothing more: the run is interrupted."""

    def close(self, *, keep: bool) -> None:
        """The run is over: remove the environments that are left, unless `keep`."""


def with_dask() -> ModuleType:
    """The room that talks to dask, which is an optional extra.

    Raises:
        HarnessError: it is not installed.
    """
    try:
        return importlib.import_module("harness.execution.executors.dask")
    except ImportError as error:
        wanted = "pip install 'export-matrix[dask]'"
        raise HarnessError(f"--executor dask needs what is not installed ({error}): {wanted}") from None
