"""Conditions of rules (`onnx<1.16`, `layout=merged`, `numpy≥2`), and the variants of a report for which each holds.

Sets of variants are integers, a bit for each variant in the order of the report: `&` of 10,000 takes microseconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.diagnose.rules.outcomes import Seen, union
from harness.matrix.plan import by_version
from harness.matrix.selection import NUMBERED, VARIANT_FIELDS, value_of
from harness.model import ABSENT, Stage
from harness.verdicts.report_schema import ReportedCell
from harness.verdicts.rule_model import Condition, ConditionKind

STAMPED = "stamped"
_UNORDERED = {ABSENT, STAMPED}
"""Values that are neither older nor newer than any other: no bound holds for them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """An axis, a field or a distribution: its values, and which variants have each."""

    kind: ConditionKind
    name: str
    ordered: tuple[tuple[str, int], ...]
    """(value, variants), oldest or smallest first."""
    others: tuple[tuple[str, int], ...]
    """The same for values without an order."""

    def within(self, universe: int) -> Feature:
        """The same, restricted to the variants of `universe`."""
        ordered, others = (
            tuple((value, bits & universe) for value, bits in values if bits & universe)
            for values in (self.ordered, self.others)
        )
        return Feature(kind=self.kind, name=self.name, ordered=ordered, others=others)

    def holds(self, op: str, value: str) -> int:
        """The variants for which an atom about it holds."""
        if op == "=":
            return dict((*self.ordered, *self.others)).get(value, 0)
        bound = by_version(value)
        within = (bits for version, bits in self.ordered if (by_version(version) < bound) == (op == "<"))
        return union(within)

    def atoms(self) -> Iterator[tuple[Condition, int]]:
        """Every atom about it with the variants for which it holds, bounds first; none if it has a single value."""
        if len(self.ordered) + len(self.others) < 2:
            return
        cuts = [value for value, _ in self.ordered]
        for op, values in (("<", cuts[1:]), (">=", cuts[0 if self.others else 1 :])):
            for value in values:
                yield self.atom(op, value), self.holds(op, value)
        for value, bits in (*self.ordered, *self.others):
            yield self.atom("=", value), bits

    def atom(self, op: str, value: str) -> Condition:
        """The atom of that operator and value."""
        return Condition(kind=self.kind, name=self.name, op=op, value=value)  # type: ignore[arg-type]


def holds(condition: Condition, version: str) -> bool:
    """Whether `condition` holds for that version."""
    if condition.op == "=":
        return version == condition.value
    older = version not in _UNORDERED and by_version(version) < by_version(condition.value)
    return version not in _UNORDERED and older == (condition.op == "<")


def features(cells: Sequence[ReportedCell], axes: Sequence[str], stage: Stage, *, run_side: bool) -> list[Feature]:
    """The features that a rule about `stage` may have, in order of preference; `run_side`: whether it failed there."""
    spans = _spans(cells)
    made = [_feature(ConditionKind.AXIS, axis, ((cell.version(axis), bits) for cell, bits in spans)) for axis in axes]
    made += [_feature(ConditionKind.VARIANT, field, _by_variant(field, cells)) for field in VARIANT_FIELDS]
    made.append(_feature(ConditionKind.VARIANT, "environment", ((cell.environment.value, bits) for cell, bits in spans)))
    # Without a lock there are no transitive versions: at `resolve` they explain nothing.
    return made if stage is Stage.RESOLVE else [*made, *_transitive(spans, set(axes), run_side=run_side)]


def contradicted(
    cells: Sequence[ReportedCell], axes: Sequence[str], conjunction: Sequence[Condition], stage: Stage, *, run_side: bool
) -> bool:
    """Whether a variant passed `stage` although `conjunction`, whose bounds may lie at versions of no cell, holds for it.

    `run_side`: whether the failures are on the run side of a handoff cell.
    """
    known = {(feature.kind, feature.name): feature for feature in features(cells, axes, stage, run_side=run_side)}
    held = Seen.of(cells).passed(stage, run_side=run_side)
    for atom in conjunction:
        held &= known[atom.kind, atom.name].holds(atom.op, atom.value)
    return bool(held)


_Spans = Sequence[tuple["ReportedCell", int]]
"""Each cell with its variants."""


def _spans(cells: Sequence[ReportedCell]) -> _Spans:
    starts = itertools.accumulate((len(cell.variants) for cell in cells), initial=0)
    return [(cell, ((1 << len(cell.variants)) - 1) << start) for cell, start in zip(cells, starts, strict=False)]


def _by_variant(field: str, cells: Sequence[ReportedCell]) -> Iterator[tuple[str, int]]:
    """(value of `field`, the variant) for each variant."""
    for place, variant in enumerate(variant for cell in cells for variant in cell.variants):
        yield value_of(variant, field), 1 << place


def _transitive(spans: _Spans, axes: set[str], *, run_side: bool) -> list[Feature]:
    """The distributions outside the axes whose versions differ between locks."""
    locked = [(cell, bits) for cell, bits in spans if cell.resolved]
    resolved = [
        # Of a handoff cell, `resolved` has the run side's version where the sides differ.
        cell.resolved if run_side else {**cell.resolved, **cell.resolved_sides.get("export", {})}
        for cell, _ in locked
    ]
    names = sorted({name for versions in resolved for name in versions} - axes)
    made = []
    for name in names:
        versions = [held.get(name, ABSENT) for held in resolved]
        if len(set(versions)) > 1:
            made.append(_feature(ConditionKind.TRANSITIVE, name, zip(versions, (bits for _, bits in locked), strict=True)))
    return made


def _feature(kind: ConditionKind, name: str, values: Iterable[tuple[str, int]]) -> Feature:
    """The feature with these (value, variants); a value may be there several times."""
    found: dict[str, int] = {}
    for value, bits in values:
        found[value] = found.get(value, 0) | bits
    versioned = kind is not ConditionKind.VARIANT or name in NUMBERED
    ordered = sorted((value for value in found if versioned and value not in _UNORDERED), key=by_version)
    return Feature(
        kind=kind,
        name=name.replace("_", "-") if kind is ConditionKind.VARIANT else name,
        ordered=tuple((value, found[value]) for value in ordered),
        others=tuple((value, bits) for value, bits in sorted(found.items()) if value not in set(ordered)),
    )
