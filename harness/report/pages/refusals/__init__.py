"""What a refusal in a pasted text comes to, as a section of the page of `lookup`; a file here for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.decide.exporter_refusals import ExporterRefusal
from harness.decide.missing_releases import MissingRelease
from harness.decide.misuse_refusals import MisuseRefusal
from harness.decide.model_support import Reading
from harness.decide.name_refusals import NameRefusal
from harness.decide.numpy_refusals import NumpyRefusal
from harness.decide.parameter_refusals import ParameterRefusal
from harness.decide.refusals import Refusal
from harness.decide.runtime_refusals import ApiRefusal, FormatRefusal, OperatorRefusal
from harness.decide.version_conflicts import VersionConflict
from harness.report.page import Block, Section, Span, items
from harness.report.pages.refusals import (
    c_api,
    exporters,
    formats,
    misuse,
    names,
    numpy_interfaces,
    operators,
    parameters,
    versions,
)
from harness.report.pages.refusals.interface import RefusalWords
from harness.report.readings import STATUS

WORDS: dict[type[Refusal], RefusalWords[Any]] = {
    FormatRefusal: formats.WORDS,
    ApiRefusal: c_api.WORDS,
    OperatorRefusal: operators.WORDS,
    ExporterRefusal: exporters.WORDS,
    NameRefusal: names.WORDS,
    ParameterRefusal: parameters.WORDS,
    NumpyRefusal: numpy_interfaces.WORDS,
    VersionConflict: versions.CONFLICT,
    MissingRelease: versions.MISSING,
    MisuseRefusal: misuse.WORDS,
}


def title(refusal: Refusal) -> str:
    """Where it fails, if that is known, and why: `fails at load: IR version 10, where 9 is the largest`."""
    words = WORDS[type(refusal)]
    return f"fails at {words.stage}: {words.reason(refusal)}" if words.stage else f"fails: {words.reason(refusal)}"


def sections(refusals: Sequence[Refusal]) -> list[Block]:
    """A section for each refusal."""
    return [_section(refusal) for refusal in refusals]


def _section(refusal: Refusal) -> Section:
    words = WORDS[type(refusal)]
    title = Span(words.reason(refusal), status=STATUS[Reading.REFUSES])
    return Section(title=title, blocks=[items(*words.lines(refusal), words.basis)])
