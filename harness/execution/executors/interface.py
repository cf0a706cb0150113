"""What an executor is: it runs the tasks of a session.

The scheduler decides what runs when, over threads of the harness. Each thread runs its task itself, or waits for another
machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.environments.environments import Environments
from harness.environments.providers import Packages
from harness.environments.uv.client import Uv
from harness.execution.process.sandbox import Sandbox
from harness.execution.settings import Settings
from harness.matrix.schema import ProbeSection
from harness.model import Limits
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks.interface import Parts, Task
from harness.tasks.records import Records

Given = Callable[[Environments], Mapping[str, Path]]
"""Environments → closure key → python of an environment that the caller made; `cell --environment` needs that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """What an executor needs to know of a session."""

    settings: Settings
    probe: ProbeSection
    uv: Uv
    packages: Packages
    store: Store
    records: Records
    limits: Limits
    supervisor: Supervisor
    sandbox: Sandbox | None = None
    """What confines the probes of this machine."""
    given: Given | None = None
    """For an executor of this process."""


class TaskExecutor(Protocol):
    """Runs tasks; used by many threads at once."""

    def lanes(self, requested: int | str) -> tuple[int, int]:
        """How many probes, and how many installs, run at once, for `requested` probes (a number or `auto`)."""

    def memory(self) -> float:
        """Bytes that all probes together may need; infinite if somebody else limits that."""

    def perform(self, task: Task, on_stage: Callable[[str], None]) -> None:
        """Run `task`; afterwards the records hold its results. Raises InterruptedError after `stop`."""

    def release(self, parts: Parts) -> None:
        """No task that is planned needs this environment any more."""

    def stop(self) -> None:
        """End what runs, and begin nothing more: the run is interrupted."""

    def close(self, *, keep: bool) -> None:
        """The session is over: remove the environments that are left, unless `keep`."""
