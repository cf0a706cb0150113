"""Changes that make a failing target work; each was run, the smallest first."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.version import Version

from harness.bisection import transition
from harness.decide.complete_sets import Unanswered
from harness.decide.experiments import Experiment, Experiments
from harness.decide.regressions import gained, lost, needed, survives, variant_text
from harness.decide.set_differences import moved_along
from harness.decide.version_sets import TargetSet, VersionChange, Versions
from harness.diagnose.remedies.interface import Remedy
from harness.diagnose.remedies.kinds import secondary_pin
from harness.diagnose.remedies.version_steps import parts_apart
from harness.errors import VersionsError
from harness.model import Status, Variant
from harness.packaging_values import after
from harness.stack import EXPORTS_WITH_RUNTIME, LARGE

_RELEASES = 8
"""How many releases of an axis are tried if neither the nearest nor the newest works."""

_DROPPED = 4
"""How many pins are found one by one when the fewest to drop are searched; the rest is dropped together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetRemedy:
    """A change that was run and makes the target work."""

    change: str
    experiment: Experiment | None
    """The set that proves it, if that is not the target itself."""
    along: tuple[VersionChange, ...] = ()
    """Other distributions that the resolver moved with it."""


class TargetRemedies:
    """Searches for a change that makes one target work."""

    def __init__(
        self, experiments: Experiments, current: Experiment, target: Experiment, goal: TargetSet, *, moved: Collection[str]
    ) -> None:
        """`target` is `goal` as it was run; `moved` are the distributions that it changes."""
        self._experiments = experiments
        self._current = current
        self._target = target
        self._goal = goal
        self._moved = moved
        self._lost = lost(current.verdict, target.verdict, experiments.rule)
        self.unanswered: list[str] = []
        """Why parts of the search were left out: an index did not answer."""

    def search(self) -> TargetRemedy | None:
        """The smallest change that works, among those that were tried."""
        # Another exporter writes another graph, and a newer release of the same one the same.
        pins = (self._without_pins, self._other_pins)
        for kind in (self._another_variant, *pins, self._newer_exporter, self._remedied, self._newer_axis):
            try:
                if found := kind():
                    return found
            except Unanswered as reason:
                self.unanswered.append(str(reason))
        return None

    def _proven(self, change: str, run: Experiment, named: Collection[str] = ()) -> TargetRemedy:
        """The remedy that `run` proves; `named` are the distributions that `change` names with their versions."""
        if self._target.verdict.resolved.lock is not None:
            along = moved_along(self._target, run, named)
        else:
            along = moved_along(self._current, run, {*named, *self._moved})
        return TargetRemedy(change=change, experiment=run, along=along)

    def first_working(self, name: str, releases: Sequence[str]) -> Experiment | None:
        """The target with the first of `releases` of `name` that works; the very first is known to fail.

        It is found by bisection, which assumes one boundary; both of its sides were run.
        """
        working: dict[int, Experiment] = {}

        def fail(places: Sequence[int]) -> list[bool | None]:
            answers = self._with_releases(name, [releases[place] for place in places])
            working.update((place, found) for place, (found, works) in zip(places, answers, strict=True) if works)
            return [None if works is None else not works for _, works in answers]

        last = len(releases) - 1
        if fail([last]) != [False]:
            return None
        return working[transition(last, fail, at_once=1 if name in LARGE else self._experiments.at_once(name)).bad]

    def _with_releases(self, name: str, releases: Sequence[str]) -> list[tuple[Experiment, bool | None]]:
        """(the target with a release of `name`, whether it works) for each; distributions on no axis are adapted."""
        goal = self._goal
        return self._run([self._experiments.moved(goal.base, {**goal.requested, name: release}) for release in releases])

    def _run(self, sets: Sequence[Versions]) -> list[tuple[Experiment, bool | None]]:
        rule = self._experiments.rule
        found = self._experiments.run(sets)
        return [(run, survives(self._current.verdict, run.verdict, rule)) for run in found]

    def _another_variant(self) -> TargetRemedy | None:
        """Another variant that works in the target: no other version is needed."""
        if not (self._current.verdict.status is self._target.verdict.status is Status.WORKS):
            return None
        others = gained(self._current.verdict, self._target.verdict, self._experiments.rule)
        return (
            TargetRemedy(change=f"export with {variant_text(others[0].variant)} instead", experiment=None) if others else None
        )

    def _without_pins(self) -> TargetRemedy | None:
        """The target without the pins of distributions on no axis; as few pins as possible are dropped."""
        pins = self._pins()
        if not pins:
            return None
        free, works = self._without(pins)
        if not works or free.verdict.resolved.lock is None:
            return None
        before = self._target.verdict.resolved.lock
        found = free.verdict.resolved.lock.versions
        # Without a lock it is unknown which of them is in the way.
        changed = [name for name in pins if before is None or before.versions.get(name) != found.get(name)]
        # The names in the failure come first, because they are found sooner.
        text = " ".join(variant.error.message for variant in self._lost if variant.error)
        fewest = self._fewest(sorted(changed, key=lambda name: name not in text))
        free, works = self._without(fewest)
        if not works or free.verdict.resolved.lock is None:
            return None
        found = free.verdict.resolved.lock.versions
        changes = (f"{name} {found.get(name, 'absent')} as well (the set says {pins[name]})" for name in fewest)
        return self._proven(", ".join(changes), free, fewest)

    def _pins(self) -> dict[str, str]:
        """Name → its requirement, for the pins of distributions on no axis that the target keeps."""
        return {
            name: text
            for name, text in self._target.versions.requirements.items()
            if name not in self._moved and not (name in self._experiments.axes and name in self._target.versions.exact)
        }

    def _other_pins(self) -> TargetRemedy | None:
        """The target with an older release of a pinned distribution that the failure names.

        Without its pin the newest one is chosen, which may be what fails, as a NumPy 2 is.
        """
        pins, target = self._pins(), self._target
        error = next((variant.error for variant in self._lost if variant.error), None)
        for suspect in secondary_pin.suspects(target.verdict.resolved, None, error):
            for bound in suspect.wider if suspect.name in pins else ():
                try:
                    release = self._experiments.newest(suspect.name, bound.removeprefix(suspect.name), target.versions)
                except VersionsError:  # there is none
                    continue
                ((found, works),) = self._with_releases(suspect.name, [release])
                if works:
                    change = f"{suspect.name} {release} as well (the set says {pins[suspect.name]})"
                    return self._proven(change, found, [suspect.name])
        return None

    def _without(self, names: Collection[str]) -> tuple[Experiment, bool | None]:
        """(the target without its pins of `names`, whether it works)."""
        return self._run([self._target.versions.without(names)])[0]

    def _fewest(self, pins: Sequence[str]) -> list[str]:
        """The pins that must be dropped, if the target works without all of them.

        Bisection finds the last pin that must be dropped, then the one before it, until those that were found are enough.
        """
        dropped: list[str] = []
        rest = list(pins)
        while rest and not (dropped and self._without(dropped)[1]):
            if len(dropped) == _DROPPED:
                return [*dropped, *rest]
            still_fail = functools.partial(self._still_fail, dropped, rest)
            enough = transition(len(rest), still_fail, at_once=self._experiments.at_once(rest[0])).bad
            dropped.append(rest[enough - 1])
            rest = rest[: enough - 1]
        return dropped

    def _still_fail(self, dropped: Sequence[str], rest: Sequence[str], counts: Sequence[int]) -> list[bool | None]:
        """For each count whether the target fails without `dropped` and that many of `rest`."""
        answers = self._run([self._target.versions.without([*dropped, *rest[:count]]) for count in counts])
        return [None if works is None else not works for _, works in answers]

    def _remedied(self) -> TargetRemedy | None:
        """The result of the search for remedies: for one lost variant with `require = "any"`, else for all of them."""
        found: dict[Variant, Remedy] = {}
        one_is_enough = self._experiments.rule.require == "any"
        for lost_variant in self._lost:
            remedy = self._experiments.remedy(self._target.verdict.resolved.planned, lost_variant, self._current.verdict)
            if remedy is not None:
                found[lost_variant.variant] = remedy
            if (remedy is not None) == one_is_enough:
                break
        if not found or (not one_is_enough and len(found) < len(self._lost)):
            return None
        together = self._together(found)
        if any(variant.status is not Status.WORKS for variant in together.verdict.variants):
            return None
        if len(self._lost) == 1:
            return self._proven(next(iter(found.values())).text, together)
        changes = "; ".join(f"{remedy.text} (for {variant_text(variant)})" for variant, remedy in found.items())
        return self._proven(changes, together)

    def _together(self, found: Mapping[Variant, Remedy]) -> Experiment:
        """The target with all remedies at once: the remedy of one variant may break another.

        Each variant has its remedy; unless `require` is `any`, the variants that need none are run with them.
        """
        current, target, rule = self._current.verdict, self._target.verdict, self._experiments.rule
        others = [] if rule.require == "any" else needed(current, target, rule)
        variants = [found[variant].variant if variant in found else variant for variant in (*found, *others)]
        parts = [remedy.planned for remedy in found.values()]
        planned = replace(
            target.resolved.planned,
            variants=tuple(dict.fromkeys(variants)),
            bounds=tuple(dict.fromkeys(bound for part in parts for bound in part.bounds)),
            added=tuple(dict.fromkeys(name for part in parts for name in part.added)),
        )
        return Experiment(versions=self._target.versions, verdict=self._experiments.run_planned(planned))

    def _newer_exporter(self) -> TargetRemedy | None:
        """The target with a newer release of the exporter, where that is a distribution of its own."""
        return self._newer([axis for axis in self._experiments.axes if axis in EXPORTS_WITH_RUNTIME])

    def _newer_axis(self) -> TargetRemedy | None:
        """The target with a newer release on one other axis, the oldest that works."""
        return self._newer([axis for axis in self._experiments.axes if axis not in EXPORTS_WITH_RUNTIME])

    def _newer(self, axes: Sequence[str]) -> TargetRemedy | None:
        # What is by far the largest is tried only if nothing else helps.
        ordinary = [axis for axis in axes if axis not in LARGE]
        return self._smallest(ordinary) or self._smallest([axis for axis in axes if axis in LARGE])

    def _smallest(self, axes: Sequence[str]) -> TargetRemedy | None:
        """The target with a newer release on one of `axes`, whose version number differs least from the target's.

        The nearest release of every axis is tried first. If none works, each axis is searched to its end.
        """
        releases = {axis: newer for axis in axes if (newer := self._newer_releases(axis))}
        if not releases:
            return None
        found = self._nearest(releases) or [(axis, self._raised(axis, newer)) for axis, newer in releases.items()]
        working = [(axis, run) for axis, run in found if run]
        if not working:
            return None
        own = self._target.versions.exact
        axis, run = min(working, key=lambda one: parts_apart(own[one[0]], one[1].versions.exact[one[0]]))
        return self._proven(f"{axis} {run.versions.exact[axis]} as well", run, [axis])

    def _newer_releases(self, axis: str) -> list[str]:
        """The last release of every minor version of `axis` that is newer than the target's, oldest first."""
        versions = self._target.versions
        own = versions.exact.get(axis)
        if axis in self._moved or own is None:
            return []
        try:
            newest = self._experiments.newest(axis, "", versions)
            if Version(newest) <= Version(own):
                return []
            return self._experiments.between(axis, f"{after(own)},<={newest}", "latest-per-minor", versions) or [newest]
        except Unanswered as reason:
            self.unanswered.append(str(reason))
            return []

    def _nearest(self, releases: Mapping[str, Sequence[str]]) -> list[tuple[str, Experiment | None]]:
        """The axes whose nearest newer release makes the target work, with that set; all of them are run at once."""
        axes = [axis for axis in releases if axis not in LARGE]
        if not axes:
            return []
        goal = self._goal
        sets = [self._experiments.moved(goal.base, {**goal.requested, axis: releases[axis][0]}) for axis in axes]
        return [(axis, run) for axis, (run, works) in zip(axes, self._run(sets), strict=True) if works]

    def _raised(self, axis: str, releases: Sequence[str]) -> Experiment | None:
        """The target with the oldest of `releases` of `axis` that makes it work.

        If the newest works, bisection finds the oldest that does. Else they are tried in their order, from the oldest. Of
        an axis whose releases have gigabytes fewer are tried.
        """
        own = self._target.versions.exact[axis]
        try:
            return self.first_working(axis, [own, *releases]) or self._any_working(axis, releases[: LARGE.get(axis, _RELEASES)])
        except Unanswered as reason:
            self.unanswered.append(str(reason))
            return None

    def _any_working(self, axis: str, releases: Sequence[str]) -> Experiment | None:
        for release in releases:
            ((found, works),) = self._with_releases(axis, [release])
            if works:
                return found
        return None
