"""Names that a package does not define."""

from __future__ import annotations

from collections.abc import Iterator

from harness.decide.model_support import Reading
from harness.decide.name_refusals import NameRefusal
from harness.report.page import Span, Text, code, joined
from harness.report.pages.refusals.interface import RefusalWords
from harness.report.readings import STATUS, ranges
from harness.stack import module_of

_NO_WHOLE = (
    "so it was a release that is older than these, or no whole one: a file or a folder of the program with this name, or an "
    "installation of which another distribution with the same folder has removed files"
)


def _reason(refusal: NameRefusal) -> str:
    if set(refusal.readings.values()) == {Reading.READS}:
        other = "" if module_of(refusal.package) != refusal.package else ", and what was imported has not"
        return f"{refusal.package} has {_missing(refusal)}{other}"
    unimported = ", or nothing has imported it" if refusal.unimported else ""
    return f"this {refusal.package} has no {_missing(refusal)}{unimported}"


def _missing(refusal: NameRefusal) -> str:
    """`torch.compiler`, or `module optimum.exporters`."""
    return f"module {refusal.module}" if refusal.name is None else f"{refusal.module}.{refusal.name}"


def _lines(refusal: NameRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    for reading, (one, several) in ((Reading.READS, ("has", "have")), (Reading.REFUSES, ("lacks", "lack"))):
        own = [version for version, found in refusal.readings.items() if found is reading]
        if not own:
            continue
        yield Span(
            f"{refusal.package} {', '.join(ranges(versions, own))} {one if len(own) == 1 else several} it",
            status=STATUS[reading],
        )
    yield f"{len(versions)} releases were looked at, {versions[0]} to {versions[-1]}: of older ones nothing is known"
    if refusal.unimported:
        yield joined("with a release that has it, this comes first: ", code(f"import {refusal.module}"))
    if set(refusal.readings.values()) == {Reading.READS}:
        apart = module_of(refusal.package) != refusal.package
        yield f"it is a distribution of its own, which is not installed: {refusal.package}" if apart else _NO_WHOLE
        return
    yield f"two packages do not fit: take a release of {refusal.package} that has it, or one of what asks for it that does not"


WORDS = RefusalWords(
    stage=None, basis="read from the sources of each release, of which nothing was run", reason=_reason, lines=_lines
)
