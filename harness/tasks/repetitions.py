"""What a run has learned from running failures again: which repeat, and which are chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.model import Stage, StageResult

TIMES_IF_CHANCE = 4
"""Repetitions of a failure whose signature was flaky elsewhere, or whose words differ.

One in five by chance is one in 3,000 five times in a row.
"""

WORDLESS = {"signal", "exit", "RunnerCrash"}
"""Types of failures that say nothing of what went wrong: two variants that crash may have two reasons, one of them chance."""

FailureKind = tuple[Stage, str]
"""Stage and signature."""


class FailurePlace(NamedTuple):
    """What a failure is about."""

    environment: str
    """A closure, and the artifact that was run in it."""
    subject: str | None = None
    """The variant; None for a process as a whole."""

    def of(self, failed: StageResult) -> FailurePlace:
        """The place in which such a failure is known once it has repeated: of all variants, or of one if it has no words."""
        return self if failed.error and failed.error.type in WORDLESS else FailurePlace(self.environment)


class Lessons(NamedTuple):
    """What one task learns from its repetitions, and others of the run must know, wherever they run."""

    chance: frozenset[FailureKind] = frozenset()
    """See Repeated."""
    alone: frozenset[str] = frozenset()
    """See Repeated."""


@dataclass(kw_only=True, slots=True)
class Repeated:
    """What a run has learned from its repetitions; used by many threads at once."""

    steady: set[tuple[FailurePlace, FailureKind]] = field(default_factory=set)
    """Place and kind of failures that repeated."""
    varying: dict[tuple[FailurePlace, Stage], list[StageResult]] = field(default_factory=dict)
    """Place and stage → failures that repeated there with another message, with the words that they shared."""
    chance: set[FailureKind] = field(default_factory=set)
    """Stage and signature of failures that did not, in whatever closure."""
    alone: set[str] = field(default_factory=set)
    """Keys of closures in which something works in a process of its own only."""

    def is_known(self, place: FailurePlace, kind: FailureKind, failed: StageResult) -> bool:
        """Whether `failed`, which is of that kind, needs no repetition."""
        return (place.of(failed), kind) in self.steady and kind not in self.chance

    def worded(self, place: FailurePlace, failed: StageResult) -> Sequence[StageResult]:
        """See `varying`."""
        return self.varying.get((place.of(failed), failed.stage), [])

    def note(self, place: FailurePlace, kind: FailureKind, failed: StageResult) -> None:
        """`failed`, which is of that kind, has repeated there as often as it must."""
        self.steady.add((place.of(failed), kind))
        known = self.varying.setdefault((place.of(failed), failed.stage), [])
        if failed.error and failed.error.shared and failed not in known:
            known.append(failed)

    def times(self, kind: FailureKind) -> int:
        """How often a failure must repeat before it is a fact."""
        return TIMES_IF_CHANCE if kind in self.chance else 1

    @property
    def lessons(self) -> Lessons:
        """What tasks on other machines must know of it."""
        return Lessons(chance=frozenset(self.chance), alone=frozenset(self.alone))

    def learn(self, lessons: Lessons) -> None:
        """Add what was learned elsewhere."""
        self.chance |= lessons.chance
        self.alone |= lessons.alone
