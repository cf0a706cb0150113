"""Which release of which distribution broke it: a search between a set that works and one that does not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from harness.decide.bisection import boundary
from harness.decide.check import VersionChange, trouble
from harness.decide.experiments import Experiment, Experiments, Unanswered
from harness.decide.regressions import faults, last_line, lost, named, survives
from harness.decide.version_sets import Versions
from harness.errors import VersionsError, did_you_mean
from harness.execution.events import Listener, Note
from harness.model import Stage, Status
from harness.verdicts.judge import VariantVerdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One release of one distribution."""

    name: str
    version: str
    date: dt.date | None
    """When its first file was uploaded, as the index has it; None where it does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bisected:
    """The first release that breaks, or the releases among which it is."""

    good: Experiment
    bad: Experiment
    """The two ends, confirmed."""
    last_good: Experiment
    first_bad: Experiment
    good_date: dt.date | None
    """When the last good set's release of what differs was uploaded, where one distribution differs."""
    suspects: tuple[Release, ...]
    """What differs between the last good set and the first bad one: one release, or several that could not be told apart."""
    lost: tuple[VariantVerdict, ...]
    """What the first bad set fails of."""
    otherwise: tuple[VariantVerdict, ...]
    """What the bad end fails of, where that is something else."""
    skipped: tuple[Release, ...]
    """Suspects whose sets cannot be resolved or installed, or ended in an error."""
    along: tuple[VersionChange, ...]
    """What the resolver moved along with the suspects: it may be one of these."""
    releases: int
    """How many were searched among."""
    probes: int
    """How many sets were asked about, the two ends apart."""
    unproven: bool
    """Whether one was skipped because of an error, which proves nothing."""
    how: tuple[str, ...]
    """What was searched, a sentence a part."""

    @property
    def mended_in(self) -> tuple[Release, ...]:
        """Where the search went back in time: the releases one of which mended what all older ones break; else empty."""
        (name, *others) = dict.fromkeys(one.name for one in self.suspects)
        works = self.last_good.versions.exact.get(name)
        if others or works is None or Version(self.suspects[0].version) > Version(works):
            return ()
        return (Release(name=name, version=works, date=self.good_date), *self.suspects[:-1])


def in_order(histories: Mapping[str, Sequence[Release]], first: str | None) -> list[Release]:
    """The releases of several distributions as one history: by date; without dates one distribution after another.

    The order within a distribution is kept, whatever the dates: a release that came later on an older branch counts as
    released when the ones before it were. Of equal dates, and without dates, `first` comes first.
    """
    names = sorted(histories, key=lambda name: name != first)
    if any(one.date is None for releases in histories.values() for one in releases):
        return [one for name in names for one in histories[name]]
    keyed = []
    for place, name in enumerate(names):
        latest = dt.date.min
        for number, one in enumerate(histories[name]):
            assert one.date is not None
            latest = max(latest, one.date)
            keyed.append(((latest, place, number), one))
    return [one for _, one in sorted(keyed, key=lambda entry: entry[0])]


class Bisect:
    """Searches between two sets."""

    def __init__(self, desk: Experiments, listen: Listener) -> None:
        self._desk = desk
        self._listen = listen
        self._good: Experiment
        self._bad: Experiment
        self._known: dict[tuple[tuple[str, str], ...], Experiment] = {}
        self._probes = 0
        self._how: list[str] = []
        self._dateless: list[str] = []
        """Why the index could not be asked for dates."""

    def search(self, good: Versions, bad: Versions, suspect: str | None) -> Bisected:
        """The first release that breaks; `suspect` is moved by itself first, or else what has the most releases in between.

        Raises:
            VersionsError: the ends are not what they are said to be.
            Unanswered: the index could not be asked, or an end ended in an error.
        """
        self._good, self._bad = self._confirmed(self._desk.complete(good), self._desk.complete(bad), suspect)
        start, end = _alike(self._good, self._bad)
        self._known = {_key(start): replace(self._good, versions=start), _key(end): replace(self._bad, versions=end)}
        changed = [name for name in end.exact if end.exact[name] != start.exact[name]]
        if not changed:
            raise VersionsError(f"{good.source} and {bad.source} pin the same versions: there is nothing to search")
        if suspect is not None and suspect not in changed:
            raise VersionsError(f"{suspect} is the same in both sets; what differs is {', '.join(changed)}")
        histories = {
            name: self._releases(name, start, end, whole=name in self._desk.axes or len(changed) == 1) for name in changed
        }
        if len(changed) > 1:
            first = suspect or max(changed, key=lambda name: len(histories[name]))
            alone = self._ask(start, [histories[first][-1]])
            told = self._told(alone)
            if told is False and self._faults(alone) & self._faults(self._bad):
                self._how.append(f"{first} alone breaks it: its releases were searched, with all else as in the good set")
                histories = {first: histories[first]}
            else:
                said = f"{first} alone does not break it, or not in this way"
                if told is None:
                    said = f"whether {first} alone breaks it could not be told ({self._untold(alone)})"
                self._how.append(f"{said}: all that differs was searched")
                histories = self._dated(histories)
        found = self._between(start, in_order(histories, suspect))
        return self._refined(found)

    def _confirmed(self, good: Versions, bad: Versions, suspect: str | None) -> tuple[Experiment, Experiment]:
        if good.python != bad.python:
            raise VersionsError(f"the good set has Python {good.python}, the bad one {bad.python}: choose one with --python")
        for axis in self._desk.axes:
            if (axis in good.exact) != (axis in bad.exact):
                raise VersionsError(f"{axis} is in one of {good.source} and {bad.source} only")
        first, second = self._desk.ask([good, bad])
        locks = [asked.verdict.resolved.lock for asked in (first, second)]
        there = {name for lock in locks if lock for name in lock.versions}
        if suspect is not None and all(locks) and suspect not in there:
            raise VersionsError(f"nothing in these sets needs {suspect}{did_you_mean(suspect, there)}")
        for end, asked in (("good", first), ("bad", second)):
            if asked.verdict.status in {Status.ERROR, Status.FLAKY, Status.NOT_RUN}:
                raise Unanswered(f"the {end} end is not known: {trouble(asked.verdict)}")
        if first.verdict.status is Status.FAILS:
            one = lost(first.verdict, first.verdict, self._desk.wanted)[0]
            raise VersionsError(
                f"the good end does not work: {named(one.variant)} fails at {one.last.stage.value}: {last_line(one)}"
            )
        match survives(first.verdict, second.verdict, self._desk.wanted):
            case True:
                raise VersionsError("the bad end works as well as the good one: there is nothing to search")
            case None:
                raise Unanswered(f"the bad end is not known: {trouble(second.verdict)}")
            case False:
                return first, second

    def _releases(self, name: str, start: Versions, end: Versions, *, whole: bool) -> list[Release]:
        """What lies between two versions of a distribution, the second included; nothing but that unless `whole`."""
        old, new = start.exact[name], end.exact[name]
        low, high = sorted((old, new), key=Version)
        found = self._desk.between(name, f">{low},<{high}", "all", start) if whole else []
        return [
            Release(name=name, version=version, date=None) for version in [*(found if low == old else reversed(found)), new]
        ]

    def _dated(self, histories: Mapping[str, Sequence[Release]]) -> dict[str, list[Release]]:
        """The same with their dates."""
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="released") as pool:
            dated = {name: list(pool.map(self._with_date, releases)) for name, releases in histories.items()}
        if any(one.date is None for releases in dated.values() for one in releases):
            why = f"the dates could not be asked for ({self._dateless[0]})" if self._dateless else "the index gives no dates"
            self._how.append(f"{why}, so one distribution was moved after the other")
        return dated

    def _with_date(self, release: Release) -> Release:
        try:
            return replace(release, date=self._desk.released(release.name, release.version, self._good.versions))
        except Unanswered as reason:
            self._dateless.append(str(reason))
            return release

    def _between(self, start: Versions, history: Sequence[Release]) -> Bisected:
        """Search `history`, of which nothing works and all of it breaks."""
        sets = [self._with(start, history[:count]) for count in range(len(history) + 1)]

        def work(places: Sequence[int]) -> list[bool | None]:
            asked = self._ask_all(start, [history[:place] for place in places])
            answers = [self._told(one) for one in asked]
            for place, answer in zip(places, answers, strict=True):
                last = history[place - 1]
                said = {True: "works", False: "breaks", None: "cannot be told"}[answer]
                self._listen(Note(text=f"{last.name} {last.version}: {said}"))
            return answers

        found = boundary(len(history), work, at_once=min(self._desk.at_once(name) for name in {one.name for one in history}))
        good, bad = self._known[_key(sets[found.good])], self._known[_key(sets[found.bad])]
        changed = history[found.good : found.bad]
        last = replace(changed[0], version=good.versions.exact[changed[0].name])
        return Bisected(
            good=self._good,
            bad=self._bad,
            last_good=good,
            first_bad=bad,
            good_date=self._with_date(last).date,
            suspects=tuple(map(self._with_date, changed)),
            lost=tuple(lost(self._good.verdict, bad.verdict, self._desk.wanted)),
            otherwise=()
            if self._faults(bad) & self._faults(self._bad)
            else tuple(lost(self._good.verdict, self._bad.verdict, self._desk.wanted)),
            skipped=tuple(history[place - 1] for place in found.untold),
            along=_along(good, bad, {one.name for one in changed}),
            releases=len(history),
            probes=self._probes,
            unproven=any(self._unknown(self._known[_key(sets[place])]) for place in found.untold),
            how=tuple(self._how),
        )

    def _refined(self, found: Bisected) -> Bisected:
        """Where something that is on no axis was moved in one step, the releases in between are searched too."""
        if len(found.suspects) > 1 or found.suspects[0].name in self._desk.axes:
            return found
        name, start = found.suspects[0].name, found.last_good.versions
        history = self._releases(name, start, found.first_bad.versions, whole=True)
        # What the resolver moved for the last good set is there from the beginning now.
        self._known[_key(start)] = found.last_good
        return self._between(start, history) if len(history) > 1 and self._told(self._ask(start, history)) is False else found

    @staticmethod
    def _with(start: Versions, steps: Sequence[Release]) -> Versions:
        return replace(start, exact={**start.exact, **_versions(steps)})

    def _ask(self, start: Versions, steps: Sequence[Release]) -> Experiment:
        return self._ask_all(start, [steps])[0]

    def _ask_all(self, start: Versions, histories: Sequence[Sequence[Release]]) -> list[Experiment]:
        """`start` with the releases of each history in place of its own, and nothing in place of them."""
        keys = [_key(self._with(start, steps)) for steps in histories]
        unknown = {key: steps for key, steps in zip(keys, histories, strict=True) if key not in self._known}
        self._probes += len(unknown)
        found = self._desk.ask([self._desk.moved(start, _versions(steps)) for steps in unknown.values()])
        self._known |= zip(unknown, found, strict=True)
        return [self._known[key] for key in keys]

    def _told(self, asked: Experiment) -> bool | None:
        """Whether a set is as the good end. What is not even installed says nothing, unless that is how the bad end fails."""
        works = survives(self._good.verdict, asked.verdict, self._desk.wanted)
        if works is False and self._untried(asked) and not self._untried(self._bad):
            return None
        return works

    def _faults(self, asked: Experiment) -> set[str]:
        """What fails, made comparable."""
        return faults(self._good.verdict, asked.verdict, self._desk.wanted)

    def _unknown(self, asked: Experiment) -> bool:
        return survives(self._good.verdict, asked.verdict, self._desk.wanted) is None

    def _untold(self, asked: Experiment) -> str:
        """Why a set does not tell."""
        if self._unknown(asked):
            return trouble(asked.verdict)
        one = lost(self._good.verdict, asked.verdict, self._desk.wanted)[0]
        return f"fails at {one.last.stage.value}"

    def _untried(self, asked: Experiment) -> bool:
        return all(one.last.stage in _UNTRIED for one in lost(self._good.verdict, asked.verdict, self._desk.wanted))


_PARALLEL = 8
_UNTRIED = {Stage.RESOLVE, Stage.INSTALL}


def _versions(steps: Sequence[Release]) -> dict[str, str]:
    """Name → the last version that it was moved to."""
    return {one.name: one.version for one in steps}


def _key(versions: Versions) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(versions.exact.items()))


def _alike(good: Experiment, bad: Experiment) -> tuple[Versions, Versions]:
    """The two sets with a version each of whatever one of them names: what was left open is what the resolver made of it."""
    left = {canonicalize_name(Requirement(text).name) for asked in (good, bad) for text in asked.versions.open}
    first, second = _resolved(good, left), _resolved(bad, left)
    # A bound on what a set does not need does no harm.
    return (
        replace(good.versions, exact={**second, **first}, open=_left_open(good)),
        replace(bad.versions, exact={**first, **second}, open=_left_open(bad)),
    )


def _resolved(asked: Experiment, left: set[NormalizedName]) -> dict[str, str]:
    lock = asked.verdict.resolved.lock
    found = {name: lock.versions[name] for name in left if name in lock.versions} if lock else {}
    return {**asked.versions.exact, **{str(name): Version(version).public for name, version in found.items()}}


def _left_open(asked: Experiment) -> tuple[str, ...]:
    return asked.versions.open if asked.verdict.resolved.lock is None else ()


def _along(good: Experiment, bad: Experiment, suspects: set[str]) -> tuple[VersionChange, ...]:
    """What differs between the locks of two sets besides `suspects`: the resolver moved it along."""
    first, second = (asked.verdict.resolved.lock.versions if asked.verdict.resolved.lock else {} for asked in (good, bad))
    return tuple(
        VersionChange(name=name, old=first.get(name), new=second.get(name))
        for name in sorted(first.keys() | second.keys())
        if first and second and first.get(name) != second.get(name) and name not in suspects
    )
