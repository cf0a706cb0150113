"""Whether an onnxruntime reads a model, as far as limits that were measured tell. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.decide.operator_uses import OperatorUse, OperatorUses, operator_uses, tensor_type
from harness.onnx_files import graph_lint, graph_names, operators
from harness.onnx_files.external_data import DataFile, DataPlace
from harness.onnx_files.graph_lint import GraphFinding
from harness.onnx_files.onnx_model import DEFAULT_DOMAIN, ELEMENT_TYPES, OnnxModel, type_name
from harness.stack import RUNTIME
from harness.verdicts.runtime_kernels import Kernel, Operators
from harness.verdicts.runtime_limits import RuntimeLimits

IR_ABOVE, OPSET_ABOVE, TYPE_ABOVE, EXTERNAL = "ir-above-runtime", "opset-above-runtime", "type-above-runtime", "external-data"
_OLDEST_OPSET = 7
"""onnxruntime guarantees no older opset, and has no kernels for much of those."""
_HALF, _FLOAT = tensor_type(10), tensor_type(1)

PLACES = {
    DataPlace.PLAIN: "a file in the folder of the model",
    DataPlace.SUBFOLDER: "a file below the folder of the model",
    DataPlace.SYMBOLIC_LINK: "a link within the folder of the model",
    DataPlace.SYMBOLIC_LINK_OUTSIDE: "a link out of the folder of the model",
    DataPlace.MODEL_AND_DATA_LINKED: "a link into the folder in which the model really lies",
    DataPlace.HARD_LINK: "a file with a further name (a hard link)",
    DataPlace.OUTSIDE: "outside of the folder of the model",
    DataPlace.ABSOLUTE: "an absolute path",
}
"""Place → what it is, in words."""


class Reading(StrEnum):
    """Whether a runtime reads a model, as far as limits that were measured tell."""

    READS = "reads"
    UNKNOWN = "unknown"
    REFUSES = "refuses"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadingReason:
    """Why a runtime does not read a model, or why that is not known."""

    rule: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeAnswer:
    """What one onnxruntime makes of a model."""

    version: str
    reading: Reading
    reasons: tuple[ReadingReason, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFacts:
    """What every runtime makes the same of."""

    files: Sequence[DataFile]
    uses: OperatorUses
    invalid: tuple[ReadingReason, ...]
    """Why it is no valid model."""
    gaps: tuple[GraphFinding, ...]
    """Those of `not_measured`."""


def model_facts(model: OnnxModel, files: Sequence[DataFile], kernels: Operators) -> ModelFacts:
    """What does not depend on a runtime."""
    uses = operator_uses(model, kernels)
    invalid = [
        ("name-given-twice", "these names are given twice", list(graph_names.given_twice(model.graph))),
        ("name-not-given", "nothing gives these names", list(dict.fromkeys(graph_names.given_by_nothing(model.graph)))),
        ("input-types-differ", "the inputs of these nodes have types that do not go together", uses.differing),
    ]
    return ModelFacts(
        files=files,
        uses=uses,
        invalid=tuple(
            ReadingReason(rule=rule, message=f"{text}: {graph_lint.some(names)}") for rule, text, names in invalid if names
        ),
        gaps=tuple(not_measured(model, uses)),
    )


def runtime_answer(
    model: OnnxModel, facts: ModelFacts, version: str, limits: RuntimeLimits, kernels: Operators
) -> RuntimeAnswer:
    """What the onnxruntime with these limits makes of a model."""
    refused, unknown = [*_stamps_above(model, limits, version), *facts.invalid], [*_stamps_not_measured(model, limits)]
    refused += [*_types_above(model, limits, version), *_domains_above(model, limits, f"{RUNTIME} {version} runs")]
    unknown += [*_domains_not_measured(model, limits), *_without_kernel(facts.uses.uses, version, kernels)]
    unknown += [ReadingReason(rule=gap.rule, message=gap.message) for gap in facts.gaps]
    for file in facts.files:
        if file.problem:
            refused.append(ReadingReason(rule=EXTERNAL, message=f"{file.location} {file.problem}"))
        elif limits.external.get(file.place, ""):
            refused.append(ReadingReason(rule=EXTERNAL, message=f"{file.location} is {PLACES[file.place]}, which it refuses"))
        elif file.place not in limits.external:
            unknown.append(
                ReadingReason(rule=EXTERNAL, message=f"{file.location} is {PLACES[file.place]}, which was not measured")
            )
    reading = Reading.REFUSES if refused else Reading.UNKNOWN if unknown else Reading.READS
    return RuntimeAnswer(version=version, reading=reading, reasons=tuple(refused or unknown))


def _stamps_above(model: OnnxModel, limits: RuntimeLimits, version: str) -> Iterator[ReadingReason]:
    runs = f"{RUNTIME} {version} runs"
    if model.ir > limits.ir:
        yield ReadingReason(rule=IR_ABOVE, message=f"IR version {model.ir}; {runs} up to {limits.ir}")
    opset, of = _opset(model)
    if opset > limits.opset_some:
        yield ReadingReason(rule=OPSET_ABOVE, message=f"opset {opset}{of}; {runs} up to {limits.opset}")


def _stamps_not_measured(model: OnnxModel, limits: RuntimeLimits) -> Iterator[ReadingReason]:
    if model.ir < limits.oldest_ir:
        yield ReadingReason(rule="ir-not-measured", message=f"IR version {model.ir}; {limits.oldest_ir} and later were run")
    if model.opset is None:
        yield ReadingReason(rule="no-opset", message="the model imports no opset of the default domain")
    oldest = min((opsets[DEFAULT_DOMAIN] for opsets, _ in model.scopes() if DEFAULT_DOMAIN in opsets), default=_OLDEST_OPSET)
    if oldest < _OLDEST_OPSET:
        yield ReadingReason(
            rule="old-opset", message=f"opset {oldest}; no release says that it runs any before {_OLDEST_OPSET}"
        )
    opset, of = _opset(model)
    if limits.opset < opset <= limits.opset_some:
        message = f"opset {opset}{of}; it runs some operators of it, and all that were tried up to {limits.opset}"
        yield ReadingReason(rule="kernels-missing", message=message)


def _opset(model: OnnxModel) -> tuple[int, str]:
    """The largest opset of the default domain, and the words for where it is imported."""
    opset = model.largest_opsets().get(DEFAULT_DOMAIN, 0)
    return opset, "" if opset == model.opset else " of a function"


def _types_above(model: OnnxModel, limits: RuntimeLimits, version: str) -> Iterator[ReadingReason]:
    """Element types of weights, inputs and outputs that came after the runtime's IR version."""
    used = {value.element for value in (*model.graph.inputs, *model.graph.outputs)} | {one.element for one in model.tensors()}
    newer = [type_name(number) for number in sorted(used) if number in ELEMENT_TYPES and ELEMENT_TYPES[number].ir > limits.ir]
    if newer:
        message = f"{', '.join(newer)} came after IR version {limits.ir}, up to which {RUNTIME} {version} runs"
        yield ReadingReason(rule=TYPE_ABOVE, message=message)


def _without_kernel(uses: Sequence[OperatorUse], version: str, kernels: Operators) -> Iterator[ReadingReason]:
    """Operators that have no kernel of their own for the types that they get: a runtime may still do without one."""
    missing = [use for use in uses if not _has_kernel(use, version, kernels)]
    if missing:
        texts = dict.fromkeys(
            f"{use.name}-{use.since} for {', '.join(kind for _, kind in use.types) or 'any'}" for use in missing
        )
        yield ReadingReason(rule="no-kernel", message=f"it names no kernel on the CPU of {graph_lint.some(list(texts))}")


def _has_kernel(use: OperatorUse, version: str, kernels: Operators) -> bool:
    found = kernels[use.domain][use.name][use.since].kernels
    return any(version in kernel.runtimes and _takes(kernel, use) for kernel in found)


def _takes(kernel: Kernel, use: OperatorUse) -> bool:
    """Whether a kernel takes these types; onnxruntime casts float16 to float32 where a kernel has that alone."""
    return all(
        name not in kernel.types or kind in kernel.types[name] or (kind == _HALF and _FLOAT in kernel.types[name])
        for name, kind in use.types
    )


def _domains_above(model: OnnxModel, limits: RuntimeLimits, runs: str) -> Iterator[ReadingReason]:
    """Imports of other domains that are gated; that nothing of them is used does not matter."""
    for domain, version in model.largest_opsets().items():
        limit = (limits.domains or {}).get(domain, version)
        if domain != DEFAULT_DOMAIN and version > limit:
            yield ReadingReason(rule="domain-above-runtime", message=f"{domain} {version}; {runs} up to {limit}")


def _domains_not_measured(model: OnnxModel, limits: RuntimeLimits) -> Iterator[ReadingReason]:
    if limits.domains is None:
        own = {function.domain for function in model.functions}
        for domain in sorted(model.largest_opsets().keys() - own - {DEFAULT_DOMAIN}):
            yield ReadingReason(rule="domain-not-measured", message=f"imports of {domain} were not measured")


def not_measured(model: OnnxModel, uses: OperatorUses) -> Iterator[GraphFinding]:
    """Operators for which no limit stands, neither ONNX's own at the opset that is imported nor functions of the model.

    Of values that they give the type is not known, and that is no further gap.
    """
    found = list(dict.fromkeys(operators.unknown(model)))
    if others := dict.fromkeys(domain for domain, _ in found if domain not in operators.OPSETS):
        yield GraphFinding(rule="other-domain", message=f"no limits were measured for operators of {', '.join(others)}")
    if names := [f"{name} of {domain}" for domain, name in found if domain in operators.OPSETS]:
        message = f"the opset that is imported has no {graph_lint.some(names)}"
        yield GraphFinding(rule="unknown-operator", message=message)
    if not found and uses.untyped:
        message = f"the types of these values are not known: {graph_lint.some(uses.untyped)}"
        yield GraphFinding(rule="type-not-known", message=message)
