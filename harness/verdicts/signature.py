"""Signatures of failures: what differs from run to run is replaced, so that equal faults have equal signatures."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

from harness.hashing import digest
from harness.model import Failure, Stage, StageResult
from harness.verdicts.messages import CPP_PLACE

_ONNXRUNTIME = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |Error in execution: ")

RUNTIME_FAULT = "RuntimeFault"
"""What the client of runners raises where a runtime refuses something (probe/runtimes/runner/client.py)."""

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
    # Dates and times of day.
    (
        re.compile(
            r"(?<![\w/:.-])\d{4}-\d\d-\d\d(?:[T :]\d\d?:\d\d:\d\d(?:[.,]\d+)?(?!\d)|(?![\w-]))|"
            r"(?<![\d:.])\d\d?:\d\d:\d\d(?:[.,]\d+|(?![\d:.]))"
        ),
        "…",
    ),
    # Measured values: three digits after the first dot, which a version does not have.
    (re.compile(r"(?<!\d)\d+(\.\d+)?e[-+]\d+|\b\d+\.\d{3,}"), "…"),
    # What counts nodes, layers and symbolic sizes (node_Reshape_123, layers.0, s0). Other digits within a word say what it
    # is (int8, Conv2d, cp312, sm_80, libcudnn.so.8), as do numbers that stand alone, such as opsets and steps.
    (
        re.compile(
            r"(?<=[_/])(?<!sm_)(?<!compute_)(?<!x86_)(?<!opset_)(?<!version_)\d+(?=[^.\d]|$)|"
            r"(?<=[A-Za-z_]\.)(?<!\.so\.)\d+\b|(?<=\b[su])(?<![<>|=][su])\d+\b"
        ),
        "…",
    ),
)

_SET = re.compile(r"\{([^{}:]{1,4000})\}")


@functools.cache
def normalised(message: str) -> str:
    """`message` without paths, addresses, shapes, node numbers and measured values."""
    message = " ".join(message.split())
    for pattern, replacement in _REPLACEMENTS:
        message = pattern.sub(replacement, message)
    return " ".join(_SET.sub(_sorted, message).split())


def _sorted(found: re.Match[str]) -> str:
    """A set in the order of its elements: Python's own follows hashes, which differ from process to process."""
    return f"{{{', '.join(sorted(found[1].split(', ')))}}}"


def first_failure(results: Iterable[StageResult]) -> StageResult:
    """The first of `results` that does not work; there is one."""
    return next(result for result in results if not result.ok)


def failure_kind(result: StageResult) -> tuple[Stage, str]:
    """What failures that count as one have in common: stage and signature."""
    return result.stage, signature(result.stage, result.error) if result.error else ""


def signature(stage: Stage, failure: Failure) -> str:
    """A short fingerprint that equal faults share."""
    kind, text = _words(failure)
    return digest([stage, kind, _SEVERAL.sub(_VARIES, text)])[:12]


_VARIES = "…"
_SEVERAL = re.compile(r"…(?: …)+")


def shared_words(one: Failure, other: Failure) -> tuple[str, str]:
    """What class and message of two failures have in common, word by word; see `Failure.shared`."""
    (kind, text), (other_kind, other_text) = _words(one), _words(other)
    return kind if kind == other_kind else _VARIES, " ".join(_common(text.split(), other_text.split()))


def _words(failure: Failure) -> tuple[str, str]:
    """Class and message of a failure, as far as they identify it."""
    # onnxruntime's classes of exceptions depend on the API, not on the fault.
    by_runtime = failure.type == RUNTIME_FAULT or _ONNXRUNTIME.search(failure.message)
    kind = "onnxruntime" if by_runtime else failure.type
    return failure.shared or (kind, normalised(failure.message))


def _common(one: Sequence[str], other: Sequence[str]) -> Sequence[str]:
    """The words of both that stand at the same places, counted from the start and, if there are more in one, from the end."""
    if len(one) == len(other):
        return [word if word == second else _VARIES for word, second in zip(one, other, strict=True)]
    start = _alike(one, other)
    end = _alike(one[start:][::-1], other[start:][::-1])
    return [*one[:start], _VARIES, *one[len(one) - end :]]


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words of both are the same, from the first on."""
    return next(
        (place for place, (word, second) in enumerate(zip(one, other, strict=False)) if word != second),
        len(min(one, other, key=len)),
    )
