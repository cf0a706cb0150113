"""IR versions and opsets that an onnxruntime does not read."""

from __future__ import annotations

from collections.abc import Iterator

from harness import invocation
from harness.decide.runtime_refusals import FormatRefusal
from harness.model import Stage
from harness.report.page import Text, code, joined
from harness.report.pages.refusals.interface import RefusalWords
from harness.report.readings import ranges, sentence
from harness.stack import RUNTIME


def _reason(refusal: FormatRefusal) -> str:
    return f"{_named(refusal, refusal.asked)}, where {refusal.limit} is the largest"


def _named(refusal: FormatRefusal, version: int) -> str:
    """`IR version 10`, `opset 16 of ai.onnx`."""
    name, of, domain = refusal.format.partition(" of ")
    return f"{name} {version}{of}{domain}"


def _lines(refusal: FormatRefusal) -> Iterator[Text]:
    if refusal.readings:
        yield joined(*sentence(refusal.readings, _named(refusal, refusal.asked)))
    else:
        yield f"this was not measured: {refusal.format}"
    if refusal.saying:
        yield f"the limit {refusal.limit} is that of {RUNTIME} {', '.join(ranges(list(refusal.readings), refusal.saying))}"
    elif refusal.readings:
        versions = list(refusal.readings)
        yield f"no {RUNTIME} with the limit {refusal.limit} was measured; {versions[0]} to {versions[-1]} were"
    if refusal.format == "IR version":
        yield joined(
            f"the stamp can be set to {refusal.limit} if the model uses nothing newer, which the file shows: ",
            code(invocation.command("inspect", "model.onnx")),
        )
    else:
        yield (
            f"for a runtime with this limit it takes an export with at most {refusal.limit}: another number in the file "
            "leaves the operators what they are"
        )


WORDS = RefusalWords(
    stage=Stage.LOAD,
    basis="measured with models of one node on the CPU, and of the kernels that each release names (docs/inspect.md)",
    reason=_reason,
    lines=_lines,
)
