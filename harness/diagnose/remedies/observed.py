"""Changes that the matrix itself shows to mend a failure: another variant of the cell, the same variant in another cell.

They were run with the matrix and cost nothing. Pure.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence

from harness.diagnose.remedies.interface import Change, RemedyKind, apply
from harness.diagnose.remedies.version_steps import distance
from harness.matrix.plan import Planned
from harness.model import Cell, Setup, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict

_CellKey = tuple[str, tuple[tuple[str, str], ...], Setup]


class Observations:
    """The verdicts of a matrix, by cell and variant."""

    def __init__(self, verdicts: Sequence[Verdict], kinds: Sequence[RemedyKind]) -> None:
        """`kinds` are the kinds of remedies, in order of cost."""
        self._kinds = kinds
        self._cells = {_key(verdict.cell): verdict for verdict in verdicts}
        self._working = {
            cell.cell.id: frozenset(verdict.variant for verdict in cell.variants if verdict.status is Status.WORKS)
            for cell in verdicts
        }
        self._near: dict[str, list[tuple[Change, frozenset[Variant]]]] = {}
        self._between_variants = functools.cache(lambda *pair: _first(kind.between_variants(*pair) for kind in kinds))
        self._between_versions = functools.cache(lambda *step: _first(kind.between_versions(*step) for kind in kinds))
        # (axis, the cell without it) → the cells that differ on that axis alone
        self._lines: dict[tuple[object, ...], list[Verdict]] = {}
        for verdict in verdicts:
            for axis in _axes(verdict.cell):
                self._lines.setdefault(_line(verdict.cell, axis), []).append(verdict)

    def changed(self, planned: Planned, variant: Variant, changes: Sequence[Change]) -> VariantVerdict | None:
        """The verdict on `variant` with `changes`, if the matrix has that variant in that cell."""
        changed, other = apply(changes, planned, variant)
        cell = None if changed.bounds or changed.added else self._cells.get(_key(changed.cell))
        return next((verdict for verdict in cell.variants if verdict.variant == other), None) if cell else None

    def mending(self, verdict: Verdict, variant: Variant) -> list[Change]:
        """The single changes with which `variant` of that cell was observed to work, the cheapest and nearest first."""

        def rank(change: Change) -> tuple[int, int, str]:
            return self._kinds.index(change.kind), _opset_gap(variant, change), change.text

        working = self._working.get(verdict.cell.id, frozenset())
        within = [change for other in working if (change := self._between_variants(variant, other)) is not None]
        elsewhere = [change for change, there in self._neighbours(verdict.cell) if variant in there]
        return [*sorted(within, key=rank), *elsewhere]

    def _neighbours(self, cell: Cell) -> list[tuple[Change, frozenset[Variant]]]:
        """(change of a version, the variants that work with it), the nearest first."""
        if cell.id not in self._near:
            found = [near for axis in _axes(cell) for near in self._along(cell, axis)]
            self._near[cell.id] = [(change, works) for _, change, works in sorted(found, key=lambda near: near[0])]
        return self._near[cell.id]

    def _along(self, cell: Cell, axis: str) -> Iterator[tuple[tuple[object, ...], Change, frozenset[Variant]]]:
        """(rank, change, the variants that work with it) of the versions that other cells have on `axis`."""
        own = str(cell.version(axis))
        for other in self._lines.get(_line(cell, axis), ()):
            version = str(other.cell.version(axis))
            if version != own and (change := self._between_versions(axis, own, version)) is not None:
                yield (self._kinds.index(change.kind), *distance(cell, axis, version)), change, self._working[other.cell.id]


def _first(changes: Iterable[Change | None]) -> Change | None:
    return next(filter(None, changes), None)


def _opset_gap(variant: Variant, change: Change) -> int:
    opset = dict(change.variant).get("opset")
    return abs(opset - variant.opset) if isinstance(opset, int) else 0


def _axes(cell: Cell) -> tuple[str, ...]:
    return ("python", *dict(cell.pins))


def _line(cell: Cell, axis: str) -> tuple[object, ...]:
    python = None if axis == "python" else cell.python
    return axis, python, tuple((name, version) for name, version in cell.pins if name != axis), cell.setup


def _key(cell: Cell) -> _CellKey:
    return cell.python, cell.pins, cell.setup
