"""What a refusal says about the remedies of a known message with other numbers."""

from __future__ import annotations

from pathlib import Path

from values import report, reported_cell, reported_variant

from harness.decide.known_messages import causes, known_messages
from harness.decide.lookup import recognised
from harness.decide.model_support import Reading
from harness.decide.refusals import admits
from harness.decide.runtime_refusals import FormatRefusal
from harness.model import Cause, Certainty, Stage, Status
from harness.published_reports import Published


def ir(asked: int) -> str:
    return f"Unsupported model IR version: {asked}, max supported IR version: 9"


def refusal(asked: int) -> FormatRefusal:
    largest = {"1.16.3": 9, "1.18.1": 10, "1.20.1": 10}
    readings = {version: Reading.READS if asked <= ir else Reading.REFUSES for version, ir in largest.items()}
    return FormatRefusal(format="IR version", asked=asked, limit=9, saying=("1.16.3",), readings=readings)


def remedies(asked: int) -> list[str]:
    """Those of the message that was measured with 10, for a text with another number."""
    fails = reported_variant(
        Status.FAILS,
        Stage.LOAD,
        error=ir(10),
        cause=Cause.FORMAT_GATE,
        certainty=Certainty.PROVEN,
        remedy="onnxruntime 1.18.0",
        remedies=["onnxruntime 1.18.0", "onnxruntime 1.20.1", "onnxruntime 1.21.0", "ir-version 9"],
    )
    known = known_messages([Published(name="matrix", path=Path("matrix.json"), report=report(reported_cell(fails)))])
    (match,) = recognised(ir(asked), known)
    return list(causes(match.failures, {}, admits(match, [refusal(asked)]))[0].remedies)


def test_a_runtime_that_was_measured_to_refuse_is_no_remedy():
    # 1.21.0 came after all that were measured, so nothing speaks against it; 1.18.0 came before one that refuses.
    assert remedies(11) == ["onnxruntime 1.21.0", "ir-version 9"]


def test_what_was_run_with_the_numbers_of_the_text_stays():
    assert remedies(10) == ["onnxruntime 1.18.0", "onnxruntime 1.20.1", "onnxruntime 1.21.0", "ir-version 9"]
