"""Remedies that were found for a whole matrix, and their words in a report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.diagnose.remedies.interface import Change, Remedy, RemedyKind, RemedySearch
from harness.model import Variant
from harness.verdicts.reporting import Remedies, VariantRemedies

_NAMED = 3
"""Number of further values of one field that are spelt out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixRemedies:
    """Remedies for a whole matrix; all of them were run."""

    searches: Mapping[str, Mapping[Variant, RemedySearch]] = field(default_factory=dict)
    """Cell → variant → the search on it."""
    cells: Mapping[str, tuple[Remedy, ...]] = field(default_factory=dict)
    """Cell that fails → the remedies with which it, or another cell in its place, works: with all of them at once."""
    observed: Mapping[str, Mapping[Variant, Sequence[Change]]] = field(default_factory=dict)
    """Cell → variant that fails → single changes with which the matrix itself shows it to work."""
    vain: Mapping[str, Mapping[Variant, Sequence[str]]] = field(default_factory=dict)
    """Cell → variant → remedies of the same failure elsewhere that fail here, as the matrix itself shows."""

    @property
    def mended(self) -> frozenset[str]:
        """The cells that work with their remedies. A change on an axis makes another cell of it: the cell still fails."""
        return frozenset(cell for cell, found in self.cells.items() if all(remedy.keeps_cell for remedy in found))

    def reported(self, kinds: Sequence[RemedyKind]) -> Remedies:
        """The remedies as a report has them; `kinds` are in order of cost."""
        tables: tuple[Mapping[str, Mapping[Variant, object]], ...] = (self.searches, self.observed, self.vain)
        variants = dict.fromkeys((cell, variant) for table in tables for cell in table for variant in table[cell])
        return Remedies(
            cells={cell: list(dict.fromkeys(remedy.text for remedy in found)) for cell, found in self.cells.items()},
            with_remedy=self.mended,
            variants={(cell, variant): self._of_variant(cell, variant, kinds) for cell, variant in variants},
        )

    def _of_variant(self, cell: str, variant: Variant, kinds: Sequence[RemedyKind]) -> VariantRemedies:
        search = self.searches.get(cell, {}).get(variant, RemedySearch(trials=(), remedy=None))
        known = list(self.observed.get(cell, {}).get(variant, ()))
        found = [search.remedy] if search.remedy else []
        # A combination has no place in the order of single changes: each of its changes costs something.
        single = [remedy.changes[0] for remedy in found if len(remedy.changes) == 1]
        # The search may have had to keep what `require` names.
        dearer = kinds[kinds.index(single[0].kind) :] if single else kinds
        cheaper = [change for change in known if change.kind.keeps_cell and change.kind not in dearer]
        alternatives = list(dict.fromkeys([*cheaper, *single, *known]))
        remedies = [*worded(alternatives), *(remedy.text for remedy in found if len(remedy.changes) > 1)]
        tried = [*(trial.line for trial in search.vain), *self.vain.get(cell, {}).get(variant, ())]
        return VariantRemedies(
            remedy=alternatives[0].text if alternatives else found[0].text if found else None,
            remedies=remedies,
            tried=list(dict.fromkeys(tried)),
            unproven=[trial.line for trial in search.unproven],
            unanswered=[] if remedies else list(search.unanswered),
            search_open=search.open and not remedies,
        )


def worded(changes: Iterable[Change]) -> list[str]:
    """Alternatives in words, in their order; those of one field or axis together: `opset 14 (also 15)`."""
    groups: dict[str, list[str]] = {}
    for change in changes:
        name, _, value = change.text.partition(" ")
        groups.setdefault(name, []).append(value)
    return [f"{name} {_listed(list(dict.fromkeys(values)))}".strip() for name, values in groups.items()]


def _listed(values: Sequence[str]) -> str:
    nearest, *others = values
    more = len(others) - _NAMED
    also = ", ".join(others[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{nearest} (also {also})" if others else nearest
