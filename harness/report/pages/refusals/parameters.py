"""Parameters that a function does not take."""

from __future__ import annotations

from collections.abc import Iterator

from harness.decide.model_support import Reading
from harness.decide.parameter_refusals import ParameterRefusal
from harness.report.page import Span, Text
from harness.report.pages.refusals import names
from harness.report.pages.refusals.interface import RefusalWords
from harness.report.readings import STATUS, ranges


def _reason(refusal: ParameterRefusal) -> str:
    return f"this {refusal.package} has no parameter {refusal.parameter} of {refusal.module}.{refusal.function}"


def _lines(refusal: ParameterRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    for reading, verb in ((Reading.READS, "take"), (Reading.REFUSES, "do not take")):
        own = [version for version, found in refusal.readings.items() if found is reading]
        if own:
            yield Span(f"{refusal.package} {', '.join(ranges(versions, own))}: {verb} it", status=STATUS[reading])
    yield f"{len(versions)} releases with that function were looked at, {versions[0]} to {versions[-1]}"
    yield f"take a release of {refusal.package} that has it, or one of what calls it that does not, or leave it out of the call"


WORDS = RefusalWords(stage=None, basis=names.WORDS.basis, reason=_reason, lines=_lines)
