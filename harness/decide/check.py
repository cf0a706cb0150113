"""Whether an upgrade breaks, what of it does, and what would mend it; every claim is a set that was run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.decide.experiments import Experiment, Experiments, Unanswered
from harness.decide.mends import FindRemedy, TargetRemedies, TargetRemedy
from harness.decide.regressions import losses, lost, survives
from harness.decide.version_sets import Versions
from harness.model import Status
from harness.verdicts.judge import VariantVerdict, Verdict


class CheckResult(StrEnum):
    """Whether one may upgrade."""

    SAFE = "SAFE"
    BREAKS = "BREAKS"
    FAILS_ALREADY = "FAILS NOW ALREADY"
    """The target fails, and so does the current set: nothing that works is lost."""
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionChange:
    """One distribution that differs between two sets; None where a set does not have it."""

    name: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.old or 'absent'} → {self.new or 'absent'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class UpgradeStep:
    """A part of the upgrade, taken alone."""

    changes: tuple[VersionChange, ...]
    asked: Experiment
    safe: bool | None
    lost: tuple[VariantVerdict, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Upgrade:
    """One question: from the current set to a target."""

    answer: CheckResult
    changes: tuple[VersionChange, ...]
    forced: tuple[VersionChange, ...]
    """What the resolver moved besides, because the target has no room for the current version."""
    target: Experiment | None
    why: str | None = None
    """Why the answer is not known."""
    lost: tuple[VariantVerdict, ...] = ()
    """What worked before and does not any more; where the current set fails already, what fails."""
    otherwise: tuple[VariantVerdict, ...] = ()
    """Of `lost` what fails now too, of something else."""
    steps: tuple[UpgradeStep, ...] = ()
    mend: TargetRemedy | None = None
    nearest: Experiment | None = None
    """The working set that is nearest to the target, and nearer to it than the current set."""
    unanswered: tuple[str, ...] = ()
    """Why a part of the search for a mend was left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """The whole answer."""

    answer: CheckResult
    current: Experiment | None
    upgrades: tuple[Upgrade, ...]
    notes: tuple[str, ...] = ()


class Check:
    """Asks about upgrades of one set."""

    def __init__(self, desk: Experiments, current: Versions, remedy: FindRemedy | None = None) -> None:
        self._desk = desk
        self._current = desk.complete(current)
        self._now: Experiment
        self._targets: dict[frozenset[tuple[str, str]], Versions] = {}
        """Name and version of what a question changes → the whole target."""
        self._remedy = remedy

    def alone(self) -> Checked:
        """Whether the current set works by itself."""
        self._begin([])
        verdict = self._now.verdict
        answer = {Status.WORKS: CheckResult.SAFE, Status.FAILS: CheckResult.BREAKS}.get(verdict.status, CheckResult.UNKNOWN)
        one = Upgrade(answer=answer, changes=(), forced=(), target=self._now)
        if answer is CheckResult.UNKNOWN:
            one = replace(one, why=trouble(verdict))
        elif answer is CheckResult.BREAKS:
            one = self._with_mend(replace(one, lost=self._lost(self._now)))
        return self._checked([one])

    def to(self, asked: Sequence[Requirement]) -> Checked:
        """Whether one can go to what `asked` says, all of it at once."""
        wanted = self._wanted(asked)
        self._begin([wanted])
        return self._checked([self._upgrade(wanted)])

    def outdated(self) -> Checked:
        """The newest version of each axis alone, and all together: what a bot that updates dependencies would ask."""
        newest = {axis: self._desk.newest(axis, "", self._current) for axis in self._desk.axes if axis in self._current.exact}
        newer = {axis: version for axis, version in newest.items() if Version(version) > Version(self._current.exact[axis])}
        if not newer:
            return self.alone()
        questions = [{axis: version} for axis, version in newer.items()]
        questions += [newer] if len(newer) > 1 else []
        self._begin(questions)
        return self._checked([self._upgrade(one) for one in questions])

    def _begin(self, questions: Sequence[Mapping[str, str]]) -> None:
        """Ask about the current set, and about all targets beside it."""
        for wanted in questions:
            # What cannot be resolved now is said of that target alone.
            with contextlib.suppress(Unanswered):
                self._targets[frozenset(wanted.items())] = self._desk.moved(self._current, wanted)
        self._now, *_ = self._desk.ask([self._current, *self._targets.values()])

    def _checked(self, upgrades: Sequence[Upgrade]) -> Checked:
        answers = {one.answer for one in upgrades}
        worst = next(one for one in _WORST_FIRST if one in answers)
        return Checked(answer=worst, current=self._now, upgrades=tuple(upgrades), notes=self._current.ignored)

    def _wanted(self, asked: Sequence[Requirement]) -> dict[str, str]:
        """Name → the exact version that each requirement comes to: the newest that it admits."""
        merged: dict[str, Requirement] = {}
        for one in asked:
            name = canonicalize_name(one.name)
            merged[name] = Requirement(f"{name}{merged[name].specifier & one.specifier}") if name in merged else one
        return {name: self._desk.newest(name, str(one.specifier), self._current) for name, one in merged.items()}

    def _upgrade(self, wanted: Mapping[str, str]) -> Upgrade:
        changes = tuple(
            VersionChange(name=name, old=old, new=version)
            for name, version in wanted.items()
            if (old := self._own(name)) != version
        )
        try:
            versions = self._targets.get(frozenset(wanted.items())) or self._desk.moved(self._current, wanted)
            (target,) = self._desk.ask([versions])
        except Unanswered as reason:
            return Upgrade(answer=CheckResult.UNKNOWN, changes=changes, forced=(), target=None, why=str(reason))
        forced = tuple(
            VersionChange(name=name, old=old, new=versions.exact.get(name))
            for name, old in self._current.exact.items()
            if name not in wanted and versions.exact.get(name) != old
        )
        one = Upgrade(answer=CheckResult.SAFE, changes=changes, forced=forced, target=target)
        match survives(self._now.verdict, target.verdict, self._desk.wanted):
            case True:
                return replace(one, lost=self._lost(target))
            case None:
                return replace(one, answer=CheckResult.UNKNOWN, why=trouble(target.verdict))
            case False:
                return self._failing(one, target)

    def _failing(self, one: Upgrade, target: Experiment) -> Upgrade:
        """The target fails: the upgrade breaks it, unless the current set fails too and nothing that works is lost."""
        if self._now.verdict.status is not Status.FAILS:
            return self._explained(replace(one, answer=CheckResult.BREAKS, lost=self._lost(target)))
        found = losses(self._now.verdict, target.verdict, self._desk.wanted)
        if found.broken:
            return self._explained(replace(one, answer=CheckResult.BREAKS, lost=found.broken))
        if found.unknown:
            return replace(one, answer=CheckResult.UNKNOWN, why=_why_unknown(found.unknown[0]))
        failing = (*found.otherwise, *found.alike)
        return self._explained(replace(one, answer=CheckResult.FAILS_ALREADY, lost=failing, otherwise=found.otherwise))

    def _own(self, name: str) -> str | None:
        """What the current set has of a distribution: what it says, or what the resolver made of what it leaves open."""
        lock = self._now.verdict.resolved.lock
        found = self._current.exact.get(name) or (lock.versions.get(name) if lock else None)
        return found and Version(found).public

    def _explained(self, one: Upgrade) -> Upgrade:
        """Which part of it breaks, what else must change, and how far one gets without."""
        steps = self._steps(one.changes)
        guilty = [change.name for step in steps if step.safe is False for change in step.changes] or [
            change.name for change in one.changes
        ]
        one = self._with_mend(replace(one, steps=tuple(steps)))
        return replace(one, nearest=self._nearest(one, guilty))

    def _with_mend(self, one: Upgrade) -> Upgrade:
        mends = self._mends(one)
        return replace(one, mend=mends.search(), unanswered=tuple(dict.fromkeys(mends.unanswered)))

    def _mends(self, one: Upgrade) -> TargetRemedies:
        assert one.target is not None
        moved = [change.name for change in one.changes]
        return TargetRemedies(self._desk, self._now, one.target, moved=moved, remedy=self._remedy)

    def _steps(self, changes: Sequence[VersionChange]) -> list[UpgradeStep]:
        """Each axis alone, and whatever else was asked for as one more; none where there is only one."""
        groups = [[change] for change in changes if change.name in self._desk.axes]
        others = [change for change in changes if change.name not in self._desk.axes]
        groups += [others] if others else []
        if len(groups) < 2 or self._now.verdict.status is not Status.WORKS:
            return []
        sets = [self._desk.moved(self._current, {change.name: str(change.new) for change in group}) for group in groups]
        found = self._desk.ask(sets)
        return [
            UpgradeStep(
                changes=tuple(group),
                asked=asked,
                safe=survives(self._now.verdict, asked.verdict, self._desk.wanted),
                lost=self._lost(asked),
            )
            for group, asked in zip(groups, found, strict=True)
        ]

    def _nearest(self, one: Upgrade, guilty: Sequence[str]) -> Experiment | None:
        """The target with one part of it left as near to it as works; None where only the current set does."""
        wanted = {change.name: str(change.new) for change in one.changes}
        mends = self._mends(one)
        for name in guilty:
            old = self._own(name)
            if old is None:
                continue
            low, high = sorted((old, wanted[name]), key=Version)
            try:
                releases = self._desk.between(name, f">{low},<{high}", "latest-per-minor", self._current)
                steps = [old, *releases] if low == old else [old, *reversed(releases)]
                found = mends.first_working(name, [wanted[name], *reversed(steps)])
            except Unanswered:
                continue
            if found is not None and any(found.versions.exact.get(change.name) != change.old for change in one.changes):
                return found
        return None

    def _lost(self, asked: Experiment) -> tuple[VariantVerdict, ...]:
        return tuple(lost(self._now.verdict, asked.verdict, self._desk.wanted))


_WORST_FIRST = (CheckResult.BREAKS, CheckResult.UNKNOWN, CheckResult.FAILS_ALREADY, CheckResult.SAFE)


def trouble(verdict: Verdict) -> str:
    """Why nothing is known of a cell."""
    for one in verdict.variants:
        if one.status in {Status.ERROR, Status.FLAKY, Status.NOT_RUN}:
            return _why_unknown(one)
    if verdict.status is Status.NOT_RUN:
        return "nothing that was asked decides: feed-all is a diagnostic"
    return verdict.status.value


def _why_unknown(one: VariantVerdict) -> str:
    said = one.reason or (one.error.message.strip().splitlines()[-1] if one.error and one.error.message.strip() else "")
    return f"{one.status.value} at {one.last.stage.value}: {said}"
