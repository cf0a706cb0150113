"""Signatures of failures: what differs from run to run is replaced, so that equal faults have equal signatures."""

from __future__ import annotations

import functools
import re

from harness.hashing import digest
from harness.model import Failure, Stage
from harness.verdicts.messages import CPP_PLACE

_ONNXRUNTIME = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |Error in execution: ")

_REPLACEMENTS = (
    # Function signatures and conditions change from release to release; the message behind them does not.
    (CPP_PLACE, ""),
    # The position of the probe: one fault may appear in another case, start or step.
    (re.compile(r"^case [^\n]*?, step \d+: "), ""),
    # onnxruntime words one error differently in its APIs, and its numbers of errors change.
    (_ONNXRUNTIME, ""),
    # The name of a node comes from the exporter or an optimiser; its operator is what fails.
    (re.compile(r"(while running \w+ node\.) Name:'[^']*'"), r"\1"),
    # A path begins with the first of its slashes; from the others there is no second search.
    (re.compile(r"/(?<!//)[^\s:'\"]+/([^\s/:'\"]+)"), r"…/\1"),
    (re.compile(r"0x[0-9a-fA-F]+"), "0x…"),
    # Names of temporary files and folders, alone or at the end of a path; digests and UUIDs; object ids.
    (re.compile(r"\btmp(?=\w*[\d_])\w{6,}\b"), "tmp…"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b"), "…"),
    (re.compile(r"\b\d{9,}\b"), "…"),
    (re.compile(r"\b((?:pid|process|thread)[ =:]{1,2})\d+", re.IGNORECASE), r"\1…"),
    # Line numbers change from release to release.
    (re.compile(r"(\.(?:h|cc|cpp|py)):\d+"), r"\1"),
    (re.compile(r"\b(lines?,? )\d+"), r"\1…"),
    (re.compile(r"\{[-\d,\s]*\}|\[[-\d,\s]*\]|\([-\d,\s]+\)"), "{…}"),
    # Measured values: three digits after the first dot, which a version does not have.
    (re.compile(r"(?<!\d)\d+(\.\d+)?e[-+]\d+|\b\d+\.\d{3,}"), "…"),
    # Numbers within names (node_Reshape_123, layers.0); numbers that stand alone, such as opsets and steps, stay.
    (re.compile(r"(?<=[A-Za-z_/])\d+(?=[^.\d]|$)|(?<=[A-Za-z_]\.)\d+\b"), "…"),
)


@functools.cache
def normalised(message: str) -> str:
    """`message` without paths, addresses, shapes, node numbers and measured values."""
    message = " ".join(message.split())
    for pattern, replacement in _REPLACEMENTS:
        message = pattern.sub(replacement, message)
    return " ".join(message.split())


def signature(stage: Stage, failure: Failure) -> str:
    """A short fingerprint that equal faults share."""
    # onnxruntime's classes of exceptions depend on the API, not on the fault.
    kind = "onnxruntime" if _ONNXRUNTIME.search(failure.message) else failure.type
    return digest([stage, kind, normalised(failure.message)])[:12]
