"""How much memory a task will need: the most that its kind needed in this run, and before that a guess."""

from __future__ import annotations

from harness.matrix.schema import ProbeSection
from harness.tasks.interface import Task
from harness.tasks.records import Records, stages

_GUESSES = {"tiny": (1.0e9, 0.3e9), "base": (4.5e9, 2.0e9)}
"""Profile → bytes of (a process with torch, one without). Marian's were seen to need 0.7 and 0.1 GB, and 3.7 and 1.5 GB."""

_MARGIN = 1.1
"""Another version of a package may need a little more."""


class Memory:
    """Remembers, for one model, the most that each kind of task has needed in this run."""

    def __init__(self, model: ProbeSection, records: Records) -> None:
        # A checkpoint, or a probe module's own model, may have any size.
        profile = model.profile if model.checkpoint is None and model.module is None else "base"
        self._with_torch, self._without = _GUESSES[profile]
        self._records = records
        self._seen: dict[str, int] = {}

    def needed(self, task: Task) -> float:
        """Bytes; an install counts for nothing."""
        if task.installs:
            return 0.0
        if seen := self._seen.get(task.kind):
            return seen * _MARGIN
        return self._with_torch if task.imports_torch else self._without

    def learn(self, task: Task) -> None:
        """Take note of what `task`, which has ended, really needed."""
        if task.installs:
            return
        peaks = [
            result.data.get("peak_memory", 0)
            for key in task.measured_keys(self._records)
            for result in stages(self._records.get(key))
        ]
        self._seen[task.kind] = max(self._seen.get(task.kind, 0), *peaks, 0)
