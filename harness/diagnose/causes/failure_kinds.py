"""The kind and the place of a failure in a runtime, read off its message. Pure.

Two runtimes that share no code prove something about an artifact only if they fail in the same way at the same place.
A missing implementation of an operator or an element type is a property of the runtime alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from math import isclose

from packaging.utils import canonicalize_name

from harness.model import Stage
from harness.verdicts.messages import is_above
from harness.verdicts.signature import normalised


class Reason(StrEnum):
    """The reason of a failure in a runtime."""

    LIMIT = "not implemented"
    """The runtime has no implementation for the operator or the element type."""
    CRASH = "crash"
    """The process died."""
    TYPE = "element types"
    GRAPH = "graph"
    """The graph is not well-formed, or requires something that no runtime has."""
    SIZE = "sizes"
    """Shapes, sizes and indices do not fit each other."""
    VALUE = "values"
    """The results differ from PyTorch's."""
    OTHER = "other"


_REASONS: tuple[tuple[Reason, re.Pattern[str]], ...] = (
    (
        Reason.LIMIT,
        re.compile(
            r"NOT_IMPLEMENTED|Could not find an implementation|NotImplemented|[Nn]ot (?:yet )?implemented|"
            r"(?:not|n't) (?:yet |currently )?support|[Uu]nsupported|did not contain a loop with signature|"
            # The evaluator, of an element type that numpy does not know.
            r"RuntimeTypeError|data type '\w+' not understood|[Cc]annot interpret '[^']{0,200}' as a data type"
        ),
    ),
    (Reason.CRASH, re.compile(r"\bSIG[A-Z]{3,}\b|[Ss]egmentation fault")),
    (
        Reason.TYPE,
        re.compile(r"Type Error|tensor\(\w+\)|[Uu]nexpected input data type|dtype|data type|must be of integer|type mismatch"),
    ),
    (
        Reason.GRAPH,
        re.compile(
            r"INVALID_GRAPH|[Ii]nvalid (?:model|graph)|not a valid model|Unrecognized attribute|No Op registered|"
            r"is not a registered|asks for|not output of any|is not output by|[Dd]uplicate|acyclic|no case offers"
        ),
    ),
    (
        Reason.SIZE,
        re.compile(r"[Dd]imension|[Ss]hape|[Ss]ize|broadcast|out of (?:data )?bounds|\brank\b|\baxis\b|concatenat"),
    ),
)

_PLACES = (
    re.compile(r"while running (\w+) node"),
    re.compile(r"\bOp \((\w+)\)"),
    re.compile(r"operator \((\w+)\)"),
    re.compile(r"implementation for (\w+)\("),
    re.compile(r"\b([A-Z]\w+) node '"),
    re.compile(r"dimensions for input: (\S+)"),
)
"""Where messages name the operator, or the graph's input, at which a runtime fails."""

_NODES = re.compile(r"\bnode(?:\. Name:)? ?'([^']+)'")
"""Where messages name nodes, the outermost first."""

_STEP = re.compile(r"^case .*?, step \d+: ", re.DOTALL)
_AMOUNT = re.compile(r"\bby (?:up to )?(\d+(?:\.\d+)?(?:e[-+]?\d{1,3})?)")
_SUBJECT = re.compile(r"(?P<output>[^:]*): (?:\d+ of \d+ )?(?P<sort>values are|values differ|shape .*|dtype .*)")
"""The probe's message about an output that differs (probe/compare.py)."""
_ALIKE = 0.05
"""Relative difference between two deviations from PyTorch that count as the same deviation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeFailure:
    """One failure of an artifact in one runtime."""

    stage: Stage
    reason: Reason
    place: str | None
    """Operator or graph input at which it failed, at parity the output that differs; None if the message names none."""
    words: str
    """The message without the parts that vary from run to run."""
    amount: float | None = None
    """Largest deviation from PyTorch, at parity."""
    node: str | None = None
    """The name of the innermost node in the message."""

    def same(self, other: RuntimeFailure) -> bool:
        """Whether both are of one kind at one place; never for a missing implementation or a crash."""
        if self.reason in _OWN or other.reason in _OWN or self.reason is not other.reason:
            return False
        if self.place == other.place and self.node and other.node and self.node != other.node:
            # Two nodes of one operator are two places. A fused one has a name of its own.
            return False
        if self.reason is Reason.VALUE:
            equal = bool(self.words) and (self.place, self.words) == (other.place, other.words)
            return equal and _alike(self.amount, other.amount)
        if self.reason is Reason.OTHER:
            # A message without reason and place may have any cause.
            return bool(self.words) and self.words == other.words and _same_place(self.place, other.place)
        return self.words == other.words or _same_place(self.place, other.place)


_OWN = {Reason.LIMIT, Reason.CRASH}
"""Reasons that concern the runtime alone."""


def failure_of(stage: Stage, message: str, operator: str | None = None) -> RuntimeFailure:
    """The failure behind `message` at `stage`; `operator` is the failing one, if it is known."""
    text = _STEP.sub("", " ".join(message.split()))
    if stage is Stage.PARITY:
        return _deviation(text)
    reason = next((reason for reason, pattern in _REASONS if pattern.search(text)), Reason.OTHER)
    named = next((found[1] for pattern in _PLACES if (found := pattern.search(text))), None)
    node = next(reversed(_NODES.findall(text)), None)
    return RuntimeFailure(stage=stage, reason=reason, place=operator or named, words=normalised(text), node=node)


def import_of(message: str) -> str | None:
    """The package with the failed import, as the message names it, spelt as a distribution."""
    found = _IMPORTED.match(message)
    return canonicalize_name(found[1]) if found else None


_IMPORTED = re.compile(r"import (\w+): ")
"""How the probe's messages name the package (probe/imports.py)."""


def against(opinion: str) -> RuntimeFailure | None:
    """The failure in an opinion, if it may be held against the artifact; None if the artifact is above that runtime."""
    if not opinion.startswith("fails at ") or is_above(opinion):
        return None
    end, _, message = opinion.partition(": ")
    found = failure_of(Stage(end.removeprefix("fails at ")), message)
    return None if found.reason is Reason.LIMIT else found


def _deviation(text: str) -> RuntimeFailure:
    amount, subject = _AMOUNT.search(text), _SUBJECT.match(text)
    return RuntimeFailure(
        stage=Stage.PARITY,
        reason=Reason.VALUE,
        place=subject["output"] if subject else None,
        words=subject["sort"] if subject else normalised(_AMOUNT.sub("", text)),
        amount=float(amount[1]) if amount else None,
    )


def _same_place(mine: str | None, theirs: str | None) -> bool:
    """Whether two operators are the same, or one is fused from the other: FusedMatMul, MatMul."""
    return bool(mine and theirs) and _unfused(str(mine)) == _unfused(str(theirs))


def _unfused(operator: str) -> str:
    return _FUSION.sub("", operator) or operator


_FUSION = re.compile(r"^(?:Fused|Skip|Simplified|Nhwc|Bias|Fast|Quick)+|(?:Bias|Activation)+$")
"""Parts that onnxruntime adds to the name of a fused operator: FusedMatMul, SkipLayerNormalization."""


def _alike(mine: float | None, theirs: float | None) -> bool:
    return mine == theirs if mine is None or theirs is None else isclose(mine, theirs, rel_tol=_ALIKE)
