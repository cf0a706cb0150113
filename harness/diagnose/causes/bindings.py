"""Two runtimes of one version are bindings of one library: whether a fault is the binding's or the library's. Pure."""

from __future__ import annotations

from harness.diagnose.causes.failure_kinds import RuntimeFailure, against
from harness.packaging_values import same_version
from harness.stack import EVALUATOR, RuntimeVersion
from harness.verdicts.report_schema import ReportedCell, ReportedVariant


def named(runtime: str) -> RuntimeVersion:
    """The runtime of an opinion: `onnxruntime 1.16.3`."""
    name, _, version = runtime.rpartition(" ")
    return RuntimeVersion(name, version)


def is_sibling(cell: ReportedCell, name: str) -> bool:
    """Whether the runtime `name` (with its version) is another binding of the library that `cell` has."""
    own, other = cell.runtime, named(name)
    return own is not None and name != EVALUATOR and own.name != other.name and same_version(own.version, other.version)


def sentences(cell: ReportedCell, variant: ReportedVariant, failure: RuntimeFailure) -> list[str]:
    """What another binding of the same library says of the `failure` of `variant`; empty if none was asked."""
    found = []
    for name, text in variant.opinions.items():
        if not is_sibling(cell, name):
            continue
        other = against(text)
        if text == "works":
            found.append(f"{name} has the same library and runs it: the binding of {cell.runtime} is at fault, or its caller")
        elif other and failure.same(other):
            found.append(f"{name} has the same library and fails alike: no binding is at fault")
    return found
