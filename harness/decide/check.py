"""Whether an upgrade breaks, which part of it does, and what makes it work; every claim rests on a set that was run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.decide.experiments import Experiment, Experiments, Unanswered
from harness.decide.regressions import losses, lost, survives, unknown_end, unknown_reason
from harness.decide.target_remedies import TargetRemedies, TargetRemedy
from harness.decide.version_sets import VersionChange, Versions
from harness.model import Status
from harness.verdicts.judge import VariantVerdict


class CheckResult(StrEnum):
    """Whether an upgrade is safe."""

    SAFE = "SAFE"
    BREAKS = "BREAKS"
    FAILS_ALREADY = "FAILS NOW ALREADY"
    """The target fails, and so does the current set: no working variant is lost."""
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, kw_only=True, slots=True)
class UpgradeStep:
    """A part of the upgrade, run alone."""

    changes: tuple[VersionChange, ...]
    safe: bool | None
    """None if it is unknown."""
    lost: tuple[VariantVerdict, ...]


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
    remedy: TargetRemedy | None = None
    nearest: Experiment | None = None
    """The working set that is nearest to the target, and nearer to it than the current set."""
    unanswered: tuple[str, ...] = ()
    """Why a part of the search for a remedy was left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """The answer on all upgrades: the worst of theirs."""

    answer: CheckResult
    current: Experiment | None
    upgrades: tuple[Upgrade, ...]
    notes: tuple[str, ...] = ()


class Check:
    """Checks upgrades of a set."""

    def __init__(self, experiments: Experiments, current: Versions) -> None:
        self._experiments = experiments
        self._versions = experiments.complete(current)
        self._current: Experiment
        self._targets: dict[frozenset[tuple[str, str]], Versions] = {}
        """Changed distributions and their versions → the whole target."""

    def alone(self) -> Checked:
        """Whether the current set works."""
        self._run([])
        verdict = self._current.verdict
        answer = {Status.WORKS: CheckResult.SAFE, Status.FAILS: CheckResult.BREAKS}.get(verdict.status, CheckResult.UNKNOWN)
        upgrade = Upgrade(answer=answer, changes=(), forced=(), target=self._current)
        if answer is CheckResult.UNKNOWN:
            upgrade = replace(upgrade, reason=unknown_reason(verdict))
        elif answer is CheckResult.BREAKS:
            upgrade = self._with_remedy(replace(upgrade, lost=self._lost(self._current)))
        return self._checked([upgrade])

    def to(self, requirements: Sequence[Requirement]) -> Checked:
        """Whether an upgrade to all `requirements` at once is safe."""
        requested = self._newest(requirements)
        self._run([requested])
        return self._checked([self._upgrade(requested)])

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
        self._run(requests)
        return self._checked([self._upgrade(requested) for requested in requests])

    def _run(self, requests: Sequence[Mapping[str, str]]) -> None:
        """Run the current set, and all targets beside it."""
        for requested in requests:
            # A target that cannot be resolved is reported with that target.
            with contextlib.suppress(Unanswered):
                self._targets[frozenset(requested.items())] = self._experiments.moved(self._versions, requested)
        self._current, *_ = self._experiments.run([self._versions, *self._targets.values()])

    def _checked(self, upgrades: Sequence[Upgrade]) -> Checked:
        answers = {upgrade.answer for upgrade in upgrades}
        worst = next(answer for answer in _WORST_FIRST if answer in answers)
        return Checked(answer=worst, current=self._current, upgrades=tuple(upgrades), notes=self._versions.ignored)

    def _newest(self, requirements: Sequence[Requirement]) -> dict[str, str]:
        """Name → the newest version that its requirements admit."""
        bounds: dict[str, SpecifierSet] = {}
        for requirement in requirements:
            name = canonicalize_name(requirement.name)
            bounds[name] = bounds.get(name, SpecifierSet()) & requirement.specifier
        return {name: self._experiments.newest(name, str(bound), self._versions) for name, bound in bounds.items()}

    def _upgrade(self, requested: Mapping[str, str]) -> Upgrade:
        changes = tuple(
            VersionChange(name=name, old=old, new=version)
            for name, version in requested.items()
            if (old := self._current_version(name)) != version
        )
        try:
            versions = self._targets.get(frozenset(requested.items())) or self._experiments.moved(self._versions, requested)
            (target,) = self._experiments.run([versions])
        except Unanswered as reason:
            return Upgrade(answer=CheckResult.UNKNOWN, changes=changes, forced=(), target=None, reason=str(reason))
        forced = tuple(
            VersionChange(name=name, old=old, new=versions.exact.get(name))
            for name, old in self._versions.exact.items()
            if name not in requested and versions.exact.get(name) != old
        )
        upgrade = Upgrade(answer=CheckResult.SAFE, changes=changes, forced=forced, target=target)
        match survives(self._current.verdict, target.verdict, self._experiments.rule):
            case True:
                return replace(upgrade, lost=self._lost(target))
            case None:
                return replace(upgrade, answer=CheckResult.UNKNOWN, reason=self._reason_unknown(target))
            case False:
                return self._failing(upgrade, target)

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
            return self._explained(replace(upgrade, answer=CheckResult.BREAKS, lost=self._lost(target)))
        found = losses(self._current.verdict, target.verdict, self._experiments.rule)
        if found.broken:
            return self._explained(replace(upgrade, answer=CheckResult.BREAKS, lost=found.broken))
        if current is not Status.FAILS:
            return replace(upgrade, answer=CheckResult.UNKNOWN, reason=self._reason_unknown(target))
        if found.unknown:
            return replace(upgrade, answer=CheckResult.UNKNOWN, reason=unknown_end(found.unknown[0]))
        failing = (*found.otherwise, *found.alike)
        return self._explained(replace(upgrade, answer=CheckResult.FAILS_ALREADY, lost=failing, otherwise=found.otherwise))

    def _current_version(self, name: str) -> str | None:
        """The version of a distribution in the current set; if that leaves it open, the one that the resolver chose."""
        lock = self._current.verdict.resolved.lock
        found = self._versions.exact.get(name) or (lock.versions.get(name) if lock else None)
        return found and Version(found).public

    def _explained(self, upgrade: Upgrade) -> Upgrade:
        """With the part that breaks, a remedy, and the nearest target that works."""
        steps = self._steps(upgrade.changes)
        breaking = [change.name for step in steps if step.safe is False for change in step.changes]
        upgrade = self._with_remedy(replace(upgrade, steps=tuple(steps)))
        return replace(upgrade, nearest=self._nearest(upgrade, breaking or [change.name for change in upgrade.changes]))

    def _with_remedy(self, upgrade: Upgrade) -> Upgrade:
        remedies = self._remedies(upgrade)
        return replace(upgrade, remedy=remedies.search(), unanswered=tuple(dict.fromkeys(remedies.unanswered)))

    def _remedies(self, upgrade: Upgrade) -> TargetRemedies:
        assert upgrade.target is not None
        moved = [change.name for change in upgrade.changes]
        return TargetRemedies(self._experiments, self._current, upgrade.target, moved=moved)

    def _steps(self, changes: Sequence[VersionChange]) -> list[UpgradeStep]:
        """Each axis alone, and all other distributions as one more step; none if there is only one."""
        groups = [[change] for change in changes if change.name in self._experiments.axes]
        others = [change for change in changes if change.name not in self._experiments.axes]
        groups += [others] if others else []
        if len(groups) < 2 or self._current.verdict.status is not Status.WORKS:
            return []
        found = self._experiments.run(
            [self._experiments.moved(self._versions, {change.name: str(change.new) for change in group}) for group in groups]
        )
        return [
            UpgradeStep(
                changes=tuple(group),
                safe=survives(self._current.verdict, step.verdict, self._experiments.rule),
                lost=self._lost(step),
            )
            for group, step in zip(groups, found, strict=True)
        ]

    def _nearest(self, upgrade: Upgrade, breaking: Sequence[str]) -> Experiment | None:
        """The nearest target that works if one breaking part stays behind; None if only the current set works."""
        remedies, requested = self._remedies(upgrade), {change.name: str(change.new) for change in upgrade.changes}
        for name in breaking:
            old, new = self._current_version(name), requested[name]
            if old is None:
                continue
            low, high = sorted((old, new), key=Version)
            try:
                releases = self._experiments.between(name, f">{low},<{high}", "latest-per-minor", self._versions)
                backwards = reversed(releases) if low == old else releases
                found = remedies.first_working(name, [new, *backwards, old])
            except Unanswered:
                continue
            if found and any(found.versions.exact.get(part.name) != part.old for part in upgrade.changes):
                return found
        return None

    def _lost(self, target: Experiment) -> tuple[VariantVerdict, ...]:
        return tuple(lost(self._current.verdict, target.verdict, self._experiments.rule))


_WORST_FIRST = (CheckResult.BREAKS, CheckResult.UNKNOWN, CheckResult.FAILS_ALREADY, CheckResult.SAFE)
