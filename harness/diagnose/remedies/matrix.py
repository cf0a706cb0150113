"""Remedies for a whole matrix: every cell that fails, and of everything else that failed one variant for each signature.

A remedy that was proven for one cell is tried first on the others with its signature. After searches that found nothing the
other cells are not searched, and the report shows no remedy for them.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from harness.diagnose.remedies.found import MatrixRemedies
from harness.diagnose.remedies.interface import Change, Remedy, RemedyKind, RemedySearch, apply, text
from harness.diagnose.remedies.observed import Observations
from harness.diagnose.remedies.trials import VariantSearch
from harness.execution.extra_cells import ExtraCells, Pending
from harness.matrix.plan import Planned
from harness.matrix.selection import parse
from harness.matrix.variants import deciding
from harness.model import Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict

FRUITLESS = 2
"""Searches for one signature that find nothing, before its other cells are only tried with what mended something else."""

REMEDIES = 3
"""Remedies for one signature, before variants that none of them mends are no longer searched in cells that work."""

_Signature = tuple[Stage, str]


def mend(extra: ExtraCells, verdicts: Sequence[Verdict], kinds: Sequence[RemedyKind]) -> MatrixRemedies:
    """Search for remedies: first for the cells that fail, then for what fails in others. `kinds` are in order of cost."""
    return _MatrixSearch(extra, verdicts, kinds).run()


class _MatrixSearch:
    def __init__(self, extra: ExtraCells, verdicts: Sequence[Verdict], kinds: Sequence[RemedyKind]) -> None:
        self._extra = extra
        self._verdicts = verdicts
        self._kinds = kinds
        self._searches: dict[str, dict[Variant, RemedySearch]] = {}
        self._proven: dict[_Signature, list[Remedy]] = {}
        self._fruitless: Counter[_Signature] = Counter()
        self._waiting: set[_Signature] = set()
        """Signatures with a search that has to wait for the next round: what it finds decides how others go on."""
        self._observations = Observations(verdicts, kinds)
        self._working = Counter(
            variant.variant for cell in verdicts for variant in cell.variants if variant.status is Status.WORKS
        )

    def run(self) -> MatrixRemedies:
        cells = self._failing_cells()
        failing = [(cell, variant, of) for cell in self._verdicts for variant in cell.variants if (of := _signature(variant))]
        for cell, variant, of in failing:
            with contextlib.suppress(Pending):
                if of not in self._waiting and not self._fruitless[of] and self._lacks_remedy(cell, variant, of):
                    self._remedy(cell, variant, of)
        mending: dict[_Signature, dict[str, Sequence[Change]]] = {}
        for of, proven in self._proven.items():
            mending[of] = {remedy.text: remedy.changes for remedy in proven}
        observed: dict[str, dict[Variant, Sequence[Change]]] = {}
        for cell, variant, of in failing:
            if known := self._observations.mending(cell, variant.variant):
                observed.setdefault(cell.cell.id, {})[variant.variant] = known
                mending.setdefault(of, {}).update((change.text, (change,)) for change in known)
        vain: dict[str, dict[Variant, Sequence[str]]] = {}
        for cell, variant, of in failing:
            if variant.variant in observed.get(cell.cell.id, {}):
                continue
            if failed := self._fails_with(cell, variant, mending.get(of, {}).values()):
                vain.setdefault(cell.cell.id, {})[variant.variant] = failed
        return MatrixRemedies(searches=self._searches, cells=cells, observed=observed, vain=vain)

    def _failing_cells(self) -> dict[str, tuple[Remedy, ...]]:
        """Cell that fails → its remedies."""
        cells = {}
        for cell in self._verdicts:
            if cell.status is not Status.FAILS:
                continue
            try:
                if remedies := self._cell(cell):
                    cells[cell.cell.id] = remedies
            except Pending:
                # Its other variants come before those of later cells.
                self._waiting.update(of for variant in self._decisive(cell) if (of := _signature(variant)))
        return cells

    def _lacks_remedy(self, cell: Verdict, variant: VariantVerdict, of: _Signature) -> bool:
        """Whether nothing is known to mend it here, and nothing that mends this failure elsewhere may."""
        proven = self._proven.get(of, [])
        if not proven or len(self._fails_with(cell, variant, [remedy.changes for remedy in proven])) < len(proven):
            return not proven
        return len(proven) < REMEDIES and not self._observations.mending(cell, variant.variant)

    def _fails_with(self, cell: Verdict, variant: VariantVerdict, known: Iterable[Sequence[Change]]) -> list[str]:
        """Those of `known`, which mend this failure elsewhere, that fail here, as the matrix itself shows."""
        planned = cell.resolved.planned
        found = [(changes, self._observations.changed(planned, variant.variant, changes)) for changes in known]
        return [
            f"{text(changes)}: fails at {other.stage}" for changes, other in found if other and other.status is Status.FAILS
        ]

    def _cell(self, cell: Verdict) -> tuple[Remedy, ...]:
        """With `require = "any"` one variant that works is enough; otherwise every one that decides must."""
        decisive = self._decisive(cell)
        found: dict[Variant, Remedy] = {}
        if self._extra.session.matrix.variants.require == "any":
            tried = (self._remedy(cell, variant, of) for variant, of in self._variant_of_each_signature(decisive))
            return next(((remedy,) for remedy in tried if remedy), ())
        for variant in decisive:
            of = _signature(variant)
            remedy = self._remedy(cell, variant, of) if of else None
            if remedy is None:
                return ()
            found[variant.variant] = remedy
        return tuple(found.values()) if found and self._works_with_all(cell, found) else ()

    def _works_with_all(self, cell: Verdict, found: Mapping[Variant, Remedy]) -> bool:
        """Whether the cell works with all remedies at once: with every one's versions, and every variant that decides."""
        planned, required = cell.resolved.planned, self._extra.session.matrix.variants
        changes = list(dict.fromkeys(change for remedy in found.values() for change in remedy.changes))
        pins = {change.pin for change in changes if change.pin}
        if len(pins) != len({axis for axis, _ in pins}):
            return False
        whole, _ = apply([replace(change, variant=()) for change in changes], planned, planned.variants[0])
        variants = [
            apply(found[variant].changes, planned, variant)[1] if variant in found else variant
            for variant in deciding(required, cell.cell, planned.variants)
        ]
        (together,) = self._extra.verdicts([replace(whole, variants=tuple(dict.fromkeys(variants)))])
        return together.status is Status.WORKS

    def _decisive(self, cell: Verdict) -> list[VariantVerdict]:
        """The variants that keep the cell from working; what cannot exist decides nothing."""
        decides = set(deciding(self._extra.session.matrix.variants, cell.cell, cell.resolved.planned.variants))
        failing = [variant for variant in cell.variants if variant.variant in decides and variant.status is not Status.WORKS]
        return [variant for variant in failing if variant.status is not Status.NOT_RUN or variant.open]

    def _variant_of_each_signature(self, failing: Sequence[VariantVerdict]) -> Iterator[tuple[VariantVerdict, _Signature]]:
        """A variant for each signature: what came furthest first, and of equals what works in most cells."""
        order, seen = list(Stage), set()

        def rank(variant: VariantVerdict) -> tuple[int, int]:
            return -order.index(variant.last.stage), -self._working[variant.variant]

        for variant in sorted(failing, key=rank):
            of = _signature(variant)
            if of and of not in seen:
                seen.add(of)
                yield variant, of

    def _remedy(self, cell: Verdict, variant: VariantVerdict, of: _Signature) -> Remedy | None:
        """The remedy for one variant of a cell.

        Raises:
            Pending: its search, or one for the same signature on which it depends, has to wait for the next round.
        """
        searches = self._searches.setdefault(cell.cell.id, {})
        if variant.variant not in searches:
            if of in self._waiting:
                self._try_first(cell, variant, of)
                raise Pending
            searches[variant.variant] = self._counted_search(cell, variant, of)
        return searches[variant.variant].remedy

    def _counted_search(self, cell: Verdict, variant: VariantVerdict, of: _Signature) -> RemedySearch:
        """One search; its outcome counts for the others with the same signature."""
        try:
            found = self._search(cell, variant, of)
        except Pending:
            self._waiting.add(of)
            raise
        if found.remedy is None:
            self._fruitless[of] += not found.open
        elif all(found.remedy.changes != other.changes for other in self._proven.get(of, ())):
            self._proven.setdefault(of, []).append(found.remedy)
        return found

    def _search(self, cell: Verdict, variant: VariantVerdict, of: _Signature) -> RemedySearch:
        """One search; what came to its end in an earlier pass of this session is not made again."""
        planned, fails, extra = cell.resolved.planned, cell.status is Status.FAILS, self._extra
        first, whole = self._first(cell, of), self._fruitless[of] < FRUITLESS
        known = self._observations.mending(cell, variant.variant)
        key = (planned, variant.variant, tuple(remedy.changes for remedy in first), tuple(known), fails, whole)
        if isinstance(before := extra.session.extra_cells.searches.get(key), RemedySearch):
            return before
        ran = len(extra.fresh)
        found = VariantSearch(
            extra=extra,
            planned=replace(planned, variants=(variant.variant,)),
            kinds=self._kinds,
            here=cell,
            near=self._verdicts,
            first=first,
            known=known,
            asks_index=fails,
            whole=whole,
            admits=lambda changed: not fails or self._admits(planned, variant.variant, changed),
        ).run()
        if len(extra.fresh) > ran:
            stage = variant.last.stage.value
            extra.session.note(f"remedies: {planned.cell.id} {variant.variant.id}, {stage}: {_outcome(found)}")
        if extra.acts:
            extra.session.extra_cells.searches[key] = found
        return found

    def _first(self, cell: Verdict, of: _Signature) -> list[Remedy]:
        """The remedies of the same failure elsewhere that may help here: with small steps on the axes of this cell too."""

        def is_small(axis: str, version: str) -> bool:
            own = str(cell.cell.version(axis))
            kinds = [kind for kind in self._kinds if not kind.is_only_observed]
            return version == own or any(kind.between_versions(axis, own, version) for kind in kinds)

        return [
            remedy
            for remedy in self._proven.get(of, ())
            if all(is_small(*change.pin) for change in remedy.changes if change.pin)
        ]

    def _try_first(self, cell: Verdict, variant: VariantVerdict, of: _Signature) -> None:
        """Try here too what mended the same failure elsewhere: the search will begin with that."""
        planned = cell.resolved.planned
        for remedy in self._first(cell, of)[:1]:
            changed, other = apply(remedy.changes, planned, variant.variant)
            if cell.status is not Status.FAILS or self._admits(planned, variant.variant, other):
                self._extra.verdicts([replace(changed, variants=(other,))])

    def _admits(self, planned: Planned, variant: Variant, changed: Variant) -> bool:
        """Whether the matrix would take the one for the other: what it requires must not be changed away."""
        require = self._extra.session.matrix.variants.require
        if require == "any":
            return True
        if require == "all":
            return changed.exporter == variant.exporter
        # What does not decide may become anything.
        return parse(require).admits(planned.cell, changed) or not parse(require).admits(planned.cell, variant)


def _signature(variant: VariantVerdict) -> _Signature | None:
    signature = variant.signature if variant.status is Status.FAILS else None
    return (variant.last.stage, signature) if signature else None


def _outcome(found: RemedySearch) -> str:
    tried = len(found.trials)
    if found.remedy:
        return f"works with {found.remedy.text}"
    if found.unanswered:
        return f"open, {tried} changes tried; the index could not be asked for {', '.join(found.unanswered)}"
    return f"open, {tried} changes tried" if found.open else f"none of {tried} changes mends it"
