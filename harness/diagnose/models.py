"""Where nothing works with a model, and another model passed one of the cells: what failed there is due to the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.diagnose.diagnosis import SETTLE, Diagnosis, likely, proven
from harness.model import Cause, Status
from harness.relatives import SAME_FAMILY
from harness.report.contract import ReportedCell, ReportedVariant

MODEL = "model "
"""How a control begins that is about another model, and no other consumer."""

_SETTLED = {Cause.MODEL, Cause.VERSION_CONFLICT, Cause.FORMAT_GATE, Cause.CONSUMER_PROTOCOL}
"""What is so with any model, or is the model's fault already."""

_Fault = tuple[object, str | None]


def asked_once(cells: Sequence[ReportedCell]) -> list[ReportedCell]:
    """`cells` with the other model's word on each fault in the last cell that has it, and nowhere where something works.

    That is where one run of the whole asks. A shard asks in the last of its own cells, and where nothing of its own works.
    """
    works = any(one.status is Status.WORKS for cell in cells for one in cell.variants)
    heard = [(cell.id, _fault(one), one) for cell in cells for one in cell.variants if any(map(_is_model, one.controls))]
    last = {} if works else {fault: (cell, one) for cell, fault, one in heard}

    def kept(cell: ReportedCell, one: ReportedVariant) -> ReportedVariant:
        if last.get(_fault(one)) == (cell.id, one) or not any(map(_is_model, one.controls)):
            return one
        controls, logs = (
            {name: text for name, text in named.items() if not _is_model(name)} for named in (one.controls, one.logs)
        )
        return replace(one, controls=controls, logs=logs)

    return [replace(cell, variants=[kept(cell, one) for one in cell.variants]) for cell in cells]


def _is_model(name: str) -> bool:
    return name.startswith(MODEL)


def diagnosed(cells: Sequence[ReportedCell]) -> list[ReportedCell]:
    """`cells`, in which nothing works, with what the other model says of the faults that it was asked about."""
    passed: dict[_Fault, tuple[str, str]] = {}
    stacks: dict[_Fault, set[object]] = {}
    for cell in cells:
        for one in cell.variants:
            stack = (cell.python, *(version for axis, version in cell.pins.items() if axis != "onnxruntime"))
            stacks.setdefault(_fault(one), set()).add(stack)
            for name, text in one.controls.items():
                if name.startswith(MODEL) and text == "works":
                    passed[_fault(one)] = (cell.id, name)

    def rediagnosed(cell: ReportedCell, one: ReportedVariant) -> ReportedVariant:
        found = passed.get(_fault(one))
        if found is None or one.cause in _SETTLED:
            return one
        return _diagnosis(cell, one, *found, stacks=len(stacks[_fault(one)])).of(one)

    return [replace(cell, variants=[rediagnosed(cell, one) for one in cell.variants]) for cell in cells]


def _diagnosis(cell: ReportedCell, one: ReportedVariant, where: str, name: str, *, stacks: int) -> Diagnosis:
    """What follows from the fact that the model `name` works in the cell `where`, and this one fails alike on `stacks`."""
    cause = Cause.MODEL if name.endswith(SAME_FAMILY) else Cause.ARCHITECTURE
    heard = [
        *(sentence for sentence in one.evidence if not sentence.startswith(SETTLE)),
        f"nothing that was asked for works with this model; this fails on {stacks} stack{'s' * (stacks > 1)}",
        f"with {name} the same variant works in {where}",
    ]
    if where != cell.id:
        return likely(cause, *heard, f"{SETTLE}the same with {name} in {cell.id}")
    if stacks == 1:
        return likely(cause, *heard, f"{SETTLE}more than one stack")
    return proven(cause, *heard)


def _fault(variant: ReportedVariant) -> _Fault:
    return variant.stage, variant.signature
