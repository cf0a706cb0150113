"""The parts of an upgrade, each run alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.decide.complete_sets import Unanswered
from harness.decide.experiments import Experiment, Experiments
from harness.decide.regressions import lost, survives
from harness.decide.set_differences import moved_along
from harness.decide.version_sets import VersionChange, Versions
from harness.model import Status
from harness.verdicts.judge import VariantVerdict


@dataclass(frozen=True, kw_only=True, slots=True)
class UpgradeStep:
    """A part of the upgrade, run alone."""

    changes: tuple[VersionChange, ...]
    safe: bool | None
    """None if it is unknown."""
    lost: tuple[VariantVerdict, ...]
    along: tuple[VersionChange, ...] = ()
    """Other distributions that the resolver moved with them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UpgradeSteps:
    """All parts of an upgrade that breaks; none if it has only one."""

    steps: tuple[UpgradeStep, ...] = ()
    only_together: bool | None = None
    """If no part breaks alone: whether all of them together do, or what else differs; None if that is unknown."""
    unanswered: tuple[str, ...] = ()
    """Why some of them could not be run."""

    @property
    def breaking(self) -> list[VersionChange]:
        """The changes that break alone."""
        return [change for step in self.steps if step.safe is False for change in step.changes]


class StepRuns:
    """Runs the parts of upgrades of one set."""

    def __init__(self, experiments: Experiments, current: Experiment, versions: Versions) -> None:
        """`versions` are the current set, and `current` what came of it."""
        self._experiments = experiments
        self._current = current
        self._versions = versions

    def of(self, changes: Sequence[VersionChange], target: Experiment) -> UpgradeSteps:
        """Each axis alone, and all other distributions as one more step; `target` has all `changes`, and fails."""
        groups = [[change] for change in changes if change.name in self._experiments.axes]
        others = [change for change in changes if change.name not in self._experiments.axes]
        groups += [others] if others else []
        if len(groups) < 2 or self._current.verdict.status is not Status.WORKS:
            return UpgradeSteps()
        sets, unanswered = dict[int, Versions](), list[str]()
        for place, group in enumerate(groups):
            try:
                sets[place] = self._changed(group)
            except Unanswered as reason:
                unanswered.append(str(reason))
        found = dict(zip(sets, self._experiments.run(list(sets.values())), strict=True))
        steps = tuple(self._step(group, found.get(place)) for place, group in enumerate(groups))
        together = self._break_together(changes, target) if all(step.safe for step in steps) else None
        return UpgradeSteps(steps=steps, only_together=together, unanswered=tuple(unanswered))

    def _step(self, changes: Sequence[VersionChange], run: Experiment | None) -> UpgradeStep:
        if run is None:
            return UpgradeStep(changes=tuple(changes), safe=None, lost=())
        now, rule = self._current.verdict, self._experiments.rule
        return UpgradeStep(
            changes=tuple(changes),
            safe=survives(now, run.verdict, rule),
            lost=tuple(lost(now, run.verdict, rule)),
            along=moved_along(self._current, run, {change.name for change in changes}),
        )

    def _break_together(self, changes: Sequence[VersionChange], target: Experiment) -> bool | None:
        """Whether the current set breaks with all changes: the target may differ in extras and bounds besides."""
        try:
            together = self._changed(changes)
        except Unanswered:
            return None
        if self._experiments.is_one_cell(together, target.versions):
            return True
        (run,) = self._experiments.run([together])
        works = survives(self._current.verdict, run.verdict, self._experiments.rule)
        return None if works is None else not works

    def _changed(self, changes: Sequence[VersionChange]) -> Versions:
        """The current set with `changes` alone."""
        kept = self._versions.without({change.name for change in changes if change.new is None})
        return self._experiments.moved(
            kept, {change.name: change.new for change in changes if change.new is not None}, adds=True
        )
