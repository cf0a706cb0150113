"""The search for a remedy of one variant of one cell: changes in order of cost, each run, until one works.

The outcome of a change is stored like any result. So a session that does not act takes the same steps as far as the store
reaches: a report shows what a run has found, and there is no record of remedies that could go stale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.diagnose.remedies.interface import (
    TOGETHER,
    Attempt,
    Change,
    Remedy,
    RemedyKind,
    RemedySearch,
    Trial,
    apply,
    text,
)
from harness.environments.lockfile import Published
from harness.environments.resolver import Resolved
from harness.execution.questions import NoSuchVersion, NotAnswered, Questions
from harness.matrix.plan import Planned
from harness.matrix.schema import Matrix
from harness.model import Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict


def search(
    questions: Questions,
    planned: Planned,
    variant: Variant,
    kinds: Sequence[RemedyKind],
    *,
    here: Verdict | None = None,
    near: Sequence[Verdict] = (),
    first: Sequence[Remedy] = (),
    known: Sequence[Change] = (),
    index: bool = True,
    whole: bool = True,
    admits: Callable[[Variant], bool] = lambda _variant: True,
) -> RemedySearch:
    """The cheapest change, or changes, with which `variant` of the cell works; `.remedy` is None if none was found.

    `kinds` are in order of cost. `here` is the verdict on the cell as it is. `near` are other cells with verdicts: the
    nearest that works shows what is different here, and their versions are tried before those of the index, which only
    `index` admits. `first` are remedies of the same failure elsewhere, and are tried first; without `whole`, nothing else.
    `known` are changes that cells of the matrix show to work. `admits` judges whether a changed variant would do.

    Raises:
        Pending: something has to run before the search comes further.
    """
    searcher = _Searcher(questions, planned, variant, kinds, near=near, known=known, index=index, admits=admits)
    return searcher.run(here, first, whole=whole)


class _Searcher:
    def __init__(
        self,
        questions: Questions,
        planned: Planned,
        variant: Variant,
        kinds: Sequence[RemedyKind],
        *,
        near: Sequence[Verdict],
        known: Sequence[Change],
        index: bool,
        admits: Callable[[Variant], bool],
    ) -> None:
        self.near = near
        self.asks_index = index
        self._questions = questions
        self._planned = replace(planned, variants=(variant,))
        self._variant = variant
        self._kinds = kinds
        self._known = known
        self._admits = admits
        self._attempts: dict[tuple[Change, ...], Attempt] = {}
        self._trials: list[Trial] = []
        self._unanswered: dict[str, None] = {}

    def run(self, here: Verdict | None, first: Sequence[Remedy], *, whole: bool) -> RemedySearch:
        origin = self._unchanged(here)
        if origin.verdict.status is not Status.FAILS:
            return RemedySearch(trials=(), remedy=None)
        found = next((works for remedy in first if (works := self.first_that_works([remedy.changes]))), None)
        if whole:
            found = found or self._within_the_cell(origin)
            found = found or self._by_kinds(origin, [kind for kind in self._kinds if not kind.keeps_cell])
        remedy = Remedy(changes=found.changes, planned=found.planned) if found else None
        return RemedySearch(trials=tuple(self._trials), remedy=remedy, unanswered=tuple(self._unanswered))

    def first_that_works(self, batch: Sequence[tuple[Change, ...]]) -> Attempt | None:
        batch = [changes for changes in batch if self._admits(apply(changes, self._planned, self._variant)[1])]
        for attempt in self._run([changes for changes in batch if changes not in self._attempts]):
            self._attempts[attempt.changes] = attempt
            kinds = tuple(change.kind for change in attempt.changes)
            self._trials.append(Trial.of(text(attempt.changes), attempt.verdict, kinds))
        return next((self._attempts[changes] for changes in batch if self._attempts[changes].works), None)

    def made(self, changes: tuple[Change, ...]) -> Attempt | None:
        return self._attempts.get(changes)

    def published(self, requirement: str, python: str) -> Published | NoSuchVersion | NotAnswered:
        found = self._questions.published(requirement, python)
        if isinstance(found, NotAnswered):
            self._unanswered[requirement] = None
        return found

    def on_day(self, attempt: Attempt, day: str) -> Verdict | None:
        (cell,) = self._questions.ask([attempt.planned], exclude_newer=day)
        lock, own = cell.resolved.lock, attempt.cell.resolved.lock
        if lock is None or (own and lock.digest == own.digest):
            return None
        (verdict,) = cell.variants
        name = " ".join([*(change.text for change in attempt.changes), f"exclude-newer {day}"])
        self._trials.append(Trial.of(name, verdict))
        return cell if verdict.status is Status.WORKS else None

    def _unchanged(self, here: Verdict | None) -> Attempt:
        """The variant as it is."""
        known = next((verdict for verdict in here.variants if verdict.variant == self._variant), None) if here else None
        if here and known:
            return Attempt(changes=(), planned=self._planned, cell=here, verdict=known)
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
        keeping = [kind for kind in self._kinds if kind.keeps_cell]
        if found := self._by_kinds(attempt, [kind for kind in keeping if kind.is_named_by_failure]):
            return found
        known = [] if attempt.changes else self._known
        for batch in batches(attempt.verdict, attempt.cell.resolved, self._questions.matrix, self._kinds, known):
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
        changed = [(changes, *apply(changes, self._planned, self._variant)) for changes in batch]
        cells: dict[Planned, dict[Variant, None]] = {}
        for _, planned, variant in changed:
            cells.setdefault(replace(planned, variants=()), {})[variant] = None
        verdicts = self._questions.ask([replace(planned, variants=tuple(variants)) for planned, variants in cells.items()])
        found = dict(zip(cells, verdicts, strict=True))
        attempts = []
        for changes, planned, variant in changed:
            cell = found[replace(planned, variants=())]
            verdict = next(verdict for verdict in cell.variants if verdict.variant == variant)
            attempts.append(Attempt(changes=changes, planned=planned, cell=cell, verdict=verdict))
        return attempts


def batches(
    failing: VariantVerdict, resolved: Resolved, matrix: Matrix, kinds: Sequence[RemedyKind], known: Sequence[Change] = ()
) -> list[Sequence[Change]]:
    """The changes of `kinds` that can reach the failure, in order of cost. Pure.

    The changes of one batch share an export process and a run process. `known` are changes that the matrix shows to work:
    each takes the place of its kind, before what the kind proposes itself.
    """
    if not resolved.result.ok:
        # Without a lock no variant of the cell can work.
        return []
    reaching = [kind for kind in kinds if failing.stage in kind.reach]
    proposed = [(kind, batch) for kind in reaching for batch in kind.batches(failing, resolved.cell, matrix)]
    light = [change for kind, batch in proposed if kind.keeps_artifact for change in batch]
    heavy = [batch for kind, batch in proposed if not kind.keeps_artifact]
    free = [[change] for change in known if change.kind.keeps_cell]
    ordered = sorted(filter(None, [*free, light, *heavy]), key=lambda batch: kinds.index(batch[0].kind))
    place = next((place for place, batch in enumerate(ordered) if batch[0].kind.known_before), len(ordered))
    before = ordered[place][0].kind.known_before if place < len(ordered) else frozenset()
    return [*ordered[:place], *([change] for change in known if change.kind.name in before), *ordered[place:]]
