"""The nearest cell that works, or that passed a stage at which another failed, and how the two differ. Pure."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.diagnose.distances import Distances
from harness.diagnose.neighbours import ByAxes
from harness.environments.resolved import Resolved
from harness.model import Setup, Stage, Status, Variant
from harness.stack import EXPORTS_WITH_RUNTIME, NO_MODEL_CODE, RUN_SIDE, RUNTIME, RUNTIMES, VENDORS, RuntimeVersion
from harness.verdicts.judge import Verdict
from harness.verdicts.remedy_effects import secondary_pins
from harness.verdicts.report_schema import ReportedCell, ReportedVariant, identity
from harness.verdicts.stages_passed import imports_all, passed

_NAMED = 3
"""Number of differences that are spelt out."""

_FAMILY = 4
"""From this number on, distributions with one prefix are one difference: torch's CUDA libraries go together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Differing:
    """One axis or distribution in two cells; None in the cell without it."""

    name: str
    here: str | None
    there: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.here or 'absent'} instead of {self.there or 'absent'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CellDifference:
    """The differences of a cell from another one."""

    axes: tuple[Differing, ...]
    """Python and the environment included."""
    others: tuple[Differing, ...]
    """Distributions that no axis pins; empty if one of the two cells has no lock."""


Export = tuple[object, ...]
_Passing = dict[tuple[str | None, ...], ByAxes]
_ExportSide = tuple[object, ...]
"""Environment, versions of the export side, and variant."""


def export_of(variant: ReportedVariant) -> Export:
    """The fields that its export depends on."""
    return variant.exporter, variant.opset, variant.layout, variant.attention, variant.ir_version


class Neighbours:
    """The cells of a report, by what they passed."""

    def __init__(self, cells: Sequence[ReportedCell], *, requires: Collection[str] = ()) -> None:
        """`requires` are the distributions that the probe needs for an export besides the axes."""
        self._cells = cells
        self._requires = requires
        names = dict.fromkeys(name for cell in cells for name in cell.pins)
        self._chosen = {cell.id: (cell.environment, *(version(cell, name) for name in ("python", *names))) for cell in cells}
        self._passing: dict[tuple[Stage, tuple[str, ...], Export | None], _Passing] = {}
        self._untried = {cell.id for cell in cells if not imports_all(cell)}
        self._known: dict[tuple[object, ...], ReportedCell | None] = {}
        self._distances = Distances()
        self._exporting = ("python", *(name for name in names if name not in RUNTIMES))
        self._working = self._works()

    def nearest(
        self, cell: ReportedCell, stage: Stage, same: Sequence[str], export: Export | None = None
    ) -> ReportedCell | None:
        """The cell that passed `stage` (with a variant of `export`), has the versions `same` and differs least otherwise.

        With `same` and `export`, a cell counts too that passed the stage with secondary pins, since they keep those
        versions. A cell that has not tried the imports of its run side does not count for them.
        """
        key = (cell.id, stage, tuple(same), export)
        if key not in self._known:
            self._known[key] = self._found(cell, stage, tuple(same), export)
        return self._known[key]

    def steps(self, cell: ReportedCell, other: ReportedCell) -> int:
        """On how many axes, the environment included, two cells of the report differ."""
        return sum(map(operator.ne, self._chosen[cell.id], self._chosen[other.id]))

    def beside(self, cell: ReportedCell, other: ReportedCell) -> list[str]:
        """The differences of two cells in distributions that no axis pins and an export may import.

        What torch pins itself is a part of torch, and what only one of them has is required by a version that differs anyway.
        """
        axes = {"python", *cell.pins, *other.pins}
        mine, theirs = (held.resolved_sides.get("export") or held.resolved for held in (cell, other))
        found = _differing(theirs, mine, sorted(mine.keys() & theirs.keys()))
        named = [each for each in found if each.name not in axes and not each.name.startswith(VENDORS)]
        return [str(each) for each in named if each.here and each.there]

    def numpy_held(self, cell: ReportedCell, runtime: RuntimeVersion) -> bool:
        """Whether a cross-check of `cell` in this runtime has the same numpy: it has if any cell offers that."""
        others = [other for other in self._cells if (other.python, other.runtime) == (cell.python, runtime)]
        return any(run_numpy(other) == run_numpy(cell) for other in others)

    def same_artifact(self, cell: ReportedCell, variant: ReportedVariant) -> list[ReportedCell]:
        """The cells that differ from `cell` in their runtime alone, and in which the same variant works.

        An export does not see the runtime, so the same artifact works there. Optimum, or a distribution that a probe
        requires, may bring onnxruntime into the export's environment: then nothing follows.
        """
        if self._may_see_runtime(cell):
            return []
        able = self._working.get(self._export_side(cell, variant), ())
        return [other for other in able if other.id != cell.id and _exports_alike(cell, other)]

    def exports_apart(self, cell: ReportedCell) -> bool:
        """Whether `cell` exports the same with any runtime: it is on the other side, with all that it requires."""
        return cell.environment is Setup.HANDOFF and not self._may_see_runtime(cell)

    def _may_see_runtime(self, cell: ReportedCell) -> bool:
        """Whether an export of `cell` may import onnxruntime."""
        return bool(self._requires) or not EXPORTS_WITH_RUNTIME.isdisjoint(cell.pins)

    def every_version_passed(self, cell: ReportedCell, stage: Stage) -> bool:
        """Whether each version that `cell` pins passed `stage` in some cell."""
        return all(self.nearest(cell, stage, [axis]) is not None for axis in ("python", *cell.pins))

    def got_to(self, stage: Stage) -> int:
        """How many cells got as far as `stage`, however they ended there."""
        before = list(Stage)[stage.number - 1]
        return sum(any(passed(variant, before) for variant in cell.variants) for cell in self._cells)

    def _works(self) -> dict[_ExportSide, list[ReportedCell]]:
        """The cells in which a variant works."""
        works: dict[_ExportSide, list[ReportedCell]] = {}
        for cell in self._cells:
            for variant in cell.variants:
                if variant.status is Status.WORKS and cell.runtime is not None:
                    works.setdefault(self._export_side(cell, variant), []).append(cell)
        return works

    def _export_side(self, cell: ReportedCell, variant: ReportedVariant) -> _ExportSide:
        return cell.environment, tuple(version(cell, name) for name in self._exporting), identity(variant)

    def _found(self, cell: ReportedCell, stage: Stage, same: tuple[str, ...], export: Export | None) -> ReportedCell | None:
        versions = tuple(version(cell, name) for name in same)
        able = self._passed(stage, same, export).get(versions)
        closest = able.closest(cell) if able else []
        return min(closest, key=lambda other: self._distances.between(cell, other), default=None)

    def _passed(self, stage: Stage, same: tuple[str, ...], export: Export | None) -> _Passing:
        """The cells that passed, by their versions of `same`."""
        if (stage, same, export) not in self._passing:
            passing: dict[tuple[str | None, ...], list[ReportedCell]] = {}
            whole = stage is Stage.IMPORT and (not same or not RUN_SIDE.isdisjoint(same))
            for cell in self._cells:
                if whole and cell.id in self._untried:
                    continue
                # Beside a cell with nothing in common, a pin would be one difference too many.
                able = any(
                    (passed(variant, stage) or bool(same and export and secondary_pins(variant)))
                    and export in {None, export_of(variant)}
                    for variant in cell.variants
                )
                if able:
                    passing.setdefault(tuple(version(cell, name) for name in same), []).append(cell)
            self._passing[stage, same, export] = {versions: ByAxes(able, self._chosen) for versions, able in passing.items()}
        return self._passing[stage, same, export]


def run_numpy(cell: ReportedCell) -> str | None:
    """The numpy beside the runtime of a cell: what passes it arrays."""
    return (cell.resolved_sides.get("run") or cell.resolved).get("numpy")


def version(cell: ReportedCell, name: str) -> str | None:
    """The version of `name` that `cell` has: its lock's, or its pin."""
    return cell.python if name == "python" else cell.resolved.get(name, cell.pins.get(name))


def model_code(cell: ReportedCell) -> list[str]:
    """The axes that hold the code of the model, torch first.

    That is transformers; for a probe without it, any axis of its exports may be that is not known to hold none.
    """
    if version(cell, "transformers"):
        return ["torch", "transformers"]
    return ["torch", *(name for name in cell.pins if name != "torch" and name not in NO_MODEL_CODE)]


def _exports_alike(cell: ReportedCell, other: ReportedCell) -> bool:
    """Whether the export sides of two cells with the same pins, except the runtime, are the same distributions.

    A distribution that only one of the two has is required by its runtime alone.
    """
    if cell.environment is Setup.HANDOFF:
        side = cell.resolved_sides.get("export")
        return side is not None and side == other.resolved_sides.get("export")
    shared = (cell.resolved.keys() & other.resolved.keys()) - {RUNTIME}
    return all(cell.resolved[name] == other.resolved[name] for name in shared)


def compared(cell: ReportedCell, other: ReportedCell) -> str:
    """How `other` differs from `cell`: `torch 2.6.0 instead of 2.1.2, and 13 distributions that no axis names`."""
    found = dict(_differences(cell, other))
    chosen = [name for name in found if name in {"environment", "python", *cell.pins, *other.pins}]
    if not found:
        return "the same versions"
    if not chosen:
        # Cells that no axis tells apart differ in other distributions.
        families = by_family(found)
        more = len(families) - _NAMED
        return ", ".join(families[:_NAMED]) + (f", and {more} more" if more > 0 else "")
    more = len(found) - len(chosen)
    rest = f", and {more} distribution{'s' * (more > 1)} that no axis names" if more else ""
    return ", ".join(found[name] for name in chosen) + rest


def by_family(differences: Mapping[str, str]) -> list[str]:
    """The differences, those of distributions of one family in one: `15 nvidia-* distributions in other versions`."""
    counts = Counter(name.partition("-")[0] for name in differences)
    texts: dict[str, str] = {}
    for name, text in differences.items():
        family = name.partition("-")[0]
        if counts[family] >= _FAMILY:
            texts[family] = f"{counts[family]} {family}-* distributions in other versions"
        else:
            texts[name] = text
    return list(texts.values())


def _differences(cell: ReportedCell, other: ReportedCell) -> Iterator[tuple[str, str]]:
    """(name, difference in words): environment and axes first, then the other distributions."""
    if cell.environment is not other.environment:
        yield "environment", f"the environment {other.environment} instead of {cell.environment}"
    mine, theirs = ({"python": held.python, **held.pins, **held.resolved} for held in (cell, other))
    for found in _differing(theirs, mine, ("python", *cell.pins, *other.pins, *mine)):
        yield found.name, str(found)


def difference(here: Resolved, there: Resolved) -> CellDifference:
    """The differences of `here` from `there`."""
    mine, theirs = {"python": here.cell.python, **dict(here.cell.pins)}, {"python": there.cell.python, **dict(there.cell.pins)}
    axes = _differing(mine, theirs)
    if here.cell.setup is not there.cell.setup:
        axes = (*axes, Differing(name="environment", here=here.cell.setup.value, there=there.cell.setup.value))
    if here.lock is None or there.lock is None:
        return CellDifference(axes=axes, others=())
    pinned = {*mine, *theirs}
    others = _differing(*({k: v for k, v in lock.versions.items() if k not in pinned} for lock in (here.lock, there.lock)))
    return CellDifference(axes=axes, others=others)


def nearest_working(here: Resolved, variant: Variant, near: Iterable[Verdict]) -> Verdict | None:
    """The cell in which this variant works that differs on the fewest axes, and of these in the fewest distributions.

    If it works nowhere, a cell in which any variant does; None if there is none.
    """

    def distance(other: Verdict) -> tuple[int, int]:
        found = difference(here, other.resolved)
        return len(found.axes), len(found.others)

    others = [other for other in near if _identity(other.resolved) != _identity(here)]
    same = [
        other for other in others if any(known.variant == variant and known.status is Status.WORKS for known in other.variants)
    ]
    return min(same or [other for other in others if other.status is Status.WORKS], key=distance, default=None)


def _differing(mine: Mapping[str, str], theirs: Mapping[str, str], order: Iterable[str] = ()) -> tuple[Differing, ...]:
    """The names with different versions, those of `order` first."""
    return tuple(
        Differing(name=name, here=mine.get(name), there=theirs.get(name))
        for name in dict.fromkeys((*order, *mine, *theirs))
        if mine.get(name) != theirs.get(name)
    )


def _identity(resolved: Resolved) -> tuple[object, ...]:
    """The cell, with the bounds and additions of a trial."""
    return resolved.cell, resolved.planned.bounds, resolved.planned.overrides, resolved.planned.added
