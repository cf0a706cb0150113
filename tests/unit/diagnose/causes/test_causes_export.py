"""Whose fault a failed export is, by what the same exporter does beside other versions."""

from __future__ import annotations

from values import reported_cell, reported_variant

from harness.diagnose.causes.causes import diagnosed
from harness.model import Stage, Status


def failing(remedy: str | None = None):
    return reported_variant(Status.FAILS, Stage.EXPORT, error="no", error_type="ValueError", exporter="dynamo", remedy=remedy)


def test_a_cell_that_works_with_secondary_pins_shows_the_same_exporter_beside_other_versions():
    """As torch 2.6.0 with onnxscript 0.5.3, which needs an older onnx-ir, and with 0.7.2, for which nothing mends it."""
    pinned = reported_cell(failing("onnx-ir==0.1.10"), torch="2.6.0", onnxscript="0.5.3")
    other = reported_cell(failing("torch 2.9.1"), torch="2.6.0", onnxscript="0.7.2")
    works = reported_cell(reported_variant(exporter="dynamo"), torch="2.9.1", onnxscript="0.7.2")
    first, second, _ = (cell.variants[0] for cell in diagnosed([pinned, other, works]))
    assert (first.cause, first.certainty) == ("version conflict", "proven")
    assert (second.cause, second.certainty) == ("version conflict", "proven")
    assert second.evidence[-1] == (
        f"the same exporter writes the same graph with onnx-ir==0.1.10 in {pinned.id}, "
        "which has onnxscript 0.5.3 instead of 0.7.2"
    )


def test_a_helper_of_the_exporter_holds_no_code_of_a_model():
    """The same without transformers, where any other axis might hold the code of the model."""
    without = {"transformers": None, "torch": "2.6.0"}
    works = reported_cell(reported_variant(exporter="dynamo"), **without, onnxscript="0.5.3")
    fails = reported_cell(failing("onnxscript 0.5.3"), **without, onnxscript="0.5.4")
    last = reported_cell(failing("torch 2.9.1"), **without, onnxscript="0.7.2")
    _, first, second = (cell.variants[0] for cell in diagnosed([works, fails, last]))
    assert (first.cause, first.certainty) == ("version conflict", "proven")
    assert first.evidence[-1] == "with onnxscript 0.5.3 alone it writes the same graph"
    assert (second.cause, second.certainty) == ("version conflict", "proven")
    assert second.evidence[-1] == (
        f"the same exporter writes the same graph in {works.id}, which has onnxscript 0.5.3 instead of 0.7.2"
    )
    # Of a distribution that may hold the model's code, the same proves nothing against it.
    works = reported_cell(reported_variant(exporter="dynamo"), **without, timm="1.0.0")
    fails = reported_cell(failing("timm 1.0.0"), **without, timm="1.0.1")
    found = diagnosed([works, fails])[1].variants[0]
    assert (found.cause, found.certainty) == ("exporter", "proven")


def test_another_torch_alone_is_another_exporter():
    other = reported_cell(failing("torch 2.9.1"), torch="2.6.0", onnxscript="0.7.2")
    works = reported_cell(reported_variant(exporter="dynamo"), torch="2.9.1", onnxscript="0.7.2")
    found = diagnosed([other, works])[0].variants[0]
    assert (found.cause, found.certainty) == ("exporter", "proven")


def test_another_torch_with_a_pin_besides_is_two_differences():
    other = reported_cell(failing(), torch="2.6.0")
    pinned = reported_cell(failing("numpy<2"), torch="2.9.1")
    found = diagnosed([other, pinned, reported_cell(python="3.12")])[0].variants[0]
    assert (found.cause, found.certainty) == ("exporter", "likely")
