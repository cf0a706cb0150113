"""How much memory a task will need: what its like was seen to need, and until then a guess by the size of the model."""

from __future__ import annotations

from harness.matrix.schema import ProbeSection
from harness.tasks.records import Records, stages
from harness.tasks.tasks import Evaluate, Export, Install, Run, Task

_GUESSES = {"tiny": (1.0e9, 0.3e9), "base": (4.5e9, 2.0e9)}
"""Profile → bytes of (an export, a run). Marian's were seen to need 0.7 and 0.1 GB, and 3.7 and 1.5 GB."""

_ROOM = 1.1
"""Another version of a package may need a little more."""


class Memory:
    """Remembers, for one model, the most that each kind of task has needed in this run."""

    def __init__(self, model: ProbeSection, facts: Records) -> None:
        # A checkpoint, or a model of somebody's own, may have any size.
        profile = model.profile if model.checkpoint is None and model.module is None else "base"
        self._export, self._run = _GUESSES[profile]
        self._facts = facts
        self._seen: dict[type[Task], int] = {}

    def needed(self, task: Task) -> float:
        """Bytes; an install counts for nothing."""
        if isinstance(task, Install):
            return 0.0
        if seen := self._seen.get(type(task)):
            return seen * _ROOM
        return self._export if isinstance(task, (Export, Evaluate)) else self._run

    def learn(self, task: Task) -> None:
        """Take note of what `task`, which has ended, really needed."""
        if isinstance(task, Install):
            return
        peaks = [result.data.get("peak_memory", 0) for key in _told(task) for result in stages(self._facts.get(key))]
        self._seen[type(task)] = max(self._seen.get(type(task), 0), *peaks, 0)


def _told(task: Export | Run | Evaluate) -> list[str]:
    """Where the process of a task leaves what it needed, whatever it was asked for."""
    return [task.key, *map(task.variant_key, task.variants)] if isinstance(task, Export) else [task.key]
