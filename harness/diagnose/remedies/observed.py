"""Changes that the matrix itself shows to mend a failure: another variant of the cell, the same variant in another cell.

They were run with the matrix and cost nothing. Pure.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

from harness.diagnose.remedies.candidates import bump_kind, distance
from harness.diagnose.remedies.changes import Change, ChangeKind, apply
from harness.matrix.plan import Planned
from harness.model import Cell, Setup, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict

_KINDS = {
    frozenset({"optimization"}): ChangeKind.OPTIMIZATION,
    frozenset({"memory_pattern"}): ChangeKind.MEMORY_PATTERN,
    frozenset({"feedback"}): ChangeKind.FEEDBACK,
    frozenset({"binding"}): ChangeKind.BINDING,
    frozenset({"ir_version"}): ChangeKind.IR_VERSION,
    frozenset({"opset"}): ChangeKind.OPSET,
    frozenset({"attention"}): ChangeKind.ATTENTION,
    frozenset({"layout"}): ChangeKind.LAYOUT,
    frozenset({"exporter"}): ChangeKind.EXPORTER,
    # Each exporter has opsets of its own.
    frozenset({"exporter", "opset"}): ChangeKind.EXPORTER,
}
"""The fields in which two variants differ → the kind of change between them; other variants are no single change away."""

_FIELDS = tuple(field.name for field in fields(Variant))
_CellKey = tuple[str, tuple[tuple[str, str], ...], Setup]


class Observations:
    """The verdicts of a matrix, by cell and variant."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self._cells = {_key(one.cell): one for one in verdicts}
        self._working = {
            one.cell.id: frozenset(other.variant for other in one.variants if other.status is Status.WORKS) for one in verdicts
        }
        self._near: dict[str, list[tuple[Change, frozenset[Variant]]]] = {}
        # (axis, the cell without it) → the cells that differ on that axis alone
        self._lines: dict[tuple[object, ...], list[Verdict]] = {}
        for one in verdicts:
            for axis in _axes(one.cell):
                self._lines.setdefault(_line(one.cell, axis), []).append(one)

    def changed(self, planned: Planned, variant: Variant, changes: Sequence[Change]) -> VariantVerdict | None:
        """The verdict on `variant` with `changes`, where the matrix has that variant in that cell."""
        asked, other = apply(changes, planned, variant)
        found = None if asked.bounds or asked.added else self._cells.get(_key(asked.cell))
        return next((one for one in found.variants if one.variant == other), None) if found else None

    def mending(self, verdict: Verdict, variant: Variant) -> list[Change]:
        """The single changes with which `variant` of that cell was observed to work, the cheapest and nearest first."""
        working = self._working.get(verdict.cell.id, frozenset())
        within = [change for other in working if (change := _step(variant, other)) is not None]
        elsewhere = [change for change, there in self._neighbours(verdict.cell) if variant in there]
        return [*sorted(within, key=lambda change: (change.kind, _opset_gap(variant, change), change.text)), *elsewhere]

    def _neighbours(self, cell: Cell) -> list[tuple[Change, frozenset[Variant]]]:
        """(change of a version, what works with it), the nearest first."""
        if cell.id not in self._near:
            found = [one for axis in _axes(cell) for one in self._along(cell, axis)]
            self._near[cell.id] = sorted(found, key=lambda one: distance(cell, one[0]))
        return self._near[cell.id]

    def _along(self, cell: Cell, axis: str) -> Iterator[tuple[Change, frozenset[Variant]]]:
        """Changes of the version on `axis` to those of other cells, but for major releases."""
        own = str(cell.version(axis))
        for other in self._lines.get(_line(cell, axis), ()):
            version = str(other.cell.version(axis))
            if version != own and (change := _bump(axis, own, version)) is not None:
                yield change, self._working[other.cell.id]


def worded(changes: Iterable[Change]) -> list[str]:
    """How a report names several alternatives, in their order; those of one field or axis together: `opset 14 (also 15)`."""
    groups: dict[str, list[str]] = {}
    for change in changes:
        name, _, value = change.text.partition(" ")
        groups.setdefault(name, []).append(value)
    return [f"{name} {_listed(list(dict.fromkeys(values)))}".strip() for name, values in groups.items()]


_NAMED = 3
"""So many further values of one field are spelt out."""


def _listed(values: Sequence[str]) -> str:
    nearest, *others = values
    more = len(others) - _NAMED
    also = ", ".join(others[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{nearest} (also {also})" if others else nearest


def _step(variant: Variant, other: Variant) -> Change | None:
    """What changes `variant` to `other`, where that is one change that somebody may be advised to make."""
    differing = {name for name in _FIELDS if getattr(variant, name) != getattr(other, name)}
    if "layout" in differing and other.layout == "no-cache":
        # Without a cache there is nothing to feed back, or to mix.
        differing -= {"feedback", "strategy"}
    kind = _KINDS.get(frozenset(differing))
    if kind is None or (kind is ChangeKind.FEEDBACK and other.feedback == "feed-all"):
        return None
    names = {
        ChangeKind.EXPORTER: ("exporter", "opset"),
        ChangeKind.LAYOUT: (
            "layout",
            *(name for name in ("feedback", "strategy") if getattr(variant, name) != getattr(other, name)),
        ),
    }.get(kind, tuple(differing))
    return Change(kind=kind, variant=tuple((name, getattr(other, name)) for name in names))


def _opset_gap(variant: Variant, change: Change) -> int:
    opset = dict(change.variant).get("opset")
    return abs(opset - variant.opset) if isinstance(opset, int) else 0


@functools.cache
def _bump(axis: str, own: str, version: str) -> Change | None:
    kind = bump_kind(own, version)
    return Change(kind=kind, pin=(axis, version)) if kind is not None else None


def _axes(cell: Cell) -> tuple[str, ...]:
    return ("python", *dict(cell.pins))


def _line(cell: Cell, axis: str) -> tuple[object, ...]:
    python = None if axis == "python" else cell.python
    return axis, python, tuple((name, version) for name, version in cell.pins if name != axis), cell.setup


def _key(cell: Cell) -> _CellKey:
    return cell.python, cell.pins, cell.setup
