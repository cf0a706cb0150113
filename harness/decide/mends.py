"""What makes a target work that does not: changes that were run, the smallest first."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.version import Version

from harness.decide.bisection import boundary
from harness.decide.experiments import Experiment, Experiments, Unanswered
from harness.decide.regressions import gained, lost, named, needed, survives
from harness.decide.version_sets import Versions, name_of
from harness.diagnose.remedies.interface import Remedy
from harness.matrix.plan import Planned
from harness.model import Status, Variant
from harness.stack import LARGE
from harness.verdicts.judge import VariantVerdict, Verdict

FindRemedy = Callable[[Planned, VariantVerdict, Verdict], Remedy | None]
"""Changes what can be changed besides versions on the axes (a secondary pin, an IR version, …) until the variant works."""

_RELEASES = 8
"""How many releases of an axis are tried where neither the nearest nor the newest works."""

_LET_GO = 4
"""How many pins the search for the fewest to let go looks for; more are let go together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetRemedy:
    """A change that was run and makes the target work."""

    change: str
    asked: Experiment | None
    """What proves it, where that is not the target as it is."""


class TargetRemedies:
    """Searches for a change that makes one target work."""

    def __init__(
        self, desk: Experiments, now: Experiment, target: Experiment, *, moved: Collection[str], remedy: FindRemedy | None
    ) -> None:
        """`now` is the current set; `moved` are the distributions that the target changes."""
        self._desk = desk
        self._now = now
        self._target = target
        self._moved = moved
        self._remedy = remedy
        self._lost = lost(now.verdict, target.verdict, desk.wanted)
        self.unanswered: list[str] = []
        """Why a part of the search was left out: the index did not answer."""

    def search(self) -> TargetRemedy | None:
        """The smallest change that works, of those that were tried."""
        for kind in (self._another_variant, self._without_pins, self._remedied, self._newer_axis):
            try:
                if found := kind():
                    return found
            except Unanswered as reason:
                self.unanswered.append(str(reason))
        return None

    def first_working(self, name: str, releases: Sequence[str]) -> Experiment | None:
        """The target with the first of `releases` of `name` that works, when the first of all is known not to work.

        It is found by halving, which supposes one boundary; that both of its sides are as they are called was run.
        """
        seen: dict[int, Experiment] = {}

        def fail(places: Sequence[int]) -> list[bool | None]:
            answers = self._with_releases(name, [releases[place] for place in places])
            seen.update((place, found) for place, (found, works) in zip(places, answers, strict=True) if works)
            return [None if works is None else not works for _, works in answers]

        last = len(releases) - 1
        if fail([last]) != [False]:
            return None
        return seen[boundary(last, fail, at_once=1 if name in LARGE else self._desk.at_once(name)).bad]

    def _with_releases(self, name: str, releases: Sequence[str]) -> list[tuple[Experiment, bool | None]]:
        """(the target with that release of `name`, whether it works) of each; what is on no axis is settled anew."""
        exact = {axis: version for axis, version in self._target.versions.exact.items() if axis in self._desk.axes}
        return self._run([self._desk.moved(self._now.versions, {**exact, name: release}) for release in releases])

    def _run(self, sets: Sequence[Versions]) -> list[tuple[Experiment, bool | None]]:
        found = self._desk.ask(sets)
        return [(one, survives(self._now.verdict, one.verdict, self._desk.wanted)) for one in found]

    def _another_variant(self) -> TargetRemedy | None:
        """Another way to export and run, which works at the target: no other version is needed."""
        if not (self._now.verdict.status is self._target.verdict.status is Status.WORKS):
            return None
        others = gained(self._now.verdict, self._target.verdict, self._desk.wanted)
        return TargetRemedy(change=f"export with {named(others[0].variant)} instead", asked=None) if others else None

    def _without_pins(self) -> TargetRemedy | None:
        """The target without what the current set says of distributions on no axis: as few of these pins let go as work."""
        pins = {
            name: text for name, text in _pins(self._target.versions).items() if name not in {*self._desk.axes, *self._moved}
        }
        if not pins:
            return None
        free, works = self._free(pins)
        if not works or free.verdict.resolved.lock is None:
            return None
        before = self._target.verdict.resolved.lock
        found = free.verdict.resolved.lock.versions
        # Without a lock nobody knows which of them is in the way.
        changed = [name for name in pins if before is None or before.versions.get(name) != found.get(name)]
        # What the failure speaks of first: it is found sooner.
        text = " ".join(one.error.message for one in self._lost if one.error)
        fewest = self._fewest(sorted(changed, key=lambda name: name not in text))
        free, works = self._free(fewest)
        if not works or free.verdict.resolved.lock is None:
            return None
        found = free.verdict.resolved.lock.versions
        changes = (f"{name} {found.get(name, 'absent')} as well (the set says {pins[name]})" for name in fewest)
        return TargetRemedy(change=", ".join(changes), asked=free)

    def _free(self, names: Collection[str]) -> tuple[Experiment, bool | None]:
        """(the target without what it says of `names`, which the resolver chooses then, whether it works)."""
        return self._run([self._without(names)])[0]

    def _without(self, names: Collection[str]) -> Versions:
        versions = self._target.versions
        exact = {name: version for name, version in versions.exact.items() if name not in names}
        left = tuple(text for text in versions.open if name_of(text) not in names)
        return replace(versions, exact=exact, open=left)

    def _fewest(self, pins: Sequence[str]) -> list[str]:
        """Those of `pins` that must be let go, where letting all of them go works.

        Halving finds the last pin that is needed, then the one before it, as long as those that were found are not enough.
        """
        needed: list[str] = []
        rest = list(pins)
        while rest and not (needed and self._free(needed)[1]):
            if len(needed) == _LET_GO:
                return [*needed, *rest]
            enough = boundary(
                len(rest), functools.partial(self._still_fail, needed, rest), at_once=self._desk.at_once(rest[0])
            ).bad
            needed.append(rest[enough - 1])
            rest = rest[: enough - 1]
        return needed

    def _still_fail(self, needed: Sequence[str], rest: Sequence[str], counts: Sequence[int]) -> list[bool | None]:
        """For each count whether the target fails without `needed` and so many of `rest`."""
        answers = self._run([self._without([*needed, *rest[:count]]) for count in counts])
        return [None if works is None else not works for _, works in answers]

    def _remedied(self) -> TargetRemedy | None:
        """What the search for remedies finds; with `require` other than `any` for every variant that was lost."""
        if self._remedy is None:
            return None
        found: dict[Variant, Remedy] = {}
        for one in self._lost:
            change = self._remedy(self._target.verdict.resolved.planned, one, self._now.verdict)
            if change is not None:
                found[one.variant] = change
            if (change is not None) == (self._desk.wanted.require == "any"):
                break
        if not found or (self._desk.wanted.require != "any" and len(found) < len(self._lost)):
            return None
        together = self._together(found)
        if any(one.status is not Status.WORKS for one in together.verdict.variants):
            return None
        if len(self._lost) == 1:
            return TargetRemedy(change=next(iter(found.values())).text, asked=together)
        said = "; ".join(f"{change.text} (for {named(variant)})" for variant, change in found.items())
        return TargetRemedy(change=said, asked=together)

    def _together(self, found: Mapping[Variant, Remedy]) -> Experiment:
        """The target with all that was found at once: what mends one variant may be what another cannot have.

        Each variant is as it was mended; with `require` other than `any` those that need no mending go with them.
        """
        now, target, wanted = self._now.verdict, self._target.verdict, self._desk.wanted
        others = [] if wanted.require == "any" else needed(now, target, wanted)
        mended = [change.planned for change in found.values()]
        planned = replace(
            target.resolved.planned,
            variants=tuple(dict.fromkeys(found[one].variant if one in found else one for one in (*found, *others))),
            bounds=tuple(dict.fromkeys(bound for one in mended for bound in one.bounds)),
            added=tuple(dict.fromkeys(more for one in mended for more in one.added)),
        )
        return Experiment(versions=self._target.versions, verdict=self._desk.judged(planned))

    def _newer_axis(self) -> TargetRemedy | None:
        """The target with one other axis at a newer release, as old as works."""
        # torch last: it is by far the largest.
        for axis in sorted(self._desk.axes, key=lambda name: name == "torch"):
            if axis not in self._moved and axis in self._target.versions.exact:
                try:
                    found = self._raised(axis)
                except Unanswered as reason:
                    self.unanswered.append(str(reason))
                    continue
                if found:
                    return TargetRemedy(change=f"{axis} {found.versions.exact[axis]} as well", asked=found)
        return None

    def _raised(self, axis: str) -> Experiment | None:
        """The target with the oldest newer `axis` that makes it work, of each minor version the last release; or None.

        The nearest is tried first, then the newest, and halving finds the oldest that works. If both fail, a release between
        them may still work: the next ones are tried in their order. Where a release is gigabytes, the newest is first, and
        fewer are tried.
        """
        versions = self._target.versions
        own, newest = versions.exact[axis], self._desk.newest(axis, "", versions)
        if Version(newest) <= Version(own):
            return None
        releases = self._desk.between(axis, f">{own},<={newest}", "latest-per-minor", versions) or [newest]
        return (
            self._any_working(axis, releases[: 0 if axis in LARGE else 1])
            or self.first_working(axis, [own, *releases])
            or self._any_working(axis, releases[: LARGE.get(axis, _RELEASES)])
        )

    def _any_working(self, axis: str, releases: Sequence[str]) -> Experiment | None:
        for release in releases:
            ((found, works),) = self._with_releases(axis, [release])
            if works:
                return found
        return None


def _pins(versions: Versions) -> dict[str, str]:
    """Name → what `versions` say of it, for all that they name."""
    exact = {name: f"{name}=={version}" for name, version in versions.exact.items()}
    return {**{name_of(text): text for text in versions.open}, **exact}
