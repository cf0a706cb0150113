"""The search for a remedy of one variant of one cell: changes in order of cost, each run, until one works.

The outcome of a change is stored like any result. So a session that does not act takes the same steps as far as the store
reaches: a report shows what a run has found, and there is no record of remedies that could go stale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from harness.diagnose.remedies.interface import (
    TOGETHER,
    Attempt,
    Change,
    Failing,
    Remedy,
    RemedyKind,
    RemedySearch,
    Trial,
    apply,
    text,
)
from harness.environments.lockfile import PublishedVersion
from harness.environments.published_versions import NotAnswered
from harness.execution.extra_cells import ExtraCells
from harness.matrix.plan import Planned
from harness.model import Status, Variant
from harness.verdicts.judge import Verdict


@dataclass(kw_only=True, eq=False)
class VariantSearch:
    """The search for a remedy of one variant of one cell: the kinds of remedies use it as `Trials`."""

    extra: ExtraCells
    planned: Planned
    """The cell with that one variant."""
    kinds: Sequence[RemedyKind]
    """In order of cost."""
    here: Verdict | None = None
    """The verdict on the cell as it is."""
    near: Sequence[Verdict] = ()
    """Other cells: the nearest that works shows what is different here, and their versions are tried first."""
    first: Sequence[Remedy] = ()
    """Remedies of the same failure elsewhere: they are tried before all other changes."""
    known: Sequence[Change] = ()
    """Changes that cells of the matrix show to work."""
    asks_index: bool = True
    """Whether versions on an axis that no cell has are tried too."""
    whole: bool = True
    """Whether anything is tried after `first`."""
    admits: Callable[[Variant], bool] = lambda _variant: True
    """Whether a changed variant would do."""
    _attempts: dict[tuple[Change, ...], Attempt] = field(default_factory=dict, init=False)
    _trials: list[Trial] = field(default_factory=list, init=False)
    _unanswered: dict[str, None] = field(default_factory=dict, init=False)

    def run(self) -> RemedySearch:
        """The cheapest change, or changes, with which the variant works; `.remedy` is None if none was found.

        Raises:
            Pending: something has to run before the search comes further.
        """
        origin = self._unchanged()
        if origin.verdict.status is not Status.FAILS:
            return RemedySearch(trials=(), remedy=None)
        found = next((works for remedy in self.first if (works := self.first_that_works([remedy.changes]))), None)
        if self.whole:
            found = found or self._within_the_cell(origin)
            found = found or self._by_kinds(origin, [kind for kind in self.kinds if not kind.keeps_cell])
        remedy = Remedy(changes=found.changes, planned=found.planned) if found else None
        return RemedySearch(trials=tuple(self._trials), remedy=remedy, unanswered=tuple(self._unanswered))

    @property
    def _variant(self) -> Variant:
        return self.planned.variants[0]

    def first_that_works(self, batch: Sequence[tuple[Change, ...]]) -> Attempt | None:
        """Run all of `batch` that was not run yet; the first in its order that works."""
        batch = [changes for changes in batch if self.admits(apply(changes, self.planned, self._variant)[1])]
        for attempt in self._run([changes for changes in batch if changes not in self._attempts]):
            self._attempts[attempt.changes] = attempt
            kinds = tuple(change.kind for change in attempt.changes)
            self._trials.append(Trial.of(text(attempt.changes), attempt.verdict, kinds))
        return next((self._attempts[changes] for changes in batch if self._attempts[changes].works), None)

    def made(self, changes: tuple[Change, ...]) -> Attempt | None:
        """The attempt with these changes, if there was one."""
        return self._attempts.get(changes)

    def published(self, requirement: str, python: str) -> PublishedVersion | NotAnswered | None:
        """The newest version that the index has, or None; without an answer the search stays open."""
        found = self.extra.published(requirement, python)
        if isinstance(found, NotAnswered):
            self._unanswered[requirement] = None
        return found

    def on_day(self, attempt: Attempt, day: str) -> Verdict | None:
        """The cell of `attempt` without releases younger than `day`, if that is another lock, and works."""
        (cell,) = self.extra.verdicts([attempt.planned], exclude_newer=day)
        lock, own = cell.resolved.lock, attempt.cell.resolved.lock
        if lock is None or (own and lock.digest == own.digest):
            return None
        (verdict,) = cell.variants
        name = " ".join([*(change.text for change in attempt.changes), f"exclude-newer {day}"])
        self._trials.append(Trial.of(name, verdict))
        return cell if verdict.status is Status.WORKS else None

    def _unchanged(self) -> Attempt:
        """The variant as it is."""
        known = self.here.variants if self.here else ()
        verdict = next((verdict for verdict in known if verdict.variant == self._variant), None)
        if self.here and verdict:
            return Attempt(changes=(), planned=self.planned, cell=self.here, verdict=verdict)
        (attempt,) = self._run([()])
        return attempt

    def _within_the_cell(self, origin: Attempt) -> Attempt | None:
        """One change after another; then the attempt that got further than before, with one more."""
        attempt = origin
        for _ in range(TOGETHER):
            found = self._with_one_more(attempt)
            if found is not None:
                return found
            kept = [made for made in self._attempts.values() if all(change.kind.keeps_cell for change in made.changes)]
            further = max(kept, key=lambda made: made.depth, default=attempt)
            if further.depth <= attempt.depth:
                return None
            attempt = further
        return None

    def _with_one_more(self, attempt: Attempt) -> Attempt | None:
        """The first that works of the changes beside those of `attempt`, of kinds that it does not have."""
        used = {change.kind for change in attempt.changes}
        keeping = [kind for kind in self.kinds if kind.keeps_cell]
        if found := self._by_kinds(attempt, [kind for kind in keeping if kind.is_named_by_failure]):
            return found
        resolved = attempt.cell.resolved
        # Without a lock no variant of the cell can work.
        if resolved.result.ok:
            failing = Failing(verdict=attempt.verdict, cell=resolved.cell, matrix=self.extra.session.matrix)
            for batch in batches(failing, self.kinds, [] if attempt.changes else self.known):
                found = self.first_that_works([(*attempt.changes, change) for change in batch if change.kind not in used])
                if found is not None:
                    return found
        return self._by_kinds(attempt, [kind for kind in keeping if not kind.is_named_by_failure])

    def _by_kinds(self, attempt: Attempt, kinds: Sequence[RemedyKind]) -> Attempt | None:
        """The first that works of the searches of `kinds` that can change how `attempt` ended."""
        searches = (kind.search(attempt, self) for kind in kinds if attempt.verdict.stage in kind.reach)
        return next((found for found in searches if found), None)

    def _run(self, batch: Sequence[tuple[Change, ...]]) -> list[Attempt]:
        """The variant with each of `batch`; variants that one environment can run are one cell."""
        changed = [(changes, *apply(changes, self.planned, self._variant)) for changes in batch]
        cells: dict[Planned, dict[Variant, None]] = {}
        for _, planned, variant in changed:
            cells.setdefault(replace(planned, variants=()), {})[variant] = None
        verdicts = self.extra.verdicts([replace(planned, variants=tuple(variants)) for planned, variants in cells.items()])
        found = dict(zip(cells, verdicts, strict=True))
        attempts = []
        for changes, planned, variant in changed:
            cell = found[replace(planned, variants=())]
            verdict = next(verdict for verdict in cell.variants if verdict.variant == variant)
            attempts.append(Attempt(changes=changes, planned=planned, cell=cell, verdict=verdict))
        return attempts


def batches(failing: Failing, kinds: Sequence[RemedyKind], known: Sequence[Change] = ()) -> list[Sequence[Change]]:
    """The changes of `kinds` that can reach the failure, in order of cost. Pure.

    The changes of one batch share an export process and a run process. `known` are changes that the matrix shows to work:
    each takes the place of its kind, before the proposals of the kind itself.
    """
    proposed = [(kind, batch) for kind in kinds if failing.verdict.stage in kind.reach for batch in kind.batches(failing)]
    light = [change for kind, batch in proposed if kind.keeps_artifact for change in batch]
    heavy = [batch for kind, batch in proposed if not kind.keeps_artifact]
    free = [[change] for change in known if change.kind.keeps_cell]
    ordered = sorted(filter(None, [*free, light, *heavy]), key=lambda batch: kinds.index(batch[0].kind))
    place = next((place for place, batch in enumerate(ordered) if batch[0].kind.known_before), len(ordered))
    before = ordered[place][0].kind.known_before if place < len(ordered) else frozenset()
    return [*ordered[:place], *([change] for change in known if change.kind.name in before), *ordered[place:]]
