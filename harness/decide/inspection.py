"""What an ONNX file is, which onnxruntime reads it as far as that was measured, and what was seen to mend it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.decide.model_support import IR_ABOVE, OPSET_ABOVE, TYPE_ABOVE, Reading, RuntimeAnswer, model_facts, runtime_answer
from harness.decide.remedy_counts import Evidence, evidence, loop_evidence
from harness.onnx_files import graph_lint
from harness.onnx_files.external_data import DataFile, DataPlace
from harness.onnx_files.graph_lint import GraphFinding, MergedDecoder
from harness.onnx_files.onnx_model import DEFAULT_DOMAIN, ELEMENT_TYPES, Dimension, OnnxModel, Value, type_name
from harness.verdicts.report_schema import Report
from harness.verdicts.runtime_kernels import Operators
from harness.verdicts.runtime_limits import RuntimeLimits

_OVERLOADS_SINCE = 10
"""The IR version that brought overloads of functions (onnx.proto)."""
_TYPED = ("to", "dtype", "output_dtype")
"""Attributes that name an element type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """A change for a problem of a model, and how it is known."""

    change: str
    runtimes: tuple[str, ...]
    """The versions that it is for; empty where it is for all."""
    evidence: Evidence
    note: str
    """When it is safe, and what it leaves open."""
    ir: int | None = None
    """The IR version to stamp, if that is the change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribedValue:
    """An input or output."""

    name: str
    type: str
    dims: tuple[Dimension, ...] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectedModel:
    """The answer about one file."""

    path: str
    bytes: int
    ir: int
    opset: int | None
    opsets: dict[str, int]
    producer: str
    nodes: int
    weights: int
    functions: int
    operators: dict[str, dict[str, int]]
    """Domain → operator → number of nodes, the most frequent first."""
    inputs: list[DescribedValue]
    outputs: list[DescribedValue]
    external: list[DataFile]
    findings: list[GraphFinding]
    merged: MergedDecoder | None
    runtimes: list[RuntimeAnswer]
    suggestions: list[Suggestion]

    def reading(self, version: str) -> Reading:
        """Whether that runtime reads it."""
        return next(answer.reading for answer in self.runtimes if answer.version == version)


def inspected(
    path: str,
    model: OnnxModel,
    files: Sequence[DataFile],
    limits: Mapping[str, RuntimeLimits],
    kernels: Operators,
    *,
    reports: Mapping[str, Report],
) -> InspectedModel:
    """The answer about the model at `path`, for the runtimes in `limits`; `reports` are those that were published."""
    facts = model_facts(model, files, kernels)
    answers = [runtime_answer(model, facts, version, limit, kernels) for version, limit in limits.items()]
    merged = graph_lint.merged_decoder(model)
    operators: dict[str, Counter[str]] = {}
    for node in model.nodes():
        operators.setdefault(node.domain, Counter())[node.op_type] += 1
    return InspectedModel(
        path=path,
        bytes=model.size,
        ir=model.ir,
        opset=model.opset,
        opsets=model.opsets,
        producer=model.producer,
        nodes=sum(counts.total() for counts in operators.values()),
        weights=sum(1 for _ in model.tensors()),
        functions=len(model.functions),
        operators={domain: dict(counts.most_common()) for domain, counts in sorted(operators.items())},
        inputs=[_described(value) for value in graph_lint.graph_inputs(model.graph)],
        outputs=[_described(value) for value in model.graph.outputs],
        external=list(files),
        findings=[*graph_lint.lint(model), *_fixed(model), *facts.gaps],
        merged=merged,
        runtimes=answers,
        suggestions=[
            *_ir_stamps(model, answers, limits, reports),
            *_opsets(model, answers, limits, reports),
            *_data_places(files, limits),
            *_loops(merged, reports),
        ],
    )


def _described(value: Value) -> DescribedValue:
    return DescribedValue(
        name=value.name, type=type_name(value.element) if value.kind == "tensor" else value.kind, dims=value.dims
    )


def _fixed(model: OnnxModel) -> Iterator[GraphFinding]:
    """The axes of inputs with a fixed size, if one was to be dynamic; those of one axis and size in one finding."""
    named: dict[tuple[int, int], list[str]] = {}
    for value in graph_lint.graph_inputs(model.graph):
        for place in graph_lint.fixed_axes(value):
            named.setdefault(place, []).append(value.name)
    for (axis, size), names in named.items():
        message = f"axis {axis} of {graph_lint.some(names)} is {size}: a call with another size fails"
        yield GraphFinding(rule="frozen-dimension", message=message)


def _ir_stamps(
    model: OnnxModel, answers: Iterable[RuntimeAnswer], limits: Mapping[str, RuntimeLimits], reports: Mapping[str, Report]
) -> Iterator[Suggestion]:
    """For each limit the stamp that fits under it, where nothing else is in the way."""
    by_limit: dict[int, list[str]] = {}
    for answer in answers:
        refused = {reason.rule for reason in answer.reasons if answer.reading is Reading.REFUSES}
        if IR_ABOVE in refused and refused <= {IR_ABOVE, TYPE_ABOVE}:
            by_limit.setdefault(limits[answer.version].ir, []).append(answer.version)
    for ir, versions in sorted(by_limit.items(), reverse=True):
        newer = newer_parts(model, ir)
        note = f"it changes the stamp alone, and is safe only if the model uses nothing newer than IR {ir}: "
        note += (
            f"this one uses {', '.join(newer)}"
            if newer
            else "no newer element type or overload was found; run it before you rely on it"
        )
        found = evidence(reports, IR_ABOVE, ("ir-version", ir), lambda variant: variant.ir == model.ir)
        yield Suggestion(
            change=f"ir-version {ir}", runtimes=tuple(versions), evidence=found, note=note, ir=None if newer else ir
        )  # fmt: skip


def newer_parts(model: OnnxModel, ir: int) -> list[str]:
    """What the model uses that came after IR version `ir`, as far as its structure shows it."""
    values = (*model.graph.inputs, *model.graph.outputs)
    used = {value.element for value in values} | {tensor.element for tensor in model.tensors()}
    used |= {node.integer(name) for node in model.nodes() for name in _TYPED}
    newer = [f"{type_name(number)} (IR {ELEMENT_TYPES[number].ir})" for number in sorted(used) if _since(number) > ir]
    newer += [f"an element type that is not known here ({number})" for number in sorted(used) if number > max(ELEMENT_TYPES)]
    overloads = any(function.overload for function in model.functions) or any(node.overload for node in model.nodes())
    return newer + ([f"overloads of functions (IR {_OVERLOADS_SINCE})"] if overloads and ir < _OVERLOADS_SINCE else [])


def _since(element: int) -> int:
    return ELEMENT_TYPES[element].ir if element in ELEMENT_TYPES else 0


def _opsets(
    model: OnnxModel, answers: Iterable[RuntimeAnswer], limits: Mapping[str, RuntimeLimits], reports: Mapping[str, Report]
) -> Iterator[Suggestion]:
    by_limit: dict[int, list[str]] = {}
    for answer in answers:
        if OPSET_ABOVE in [reason.rule for reason in answer.reasons]:
            by_limit.setdefault(limits[answer.version].opset, []).append(answer.version)
    used = model.largest_opsets().get(DEFAULT_DOMAIN)
    note = f"the export has to be made again: another number in the file leaves the operators those of opset {used}"
    for opset, versions in sorted(by_limit.items(), reverse=True):
        found = evidence(reports, OPSET_ABOVE, ("opset", opset), lambda variant: variant.opset == model.opset)
        yield Suggestion(change=f"opset {opset}", runtimes=tuple(versions), evidence=found, note=note)


def _data_places(files: Sequence[DataFile], limits: Mapping[str, RuntimeLimits]) -> Iterator[Suggestion]:
    """A plain file instead of what some runtime refuses."""
    elsewhere = [file for file in files if any(limit.external.get(file.place) for limit in limits.values())]
    reads = [version for version, limit in limits.items() if limit.external.get(DataPlace.PLAIN, "") is None]
    if elsewhere and reads:
        names = graph_lint.some([file.location for file in elsewhere])
        yield Suggestion(
            change=f"the data as a file in the folder of the model, and no link ({names})",
            runtimes=tuple(reads),
            evidence=Evidence(measured=f"{len(reads)} of {len(limits)} releases read such a file when they were measured"),
            note="where the location has a folder in it, `onnx.save` with `save_as_external_data` writes another one",
        )


def _loops(merged: MergedDecoder | None, reports: Mapping[str, Report]) -> Iterator[Suggestion]:
    if merged and merged.empty:
        yield Suggestion(
            change="feedback keep-cross",
            runtimes=(),
            evidence=loop_evidence(reports),
            note="the decoding loop keeps the cross-attention cache of the first step, and takes from later steps the rest",
        )
