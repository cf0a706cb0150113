"""The task that builds and verifies the environment of one closure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from harness.environments.layers import Closure
from harness.matrix.schema import ProbeSection
from harness.model import Stage, Status
from harness.tasks.interface import Task, Workplace
from harness.tasks.keys import key_of, platform_id
from harness.tasks.records import Records, stages


@dataclass(frozen=True, kw_only=True)
class Install(Task):
    """Build and verify the environment of one closure."""

    kind = "install"
    rank = 0
    installs = True
    seconds = 5
    needs = ()
    imported_alike = frozenset()

    closure: Closure

    @functools.cached_property
    def key(self) -> str:
        """The key of its result."""
        return key_of("install", self.closure.key, platform_id())

    @property
    def results(self) -> Mapping[Stage, int]:
        """See Task."""
        return {Stage.INSTALL: 1}

    def keys(self, records: Records) -> list[str]:  # noqa: ARG002 -- as Task
        """Its only key."""
        return [self.key]

    def is_pending(self, records: Records) -> bool:
        """Whether it has no result."""
        return records.get(self.key) is None

    def is_impossible(self, records: Records) -> bool:
        """Whether the environment is known not to install."""
        return any(result.status in {Status.FAILS, Status.FLAKY} for result in stages(records.get(self.key)))

    def next_batch(self, records: Records, workplace: Workplace) -> None:  # noqa: ARG002 -- as Task
        """Have the environment; it needs no probe process."""
        workplace.python(self.closure)

    def missing(self, records: Records) -> list[tuple[str, Stage]]:
        """Nothing if an environment that was there before is built again."""
        return [(self.key, Stage.INSTALL)] if self.is_pending(records) else []

    def localised(self, at: Callable[[Closure], Closure], here: Callable[[ProbeSection], ProbeSection]) -> Self:  # noqa: ARG002 -- as Task
        """With another machine's interpreter."""
        return replace(self, closure=at(self.closure))
