"""Where nothing works with a model, and another model passed the same stacks: what failed there is due to the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from harness.diagnose.causes.diagnosis import SETTLE, Diagnosis, likely, proven
from harness.diagnose.nearest_cell import export_of
from harness.model import Cause, Certainty, Status
from harness.verdicts.control_model import MODEL, SAME_FAMILY, Stack, stack
from harness.verdicts.report_model import ReportedCell, ReportedVariant

_SETTLED = {Cause.MODEL, Cause.VERSION_CONFLICT, Cause.FORMAT_GATE, Cause.CONSUMER_PROTOCOL}
"""What is so with any model, or is the model's fault already."""

_NAMED = 3
"""So many other cells are named."""

_Fault = tuple[object, str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _ControlOutcome:
    """What became of another model in a cell that has the fault."""

    cell: ReportedCell
    asked: ReportedVariant
    name: str
    text: str

    @property
    def works(self) -> bool:
        return self.text == "works"


@dataclass(kw_only=True, slots=True)
class _Met:
    """Where one fault was met."""

    stacks: dict[Stack, ReportedCell] = field(default_factory=dict)
    """Stack → a cell with the fault."""
    answers: dict[Stack, _ControlOutcome] = field(default_factory=dict)


def asked_once(cells: Sequence[ReportedCell]) -> list[ReportedCell]:
    """`cells` with the other model's word on each fault in the last cell of each stack that has it, if nothing works.

    That is where one run of the whole asks. A shard asks in the last of its own cells, and where nothing of its own works.
    """
    works = any(one.status is Status.WORKS for cell in cells for one in cell.variants)
    heard = [(cell, one) for cell in cells for one in cell.variants if any(map(_is_model, one.controls))]
    if not heard:
        return list(cells)
    last = {} if works else {(_fault(one), _stack(cell, one)): (cell.id, one) for cell, one in heard}

    def kept(cell: ReportedCell, one: ReportedVariant) -> ReportedVariant:
        if last.get((_fault(one), _stack(cell, one))) == (cell.id, one) or not any(map(_is_model, one.controls)):
            return one
        controls, logs = (
            {name: text for name, text in named.items() if not _is_model(name)} for named in (one.controls, one.logs)
        )
        return replace(one, controls=controls, logs=logs)

    return [replace(cell, variants=[kept(cell, one) for one in cell.variants]) for cell in cells]


def diagnosed(cells: Sequence[ReportedCell]) -> list[ReportedCell]:
    """`cells`, in which nothing works, with what the other model says of the faults that it was asked about."""
    found: dict[_Fault, _Met] = {}
    # What a change has mended, with this very model, is not due to the model.
    mended = {_fault(one) for cell in cells for one in cell.variants if one.remedy}
    for cell in cells:
        for one in cell.variants:
            if one.status is Status.FAILS and _fault(one) not in mended:
                met = found.setdefault(_fault(one), _Met())
                met.stacks[_stack(cell, one)] = cell
                for name, text in one.controls.items():
                    if _is_model(name):
                        met.answers[_stack(cell, one)] = _ControlOutcome(cell=cell, asked=one, name=name, text=text)

    def rediagnosed(cell: ReportedCell, one: ReportedVariant) -> ReportedVariant:
        met = found.get(_fault(one))
        # What PyTorch merely does not run is no disagreement: whose fault that is, another model tells.
        settled = one.cause in _SETTLED and (one.cause, one.certainty) != (Cause.MODEL, Certainty.LIKELY)
        settled = settled or (one.cause, one.certainty) == (Cause.RUNTIME, Certainty.PROVEN)
        if met is None or settled or not any(answer.works for answer in met.answers.values()):
            return one
        return _diagnosis(cell, one, met).of(one)

    return [replace(cell, variants=[rediagnosed(cell, one) for one in cell.variants]) for cell in cells]


def _diagnosis(cell: ReportedCell, one: ReportedVariant, met: _Met) -> Diagnosis:
    """What follows from the fact that another model works where this one fails alike on several stacks."""
    here = met.answers.get(_stack(cell, one))
    working = [answer for answer in met.answers.values() if answer.works]
    refused = [answer for answer in met.answers.values() if not answer.works]
    name = working[0].name
    cause = Cause.MODEL if name.endswith(SAME_FAMILY) else Cause.ARCHITECTURE
    # Runtimes do not make a second stack of what exports.
    count = len({stack(None, other.python, other.pins, other.environment) for other in met.stacks.values()})
    heard = [
        *(sentence for sentence in one.evidence if not sentence.startswith((SETTLE, f"with {MODEL}"))),
        f"nothing that was asked for works with this model; this fails on {count} stack{'s' * (count > 1)}",
        *([_said(here, one)] if here else []),
        *_elsewhere([answer for answer in working if answer is not here]),
        *(_said(answer, one) for answer in refused if answer is not here),
    ]
    if missing := [where for place, where in met.stacks.items() if place not in met.answers]:
        return likely(cause, *heard, f"{SETTLE}the same with {name} in {missing[0].id}")
    if refused:
        return likely(cause, *heard, f"{SETTLE}{name} would have to work wherever this fails")
    if count == 1:
        return likely(cause, *heard, f"{SETTLE}more than one stack")
    return proven(cause, *heard)


def _said(answer: _ControlOutcome, one: ReportedVariant) -> str:
    asked = answer.asked
    same = export_of(asked) == export_of(one)
    what = "the same variant" if same else f"{asked.exporter} opset {asked.opset} {asked.layout}"
    return f"with {answer.name} {what} {answer.text.partition(': ')[0]} in {answer.cell.id}"


def _elsewhere(working: Sequence[_ControlOutcome]) -> list[str]:
    """Where else the other model works, where this one fails in the same way."""
    if not working:
        return []
    more = len(working) - _NAMED
    named = ", ".join(answer.cell.id for answer in working[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return [f"with {working[0].name} it works on other stacks that have this failure: {named}"]


def _stack(cell: ReportedCell, one: ReportedVariant) -> Stack:
    return stack(one.stage, cell.python, cell.pins, cell.environment)


def _is_model(name: str) -> bool:
    return name.startswith(MODEL)


def _fault(variant: ReportedVariant) -> _Fault:
    return variant.stage, variant.signature
