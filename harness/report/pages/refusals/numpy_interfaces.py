"""C interfaces of numpy that a compiled module does not find."""

from __future__ import annotations

from collections.abc import Iterator

from harness.decide.model_support import Reading
from harness.decide.numpy_refusals import NumpyRefusal
from harness.model import Stage
from harness.report.page import Span, Text
from harness.report.pages.refusals.interface import RefusalWords
from harness.report.readings import STATUS, ranges


def _reason(refusal: NumpyRefusal) -> str:
    return f"a module was compiled for numpy's C {refusal.part} {refusal.asked:#x}, and this numpy has {refusal.found:#x}"


def _lines(refusal: NumpyRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    if large := [version for version, reading in refusal.readings.items() if reading is Reading.READS]:
        named = ", ".join(ranges(versions, large, later=False))
        more = " or more" if refusal.part == "API" else ""
        yield Span(f"take a numpy with {refusal.asked:#x}{more}: {named}", status=STATUS[Reading.READS])
    elif versions:
        yield f"no measured numpy has {refusal.asked:#x}: {versions[0]} to {versions[-1]} were measured"
    else:
        yield f"no numpy with {refusal.found:#x} was measured"
    if refusal.having:
        yield f"{refusal.found:#x} is that of numpy {', '.join(ranges(versions, refusal.having, later=False))}"
    yield "or another release of what was compiled: the traceback names it"
    yield f"{len(versions)} releases were read, one of each minor version" if versions else "none was read"


WORDS = RefusalWords(
    stage=Stage.IMPORT, basis="read from the headers of each release, of which nothing was run", reason=_reason, lines=_lines
)
