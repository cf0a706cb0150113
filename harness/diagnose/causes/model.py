"""The model as a cause: nothing works with it, and another model works on the same stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.diagnose.causes.diagnosis import SETTLE, Diagnosis, likely, proven
from harness.diagnose.nearest_cell import export_of
from harness.model import Cause, Certainty, Status
from harness.verdicts.control_model import MODEL, SAME_FAMILY, Stack, stack
from harness.verdicts.report_schema import ReportedCell, ReportedVariant

_SETTLED = {Cause.MODEL, Cause.VERSION_CONFLICT, Cause.FORMAT_GATE, Cause.CONSUMER_PROTOCOL}
"""Causes that hold with any model, or are the model already."""

_NAMED = 3
"""Number of other cells that are named."""

_Fault = tuple[object, str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _ControlOutcome:
    """The outcome of another model in a cell that has the fault."""

    cell: ReportedCell
    variant: ReportedVariant
    name: str
    text: str

    @property
    def works(self) -> bool:
        return self.text == "works"


@dataclass(kw_only=True, slots=True)
class _FaultStacks:
    """The stacks that have one fault."""

    cells: dict[Stack, ReportedCell] = field(default_factory=dict)
    """Stack → a cell with the fault."""
    outcomes: dict[Stack, _ControlOutcome] = field(default_factory=dict)


def of_last_cells(cells: Sequence[ReportedCell]) -> list[ReportedCell]:
    """`cells` with controls by another model only in the last cell of each stack and fault, and only if nothing works.

    A run of the whole matrix makes those controls and no others. A shard makes them in the last of its own cells, and if
    nothing of its own works.
    """
    works = any(variant.status is Status.WORKS for cell in cells for variant in cell.variants)
    controlled = [(cell, variant) for cell in cells for variant in cell.variants if any(map(_is_model, variant.controls))]
    if not controlled:
        return list(cells)
    last = {} if works else {(_fault(variant), _stack(cell, variant)): (cell.id, variant) for cell, variant in controlled}

    def kept(cell: ReportedCell, variant: ReportedVariant) -> ReportedVariant:
        if not any(map(_is_model, variant.controls)):
            return variant
        if last.get((_fault(variant), _stack(cell, variant))) == (cell.id, variant):
            return variant
        return replace(variant, controls=_without_models(variant.controls), logs=_without_models(variant.logs))

    return [replace(cell, variants=[kept(cell, variant) for variant in cell.variants]) for cell in cells]


def diagnosed(cells: Sequence[ReportedCell]) -> list[ReportedCell]:
    """`cells`, in which nothing works, with the causes that follow from the outcomes of another model."""
    found: dict[_Fault, _FaultStacks] = {}
    failing = [(cell, variant) for cell in cells for variant in cell.variants if variant.status is Status.FAILS]
    # A failure with a remedy for this very model is not due to the model.
    mended = {_fault(variant) for cell in cells for variant in cell.variants if variant.remedy}
    for cell, variant in failing:
        if _fault(variant) not in mended:
            stacks = found.setdefault(_fault(variant), _FaultStacks())
            stacks.cells[_stack(cell, variant)] = cell
            for name, text in variant.controls.items():
                if _is_model(name):
                    outcome = _ControlOutcome(cell=cell, variant=variant, name=name, text=text)
                    stacks.outcomes[_stack(cell, variant)] = outcome

    def rediagnosed(cell: ReportedCell, variant: ReportedVariant) -> ReportedVariant:
        stacks = found.get(_fault(variant))
        if stacks is None or _is_settled(variant) or not any(outcome.works for outcome in stacks.outcomes.values()):
            return variant
        return _diagnosis(cell, variant, stacks).of(variant)

    return [replace(cell, variants=[rediagnosed(cell, variant) for variant in cell.variants]) for cell in cells]


def _is_settled(variant: ReportedVariant) -> bool:
    """Whether no other model can change the cause of `variant`."""
    cause = variant.cause, variant.certainty
    # A model that PyTorch merely does not run is no disagreement: another model shows the cause.
    return cause == (Cause.RUNTIME, Certainty.PROVEN) or (
        variant.cause in _SETTLED and cause != (Cause.MODEL, Certainty.LIKELY)
    )


def _diagnosis(cell: ReportedCell, variant: ReportedVariant, stacks: _FaultStacks) -> Diagnosis:
    """The cause of a failure on several stacks, on which another model works."""
    here = stacks.outcomes.get(_stack(cell, variant))
    working = [outcome for outcome in stacks.outcomes.values() if outcome.works]
    failing = [outcome for outcome in stacks.outcomes.values() if not outcome.works]
    name = working[0].name
    cause = Cause.MODEL if name.endswith(SAME_FAMILY) else Cause.ARCHITECTURE
    # Two runtimes are one stack of an export.
    count = len({stack(None, other.python, other.pins, other.environment) for other in stacks.cells.values()})
    evidence = [
        *(sentence for sentence in variant.evidence if not sentence.startswith((SETTLE, f"with {MODEL}"))),
        f"nothing that was asked for works with this model; this fails on {count} stack{'s' * (count > 1)}",
        *([_sentence(here, variant)] if here else []),
        *_elsewhere([outcome for outcome in working if outcome is not here]),
        *(_sentence(outcome, variant) for outcome in failing if outcome is not here),
    ]
    if missing := [where for place, where in stacks.cells.items() if place not in stacks.outcomes]:
        return likely(cause, *evidence, f"{SETTLE}the same with {name} in {missing[0].id}")
    if failing:
        return likely(cause, *evidence, f"{SETTLE}{name} would have to work wherever this fails")
    if count == 1:
        return likely(cause, *evidence, f"{SETTLE}more than one stack")
    return proven(cause, *evidence)


def _sentence(outcome: _ControlOutcome, variant: ReportedVariant) -> str:
    other = outcome.variant
    same = export_of(other) == export_of(variant)
    name = "the same variant" if same else f"{other.exporter} opset {other.opset} {other.layout}"
    return f"with {outcome.name} {name} {outcome.text.partition(': ')[0]} in {outcome.cell.id}"


def _elsewhere(working: Sequence[_ControlOutcome]) -> list[str]:
    """A sentence about other stacks with the same failure, on which the other model works."""
    if not working:
        return []
    more = len(working) - _NAMED
    named = ", ".join(outcome.cell.id for outcome in working[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return [f"with {working[0].name} it works on other stacks that have this failure: {named}"]


def _stack(cell: ReportedCell, variant: ReportedVariant) -> Stack:
    return stack(variant.stage, cell.python, cell.pins, cell.environment)


def _without_models(named: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in named.items() if not _is_model(name)}


def _is_model(name: str) -> bool:
    return name.startswith(MODEL)


def _fault(variant: ReportedVariant) -> _Fault:
    return variant.stage, variant.signature
