"""Which release broke it: a search between a version set that works and one that does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.bisection import Transition, transition
from harness.decide.bisected import Bisected
from harness.decide.bisection_ends import besides, completed, not_run, only_in
from harness.decide.complete_sets import Unanswered
from harness.decide.experiments import Experiment, Experiments
from harness.decide.regressions import last_line, lost, signatures, survives, unknown_reason, variant_text
from harness.decide.releases import Release, Releases, in_order, not_searched
from harness.decide.set_differences import moved_along
from harness.decide.version_sets import Versions
from harness.errors import VersionsError, did_you_mean
from harness.execution.events import Listener, Note
from harness.model import Stage, Status
from harness.packaging_values import bare_version, same_version
from harness.verdicts.judge import VariantVerdict


class Bisect:
    """Searches between two sets."""

    def __init__(self, experiments: Experiments, listen: Listener) -> None:
        self._experiments = experiments
        self._releases = Releases(experiments)
        self._listen = listen
        self._good: Experiment
        self._bad: Experiment
        self._known: dict[tuple[tuple[str, str], ...], Experiment] = {}
        self._probes = 0
        self._how: list[str] = []

    def search(self, good: Versions, bad: Versions, suspect: str | None) -> Bisected:
        """The first release that breaks; `suspect`, or else the axis with the most releases, is moved alone first.

        The two sets are complete, and run as they are.

        Raises:
            VersionsError: the good end fails, the bad end works, no release breaks it, or the suspect is in both.
            Unanswered: an index could not be asked, or an end ended in an error.
        """
        self._good, self._bad = self._confirmed(good, bad, suspect)
        start, end = completed(self._good, self._bad)
        start = self._with_the_same(start)
        changed = [name for name in end.exact if not same_version(end.exact[name], start.exact[name])]
        last = self._last(start, end, changed)
        self._known = {_key(start): replace(self._good, versions=start), _key(end): last}
        if suspect is not None and suspect not in changed:
            raise VersionsError(f"{suspect} is the same in both sets; what differs is {', '.join(changed)}")
        axes = self._experiments.axes
        histories = {
            name: self._releases.between(name, start, end, whole=name in axes or len(changed) == 1) for name in changed
        }
        if len(changed) > 1:
            first = suspect or max(changed, key=lambda name: len(histories[name]))
            histories = self._alone(first, start, histories)
        return self._refined(self._between(start, in_order(histories, suspect)))

    def _with_the_same(self, start: Versions) -> Versions:
        """`start`, with what nothing requires and only the bad set has, and without what only the good one has.

        Raises:
            VersionsError: it breaks the good set as the bad one is broken.
            Unanswered: that is not known, or it breaks it in another way.
        """
        lost, gained = only_in(self._good, self._bad), only_in(self._bad, self._good)
        names = ", ".join(sorted(lost | gained))
        if not names:
            return start
        start = replace(start, limited=(start.limited | lost) - gained)
        (run,) = self._experiments.run([start])
        match self._works(run):
            case False if self._is_alike(run) or self._not_installed(run):
                raise VersionsError(f"no release breaks it, but that only one of the sets has {names}")
            case False:
                how = _failing(self._lost(run)[0])
                raise Unanswered(f"only one of the sets has {names}, which breaks the good set in another way: {how}")
            case None:
                raise Unanswered(f"only one of the sets has {names}: {self._reason_unknown(run)}")
            case True:
                self._how.append(f"only one of the sets has {names}, and that does not break it")
                self._good = run
        return start

    def _last(self, start: Versions, end: Versions, changed: Sequence[str]) -> Experiment:
        """The good set with all releases of the bad one: the last place of every history, where the bad end may differ.

        Raises:
            VersionsError: it works, so no release breaks it.
            Unanswered: that is not known, or it fails in another way than the bad end does.
        """
        moved = self._experiments.moved(start, {name: end.exact[name] for name in changed}) if changed else start
        if self._experiments.is_one_cell(moved, end):
            return replace(self._bad, versions=end)
        (run,) = self._experiments.run([moved])
        self._probes += 1
        works, others = self._works(run), ", ".join(besides(moved, end))
        if works is None:
            raise Unanswered(f"the good set with all releases of the bad one, but not {others}: {self._reason_unknown(run)}")
        if works:
            raise VersionsError(f"no release breaks it: the good set with all releases of the bad one works, but for {others}")
        if not (self._is_alike(run) or self._not_installed(run)):
            how = _failing(self._lost(run)[0])
            raise Unanswered(f"the good set with all releases of the bad one fails in another way, but for {others}: {how}")
        return run

    def _alone(self, name: str, start: Versions, histories: dict[str, list[Release]]) -> dict[str, list[Release]]:
        """The history of `name`, if that distribution alone breaks it as the bad end does; else all, with dates."""
        (alone,) = self._run(start, [[histories[name][-1]]])
        works = self._works(alone)
        if works is False and self._is_alike(alone):
            self._how.append(f"{name} alone breaks it: its releases were searched, with all else as in the good set")
            return {name: histories[name]}
        result = f"{name} alone does not break it, or not in this way"
        if works is None:
            result = f"whether {name} alone breaks it is unknown ({self._reason_unknown(alone)})"
        self._how.append(f"{result}: all that differs was searched")
        dated = {other: self._releases.dated(releases, self._good.versions) for other, releases in histories.items()}
        if any(release.date is None for releases in dated.values() for release in releases):
            failures = self._releases.failures
            reason = f"the dates could not be asked for ({failures[0]})" if failures else "the index gives no dates"
            self._how.append(f"{reason}, so one distribution was moved after the other")
        return dated

    def _confirmed(self, good: Versions, bad: Versions, suspect: str | None) -> tuple[Experiment, Experiment]:
        """The two ends, run."""
        if good.python != bad.python:
            raise VersionsError(f"the good set has Python {good.python}, the bad one {bad.python}: choose one with --python")
        for axis in self._experiments.axes:
            if (axis in good.exact) != (axis in bad.exact):
                raise VersionsError(f"{axis} is in one of {good.source} and {bad.source} only")
        first, second = self._experiments.run([good, bad])
        locks = [end.verdict.resolved.versions for end in (first, second)]
        locked = {name for lock in locks for name in lock}
        if suspect is not None and all(locks) and suspect not in locked:
            raise VersionsError(f"nothing in these sets needs {suspect}{did_you_mean(suspect, locked)}")
        for name, end in (("good", first), ("bad", second)):
            if not end.verdict.status.is_fact:
                raise Unanswered(f"the {name} end is not known: {unknown_reason(end.verdict)}")
        if first.verdict.status is Status.FAILS:
            failure = lost(first.verdict, first.verdict, self._experiments.rule)[0]
            raise VersionsError(f"the good end does not work: {_failing(failure)}")
        match survives(first.verdict, second.verdict, self._experiments.rule):
            case True:
                works = "the bad end works as well as the good one"
                raise VersionsError(f"{works}: there is nothing to search; it is {bad.source}")
            case None:
                raise Unanswered(f"the bad end is not known: {unknown_reason(second.verdict)}")
            case False:
                return first, second

    def _between(self, start: Versions, history: Sequence[Release]) -> Bisected:
        """Search `history`: without its releases the set works, with all of them it breaks."""

        def probe(places: Sequence[int]) -> list[bool | None]:
            answers = [self._works(run) for run in self._run(start, [history[:place] for place in places])]
            for place, answer in zip(places, answers, strict=True):
                release = history[place - 1]
                result = {True: "works", False: "breaks", None: "unknown"}[answer]
                self._listen(Note(text=f"{release.name} {release.version}: {result}"))
            return answers

        at_once = min(map(self._experiments.at_once, {release.name for release in history}))
        found = transition(len(history), probe, at_once=at_once)
        return self._bisected(start, history, self._past_other_failures(start, history, found, at_once))

    def _past_other_failures(self, start: Versions, history: Sequence[Release], found: Transition, at_once: int) -> Transition:
        """`found`, or the later place where the failure of the bad end begins, if a release before that place works again."""

        def run(place: int) -> Experiment:
            return self._run(start, [history[:place]])[0]

        if self._is_alike(run(found.bad)) or not self._is_alike(run(len(history))):
            return found

        def probe(places: Sequence[int]) -> list[bool | None]:
            runs = self._run(start, [history[: found.bad + place] for place in places])
            return [None if self._works(run) is None else not self._is_alike(run) for run in runs]

        later = transition(len(history) - found.bad, probe, at_once=at_once)
        good, bad = found.bad + later.good, found.bad + later.bad
        other, again = history[found.bad - 1], history[good - 1]
        if not self._works(run(good)):
            return found
        self._how.append(
            f"{other.name} {other.version} breaks too, but in another way than the bad end, and {again.name} {again.version} "
            f"works: the failure of the bad end was searched"
        )
        return Transition(good=good, bad=bad, unknown=tuple(found.bad + place for place in later.unknown))

    def _bisected(self, start: Versions, history: Sequence[Release], found: Transition) -> Bisected:
        good, bad = self._run(start, [history[: found.good], history[: found.bad]])
        changed = history[found.good : found.bad]
        last = replace(changed[0], version=good.versions.exact[changed[0].name])
        (last, *suspects) = self._releases.dated([last, *changed], self._good.versions)
        skipped = [history[place - 1] for place in found.unknown]
        unknown = self._run(start, [history[:place] for place in found.unknown])
        return Bisected(
            good=self._good,
            bad=self._bad,
            last_good=good,
            first_bad=bad,
            good_date=last.date,
            suspects=tuple(suspects),
            lost=tuple(self._lost(bad)),
            otherwise=() if self._is_alike(bad) else tuple(self._lost(self._bad)),
            skipped=tuple(skipped),
            along=moved_along(good, bad, {release.name for release in changed}),
            releases=len(history),
            probes=self._probes,
            unproven=any(self._is_unknown(run) for run in unknown),
            missing=tuple(not_run(self._good, self._bad)),
            how=(*self._how, not_searched(start, history)),
        )

    def _refined(self, found: Bisected) -> Bisected:
        """If a distribution on no axis was moved in one step, its releases in between are searched too."""
        if len(found.suspects) > 1 or found.suspects[0].name in self._experiments.axes:
            return found
        name, start = found.suspects[0].name, found.last_good.versions
        history = self._releases.between(name, start, found.first_bad.versions, whole=True)
        # What the resolver moved for the last good set is part of the start now.
        self._known[_key(start)] = found.last_good
        if len(history) == 1 or self._works(self._run(start, [history])[0]) is not False:
            return found
        return self._between(start, history)

    def _run(self, start: Versions, histories: Sequence[Sequence[Release]]) -> list[Experiment]:
        """`start` with the releases of each history in place of its own, if it is not known yet."""
        keys = [_key(replace(start, exact={**start.exact, **_versions(steps)})) for steps in histories]
        unknown = {key: steps for key, steps in zip(keys, histories, strict=True) if key not in self._known}
        self._probes += len(unknown)
        if unknown:
            found = self._experiments.run([self._experiments.moved(start, _versions(steps)) for steps in unknown.values()])
            self._known |= zip(unknown, found, strict=True)
        return [self._known[key] for key in keys]

    def _works(self, run: Experiment) -> bool | None:
        """Whether a set works as the good end does.

        A set that is not even installed is unknown, unless the bad end fails in this way.
        """
        works = survives(self._good.verdict, run.verdict, self._experiments.rule)
        return None if works is False and self._not_installed(run) and not self._not_installed(self._bad) else works

    def _lost(self, run: Experiment) -> list[VariantVerdict]:
        return lost(self._good.verdict, run.verdict, self._experiments.rule)

    def _is_alike(self, run: Experiment) -> bool:
        """Whether a set that breaks fails as the bad end does."""
        own, bad = (signatures(self._good.verdict, end.verdict, self._experiments.rule) for end in (run, self._bad))
        return not own.isdisjoint(bad)

    def _is_unknown(self, run: Experiment) -> bool:
        return survives(self._good.verdict, run.verdict, self._experiments.rule) is None

    def _reason_unknown(self, run: Experiment) -> str:
        return unknown_reason(run.verdict) if self._is_unknown(run) else f"fails at {self._lost(run)[0].last.stage.value}"

    def _not_installed(self, run: Experiment) -> bool:
        return all(variant.last.stage in {Stage.RESOLVE, Stage.INSTALL} for variant in self._lost(run))


def _failing(variant: VariantVerdict) -> str:
    """How a variant fails."""
    return f"{variant_text(variant.variant)} fails at {variant.last.stage.value}: {last_line(variant)}"


def _versions(steps: Sequence[Release]) -> dict[str, str]:
    """Name → the last version that it was moved to."""
    return {release.name: release.version for release in steps}


def _key(versions: Versions) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, bare_version(version)) for name, version in versions.exact.items()))
