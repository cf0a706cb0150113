"""What the exporters of torch say of an operator that they cannot translate, against what was measured of each torch. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.decide import message_forms
from harness.decide.model_support import Reading
from harness.verdicts.exporter_operators import ExporterOperators

_TORCHSCRIPT = re.compile(
    r"Exporting the operator '?(?:(?P<namespace>\w+)::)?(?P<operator>\w+)'? "
    r"to ONNX opset version (?P<opset>\d{1,4}) is not supported"
)
_DYNAMO = re.compile(
    r"No ONNX function found for <OpOverload\(op='(?P<operator>\w+\.\w+)', overload='(?P<overload>\w+)'\)>"
)  # fmt: skip
_ATEN = "aten"
"""The namespace of an operator that old releases name without one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExporterRefusal:
    """An operator for which the exporter of a text has no translation."""

    exporter: str
    """`torchscript` or `dynamo`."""
    operator: str
    """As the exporter names it: `aten::diff`, `aten.mul.Scalar`."""
    opset: int | None
    """The opset of the export; None if the text does not say."""
    first_opsets: dict[str, int]
    """Measured torch → the first opset for which it has one; those that have none are not there."""
    readings: dict[str, Reading]
    """Measured torch → READS: it has a translation; UNKNOWN: it has one for a later opset."""
    onnxscripts: tuple[str, ...]
    """The onnxscripts beside them, in which functions of the dynamo exporter lie; empty for the other exporter."""
    functions: dict[str, tuple[str, ...]]
    """Overload (`aten.diff.default`) → the torches whose dynamo exporter has a function for it, if the text is of the other."""


def exporter_refusals(text: str, operators: Callable[[], ExporterOperators]) -> list[ExporterRefusal]:
    """The refusals that `text` has, each once. `operators` reads what was measured, if a sentence needs it."""
    clean = " ".join(message_forms.cleaned(text).split())
    found: dict[tuple[str | None, ...], ExporterRefusal] = {}
    for pattern, answered in ((_TORCHSCRIPT, _torchscript), (_DYNAMO, _dynamo)):
        for match in pattern.finditer(clean):
            if refusal := answered(match, operators()):
                found[match.groups()] = refusal
    return list(found.values())


def _torchscript(match: re.Match[str], measured: ExporterOperators) -> ExporterRefusal | None:
    """None for a library whose operators were not registered when the exporters were asked."""
    namespace, name, opset = match["namespace"] or _ATEN, match["operator"], int(match["opset"])
    if not any(known.startswith(f"{namespace}::") for known in measured.torchscript):
        return None
    firsts = measured.torchscript.get(f"{namespace}::{name}", {})
    first_opsets = {version: first for first, versions in firsts.items() for version in versions}
    return ExporterRefusal(
        exporter="torchscript",
        operator=f"{namespace}::{name}",
        opset=opset,
        first_opsets={version: first_opsets[version] for version in measured.torch if version in first_opsets},
        readings={version: _reading(first_opsets.get(version), opset) for version in measured.torch},
        onnxscripts=(),
        functions=dict(_functions(f"{namespace}.{name}.", measured)),
    )


def _reading(first: int | None, opset: int) -> Reading:
    if first is None:
        return Reading.REFUSES
    return Reading.READS if first <= opset else Reading.UNKNOWN


def _functions(start: str, measured: ExporterOperators) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The overloads of an operator that dynamo exporters have functions for."""
    for name, versions in measured.dynamo.items():
        if name.startswith(start):
            yield name, tuple(version for version in measured.torch if version in versions)


def _dynamo(match: re.Match[str], measured: ExporterOperators) -> ExporterRefusal | None:
    """As `_torchscript`."""
    namespace = match["operator"].partition(".")[0]
    if not any(known.startswith(f"{namespace}.") for known in measured.dynamo):
        return None
    name = f"{match['operator']}.{match['overload']}"
    having = measured.dynamo.get(name, frozenset())
    asked = [version for version, torch in measured.torch.items() if torch.dynamo]
    return ExporterRefusal(
        exporter="dynamo",
        operator=name,
        opset=None,
        first_opsets={},
        readings={version: Reading.READS if version in having else Reading.REFUSES for version in asked},
        onnxscripts=tuple(dict.fromkeys(measured.torch[version].onnxscript or "" for version in asked)),
        functions={},
    )
