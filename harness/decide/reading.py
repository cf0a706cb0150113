"""Whether an onnxruntime reads a model, as far as limits that were measured tell. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.onnx_files import graph_lint, operators
from harness.onnx_files.external_data import DataFile, DataPlace
from harness.onnx_files.graph_lint import GraphFinding
from harness.onnx_files.onnx_model import DEFAULT_DOMAIN, OnnxModel
from harness.stack import RUNTIME
from harness.verdicts.runtime_limits import RuntimeLimits

IR_ABOVE, OPSET_ABOVE, EXTERNAL = "ir-above-runtime", "opset-above-runtime", "external-data"

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


def runtime_answer(
    model: OnnxModel, files: Sequence[DataFile], gaps: Sequence[GraphFinding], version: str, limits: RuntimeLimits
) -> RuntimeAnswer:
    """What the onnxruntime with these limits makes of a model; `gaps` are those of `not_measured`."""
    refused, unknown = list[ReadingReason](), list[ReadingReason]()
    runs = f"{RUNTIME} {version} runs"
    if model.ir > limits.ir:
        refused.append(ReadingReason(rule=IR_ABOVE, message=f"IR version {model.ir}; {runs} up to {limits.ir}"))
    elif model.ir < limits.oldest_ir:
        unknown.append(
            ReadingReason(rule="ir-not-measured", message=f"IR version {model.ir}; {limits.oldest_ir} and later were run")
        )
    opset = model.largest_opsets().get(DEFAULT_DOMAIN, 0)
    of = "" if opset == model.opset else " of a function"
    if model.opset is None:
        unknown.append(ReadingReason(rule="no-opset", message="the model imports no opset of the default domain"))
    if opset > limits.opset_some:
        refused.append(ReadingReason(rule=OPSET_ABOVE, message=f"opset {opset}{of}; {runs} up to {limits.opset}"))
    elif opset > limits.opset:
        message = f"opset {opset}{of}; {runs} some operators of it, and all that were tried up to {limits.opset}"
        unknown.append(ReadingReason(rule="kernels-missing", message=message))
    refused += _domains_above(model, limits, runs)
    unknown += [*_domains_not_measured(model, limits), *(ReadingReason(rule=gap.rule, message=gap.message) for gap in gaps)]
    for file in files:
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


def not_measured(model: OnnxModel) -> Iterator[GraphFinding]:
    """Operators for which no limit stands, neither ONNX's own at the opset that is imported nor functions of the model."""
    found = list(dict.fromkeys(operators.unknown(model)))
    if others := dict.fromkeys(domain for domain, _ in found if domain not in operators.OPSETS):
        yield GraphFinding(rule="other-domain", message=f"no limits were measured for operators of {', '.join(others)}")
    if names := [f"{name} of {domain}" for domain, name in found if domain in operators.OPSETS]:
        message = f"the opset that is imported has no {graph_lint.some(names)}"
        yield GraphFinding(rule="unknown-operator", message=message)
