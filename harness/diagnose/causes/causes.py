"""The cause of each failure, proven by runs. Pure: it reads a report's cells and nothing else.

| stage | cause | proven by |
|---|---|---|
| resolve | version conflict | uv's proof |
| import | version conflict | the package imports in another cell, beside other versions |
| eager | model; version conflict where its code and torch work with others | PyTorch with and without a cache; other cells |
| export, check | exporter | another exporter, or a cell that differs in one version |
| export, check | version conflict | the same exporter works beside other versions |
| load | format gate | measured limits of the runtime (format_gate.py) |
| load, decode, parity | runtime, exporter, consumer protocol, version conflict | the same artifact elsewhere (runtime.py) |
| eager to parity | architecture, model | nothing works, and another model does (model.py) |

A remedy was run on the very variant that it stands at, so its changes are evidence too (verdicts/remedy_effects.py).

The report applies this to its cells, wherever they ran. So the report of merged shards equals the report of one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.diagnose.causes import model as models
from harness.diagnose.causes import runtime
from harness.diagnose.causes.diagnosis import Diagnosis, brief, brief_outcome, likely, proven
from harness.diagnose.causes.failure_kinds import import_of
from harness.diagnose.nearest_cell import Neighbours, compared, export_of, model_code, version
from harness.model import Cause, Stage, Status
from harness.stack import EXPORTING
from harness.verdicts.control_model import MODEL
from harness.verdicts.messages import between_versions, demands
from harness.verdicts.remedy_effects import EXPORT, effects, secondary_pins
from harness.verdicts.report_schema import ReportedCell, ReportedVariant
from harness.verdicts.stages_passed import passed


def diagnosed(cells: Sequence[ReportedCell], *, requires: Sequence[str] = ()) -> list[ReportedCell]:
    """`cells` with the cause, certainty and evidence of every failing variant; those that they already have are replaced.

    `requires` are the distributions that the probe needs for an export besides the axes.
    """
    cells = models.of_last_cells(cells)
    neighbours = Neighbours(cells, requires=requires)
    works = any(variant.status is Status.WORKS for cell in cells for variant in cell.variants)
    made = [
        replace(cell, variants=[_with(variant, _diagnosed(cell, variant, neighbours)) for variant in cell.variants])
        for cell in cells
    ]
    return made if works else models.diagnosed(made)


def _diagnosed(cell: ReportedCell, variant: ReportedVariant, neighbours: Neighbours) -> Diagnosis | None:
    if variant.status is not Status.FAILS:
        return None
    match variant.stage:
        case Stage.RESOLVE | Stage.INSTALL:
            return _unresolved(cell, variant)
        case Stage.IMPORT:
            return _unimportable(cell, variant, neighbours)
        case Stage.EAGER:
            return _eager(cell, variant, neighbours)
        case Stage.EXPORT | Stage.CHECK:
            return _exported(cell, variant, variant.stage, neighbours)
        case _:
            return runtime.diagnosed(cell, variant, neighbours)


def _unresolved(cell: ReportedCell, variant: ReportedVariant) -> Diagnosis:
    message = variant.error or ""
    proof = [f"uv: {demand}" for demand in demands(message)] or [f"uv: {brief(message)}"]
    if variant.error_type == "build":
        settle = "to settle it: a wheel, or another Python"
        return likely(Cause.VERSION_CONFLICT, f"{cell.id}: {brief(message)}", settle)
    return proven(Cause.VERSION_CONFLICT, f"uv proves that no set of distributions is what {cell.id} asks for", *proof)


def _unimportable(cell: ReportedCell, variant: ReportedVariant, neighbours: Neighbours) -> Diagnosis:
    failure = f"{cell.id} fails at import: {brief(variant.error)}"
    named = import_of(variant.error or "")
    if named is None:
        # The process died, and the message does not name the package.
        if neighbours.every_version_passed(cell, Stage.IMPORT) and (other := neighbours.nearest(cell, Stage.IMPORT, [])):
            every = "each version that it pins can be imported in some cell"
            return proven(Cause.VERSION_CONFLICT, failure, every, _passes(other, cell, "the import works"))
        if remedy := _import_remedy(cell, variant):
            return proven(Cause.VERSION_CONFLICT, failure, f"with {remedy} the same cell works")
        return likely(Cause.VERSION_CONFLICT, failure, "to settle it: cells that import the same versions, each beside others")
    if (held := version(cell, named)) is None:
        # The module is of a distribution with another name, so its version is unknown.
        remedy = _import_remedy(cell, variant)
        mended = [f"with {remedy} the same cell works"] if remedy else []
        settle = f"to settle it: an axis, or a lock, that names the distribution of {named}"
        return likely(Cause.VERSION_CONFLICT, failure, *mended, settle)
    subject = f"{named} {held}"
    if other := neighbours.nearest(cell, Stage.IMPORT, [named]):
        return proven(Cause.VERSION_CONFLICT, failure, _passes(other, cell, f"{subject} can be imported"))
    if remedy := _import_remedy(cell, variant, but=named):
        return proven(Cause.VERSION_CONFLICT, failure, f"with {remedy} the same cell works")
    settle = f"to settle it: a cell in which {subject} can be imported, beside other versions"
    return likely(Cause.VERSION_CONFLICT, failure, settle)


def _import_remedy(cell: ReportedCell, variant: ReportedVariant, but: str | None = None) -> str | None:
    """The remedy of the cell's import, which all its variants share; not another version of `but`."""
    alike = [other for other in cell.variants if (other.stage, other.signature) == (variant.stage, variant.signature)]
    found = [changed for failing in [variant, *alike] for changed in effects(failing)]
    of_versions = [changed for changed in found if changed.pins or changed.bounds]
    return next((changed.text for changed in of_versions if but not in changed.pins | changed.bounds), None)


def _eager(cell: ReportedCell, variant: ReportedVariant, neighbours: Neighbours) -> Diagnosis:
    failure = f"PyTorch alone, in {cell.id}: {brief(variant.error)}"
    names = [name for name in reversed(model_code(cell)) if version(cell, name)]
    elsewhere = {name: found for name in names if (found := neighbours.nearest(cell, Stage.EAGER, [name]))}
    passing = [
        _passes(other, cell, f"PyTorch runs the model with the same {name} {version(cell, name)}")
        for name, other in elsewhere.items()
    ]
    for changed in effects(variant):
        if changed.versions and changed.versions.isdisjoint(names):
            return proven(Cause.VERSION_CONFLICT, failure, *passing, f"with {changed.text} alone the same cell works")
    conflict = between_versions(variant.error_type, variant.error or "")
    if (names and len(elsewhere) == len(names)) or (conflict and elsewhere):
        return proven(Cause.VERSION_CONFLICT, failure, *passing)
    if variant.error_type == DISAGREES:
        passing = passing or [_nowhere(neighbours, "PyTorch agrees with itself")]
        return proven(Cause.MODEL, failure, *passing, *_control_models(variant))
    if conflict:
        settle = f"to settle it: a cell in which the same {names[0]} runs the model, beside other versions"
        return likely(Cause.VERSION_CONFLICT, failure, f"its words are those of {conflict}", settle)
    alike = " and ".join(f"the same {name}" for name in reversed(names))
    settle = f"to settle it: cells with {alike}, each beside others, in which PyTorch runs the model"
    return likely(Cause.MODEL, failure, *passing, *_control_models(variant), settle)


DISAGREES = "ProbeFailure"
"""Class of a failure that the probe itself finds: at `eager`, PyTorch does not agree with itself."""


def _exported(cell: ReportedCell, variant: ReportedVariant, stage: Stage, neighbours: Neighbours) -> Diagnosis:
    accepted = "" if stage is Stage.EXPORT else " and passes onnx's checker"
    graph, model = (f"writes {written}{accepted}" for written in ("the same graph", "a graph of the same model"))
    failure = f"{variant.exporter} opset {variant.opset} {variant.layout} in {cell.id} fails at {stage}: {brief(variant.error)}"
    evidence = [failure, "PyTorch alone ran the model in the same process"]
    if found := _conflicts(cell, variant, stage, neighbours, graph):
        return proven(Cause.VERSION_CONFLICT, *evidence, *found)
    if conflict := between_versions(variant.error_type, variant.error or ""):
        settle = "to settle it: a cell that differs in one version, in which the same exporter works"
        return likely(Cause.VERSION_CONFLICT, failure, f"its words are those of {conflict}", settle)
    if sibling := _sibling(cell, variant, stage):
        how = f"{sibling.exporter} opset {sibling.opset} {sibling.layout}"
        return proven(Cause.EXPORTER, *evidence, f"in the same environment {how} {model}")
    for changed in effects(variant):
        if changed.only(EXPORT):
            return proven(Cause.EXPORTER, *evidence, f"in the same environment, with {changed.text}, it {model}")
        if changed.versions:
            return proven(Cause.EXPORTER, *evidence, f"with {changed.text} it {graph}")
    other = neighbours.nearest(cell, stage, [], export_of(variant))
    evidence += [_passes(other, cell, f"it {graph}")] if other else []
    if other and neighbours.steps(cell, other) <= 1:
        beside = neighbours.beside(cell, other)
        if not beside:
            return proven(Cause.EXPORTER, *evidence)
        return likely(Cause.EXPORTER, *evidence, f"to settle it: the same cell with {' and '.join(beside)}")
    settle = "to settle it: another exporter or opset that exports the same model, or a cell that differs in one version"
    return likely(Cause.EXPORTER, *evidence, settle)


def _conflicts(cell: ReportedCell, variant: ReportedVariant, stage: Stage, neighbours: Neighbours, works: str) -> list[str]:
    """Sentences that show that versions are at odds; empty if nothing shows it. `works` is what works elsewhere, in words.

    The same exporter, with the same model's code, works beside other versions. If the message is one of versions at odds,
    it is enough that one version alone is changed, whichever it is.
    """
    conflict = between_versions(variant.error_type, variant.error or "")
    for changed in effects(variant):
        if changed.versions and (conflict or not changed.versions & {*EXPORTING, *model_code(cell)}):
            return [f"with {changed.text} alone it {works}"]
    exporter = [name for name in dict.fromkeys((*EXPORTING, *model_code(cell))) if version(cell, name)]
    beside = neighbours.nearest(cell, stage, exporter, export_of(variant))
    if beside:
        alike = [other for other in beside.variants if export_of(other) == export_of(variant)]
        pins = None if any(passed(other, stage) for other in alike) else next(filter(None, map(secondary_pins, alike)), None)
        return [_passes(beside, cell, f"the same exporter {works}" + (f" with {pins}" if pins else ""))]
    nearest = neighbours.nearest(cell, stage, [], export_of(variant)) if conflict else None
    if nearest and neighbours.steps(cell, nearest) <= 1:
        return [f"its words are those of {conflict}", _passes(nearest, cell, f"it {works}")]
    return []


def _sibling(cell: ReportedCell, variant: ReportedVariant, stage: Stage) -> ReportedVariant | None:
    """A variant of the same cell that passed `stage`: best of the same layout, by another exporter."""
    able = [other for other in cell.variants if export_of(other) != export_of(variant) and passed(other, stage)]
    return max(able, key=lambda other: (other.layout == variant.layout, other.exporter != variant.exporter), default=None)


def _with(variant: ReportedVariant, found: Diagnosis | None) -> ReportedVariant:
    if found:
        return found.of(variant)
    return replace(variant, cause=None, certainty=None, evidence=[]) if variant.cause or variant.evidence else variant


def _passes(other: ReportedCell, cell: ReportedCell, claim: str) -> str:
    return f"{claim} in {other.id}, which has {compared(cell, other)}"


def _nowhere(neighbours: Neighbours, claim: str) -> str:
    count = neighbours.got_to(Stage.EAGER)
    return f"in none of the {count} cells that got so far {claim}" if count > 1 else "no other cell got so far"


def _control_models(variant: ReportedVariant) -> list[str]:
    """Sentences about other models in the same cell."""
    return [
        f"with {name} the same cell {brief_outcome(text)}" for name, text in variant.controls.items() if name.startswith(MODEL)
    ]
