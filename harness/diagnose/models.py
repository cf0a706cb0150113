"""Where nothing works with a model, and another model passed one of the cells: what failed there is due to the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.diagnose.diagnosis import SETTLE, Diagnosis, likely, proven
from harness.model import Cause
from harness.relatives import SAME_FAMILY

if TYPE_CHECKING:
    from harness.report.contract import ReportedCell, ReportedVariant

MODEL = "model "
"""How a control begins that is about another model, and no other consumer."""

_SETTLED = {Cause.MODEL, Cause.VERSION_CONFLICT, Cause.FORMAT_GATE, Cause.CONSUMER_PROTOCOL}
"""What is so with any model, or is the model's fault already."""

_Fault = tuple[object, str | None]


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
