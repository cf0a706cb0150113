"""Whose fault a failure is, told by the runs that were made. Pure: it reads a report's cells and nothing else.

| stage | cause | proven by |
|---|---|---|
| resolve | version conflict | uv's proof |
| import | version conflict | the package imports in another cell, beside other versions |
| eager | model; version conflict where its code and torch work with others | PyTorch with and without a cache; other cells |
| export, check | exporter | another exporter, or a cell that differs in one version |
| export, check | version conflict | the same exporter works beside other versions |
| load | format gate | what the runtime was measured to run |
| load, decode, parity | runtime, exporter, consumer protocol, version conflict | the same artifact elsewhere (runtime.py) |
| eager to parity | architecture, model | nothing works, and another model does (model.py) |

A remedy was run on the very variant that it stands at, so what it changed is evidence too (verdicts/remedy_effects.py).

The report applies this to its cells, whoever ran them: so a report of shards says what one of the whole would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.diagnose.causes import model as models
from harness.diagnose.causes import runtime
from harness.diagnose.causes.diagnosis import Diagnosis, brief, likely, proven
from harness.diagnose.causes.failure_kinds import import_of
from harness.diagnose.nearest_cell import Neighbours, compared, export_of, model_code, version
from harness.model import Cause, Stage, Status
from harness.stack import EXPORTING
from harness.verdicts.control_model import MODEL
from harness.verdicts.messages import between_versions, demands
from harness.verdicts.remedy_effects import EXPORT, effects, secondary_pins
from harness.verdicts.report_model import ReportedCell, ReportedVariant
from harness.verdicts.stages_passed import passed


def diagnosed(cells: Sequence[ReportedCell], *, requires: Sequence[str] = ()) -> list[ReportedCell]:
    """`cells` with the cause, certainty and evidence of every failing variant; what they had of these is not looked at.

    `requires` are the distributions that the probe needs for an export besides the axes.
    """
    cells = models.asked_once(cells)
    neighbours = Neighbours(cells, requires=requires)
    works = any(variant.status is Status.WORKS for cell in cells for variant in cell.variants)
    made = [replace(cell, variants=[_with(one, _diagnosed(cell, one, neighbours)) for one in cell.variants]) for cell in cells]
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
    asked = [f"uv: {demand}" for demand in demands(message)] or [f"uv: {brief(message)}"]
    if variant.error_type == "build":
        settle = "to settle it: a wheel, or another Python"
        return likely(Cause.VERSION_CONFLICT, f"{cell.id}: {brief(message)}", settle)
    return proven(Cause.VERSION_CONFLICT, f"uv proves that no set of distributions is what {cell.id} asks for", *asked)


def _unimportable(cell: ReportedCell, variant: ReportedVariant, neighbours: Neighbours) -> Diagnosis:
    own = f"{cell.id} fails at import: {brief(variant.error)}"
    named = import_of(variant.error or "")
    if named is None:
        # It died without a word on what it was importing.
        if neighbours.every_version_passed(cell, Stage.IMPORT) and (other := neighbours.nearest(cell, Stage.IMPORT, [])):
            every = "each version that it pins can be imported in some cell"
            return proven(Cause.VERSION_CONFLICT, own, every, _passes(other, cell, "the import works"))
        if remedy := _mends_import(cell, variant):
            return proven(Cause.VERSION_CONFLICT, own, f"with {remedy} the same cell works")
        return likely(Cause.VERSION_CONFLICT, own, "to settle it: cells that import the same versions, each beside others")
    if (held := version(cell, named)) is None:
        # A module of a distribution with another name: which one, and so which version, nobody knows.
        remedy = _mends_import(cell, variant)
        heard = [f"with {remedy} the same cell works"] if remedy else []
        settle = f"to settle it: an axis, or a lock, that names the distribution of {named}"
        return likely(Cause.VERSION_CONFLICT, own, *heard, settle)
    subject = f"{named} {held}"
    if other := neighbours.nearest(cell, Stage.IMPORT, [named]):
        return proven(Cause.VERSION_CONFLICT, own, _passes(other, cell, f"{subject} can be imported"))
    if remedy := _mends_import(cell, variant, but=named):
        return proven(Cause.VERSION_CONFLICT, own, f"with {remedy} the same cell works")
    settle = f"to settle it: a cell in which {subject} can be imported, beside other versions"
    return likely(Cause.VERSION_CONFLICT, own, settle)


def _mends_import(cell: ReportedCell, variant: ReportedVariant, but: str | None = None) -> str | None:
    """What was run on this cell and mended its import, which all its variants share; not another version of `but`."""
    alike = [one for one in cell.variants if (one.stage, one.signature) == (variant.stage, variant.signature)]
    found = [changed for one in [variant, *alike] for changed in effects(one)]
    return next((one.text for one in found if (one.pins or one.bounds) and but not in one.pins | one.bounds), None)


def _eager(cell: ReportedCell, variant: ReportedVariant, neighbours: Neighbours) -> Diagnosis:
    own = f"PyTorch alone, in {cell.id}: {brief(variant.error)}"
    names = [name for name in reversed(model_code(cell)) if version(cell, name)]
    elsewhere = {name: found for name in names if (found := neighbours.nearest(cell, Stage.EAGER, [name]))}
    heard = [
        _passes(other, cell, f"PyTorch runs the model with the same {name} {version(cell, name)}")
        for name, other in elsewhere.items()
    ]
    for changed in effects(variant):
        if changed.versions and changed.versions.isdisjoint(names):
            return proven(Cause.VERSION_CONFLICT, own, *heard, f"with {changed.text} alone the same cell works")
    words = between_versions(variant.error_type, variant.error or "")
    if (names and len(elsewhere) == len(names)) or (words and elsewhere):
        return proven(Cause.VERSION_CONFLICT, own, *heard)
    if variant.error_type == DISAGREES:
        return proven(Cause.MODEL, own, *(heard or [_nowhere(neighbours, "PyTorch agrees with itself")]), *_relatives(variant))
    if words:
        settle = f"to settle it: a cell in which the same {names[0]} runs the model, beside other versions"
        return likely(Cause.VERSION_CONFLICT, own, f"its words are those of {words}", settle)
    alike = " and ".join(f"the same {name}" for name in reversed(names))
    settle = f"to settle it: cells with {alike}, each beside others, in which PyTorch runs the model"
    return likely(Cause.MODEL, own, *heard, *_relatives(variant), settle)


DISAGREES = "ProbeFailure"
"""The class of what the probe itself finds wrong: at `eager`, that PyTorch does not agree with itself."""


def _exported(cell: ReportedCell, variant: ReportedVariant, stage: Stage, neighbours: Neighbours) -> Diagnosis:
    accepted = "" if stage is Stage.EXPORT else " and passes onnx's checker"
    graph, model = (f"writes {what}{accepted}" for what in ("the same graph", "a graph of the same model"))
    own = f"{variant.exporter} opset {variant.opset} {variant.layout} in {cell.id} fails at {stage}: {brief(variant.error)}"
    evidence = [own, "PyTorch alone ran the model in the same process"]
    if found := _conflicts(cell, variant, stage, neighbours, graph):
        return proven(Cause.VERSION_CONFLICT, *evidence, *found)
    if words := between_versions(variant.error_type, variant.error or ""):
        settle = "to settle it: a cell that differs in one version, in which the same exporter works"
        return likely(Cause.VERSION_CONFLICT, own, f"its words are those of {words}", settle)
    if sibling := _sibling(cell, variant, stage):
        how = f"{sibling.exporter} opset {sibling.opset} {sibling.layout}"
        return proven(Cause.EXPORTER, *evidence, f"in the same environment {how} {model}")
    for changed in effects(variant):
        if changed.only(EXPORT):
            return proven(Cause.EXPORTER, *evidence, f"in the same environment, with {changed.text}, it {model}")
        if changed.versions:
            return proven(Cause.EXPORTER, *evidence, f"with {changed.text} it {graph}")
    other = neighbours.nearest(cell, stage, [], export_of(variant))
    if other and neighbours.steps(cell, other) <= 1:
        return proven(Cause.EXPORTER, *evidence, _passes(other, cell, f"it {graph}"))
    evidence += [_passes(other, cell, f"it {graph}")] if other else []
    settle = "to settle it: another exporter or opset that exports the same model, or a cell that differs in one version"
    return likely(Cause.EXPORTER, *evidence, settle)


def _conflicts(cell: ReportedCell, variant: ReportedVariant, stage: Stage, neighbours: Neighbours, works: str) -> list[str]:
    """Sentences that show that versions are at odds; none where nothing does. `works` says in words what works elsewhere.

    The same exporter, with the same model's code, works beside other versions. Where the failure's own words are those of
    versions at odds, it is enough that one version alone is changed, whichever it is.
    """
    words = between_versions(variant.error_type, variant.error or "")
    for changed in effects(variant):
        if changed.versions and (words or not changed.versions & {*EXPORTING, *model_code(cell)}):
            return [f"with {changed.text} alone it {works}"]
    exporter = [name for name in dict.fromkeys((*EXPORTING, *model_code(cell))) if version(cell, name)]
    beside = neighbours.nearest(cell, stage, exporter, export_of(variant))
    if beside:
        alike = [one for one in beside.variants if export_of(one) == export_of(variant)]
        pins = None if any(passed(one, stage) for one in alike) else next(filter(None, map(secondary_pins, alike)), None)
        return [_passes(beside, cell, f"the same exporter {works}" + (f" with {pins}" if pins else ""))]
    nearest = neighbours.nearest(cell, stage, [], export_of(variant)) if words else None
    if nearest and neighbours.steps(cell, nearest) <= 1:
        return [f"its words are those of {words}", _passes(nearest, cell, f"it {works}")]
    return []


def _sibling(cell: ReportedCell, variant: ReportedVariant, stage: Stage) -> ReportedVariant | None:
    """A variant of the same cell that passed `stage`: best of the same layout, by another exporter."""
    able = [one for one in cell.variants if export_of(one) != export_of(variant) and passed(one, stage)]
    return max(able, key=lambda one: (one.layout == variant.layout, one.exporter != variant.exporter), default=None)


def _with(variant: ReportedVariant, found: Diagnosis | None) -> ReportedVariant:
    if found:
        return found.of(variant)
    return replace(variant, cause=None, certainty=None, evidence=[]) if variant.cause or variant.evidence else variant


def _passes(other: ReportedCell, cell: ReportedCell, what: str) -> str:
    return f"{what} in {other.id}, which has {compared(cell, other)}"


def _nowhere(neighbours: Neighbours, what: str) -> str:
    count = neighbours.got_to(Stage.EAGER)
    return f"in none of the {count} cells that got so far {what}" if count > 1 else "no other cell got so far"


def _relatives(variant: ReportedVariant) -> list[str]:
    """What became of another model in the same cell."""
    return [
        f"with {name} the same cell {runtime.told(text)}" for name, text in variant.controls.items() if name.startswith(MODEL)
    ]
