"""What mends a failure: changes tried in order of cost, each by running it, until one works.

What a change gave is stored like any result. So a session that does not act comes the same way to the same end, as far as
the store reaches: a report tells what a run has found out, and there is no record of remedies that could go stale.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import Requirement

from harness.diagnose.remedies import candidates, lock_diff
from harness.diagnose.remedies.changes import REACH, Change, ChangeKind, Remedy, apply, text
from harness.diagnose.remedies.missing import addition
from harness.environments.lockfile import Published
from harness.environments.resolver import NOT_RESOLVED
from harness.execution.questions import NoSuchVersion, NotAnswered, Questions
from harness.matrix.plan import Planned
from harness.model import Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.missing_module import missing_module

TOGETHER = 3
"""How many changes that keep the cell are tried together, each of which got further than those before it."""

BIG = 200 * 10**6
"""Bytes: a version that no cell has is not tried where one of its files is larger."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What some changes together gave."""

    text: str
    status: Status
    stage: Stage | None
    message: str
    open: bool
    """Whether it has not been run yet, or ended in an error or flaky, which proves nothing."""
    kinds: tuple[ChangeKind, ...] = ()
    """Of the changes; nothing where the whole set of versions was one of another day."""

    @property
    def end(self) -> str:
        """`works`, or `fails at STAGE`."""
        return "works" if self.stage is None else f"{self.status.value} at {self.stage}"

    @property
    def said(self) -> str:
        """In a line."""
        return f"{self.text}: {self.end}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RemedySearch:
    """Everything that was tried on one variant of one cell, in this order."""

    trials: tuple[Trial, ...]
    remedy: Remedy | None
    unanswered: tuple[str, ...] = ()
    """Requirements for which the index was to name a version, and gave no answer."""

    @property
    def open(self) -> bool:
        """Whether more may come of it."""
        return self.remedy is None and (bool(self.unanswered) or any(trial.open for trial in self.trials))

    @property
    def vain(self) -> list[Trial]:
        """What was run and did not make it work."""
        return [trial for trial in self.trials if not trial.open and trial.status is not Status.WORKS]

    @property
    def unproven(self) -> list[Trial]:
        """What was run and proved nothing: it ended in an error, or flaky."""
        return [trial for trial in self.trials if trial.open and trial.status is not Status.NOT_RUN]


def search(
    questions: Questions,
    planned: Planned,
    variant: Variant,
    *,
    here: Verdict | None = None,
    near: Sequence[Verdict] = (),
    first: Sequence[Remedy] = (),
    known: Sequence[Change] = (),
    index: bool = True,
    whole: bool = True,
    admits: Callable[[Variant], bool] = lambda _variant: True,
) -> RemedySearch:
    """The cheapest change, or changes, with which `variant` of the cell works; `.remedy` is None where none was found.

    `here` is what is known of the cell as it is. `near` are cells of which something is known: the nearest that works shows
    what is different here, and their versions are the first that are tried instead; with `index` then those that an index
    has. `first` are remedies that mended the same elsewhere, and go before all others; without `whole` nothing goes after
    them. `known` are changes that cells of the matrix show to work. `admits` says of a changed variant whether it would do.

    Raises:
        Pending: something has to run before the search comes further.
    """
    searcher = _Searcher(questions, planned, variant, here=here, near=near, known=known, admits=admits)
    return searcher.run(first, index=index, whole=whole)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Standing:
    """Where some changes have led."""

    changes: tuple[Change, ...]
    planned: Planned
    verdict: Verdict
    one: VariantVerdict

    @property
    def works(self) -> bool:
        return self.one.status is Status.WORKS

    @property
    def depth(self) -> int:
        """How many stages it went through, where it failed."""
        return list(Stage).index(self.one.stage) if self.one.status is Status.FAILS and self.one.stage else -1


class _Searcher:
    def __init__(
        self,
        questions: Questions,
        planned: Planned,
        variant: Variant,
        *,
        here: Verdict | None,
        near: Sequence[Verdict],
        known: Sequence[Change],
        admits: Callable[[Variant], bool],
    ) -> None:
        self._questions = questions
        self._planned = replace(planned, variants=(variant,))
        self._variant = variant
        self._here = here
        self._near = near
        self._free = known
        self._admits = admits
        self._tried: dict[tuple[Change, ...], _Standing] = {}
        self._trials: list[Trial] = []
        self._unanswered: dict[str, None] = {}

    def run(self, first: Sequence[Remedy], *, index: bool, whole: bool) -> RemedySearch:
        origin = self._known() or self._ask([()])[0]
        if origin.one.status is not Status.FAILS:
            return RemedySearch(trials=(), remedy=None)
        found = next((one for remedy in first if (one := self._first_that_works([remedy.changes]))), None)
        if whole:
            found = found or self._within_the_cell(origin) or self._elsewhere(origin, index=index)
        remedy = Remedy(changes=found.changes, planned=found.planned) if found else None
        return RemedySearch(trials=tuple(self._trials), remedy=remedy, unanswered=tuple(self._unanswered))

    def _known(self) -> _Standing | None:
        """What is known of the variant as it is."""
        variants = self._here.variants if self._here else ()
        one = next((one for one in variants if one.variant == self._variant), None)
        return _Standing(changes=(), planned=self._planned, verdict=self._here, one=one) if self._here and one else None

    def _within_the_cell(self, origin: _Standing) -> _Standing | None:
        """One change after another; then what got further than before, with one more."""
        standing = origin
        for _ in range(TOGETHER):
            found = self._alone(standing)
            if found is not None:
                return found
            kept = [one for one in self._tried.values() if all(change.kind.keeps_cell for change in one.changes)]
            further = max(kept, key=lambda one: one.depth, default=standing)
            if further.depth <= standing.depth:
                return None
            standing = further
        return None

    def _alone(self, standing: _Standing) -> _Standing | None:
        """What one more change gives, each of a kind that has not been used."""
        used = {change.kind for change in standing.changes}
        resolved = standing.verdict.resolved
        if (found := self._added(standing)) is not None:
            return found
        known = [] if standing.changes else self._free
        batches = candidates.batches(
            standing.one, resolved.cell, self._questions.matrix, resolved=resolved.result.ok, known=known
        )
        for batch in batches:
            fresh = [(*standing.changes, change) for change in batch if change.kind not in used]
            found = self._first_that_works(fresh)
            if found is not None:
                return found
        # What is not there at all is due to no version of something else.
        pins = standing.one.stage in REACH[ChangeKind.SECONDARY_PIN] and missing_module(standing.one) is None
        return self._pinned(standing) if pins else None

    def _added(self, standing: _Standing) -> _Standing | None:
        """What is missing, added: tried before anything else, because the failure itself names it; and what is missing then."""
        for _ in range(TOGETHER):
            found = addition(standing.one)
            if found is None or found in standing.planned.added or not standing.verdict.resolved.result.ok:
                return None
            if not isinstance(self._published(found[1], standing.planned.cell.python), Published):
                return None
            changes = (*standing.changes, Change(kind=ChangeKind.ADDITION, added=found))
            if (works := self._first_that_works([changes])) is not None:
                return works
            if changes not in self._tried:
                return None
            standing = self._tried[changes]
        return None

    def _pinned(self, standing: _Standing) -> _Standing | None:
        """Transitive blame: against the nearest cell that works, then against the same cell on the day of its newest pin."""
        resolved = standing.verdict.resolved
        other = lock_diff.nearest(resolved, standing.one.variant, self._near)
        found = self._hold(standing, lock_diff.suspects(resolved, other.resolved if other else None, standing.one.error))
        if found is None and (dated := self._as_of(standing)):
            found = self._hold(standing, lock_diff.suspects(resolved, dated.resolved, standing.one.error))
        return found

    def _hold(self, standing: _Standing, suspects: Sequence[lock_diff.LockSuspect]) -> _Standing | None:
        """One suspect at a time, then all together; what is proven is held as loosely as it may be."""
        held = {Requirement(bound).name for change in standing.changes for bound in change.bounds}
        suspects = [suspect for suspect in suspects if suspect.name not in held]
        exact = [bound for suspect in suspects if (bound := suspect.exactly)]
        for suspect in suspects:
            at_theirs = [_bound(suspect.exactly)] if suspect.exactly else []
            proven = self._first_that_works([(*standing.changes, change) for change in at_theirs])
            if proven or not at_theirs:
                for bound in suspect.wider:
                    wider = self._first_that_works([(*standing.changes, _bound(bound))])
                    if wider is not None:
                        return wider
            if proven:
                return proven
        return self._first_that_works([(*standing.changes, _bound(*exact))]) if len(exact) > 1 else None

    def _as_of(self, standing: _Standing) -> Verdict | None:
        """The cell with nothing in it that is younger than its newest pin, where that is another lock, and works."""
        cell, lock = standing.planned.cell, standing.verdict.resolved.lock
        found = [self._published(f"{name}=={version}", cell.python) for name, version in cell.pins]
        day = max((one.day for one in found if isinstance(one, Published) and one.day), default=None)
        if day is None or lock is None or any(isinstance(one, NotAnswered) for one in found):
            return None
        after = (dt.date.fromisoformat(day) + dt.timedelta(days=1)).isoformat()
        (verdict,) = self._questions.ask([standing.planned], exclude_newer=after)
        (one,) = verdict.variants
        if verdict.resolved.lock is None or verdict.resolved.lock.digest == lock.digest:
            return None
        self._trials.append(_trial(" ".join([*(c.text for c in standing.changes), f"exclude-newer {after}"]), one))
        return verdict if one.status is Status.WORKS else None

    def _elsewhere(self, origin: _Standing, *, index: bool) -> _Standing | None:
        """Another version on one axis: within a minor release before within a major one; what cells have before an index.

        Where such a cell was observed, it costs nothing to ask, and goes before those that were not.
        """
        there = sorted(candidates.bumps(origin.planned.cell, self._near), key=lambda change: not self._observed(change))
        for kind in (ChangeKind.PATCH, ChangeKind.MINOR):
            for change in (change for change in there if change.kind is kind):
                if (found := self._first_that_works([(change,)])) is not None:
                    return found
            for change in self._offered(origin, kind) if index else ():
                if (found := self._first_that_works([(change,)])) is not None:
                    return found
        return None

    def _observed(self, change: Change) -> bool:
        planned, variant = change.applied(self._planned, self._variant)
        return any(
            (one.cell.python, one.cell.pins, one.cell.setup) == (planned.cell.python, planned.cell.pins, planned.cell.setup)
            and any(other.variant == variant and not other.open for other in one.variants)
            for one in self._near
        )

    def _offered(self, origin: _Standing, kind: ChangeKind) -> Iterator[Change]:
        """Versions that an index has and whose files are not big; one of unknown size lies on this machine."""
        cell = origin.planned.cell
        for axis in dict(cell.pins):
            for size, requirement in candidates.releases(cell, axis):
                one = self._published(requirement, cell.python) if size is kind else None
                if isinstance(one, Published) and (one.size or 0) <= BIG:
                    yield Change(kind=kind, pin=(axis, one.version))

    def _published(self, requirement: str, python: str) -> Published | NoSuchVersion | NotAnswered:
        """What the index has; a question without an answer leaves the search open."""
        found = self._questions.published(requirement, python)
        if isinstance(found, NotAnswered):
            self._unanswered[requirement] = None
        return found

    def _first_that_works(self, batch: Sequence[tuple[Change, ...]]) -> _Standing | None:
        """Try all of `batch` that has not been tried; the first in its order that works."""
        batch = [changes for changes in batch if self._admits(apply(changes, self._planned, self._variant)[1])]
        fresh = [changes for changes in batch if changes not in self._tried]
        for standing in self._ask(fresh):
            self._tried[standing.changes] = standing
            kinds = tuple(change.kind for change in standing.changes)
            self._trials.append(_trial(text(standing.changes), standing.one, kinds))
        return next((self._tried[changes] for changes in batch if self._tried[changes].works), None)

    def _ask(self, batch: Sequence[tuple[Change, ...]]) -> list[_Standing]:
        """What becomes of the variant with each; variants that one environment can run are one cell."""
        wanted = [(changes, *apply(changes, self._planned, self._variant)) for changes in batch]
        cells: dict[Planned, dict[Variant, None]] = {}
        for _, planned, variant in wanted:
            cells.setdefault(replace(planned, variants=()), {})[variant] = None
        verdicts = self._questions.ask([replace(planned, variants=tuple(variants)) for planned, variants in cells.items()])
        found = dict(zip(cells, verdicts, strict=True))
        standings = []
        for changes, planned, variant in wanted:
            verdict = found[replace(planned, variants=())]
            one = next(one for one in verdict.variants if one.variant == variant)
            standings.append(_Standing(changes=changes, planned=planned, verdict=verdict, one=one))
        return standings


def _bound(*bounds: str) -> Change:
    return Change(kind=ChangeKind.SECONDARY_PIN, bounds=bounds)


def _trial(named: str, one: VariantVerdict, kinds: tuple[ChangeKind, ...] = ()) -> Trial:
    message = one.error.message if one.error else one.reason or ""
    unknown = one.open or one.reason == NOT_RESOLVED or one.status in {Status.ERROR, Status.FLAKY}
    return Trial(text=named, status=one.status, stage=one.stage, message=message, open=unknown, kinds=kinds)
