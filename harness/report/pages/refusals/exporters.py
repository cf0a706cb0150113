"""Operators that an exporter of torch does not translate."""

from __future__ import annotations

from collections.abc import Iterator

from harness.decide.exporter_refusals import ExporterRefusal
from harness.decide.model_support import Reading
from harness.model import Stage
from harness.report.page import Span, Text
from harness.report.pages.refusals.interface import RefusalWords
from harness.report.readings import STATUS, ranges


def _reason(refusal: ExporterRefusal) -> str:
    return f"the {refusal.exporter} exporter found no translation of {_exported(refusal)}"


def _exported(refusal: ExporterRefusal) -> str:
    """`aten::diff with opset 11`."""
    return refusal.operator if refusal.opset is None else f"{refusal.operator} with opset {refusal.opset}"


def _lines(refusal: ExporterRefusal) -> Iterator[Text]:
    versions = list(refusal.readings)
    having = {version for version, reading in refusal.readings.items() if reading is Reading.READS}
    beside = f", with onnxscript {', '.join(refusal.onnxscripts)}" if refusal.onnxscripts else ""
    measured = f"({versions[0]} to {versions[-1]} measured{beside})" if versions else "(none measured)"
    if having:
        where = ", ".join(ranges(versions, having))
        yield Span(f"torch {where} has a translation of {_exported(refusal)} {measured}", status=STATUS[Reading.READS])
    else:
        yield Span(f"no torch has a translation of {_exported(refusal)} {measured}", status=STATUS[Reading.REFUSES])
    if having and having == {*versions}:
        other = "another onnxscript may lack it, " if refusal.onnxscripts else ""
        yield (
            f"each of them has one: a torch before {versions[0]}, which was not measured, may lack it, {other}or its types or "
            "its arguments are what fails"
        )
    for first in sorted({*refusal.first_opsets.values()}):
        if refusal.opset is not None and first > refusal.opset:
            later = {version for version, own in refusal.first_opsets.items() if own == first}
            yield Span(f"from opset {first} on: torch {', '.join(ranges(versions, later))}", status=STATUS[Reading.READS])
    for name, having_function in refusal.functions.items():
        yield f"the dynamo exporter has a function for {name}: torch {', '.join(ranges(versions, having_function))}"


WORDS = RefusalWords(
    stage=Stage.EXPORT,
    basis="asked of the exporters of each torch, without an export: a translation may still refuse certain arguments",
    reason=_reason,
    lines=_lines,
)
