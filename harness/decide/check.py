"""Whether an upgrade breaks, which part of it does, and what makes it work; every claim rests on a set that was run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.decide import set_differences
from harness.decide.complete_sets import Unanswered
from harness.decide.experiments import Experiment, Experiments
from harness.decide.regressions import losses, lost, survives, unknown_end, unknown_reason
from harness.decide.set_differences import moved_along, version_in
from harness.decide.target_remedies import TargetRemedies, TargetRemedy
from harness.decide.upgrade_steps import StepRuns, UpgradeStep
from harness.decide.version_sets import TargetSet, VersionChange, Versions
from harness.model import Status
from harness.packaging_values import after, same_version
from harness.verdicts.judge import VariantVerdict


class CheckResult(StrEnum):
    """Whether an upgrade is safe."""

    SAFE = "SAFE"
    BREAKS = "BREAKS"
    FAILS_ALREADY = "FAILS NOW ALREADY"
    """The target fails, and so does the current set: no working variant is lost."""
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, kw_only=True, slots=True)
class Upgrade:
    """A change from the current set to a target."""

    answer: CheckResult
    changes: tuple[VersionChange, ...]
    forced: tuple[VersionChange, ...]
    """Other distributions that the resolver moved, because the target does not admit their current versions."""
    target: Experiment | None
    reason: str | None = None
    """Why the answer is unknown."""
    lost: tuple[VariantVerdict, ...] = ()
    """Variants that work in the current set only; if the current set fails already, the failing ones."""
    otherwise: tuple[VariantVerdict, ...] = ()
    """Those of `lost` that fail in the current set too, in another way."""
    steps: tuple[UpgradeStep, ...] = ()
    only_together: bool | None = None
    """If no step breaks alone: whether all of them together do, or what else differs; None if that is unknown."""
    remedy: TargetRemedy | None = None
    nearest: Experiment | None = None
    """The working set that is nearest to the target, and nearer to it than the current set."""
    nearest_along: tuple[VersionChange, ...] = ()
    """What that differs in from the current set besides what was requested."""
    unanswered: tuple[str, ...] = ()
    """Why a part of the search for a remedy was left out."""
    not_needed: tuple[str, ...] = ()
    """Differences of the sets that were not checked, because no environment has these distributions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """The answer on all upgrades: the worst of theirs."""

    answer: CheckResult
    current: Experiment | None
    upgrades: tuple[Upgrade, ...]
    notes: tuple[str, ...] = ()
    """What of the sets was not used or not checked."""


class Check:
    """Checks upgrades of a set."""

    def __init__(self, experiments: Experiments, current: Versions) -> None:
        self._experiments = experiments
        self._versions = experiments.complete(current)
        self._current: Experiment

    def alone(self) -> Checked:
        """Whether the current set works."""
        (self._current,) = self._experiments.run([self._versions])
        verdict = self._current.verdict
        answer = {Status.WORKS: CheckResult.SAFE, Status.FAILS: CheckResult.BREAKS}.get(verdict.status, CheckResult.UNKNOWN)
        upgrade = Upgrade(answer=answer, changes=(), forced=(), target=self._current)
        if answer is CheckResult.UNKNOWN:
            upgrade = replace(upgrade, reason=unknown_reason(verdict))
        elif answer is CheckResult.BREAKS:
            upgrade = replace(upgrade, lost=self._lost(self._current))
        upgrade = _proven_with(upgrade, self._versions.missing)
        if upgrade.answer is CheckResult.BREAKS:
            upgrade = self._with_remedy(upgrade, TargetSet(base=self._versions))
        return self._worst([upgrade], (*self._versions.ignored, *self._versions.missing))

    def to(self, requirements: Sequence[Requirement], new: Versions | None = None) -> Checked:
        """Whether an upgrade to all `requirements` at once is safe; `new` is a set in place of the current one.

        Raises:
            VersionsError: nothing needs what one of the requirements names.
        """
        base = self._versions if new is None else self._experiments.complete(new)
        return self._checked([TargetSet(base=base, requested=self._newest(requirements, base))])

    def outdated(self) -> Checked:
        """The newest version of each axis alone, and all together: the upgrades that a dependency bot proposes."""
        current = self._versions.exact
        newest = {
            axis: self._experiments.newest(axis, "", self._versions) for axis in self._experiments.axes if axis in current
        }
        newer = {axis: version for axis, version in newest.items() if Version(version) > Version(current[axis])}
        if not newer:
            return self.alone()
        requests = [{axis: version} for axis, version in newer.items()]
        requests += [newer] if len(newer) > 1 else []
        return self._checked([TargetSet(base=self._versions, requested=requested) for requested in requests])

    def _checked(self, goals: Sequence[TargetSet]) -> Checked:
        """Run the current set, and all targets beside it."""
        targets = list(map(self._resolved, goals))
        self._current, *found = self._experiments.run(
            [self._versions, *(target for target in targets if isinstance(target, Versions))]
        )
        ran = iter(found)
        upgrades = [
            self._upgrade(goal, next(ran)) if isinstance(target, Versions) else self._unresolved(goal, target)
            for goal, target in zip(goals, targets, strict=True)
        ]
        sets = [self._versions, *(goal.base for goal in goals)]
        notes = [note for versions in sets for note in (*versions.ignored, *versions.missing)]
        notes += [note for upgrade in upgrades for note in upgrade.not_needed]
        return self._worst(upgrades, tuple(dict.fromkeys(notes)))

    def _worst(self, upgrades: Sequence[Upgrade], notes: tuple[str, ...]) -> Checked:
        answers = {upgrade.answer for upgrade in upgrades}
        worst = next(answer for answer in _WORST_FIRST if answer in answers)
        return Checked(answer=worst, current=self._current, upgrades=tuple(upgrades), notes=notes)

    def _newest(self, requirements: Sequence[Requirement], versions: Versions) -> dict[str, str]:
        """Name → the newest version that its requirements admit."""
        bounds: dict[str, SpecifierSet] = {}
        for requirement in requirements:
            name = canonicalize_name(requirement.name)
            bounds[name] = bounds.get(name, SpecifierSet()) & requirement.specifier
        return {name: self._experiments.newest(name, str(bound), versions) for name, bound in bounds.items()}

    def _resolved(self, goal: TargetSet) -> Versions | Unanswered:
        """The versions of a target, or why it cannot be resolved: that is reported with the target."""
        try:
            return self._experiments.moved(goal.base, goal.requested) if goal.requested else goal.base
        except Unanswered as reason:
            return reason

    def _unresolved(self, goal: TargetSet, reason: Unanswered) -> Upgrade:
        new = {**goal.base.exact, **goal.requested}
        changes = tuple(set_differences.changes(goal, self._current, new, self._experiments.axes))
        return Upgrade(answer=CheckResult.UNKNOWN, changes=changes, forced=(), target=None, reason=str(reason))

    def _upgrade(self, goal: TargetSet, target: Experiment) -> Upgrade:
        set_differences.require_needed(goal.requested, self._current, target)
        new = set_differences.installed(target)
        resolved = target.verdict.resolved.lock is not None
        certain = set_differences.installed(self._current) if resolved else self._experiments.axes
        upgrade = Upgrade(
            answer=CheckResult.SAFE,
            changes=tuple(set_differences.changes(goal, self._current, new, certain)),
            forced=tuple(set_differences.moved(goal.base, target.versions, goal.requested)),
            target=target,
            not_needed=tuple(set_differences.not_needed(goal.base, self._current, target)),
        )
        match survives(self._current.verdict, target.verdict, self._experiments.rule):
            case True:
                upgrade = replace(upgrade, lost=self._lost(target))
            case None:
                upgrade = replace(upgrade, answer=CheckResult.UNKNOWN, reason=self._reason_unknown(target))
            case False:
                upgrade = self._failing(upgrade, target)
        upgrade = _proven_with(upgrade, (*self._versions.missing, *goal.base.missing))
        return self._explained(upgrade, goal) if upgrade.answer in _FAILING else upgrade

    def _reason_unknown(self, target: Experiment) -> str:
        """Why it is unknown whether `target` is safe: one of the two sets proves nothing."""
        current = self._current.verdict
        if current.status.is_fact or not target.verdict.status.is_fact:
            return unknown_reason(target.verdict)
        end = target.verdict.status.value
        return f"the target {end}, and whether the current set works is not known: {unknown_reason(current)}"

    def _failing(self, upgrade: Upgrade, target: Experiment) -> Upgrade:
        """The answer if the target fails: the upgrade breaks if something is lost that works in the current set."""
        current = self._current.verdict.status
        if current is Status.WORKS:
            return replace(upgrade, answer=CheckResult.BREAKS, lost=self._lost(target))
        found = losses(self._current.verdict, target.verdict, self._experiments.rule)
        if found.broken:
            return replace(upgrade, answer=CheckResult.BREAKS, lost=found.broken)
        if current is not Status.FAILS:
            return replace(upgrade, answer=CheckResult.UNKNOWN, reason=self._reason_unknown(target))
        if found.unknown:
            return replace(upgrade, answer=CheckResult.UNKNOWN, reason=unknown_end(found.unknown[0]))
        failing = (*found.otherwise, *found.alike)
        return replace(upgrade, answer=CheckResult.FAILS_ALREADY, lost=failing, otherwise=found.otherwise)

    def _explained(self, upgrade: Upgrade, goal: TargetSet) -> Upgrade:
        """With the part that breaks, a remedy, and the nearest target that works."""
        assert upgrade.target is not None
        found = StepRuns(self._experiments, self._current, self._versions).of(upgrade.changes, upgrade.target)
        upgrade = replace(upgrade, steps=found.steps, only_together=found.only_together, unanswered=found.unanswered)
        upgrade = self._with_remedy(upgrade, goal)
        nearest = self._nearest(upgrade, goal, found.breaking or upgrade.changes)
        if nearest is None:
            return upgrade
        along = moved_along(self._current, nearest, {change.name for change in upgrade.changes})
        return replace(upgrade, nearest=nearest, nearest_along=along)

    def _with_remedy(self, upgrade: Upgrade, goal: TargetSet) -> Upgrade:
        remedies = self._remedies(upgrade, goal)
        remedy = remedies.search()
        return replace(upgrade, remedy=remedy, unanswered=tuple(dict.fromkeys([*upgrade.unanswered, *remedies.unanswered])))

    def _remedies(self, upgrade: Upgrade, goal: TargetSet) -> TargetRemedies:
        assert upgrade.target is not None
        moved = [change.name for change in upgrade.changes]
        return TargetRemedies(self._experiments, self._current, upgrade.target, goal, moved=moved)

    def _nearest(self, upgrade: Upgrade, goal: TargetSet, breaking: Sequence[VersionChange]) -> Experiment | None:
        """The nearest target that works if one breaking part stays behind; None if only the current set works."""
        remedies = self._remedies(upgrade, goal)
        for change in breaking:
            name, old, new = change.name, change.old, change.new
            if old is None or new is None:
                continue
            low, high = sorted((old, new), key=Version)
            try:
                releases = self._experiments.between(
                    name, f"{after(low)},<{Version(high).public}", "latest-per-minor", self._versions
                )
                backwards = reversed(releases) if low == old else releases
                found = remedies.first_working(name, [new, *backwards, old])
            except Unanswered:
                continue
            if found and any(not same_version(version_in(found, part.name), part.old) for part in upgrade.changes):
                return found
        return None

    def _lost(self, target: Experiment) -> tuple[VariantVerdict, ...]:
        return tuple(lost(self._current.verdict, target.verdict, self._experiments.rule))


def _proven_with(upgrade: Upgrade, missing: Sequence[str]) -> Upgrade:
    """`upgrade`, of which nothing is proven if something of its sets is `missing`: that may break it, or make it work."""
    if upgrade.answer is CheckResult.UNKNOWN or not missing:
        return upgrade
    result = "works" if upgrade.answer is CheckResult.SAFE else "fails"
    reason = f"the rest of the set {result}, and this was not run with it: {'; '.join(dict.fromkeys(missing))}"
    return replace(upgrade, answer=CheckResult.UNKNOWN, reason=reason)


_FAILING = (CheckResult.BREAKS, CheckResult.FAILS_ALREADY)

_WORST_FIRST = (CheckResult.BREAKS, CheckResult.UNKNOWN, CheckResult.FAILS_ALREADY, CheckResult.SAFE)
