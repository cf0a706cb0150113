"""Files and feeds that no version mends."""

from __future__ import annotations

from collections.abc import Iterator

from harness.decide.misuse_refusals import MisuseRefusal
from harness.decide.model_support import Reading
from harness.model import Stage
from harness.report.page import Span, Text
from harness.report.pages.refusals.interface import RefusalWords
from harness.report.readings import STATUS, ranges
from harness.stack import RUNTIME

_BUILD = "absent-provider"
"""The way that is about the build, and not about a file or a feed."""


def _reason(refusal: MisuseRefusal) -> str:
    return ", or ".join(refusal.what)


def _lines(refusal: MisuseRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    taking = [version for version, reading in refusal.readings.items() if reading is Reading.READS]
    if not taking:
        other = "another build may have it" if _BUILD in refusal.ways else "another version does not mend it"
        measured = f"{len(versions)} measured {RUNTIME}s ({versions[0]} to {versions[-1]})"
        yield Span(
            f"each of the {measured} refuses this or warns of it: {other}",
            status=STATUS[Reading.REFUSES],
        )
    else:
        refusing = [version for version in versions if version not in taking]
        yield Span(f"{RUNTIME} {', '.join(ranges(versions, taking))} took it without a word", status=STATUS[Reading.READS])
        yield Span(f"{RUNTIME} {', '.join(ranges(versions, refusing))} did not", status=STATUS[Reading.REFUSES])
    if refusal.stage is Stage.LOAD and _BUILD not in refusal.ways:
        yield "measured in this way; what else leaves no whole model in that place may say the same"
    if len(refusal.saying) < len(versions):
        yield f"in these words: {RUNTIME} {', '.join(ranges(versions, refusal.saying))}"


WORDS = RefusalWords(
    stage=None,
    basis="measured with a model of two nodes that was misused in this way, with the wheels for CPUs of PyPI",
    reason=_reason,
    lines=_lines,
)
