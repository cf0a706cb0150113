"""Errors made comparable: what differs from run to run is replaced, so that equal faults get equal fingerprints."""

from __future__ import annotations

import re

from harness.model import Failure, Stage, digest
from harness.verdicts.messages import CPP_PLACE

_ONNXRUNTIME = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |Error in execution: ")

_REPLACEMENTS = (
    # Function signatures and conditions are worded anew from release to release; what was wrong is said behind them.
    (CPP_PLACE, ""),
    # Where the probe was: another case, start or step of one fault.
    (re.compile(r"^case [^\n]*?, step \d+: "), ""),
    # onnxruntime says the same in other words on other ways in, and numbers its kinds of errors anew.
    (_ONNXRUNTIME, ""),
    # A node's name is the exporter's or an optimiser's; its operator is what fails.
    (re.compile(r"(while running \w+ node\.) Name:'[^']*'"), r"\1"),
    # A path begins with the first of its slashes: from the others nobody need look again.
    (re.compile(r"/(?<!//)[^\s:'\"]+/([^\s/:'\"]+)"), r"…/\1"),
    (re.compile(r"0x[0-9a-fA-F]+"), "0x…"),
    # Names of temporary files and folders, where they stand without a path or at its end; digests and UUIDs; object ids.
    (re.compile(r"\btmp(?=\w*[\d_])\w{6,}\b"), "tmp…"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b"), "…"),
    (re.compile(r"\b\d{9,}\b"), "…"),
    (re.compile(r"\b((?:pid|process|thread)[ =:]{1,2})\d+", re.IGNORECASE), r"\1…"),
    # Source lines move from release to release.
    (re.compile(r"(\.(?:h|cc|cpp|py)):\d+"), r"\1"),
    (re.compile(r"\b(lines?,? )\d+"), r"\1…"),
    (re.compile(r"\{[-\d,\s]*\}|\[[-\d,\s]*\]|\([-\d,\s]+\)"), "{…}"),
    # Measured values; a version has no part of three digits after its first dot.
    (re.compile(r"(?<!\d)\d+(\.\d+)?e[-+]\d+|\b\d+\.\d{3,}"), "…"),
    # Numbers within names (node_Reshape_123, layers.0); those that stand alone, such as opsets and steps, stay.
    (re.compile(r"(?<=[A-Za-z_/])\d+(?=[^.\d]|$)|(?<=[A-Za-z_]\.)\d+\b"), "…"),
)


def normalised(message: str) -> str:
    """`message` without paths, addresses, shapes, node numbers and measured values."""
    message = " ".join(message.split())
    for pattern, replacement in _REPLACEMENTS:
        message = pattern.sub(replacement, message)
    return " ".join(message.split())


def signature(stage: Stage, failure: Failure) -> str:
    """A short fingerprint that equal faults share."""
    # onnxruntime's classes of exceptions go with the way in, not with the fault.
    kind = "onnxruntime" if _ONNXRUNTIME.search(failure.message) else failure.type
    return digest([stage, kind, normalised(failure.message)])[:12]
