"""Cells that passed a stage at which another failed, and how the two differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from harness.matrix.selection import VARIANT_FIELDS
from harness.model import ABSENT, Setup, Stage, Status
from harness.stack import EXPORTS_WITH_RUNTIME, RUN_SIDE
from harness.verdicts.remedy_effects import secondary_pins
from harness.verdicts.report_model import ReportedCell, ReportedVariant
from harness.verdicts.stages_passed import imports_all, passed

_ORDER = list(Stage)
_NAMED = 3
"""So many differences are spelt out."""

_FAMILY = 4
"""So many distributions with one prefix are told as one: torch's CUDA libraries go together."""

Export = tuple[object, ...]
_Passing = dict[tuple[str | None, ...], list["ReportedCell"]]


def export_of(variant: ReportedVariant) -> Export:
    """What tells its export from others."""
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
        self._exporting = ("python", *(name for name in names if name != "onnxruntime"))
        self._working = self._works()

    def nearest(
        self, cell: ReportedCell, stage: Stage, same: Sequence[str], export: Export | None = None
    ) -> ReportedCell | None:
        """The cell that passed `stage` (with a variant of `export`), has the versions `same` and differs least otherwise.

        With `same` and `export` also a cell that passed it with secondary pins, which were run there: those versions stay.
        Of what the run side imports, a cell that has not tried it says nothing.
        """
        key = (cell.id, stage, tuple(same), export)
        if key not in self._known:
            self._known[key] = self._found(cell, stage, tuple(same), export)
        return self._known[key]

    def steps(self, cell: ReportedCell, other: ReportedCell) -> int:
        """On how many axes, the environment included, two cells of the report differ."""
        return sum(a != b for a, b in zip(self._chosen[cell.id], self._chosen[other.id], strict=True))

    def same_artifact(self, cell: ReportedCell, variant: ReportedVariant) -> list[ReportedCell]:
        """The cells that differ from `cell` in their onnxruntime alone, and in which the same variant works.

        An export never sees onnxruntime, so it is the same artifact that works there. Optimum, and what a probe requires,
        may bring it into the export's environment: then nothing follows.
        """
        if self._may_see_runtime(cell):
            return []
        here = tuple(version(cell, name) for name in self._exporting)
        asked = tuple(getattr(variant, name) for name in VARIANT_FIELDS)
        able = self._working.get((cell.environment, here, asked), ())
        return [one for one in able if one.id != cell.id and _exports_alike(cell, one)]

    def exports_apart(self, cell: ReportedCell) -> bool:
        """Whether `cell` exports the same with whatever onnxruntime: what that brings is on the other side."""
        return cell.environment is Setup.HANDOFF and not self._may_see_runtime(cell)

    def _may_see_runtime(self, cell: ReportedCell) -> bool:
        """Whether an export of `cell` may import onnxruntime."""
        return bool(self._requires) or not EXPORTS_WITH_RUNTIME.isdisjoint(cell.pins)

    def every_version_passed(self, cell: ReportedCell, stage: Stage) -> bool:
        """Whether each version that `cell` pins passed `stage` in some cell."""
        return all(self.nearest(cell, stage, [axis]) is not None for axis in ("python", *cell.pins))

    def got_to(self, stage: Stage) -> int:
        """How many cells got as far as `stage`, whatever became of them there."""
        before = _ORDER[_ORDER.index(stage) - 1]
        return sum(any(passed(one, before) for one in cell.variants) for cell in self._cells)

    def _works(self) -> dict[tuple[object, ...], list[ReportedCell]]:
        """The cells in which a variant works, by environment, versions of the export side, and variant."""
        works: dict[tuple[object, ...], list[ReportedCell]] = {}
        for cell in self._cells:
            here = tuple(version(cell, name) for name in self._exporting)
            for one in cell.variants:
                if one.status is Status.WORKS and cell.pins.get("onnxruntime", ABSENT) != ABSENT:
                    asked = tuple(getattr(one, name) for name in VARIANT_FIELDS)
                    works.setdefault((cell.environment, here, asked), []).append(cell)
        return works

    def _found(self, cell: ReportedCell, stage: Stage, same: tuple[str, ...], export: Export | None) -> ReportedCell | None:
        versions = tuple(version(cell, name) for name in same)
        able = [one for one in self._passed(stage, same, export).get(versions, ()) if one.id != cell.id]
        here = self._chosen[cell.id]
        distances = [sum(a != b for a, b in zip(here, self._chosen[one.id], strict=True)) for one in able]
        least = min(distances, default=0)
        closest = [one for one, distance in zip(able, distances, strict=True) if distance == least]
        return min(closest, key=lambda one: len(list(_differences(cell, one))), default=None)

    def _passed(self, stage: Stage, same: tuple[str, ...], export: Export | None) -> _Passing:
        """The cells that passed, by their versions of `same`."""
        if (stage, same, export) not in self._passing:
            passing: _Passing = {}
            whole = stage is Stage.IMPORT and (not same or not RUN_SIDE.isdisjoint(same))
            for one in self._cells:
                if whole and one.id in self._untried:
                    continue
                # Beside a cell with nothing in common, a pin would be one difference too many.
                able = any(
                    (passed(variant, stage) or bool(same and export and secondary_pins(variant)))
                    and export in {None, export_of(variant)}
                    for variant in one.variants
                )
                if able:
                    passing.setdefault(tuple(version(one, name) for name in same), []).append(one)
            self._passing[stage, same, export] = passing
        return self._passing[stage, same, export]


def version(cell: ReportedCell, name: str) -> str | None:
    """The version of `name` that `cell` has: its lock's, or its pin."""
    return cell.python if name == "python" else cell.resolved.get(name, cell.pins.get(name))


def model_code(cell: ReportedCell) -> list[str]:
    """The axes that hold the code of the model, torch first.

    That is transformers; of a probe that does without, whatever its exports have but onnx and numpy may be.
    """
    if version(cell, "transformers"):
        return ["torch", "transformers"]
    return ["torch", *(name for name in cell.pins if name not in {"torch", "onnx", "numpy", "onnxruntime"})]


def _exports_alike(cell: ReportedCell, other: ReportedCell) -> bool:
    """Whether the export sides of two cells with the same pins, except onnxruntime, are the same distributions.

    What is present beside one onnxruntime alone is required by that onnxruntime alone.
    """
    if cell.environment is Setup.HANDOFF:
        sides = [one.resolved_sides.get("export") for one in (cell, other)]
        return sides[0] is not None and sides[0] == sides[1]
    shared = (cell.resolved.keys() & other.resolved.keys()) - {"onnxruntime"}
    return all(cell.resolved[name] == other.resolved[name] for name in shared)


def compared(cell: ReportedCell, other: ReportedCell) -> str:
    """In what `other` differs from `cell`: `torch 2.6.0 instead of 2.1.2, and 13 distributions that no axis names`."""
    found = dict(_differences(cell, other))
    chosen = [name for name in found if name in {"environment", "python", *cell.pins, *other.pins}]
    if not found:
        return "the same versions"
    if not chosen:
        # Where no axis tells them apart, what they rest on does.
        told = by_family(found)
        more = len(told) - _NAMED
        return ", ".join(told[:_NAMED]) + (f", and {more} more" if more > 0 else "")
    more = len(found) - len(chosen)
    rest = f", and {more} distribution{'s' * (more > 1)} that no axis names" if more else ""
    return ", ".join(found[name] for name in chosen) + rest


def by_family(differences: Mapping[str, str]) -> list[str]:
    """The differences, those of distributions of one family in one: `15 nvidia-* distributions in other versions`."""
    families = Counter(name.partition("-")[0] for name in differences)
    told: dict[str, str] = {}
    for name, text in differences.items():
        family = name.partition("-")[0]
        several = families[family] >= _FAMILY
        told[family if several else name] = (
            f"{families[family]} {family}-* distributions in other versions" if several else text
        )
    return list(told.values())


def _differences(cell: ReportedCell, other: ReportedCell) -> Iterator[tuple[str, str]]:
    """(what, how): what was chosen first, then what follows from it."""
    if cell.environment is not other.environment:
        yield "environment", f"the environment {other.environment} instead of {cell.environment}"
    for name in dict.fromkeys(("python", *cell.pins, *other.pins, *cell.resolved, *other.resolved)):
        here, there = version(cell, name), version(other, name)
        if here != there:
            yield name, f"{name} {there or 'absent'} instead of {here or 'absent'}"
