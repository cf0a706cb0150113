"""What a run has learned from running failures again: which repeat, and which are chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.model import Stage, StageResult

TIMES_IF_CHANCE = 4
"""Repetitions of a failure whose signature was flaky elsewhere, or whose words differ.

One in five by chance is one in 3,000 five times in a row.
"""

FailureKind = tuple[Stage, str]
"""Stage and signature."""


@dataclass(kw_only=True, slots=True)
class Repeated:
    """What a run has learned from its repetitions; used by many threads at once."""

    steady: set[tuple[str, Stage, str]] = field(default_factory=set)
    """Place (a closure, and the artifact that was run in it), stage and signature of failures that repeated."""
    varying: dict[tuple[str, Stage], list[StageResult]] = field(default_factory=dict)
    """Place and stage → failures that repeated there in other words, with the words that they shared."""
    chance: set[FailureKind] = field(default_factory=set)
    """Stage and signature of failures that did not, in whatever closure."""
    alone: set[str] = field(default_factory=set)
    """Keys of closures in which something works in a process of its own only."""

    def is_known(self, place: str, kind: FailureKind) -> bool:
        """Whether such a failure needs no repetition."""
        return (place, *kind) in self.steady and kind not in self.chance

    def worded(self, place: str, stage: Stage) -> Sequence[StageResult]:
        """See `varying`."""
        return self.varying.get((place, stage), [])

    def note(self, place: str, kind: FailureKind, failed: StageResult) -> None:
        """`failed`, which is of that kind, has repeated there as often as it must."""
        self.steady.add((place, *kind))
        known = self.varying.setdefault((place, failed.stage), [])
        if failed.error and failed.error.shared and failed not in known:
            known.append(failed)

    def times(self, kind: FailureKind) -> int:
        """How often a failure must repeat before it is a fact."""
        return TIMES_IF_CHANCE if kind in self.chance else 1
