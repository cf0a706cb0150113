"""The joint import of a `together` cell: all packages in one process."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from harness.environments.layers import Closure
from harness.matrix.schema import ProbeSection
from harness.stack import MODULES
from harness.tasks import jobs
from harness.tasks.install import Install
from harness.tasks.interface import Batch, Parts, ProbeOutput, ProbeRequest, Subject, Workplace
from harness.tasks.keys import process_key
from harness.tasks.records import Records
from harness.tasks.repetitions import FailurePlace


@dataclass(frozen=True, kw_only=True)
class Import:
    """Import all packages in one process, the export side's and then the run side's: what a `together` cell promises.

    No task of its own: the export's process forks for it, after its own imports (probe/import_together.py).
    """

    parts: Parts
    """The export's closure and the run's, or one that holds both."""
    model: ProbeSection = field(hash=False)

    @functools.cached_property
    def key(self) -> str:
        """The key of its result."""
        return process_key("import", "import", self.model, [part.key for part in self.parts], self.modules)

    @property
    def modules(self) -> list[str]:
        """What is imported, in this order; a probe module adds its own."""
        names = {pinned.name for part in self.parts for pinned in part.lock.distributions}
        return [name for name in MODULES if name in names]

    @property
    def install(self) -> Install:
        """The run side's environment."""
        return Install(closure=self.parts[-1])

    def localised(self, at: Callable[[Closure], Closure], here: Callable[[ProbeSection], ProbeSection]) -> Self:
        """See Task."""
        return replace(self, parts=tuple(map(at, self.parts)), model=here(self.model))


@dataclass(frozen=True, kw_only=True)
class ImportBatch(Batch):
    """One import in a process of its own, of an environment that holds both sides."""

    task: Import

    @property
    def model(self) -> ProbeSection:
        """See Batch."""
        return self.task.model

    def request(self, workplace: Workplace, out: Path, only: Collection[Subject] | None = None) -> ProbeRequest:  # noqa: ARG002 -- as Batch
        """See Batch."""
        python = workplace.python(self.task.parts[0])
        assert python is not None
        return ProbeRequest(
            python=python,
            job=jobs.importing(self.task.modules, self.model),
            keys=[self.task.key],
            parts=self.task.parts,
            places={None: FailurePlace(self.task.key)},
        )

    def store(self, output: ProbeOutput, records: Records, workplace: Workplace, out: Path) -> None:  # noqa: ARG002 -- as Batch
        """See Batch."""
        records.put(self.task.key, output.results[None])
