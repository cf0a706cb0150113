"""Which changes are worth a trial for one failing variant: those that reach its stage, and have another value to offer. Pure.

Values come from the matrix, from what the probe measured, and from what the variant has; there is no table of what works.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence

from packaging.version import Version

from harness.diagnose.remedies.changes import REACH, Change, ChangeKind
from harness.matrix.schema import BUILT_IN, Matrix, Variants
from harness.model import Cell, Stage, Variant
from harness.stack import EXPORTS_WITH_RUNTIME, RUNTIME
from harness.verdicts.judge import VariantVerdict, Verdict

_NEARBY = 3
"""How far from the variant's own opset others are tried."""


def batches(
    failing: VariantVerdict, cell: Cell, matrix: Matrix, *, resolved: bool, known: Sequence[Change] = ()
) -> list[list[Change]]:
    """Changes in order of cost; those of one batch rest on one export process and one run process.

    `known` are changes that the matrix shows to work; those of the variant take their place in that order, and a patch release
    goes before another exporter, which would write another graph. `resolved` says whether the cell has a lock: without one no
    variant of it can work.
    """
    if not resolved or failing.stage is None:
        return []
    variant, stage = failing.variant, failing.stage
    made = [
        [*_session(variant), *_loop(variant, matrix)],
        _ir_versions(failing),
        *_opsets(failing, matrix),
        _attention(variant, matrix),
        _exporters(variant, cell, matrix),
    ]
    reaching = [[change for change in batch if stage in REACH[change.kind]] for batch in made]
    free = [[change] for change in known if change.kind.keeps_cell]
    # Stable: of one kind what is known goes first.
    ordered = sorted((batch for batch in [*free, *reaching] if batch), key=lambda batch: batch[0].kind)
    place = next((place for place, batch in enumerate(ordered) if batch[0].kind is ChangeKind.EXPORTER), None)
    patches = [] if place is None else [[change] for change in known if change.kind is ChangeKind.PATCH]
    return [*ordered[:place], *patches, *ordered[len(ordered) if place is None else place :]]


def bumps(cell: Cell, near: Sequence[Verdict]) -> list[Change]:
    """Other versions on one axis that other cells have: within a minor release first, then within a major one.

    Newer before older, and nearer before farther. The interpreter and the runtime come last: they are seldom a choice.
    """
    changes = []
    for axis in ("python", *dict(cell.pins)):
        own = cell.version(axis)
        for version in {other for one in near if (other := one.cell.version(axis)) and other != own}:
            kind = bump_kind(str(own), version)
            if kind is not None:
                changes.append(Change(kind=kind, pin=(axis, version)))
    return sorted(changes, key=lambda change: distance(cell, change))


def releases(cell: Cell, axis: str) -> list[tuple[ChangeKind, str]]:
    """What to ask an index for, of an axis: the newest patch, the next minor release, the newest before the next major one."""
    own = str(cell.version(axis))
    major, minor = (*Version(own).release, 0)[:2]
    return [
        (ChangeKind.PATCH, f"{axis}>{own},=={major}.{minor}.*"),
        (ChangeKind.MINOR, f"{axis}>{own},=={major}.{minor + 1}.*"),
        (ChangeKind.MINOR, f"{axis}>{own},<{major + 1}"),
    ]


@functools.cache
def bump_kind(own: str, other: str) -> ChangeKind | None:
    """How large a step it is; None for one that is more than a minor one."""
    mine, theirs = Version(own).release, Version(other).release
    if mine[0] != theirs[0]:
        return None
    return ChangeKind.PATCH if len(mine) > 2 and mine[1:2] == theirs[1:2] else ChangeKind.MINOR


def distance(cell: Cell, change: Change) -> tuple[object, ...]:
    """Sort key of changes on an axis: within a minor release first, newer before older, nearer before farther."""
    assert change.pin
    axis, version = change.pin
    older, steps = _steps(str(cell.version(axis)), version)
    seldom = ("python", RUNTIME)
    names = [name for name, _ in cell.pins]
    place = len(names) + seldom.index(axis) if axis in seldom else names.index(axis)
    return change.kind, older, place, steps


@functools.cache
def _steps(own: str, other: str) -> tuple[bool, tuple[int, ...]]:
    """(whether `other` is older, how far it is in each part of the release)."""
    mine, theirs = Version(own), Version(other)
    parts = zip((*mine.release, 0, 0), (*theirs.release, 0, 0), strict=False)
    return theirs < mine, tuple(abs(here - there) for here, there in parts)


def _session(variant: Variant) -> Iterator[Change]:
    for level in ("extended", "basic", "disabled"):
        if variant.optimization != level:
            yield Change(kind=ChangeKind.OPTIMIZATION, variant=(("optimization", level),))
    if variant.memory_pattern != "disabled":
        yield Change(kind=ChangeKind.MEMORY_PATTERN, variant=(("memory_pattern", "disabled"),))


def _loop(variant: Variant, matrix: Matrix) -> Iterator[Change]:
    """`feed-all` is a diagnostic: nobody is advised to do it. Without a cache there is nothing to feed back."""
    others = _values("feedbacks", matrix) if variant.layout != "no-cache" else []
    for feedback in others:
        if feedback not in {variant.feedback, "feed-all"}:
            yield Change(kind=ChangeKind.FEEDBACK, variant=(("feedback", feedback),))
    other = "ortvalue" if variant.binding == "numpy" else "numpy"
    yield Change(kind=ChangeKind.BINDING, variant=(("binding", other),))


def _ir_versions(failing: VariantVerdict) -> list[Change]:
    """The largest that the runtime was measured to read; where nothing was measured, one below what was stamped."""
    data = {name: value for result in failing.results for name, value in result.data.items()}
    stamped, limit = data.get("ir"), _measured(failing, "ir-above-runtime")
    wanted = limit if limit is not None else stamped - 1 if stamped else None
    return [] if wanted is None else [Change(kind=ChangeKind.IR_VERSION, variant=(("ir_version", wanted),))]


def _opsets(failing: VariantVerdict, matrix: Matrix) -> list[list[Change]]:
    """What cannot be exported may want a newer opset, and what cannot be run an older one: that direction goes first."""
    own, limit = failing.variant.opset, _measured(failing, "opset-above-runtime")
    if limit is not None:
        return [[_opset(limit)]]
    above, below = range(own + 1, own + 1 + _NEARBY), range(own - 1, own - 1 - _NEARBY, -1)
    of_matrix = [opset for opset in matrix.variants.opsets.get(failing.variant.exporter, ()) if opset != own]
    nearby = (above, below) if failing.stage in {Stage.EXPORT, Stage.CHECK} else (below, above)
    return [[_opset(opset) for opset in batch] for batch in (of_matrix, *nearby)]


def _opset(number: int) -> Change:
    return Change(kind=ChangeKind.OPSET, variant=(("opset", number),))


def _attention(variant: Variant, matrix: Matrix) -> list[Change]:
    """The exporter optimum chooses by itself which attention it exports, and one's own probe knows what its matrix names."""
    offered = matrix.variants.attentions if matrix.probe.module else ["eager", "sdpa"]
    others = offered if variant.exporter != "optimum" else []
    return [
        Change(kind=ChangeKind.ATTENTION, variant=(("attention", value),)) for value in others if value != variant.attention
    ]


def _exporters(variant: Variant, cell: Cell, matrix: Matrix) -> list[Change]:
    """Those of the matrix, for which its locks have room, and TorchScript, which every torch has."""
    offered = [*matrix.variants.exporters, *([] if matrix.probe.module else ["torchscript"])]
    opsets = {**Variants().opsets, **matrix.variants.opsets}
    absent = {"optimum"} if EXPORTS_WITH_RUNTIME.isdisjoint(dict(cell.pins)) else set()
    return [
        Change(kind=ChangeKind.EXPORTER, variant=(("exporter", exporter), ("opset", opsets[exporter][0])))
        for exporter in dict.fromkeys(offered)
        if exporter != variant.exporter and exporter in opsets and exporter not in absent
    ]


def _values(key: str, matrix: Matrix) -> Iterable[str]:
    """What the probe knows: the built-in one all of its own, another one what the matrix names."""
    known: Iterable[str] = getattr(matrix.variants, key) if matrix.probe.module else BUILT_IN[key]
    return known


def _measured(failing: VariantVerdict, rule: str) -> int | None:
    """The limit that a finding of this rule was measured against."""
    found = [
        finding.get("limit")
        for result in failing.results
        for finding in result.data.get("findings", ())
        if finding["rule"] == rule
    ]
    return min((limit for limit in found if limit is not None), default=None)
