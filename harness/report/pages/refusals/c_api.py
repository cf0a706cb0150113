"""Versions of onnxruntime's C API that a program calls, and that the library which it loads does not have."""

from __future__ import annotations

from collections.abc import Iterator

from harness.decide.model_support import Reading
from harness.decide.runtime_refusals import ApiRefusal
from harness.report.page import Span, Text
from harness.report.pages.refusals.interface import RefusalWords
from harness.report.readings import STATUS, ranges
from harness.stack import RUNTIME


def _reason(refusal: ApiRefusal) -> str:
    return f"the program calls version {refusal.asked} of {RUNTIME}'s C API, of which its library has {refusal.limit} at most"


def _lines(refusal: ApiRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    if having := [version for version, reading in refusal.readings.items() if reading is Reading.READS]:
        named = ", ".join(ranges(versions, having))
        yield Span(f"load the library of an {RUNTIME} that has version {refusal.asked}: {named}", status=STATUS[Reading.READS])
    elif versions:
        yield f"no measured {RUNTIME} has version {refusal.asked}: {versions[0]} to {versions[-1]} were asked"
    yield f"or have the program call version {refusal.limit} or older: a release of its binding for that, or its option"
    if refusal.having:
        yield f"{refusal.limit} is that of {RUNTIME} {', '.join(ranges(versions, refusal.having, later=False))}"
    yield "which library a program loads is not in this message: another one than that beside it may be found first"


WORDS = RefusalWords(
    stage=None,
    basis="asked of the library of each release, as its wheel or npm's package of the same version brings it",
    reason=_reason,
    lines=_lines,
)
