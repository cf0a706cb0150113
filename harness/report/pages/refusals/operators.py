"""Operators that an onnxruntime has no kernel for, or not for a type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from harness.decide.model_support import Reading
from harness.decide.runtime_refusals import OperatorRefusal, Takes
from harness.model import Stage
from harness.report.page import Span, Text, joined
from harness.report.pages.refusals import formats
from harness.report.pages.refusals.interface import RefusalWords
from harness.report.readings import STATUS, ranges
from harness.stack import RUNTIME


def _reason(refusal: OperatorRefusal) -> str:
    if refusal.type:
        return f"{refusal.operator} does not take {refusal.type}"
    return f"no kernel for {_operator(refusal.operator, refusal.since)}"


def _lines(refusal: OperatorRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    if refusal.type and versions and set(refusal.readings.values()) == {Reading.READS}:
        yield (
            f"each of the {len(versions)} measured {RUNTIME}s has a kernel of {refusal.operator} for {refusal.type}: "
            "the form of the model's opset does not take it, or not here; a later one may. Sizes and indices are tensor(int64)"
        )
        taking = sorted({taken.since for taken in refusal.takes if not taken.types or refusal.type in taken.types})
        if {*taking} != {taken.since for taken in refusal.takes}:
            yield f"the forms that have such a kernel: {', '.join(_operator(refusal.operator, since) for since in taking)}"
        return
    if refusal.type:
        yield joined(*_taking(refusal))
    for since, forms in groupby(refusal.takes, key=lambda taken: taken.since):
        yield from (_kernels(refusal.operator, since, taken, versions) for taken in forms)
    without = [version for version in versions if not any(version in taken.runtimes for taken in refusal.takes)]
    if without:
        named = "each of them" if without == versions else ", ".join(ranges(versions, without))
        yield Span(
            f"no kernel of {_operator(refusal.operator, refusal.since)} in {named} ({len(versions)} measured)",
            status=STATUS[Reading.REFUSES],
        )
    if without == versions and refusal.later:
        later = ", ".join(_operator(refusal.operator, since) for since in refusal.later)
        yield f"there are kernels of {later}: a model of opset {refusal.later[0]} or later has one of these forms"
    if versions:
        yield f"releases before {versions[0]} list no kernels: of them nothing is known"
    if not refusal.type and refusal.castable:
        yield "the text does not say for which type: a model with another one takes a Cast before and behind this node"


def _taking(refusal: OperatorRefusal) -> Iterator[Span | str]:
    """Which releases have a kernel for the type that the text names."""
    reading = [version for version, found in refusal.readings.items() if found is Reading.READS]
    count = len(refusal.readings)
    if not reading:
        yield Span(f"none of the {count} measured {RUNTIME}s has a kernel for {refusal.type}", status=STATUS[Reading.REFUSES])
    else:
        where = ", ".join(ranges(list(refusal.readings), reading))
        yield Span(f"{RUNTIME} {where} has a kernel for {refusal.type} ({count} measured)", status=STATUS[Reading.READS])


def _kernels(operator: str, since: int, taken: Takes, versions: Sequence[str]) -> str:
    types = ", ".join(taken.types) or "any type"
    return f"{_operator(operator, since)} takes {types}: {', '.join(ranges(versions, taken.runtimes))}"


def _operator(name: str, since: int | None) -> str:
    """`EyeLike-9`: an operator, and the opset that brought its form."""
    return name if since is None else f"{name}-{since}"


WORDS = RefusalWords(stage=Stage.LOAD, basis=formats.WORDS.basis, reason=_reason, lines=_lines)
