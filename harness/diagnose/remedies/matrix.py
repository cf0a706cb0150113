"""Remedies for a whole matrix: every cell that fails, and of everything else that failed one variant for each signature.

A remedy that was proven for one cell is tried first on the others with its signature; where searches have found nothing,
the others are not searched, and the report says so by having none.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.diagnose.remedies.candidates import bump_kind
from harness.diagnose.remedies.changes import Change, Remedy, apply, text
from harness.diagnose.remedies.observed import Observations, worded
from harness.diagnose.remedies.trials import RemedySearch, search
from harness.execution.questions import Pending, Questions
from harness.matrix.plan import Planned, deciding
from harness.matrix.selection import parse
from harness.model import Cell, Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.report_model import Remedies, VariantRemedies
from harness.verdicts.signature import signature

FRUITLESS = 2
"""Searches for one signature that find nothing, before its other cells are only tried with what mended something else."""

REMEDIES = 3
"""Remedies for one signature, before variants that none of them mends are no longer searched in cells that work."""

_Signature = tuple[Stage, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixRemedies:
    """What mends what; all of it was run."""

    searches: Mapping[str, Mapping[Variant, RemedySearch]] = field(default_factory=dict)
    """Cell → variant → what was tried on it."""
    cells: Mapping[str, tuple[Remedy, ...]] = field(default_factory=dict)
    """Cell that fails → the remedies with which it, or another cell in its place, works: with all of them at once."""
    observed: Mapping[str, Mapping[Variant, Sequence[Change]]] = field(default_factory=dict)
    """Cell → variant that fails → single changes with which the matrix itself shows it to work."""
    vain: Mapping[str, Mapping[Variant, Sequence[str]]] = field(default_factory=dict)
    """Cell → variant → what mends the same failure elsewhere and, as the matrix itself shows, not here."""

    @property
    def told(self) -> Remedies:
        """As a report has it. A remedy that changes a version on an axis makes another cell of it: this one still fails."""
        return Remedies(
            cells={cell: list(dict.fromkeys(one.text for one in found)) for cell, found in self.cells.items()},
            mended=frozenset(cell for cell, found in self.cells.items() if all(one.keeps_cell for one in found)),
            variants={
                (cell, variant): self._told(cell, variant)
                for cell in dict.fromkeys((*self.searches, *self.observed, *self.vain))
                for variant in dict.fromkeys(
                    (*self.searches.get(cell, ()), *self.observed.get(cell, ()), *self.vain.get(cell, ()))
                )
            },
        )

    def _told(self, cell: str, variant: Variant) -> VariantRemedies:
        search = self.searches.get(cell, {}).get(variant, RemedySearch(trials=(), remedy=None))
        known = list(self.observed.get(cell, {}).get(variant, ()))
        found = [search.remedy] if search.remedy else []
        # A combination has no place in the order of single changes: each of its changes costs something.
        single = [remedy.changes[0] for remedy in found if len(remedy.changes) == 1]
        # The search may have had to keep what `require` names.
        cheaper = [change for change in known if single and change.kind.keeps_cell and change.kind < single[0].kind]
        alternatives = list(dict.fromkeys([*cheaper, *single, *known]))
        remedies = [*worded(alternatives), *(remedy.text for remedy in found if len(remedy.changes) > 1)]
        tried = [*(trial.said for trial in search.vain), *self.vain.get(cell, {}).get(variant, ())]
        return VariantRemedies(
            remedy=alternatives[0].text if alternatives else found[0].text if found else None,
            remedies=remedies,
            tried=list(dict.fromkeys(tried)),
            unproven=[trial.said for trial in search.unproven],
            unanswered=[] if remedies else list(search.unanswered),
            search_open=search.open and not remedies,
        )


def mend(questions: Questions, verdicts: Sequence[Verdict]) -> MatrixRemedies:
    """Search for remedies: first for the cells that fail, then for what fails in others."""
    return _Mending(questions, verdicts).all()


class _Mending:
    def __init__(self, questions: Questions, verdicts: Sequence[Verdict]) -> None:
        self._questions = questions
        self._verdicts = verdicts
        self._failing = [verdict for verdict in verdicts if verdict.status is Status.FAILS]
        self._searches: dict[str, dict[Variant, RemedySearch]] = {}
        self._proven: dict[_Signature, list[Remedy]] = {}
        self._fruitless: Counter[_Signature] = Counter()
        self._waiting: set[_Signature] = set()
        """Signatures with a search that has to wait for the next round: what it finds decides how others go on."""
        self._observations = Observations(verdicts)
        self._working = Counter(one.variant for verdict in verdicts for one in verdict.variants if one.status is Status.WORKS)

    def all(self) -> MatrixRemedies:
        cells = {}
        for verdict in self._failing:
            try:
                if mends := self._cell(verdict):
                    cells[verdict.cell.id] = mends
            except Pending:
                # Its other variants come before those of later cells.
                self._waiting.update(of for one in self._decisive(verdict) if (of := _signature(one)))
        failing = [(verdict, one, of) for verdict in self._verdicts for one in verdict.variants if (of := _signature(one))]
        for verdict, one, of in failing:
            with contextlib.suppress(Pending):
                if of not in self._waiting and not self._fruitless[of] and self._none_for(verdict, one, of):
                    self._variant(verdict, one, of)
        observed: dict[str, dict[Variant, Sequence[Change]]] = {}
        mending: dict[_Signature, dict[str, Sequence[Change]]] = {}
        for of, proven in self._proven.items():
            mending[of] = {remedy.text: remedy.changes for remedy in proven}
        for verdict, one, of in failing:
            if known := self._observations.mending(verdict, one.variant):
                observed.setdefault(verdict.cell.id, {})[one.variant] = known
                mending.setdefault(of, {}).update((change.text, (change,)) for change in known)
        vain: dict[str, dict[Variant, Sequence[str]]] = {}
        for verdict, one, of in failing:
            if one.variant not in observed.get(verdict.cell.id, {}) and (
                failed := self._vain(verdict, one, mending.get(of, {}).values())
            ):
                vain.setdefault(verdict.cell.id, {})[one.variant] = failed
        return MatrixRemedies(searches=self._searches, cells=cells, observed=observed, vain=vain)

    def _none_for(self, verdict: Verdict, one: VariantVerdict, of: _Signature) -> bool:
        """Whether nothing is known to mend it here, and nothing that mends this failure elsewhere may."""
        proven = self._proven.get(of, [])
        if not proven or len(self._vain(verdict, one, [remedy.changes for remedy in proven])) < len(proven):
            return not proven
        return len(proven) < REMEDIES and not self._observations.mending(verdict, one.variant)

    def _vain(self, verdict: Verdict, one: VariantVerdict, known: Iterable[Sequence[Change]]) -> list[str]:
        """Those of `known`, which mend this failure elsewhere, that fail here, as the matrix itself shows."""
        planned = verdict.resolved.planned
        found = [(changes, self._observations.changed(planned, one.variant, changes)) for changes in known]
        return [
            f"{text(changes)}: fails at {other.stage}" for changes, other in found if other and other.status is Status.FAILS
        ]

    def _cell(self, verdict: Verdict) -> tuple[Remedy, ...]:
        """With `require = "any"` one variant that works is enough; otherwise every one that decides must."""
        decisive = self._decisive(verdict)
        found: dict[Variant, Remedy] = {}
        if self._questions.matrix.variants.require == "any":
            tried = (self._variant(verdict, one, of) for one, of in self._one_of_each(decisive))
            return next(((remedy,) for remedy in tried if remedy), ())
        for one in decisive:
            of = _signature(one)
            remedy = self._variant(verdict, one, of) if of else None
            if remedy is None:
                return ()
            found[one.variant] = remedy
        return tuple(found.values()) if found and self._works_as_one(verdict, found) else ()

    def _works_as_one(self, verdict: Verdict, found: Mapping[Variant, Remedy]) -> bool:
        """Whether the cell works with all remedies at once: with every one's versions, and every variant that decides."""
        offered, wanted = verdict.resolved.planned, self._questions.matrix.variants
        changes = list(dict.fromkeys(change for remedy in found.values() for change in remedy.changes))
        pins = {change.pin for change in changes if change.pin}
        if len(pins) != len({axis for axis, _ in pins}):
            return False
        whole, _ = apply([replace(change, variant=()) for change in changes], offered, offered.variants[0])
        variants = [
            apply(found[one].changes, offered, one)[1] if one in found else one
            for one in deciding(wanted, verdict.cell, offered.variants)
        ]
        (together,) = self._questions.ask([replace(whole, variants=tuple(dict.fromkeys(variants)))])
        return together.status is Status.WORKS

    def _decisive(self, verdict: Verdict) -> list[VariantVerdict]:
        """What stands between the cell and working; what cannot exist decides nothing."""
        names = set(deciding(self._questions.matrix.variants, verdict.cell, verdict.resolved.planned.variants))
        wanted = [one for one in verdict.variants if one.variant in names and one.status is not Status.WORKS]
        return [one for one in wanted if one.status is not Status.NOT_RUN or one.open]

    def _one_of_each(self, failing: Sequence[VariantVerdict]) -> Iterator[tuple[VariantVerdict, _Signature]]:
        """A variant for each signature: what came furthest first, and of equals what works in most cells."""
        order = list(Stage)
        seen = set()
        for one in sorted(failing, key=lambda one: (-order.index(one.last.stage), -self._working[one.variant])):
            of = _signature(one)
            if of and of not in seen:
                seen.add(of)
                yield one, of

    def _variant(self, verdict: Verdict, one: VariantVerdict, of: _Signature) -> Remedy | None:
        """The remedy for one variant of a cell.

        Raises:
            Pending: its search, or one for the same signature on which it depends, has to wait for the next round.
        """
        known = self._searches.setdefault(verdict.cell.id, {})
        if one.variant not in known:
            if of in self._waiting:
                self._try_first(verdict, one, of)
                raise Pending
            known[one.variant] = self._searched(verdict, one, of)
        return known[one.variant].remedy

    def _searched(self, verdict: Verdict, one: VariantVerdict, of: _Signature) -> RemedySearch:
        try:
            found = self._search(verdict, one, of)
        except Pending:
            self._waiting.add(of)
            raise
        if found.remedy is None:
            self._fruitless[of] += not found.open
        elif all(found.remedy.changes != other.changes for other in self._proven.get(of, ())):
            self._proven.setdefault(of, []).append(found.remedy)
        return found

    def _search(self, verdict: Verdict, one: VariantVerdict, of: _Signature) -> RemedySearch:
        """One search; what came to its end in an earlier pass of this session is not made again."""
        cell, fails, questions = verdict.resolved.planned, verdict.status is Status.FAILS, self._questions
        first, whole = self._first(verdict, of), self._fruitless[of] < FRUITLESS
        known = self._observations.mending(verdict, one.variant)
        asked = (cell, one.variant, tuple(remedy.changes for remedy in first), tuple(known), fails, whole)
        if isinstance(before := questions.session.searches.get(asked), RemedySearch):
            return before
        ran = len(questions.fresh)
        found = search(
            questions,
            cell,
            one.variant,
            here=verdict,
            near=self._verdicts,
            first=first,
            known=known,
            index=fails,
            whole=whole,
            admits=lambda changed: not fails or self._would_do(cell, one.variant, changed),
        )
        if len(questions.fresh) > ran:
            questions.session.note(f"remedies: {cell.cell.id} {one.variant.id}, {one.last.stage.value}: {_outcome(found)}")
        if questions.acts:
            questions.session.searches[asked] = found
        return found

    def _first(self, verdict: Verdict, of: _Signature) -> list[Remedy]:
        """What mended the same failure elsewhere, and may here."""
        return [remedy for remedy in self._proven.get(of, ()) if _small(remedy, verdict.cell)]

    def _try_first(self, verdict: Verdict, one: VariantVerdict, of: _Signature) -> None:
        """Have what mended the same failure elsewhere tried here too: its own search will begin with that."""
        cell = verdict.resolved.planned
        for remedy in self._first(verdict, of)[:1]:
            planned, variant = apply(remedy.changes, cell, one.variant)
            if verdict.status is not Status.FAILS or self._would_do(cell, one.variant, variant):
                self._questions.ask([replace(planned, variants=(variant,))])

    def _would_do(self, cell: Planned, variant: Variant, changed: Variant) -> bool:
        """Whether the matrix would take the one for the other: what it requires must not be changed away."""
        require = self._questions.matrix.variants.require
        if require == "any":
            return True
        if require == "all":
            return changed.exporter == variant.exporter
        # What does not decide may become anything.
        return parse(require).admits(cell.cell, changed) or not parse(require).admits(cell.cell, variant)


def _signature(one: VariantVerdict) -> _Signature | None:
    return (one.last.stage, signature(one.last.stage, one.error)) if one.status is Status.FAILS and one.error else None


def _small(remedy: Remedy, cell: Cell) -> bool:
    """Whether what it changes on an axis is a small step for this cell too."""
    pins = [change.pin for change in remedy.changes if change.pin]
    return all(version == cell.version(axis) or bump_kind(str(cell.version(axis)), version) for axis, version in pins)


def _outcome(found: RemedySearch) -> str:
    tried = len(found.trials)
    if found.remedy:
        return f"works with {found.remedy.text}"
    if found.unanswered:
        return f"open, {tried} changes tried; the index could not be asked for {', '.join(found.unanswered)}"
    return f"open, {tried} changes tried" if found.open else f"none of {tried} changes mends it"
