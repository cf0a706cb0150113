"""What others made of an artifact tells whose fault it is."""

from __future__ import annotations

import pytest
from values import reported_cell, reported_variant

from harness.diagnose.causes import diagnosed
from harness.model import Stage, Status

EVALUATOR, NEWEST = "onnx.reference", "onnxruntime 1.32.0"
WORKS, FAILS = "works", "fails at decode: no"
ABOVE = "fails at load: Unsupported model IR version: 14, max supported IR version: 10"
SILENT = "not-run at load: the reference evaluator of onnx 1.16.2 does not implement what the graph uses"
TROUBLE = "error at load: the harness failed here"
GATE = "ir-above-runtime: IR version 10; onnxruntime 1.16.3 runs up to 9"


def told(stage: Stage = Stage.DECODE, *others, **given) -> tuple[str | None, str]:
    """(cause, certainty) of one variant that fails at `stage`, in a cell that has a working one too."""
    failed = reported_variant(Status.FAILS, stage, error="no", signature="s", **given)
    (cell,) = diagnosed([reported_cell(failed, *others, reported_variant(layout="pair", exporter="dynamo"))])
    return cell.variants[0].cause, cell.variants[0].certainty


@pytest.mark.parametrize(
    ("opinions", "cause", "certainty"),
    [
        ({EVALUATOR: WORKS, NEWEST: WORKS}, "runtime", "proven"),
        ({EVALUATOR: FAILS, NEWEST: WORKS}, "runtime", "likely"),
        ({EVALUATOR: SILENT, NEWEST: WORKS}, "runtime", "likely"),
        ({EVALUATOR: WORKS, NEWEST: FAILS}, "runtime", "likely"),
        ({EVALUATOR: WORKS}, "runtime", "likely"),
        ({EVALUATOR: FAILS, NEWEST: FAILS}, "exporter", "proven"),
        ({EVALUATOR: FAILS, NEWEST: ABOVE}, "exporter", "proven"),
        ({EVALUATOR: FAILS}, "exporter", "proven"),
        ({EVALUATOR: SILENT, NEWEST: FAILS}, "exporter", "likely"),
        ({EVALUATOR: SILENT, NEWEST: ABOVE}, None, "open"),
        ({EVALUATOR: TROUBLE}, None, "open"),
        ({}, None, "open"),
    ],
)
@pytest.mark.parametrize("stage", [Stage.LOAD, Stage.DECODE, Stage.PARITY])
def test_two_runtimes_tell_an_exporters_fault_from_a_runtimes(stage, opinions, cause, certainty):
    assert told(stage, opinions=opinions) == (cause, certainty)


@pytest.mark.parametrize("changed", ["feedback keep-cross", "binding numpy", "feedback keep-cross, binding numpy"])
@pytest.mark.parametrize("opinions", [{}, {EVALUATOR: FAILS, NEWEST: FAILS}, {EVALUATOR: WORKS}])
def test_what_works_when_it_is_consumed_otherwise_is_the_consumers_fault(changed, opinions):
    assert told(opinions=opinions, controls={changed: WORKS, "feedback feed-all": FAILS}) == ("consumer protocol", "proven")


def test_what_another_onnxruntime_runs_in_the_same_way_is_not_the_consumers_fault():
    controls = {"binding numpy": WORKS}
    assert told(opinions={EVALUATOR: WORKS, NEWEST: WORKS}, controls=controls) == ("runtime", "proven")


def test_another_consumer_that_fails_too_says_nothing():
    assert told(opinions={EVALUATOR: FAILS}, controls={"feedback feed-all": FAILS}) == ("exporter", "proven")


@pytest.mark.parametrize(
    ("signature", "certainty"), [("s", "proven"), ("other", "likely")], ids=["the same fault", "another fault"]
)
def test_a_fault_that_the_other_feedback_has_too_is_that_ones(signature, certainty):
    kept = reported_variant(Status.FAILS, Stage.PARITY, error="no", signature=signature, opinions={EVALUATOR: FAILS})
    found = told(Stage.DECODE, kept, feedback="feed-all", opinions={EVALUATOR: WORKS}, controls={"feedback keep-cross": FAILS})
    assert found == ("exporter", certainty)


@pytest.mark.parametrize(
    ("stage", "given", "cause", "certainty"),
    [
        (Stage.LOAD, {"findings": [GATE]}, "format gate", "proven"),
        (Stage.LOAD, {"findings": [GATE], "error": ABOVE}, "format gate", "proven"),
        (Stage.LOAD, {"error": ABOVE}, "format gate", "likely"),
        (Stage.DECODE, {"findings": [GATE], "opinions": {NEWEST: WORKS}}, "format gate", "likely"),
        (Stage.DECODE, {"findings": [GATE], "opinions": {EVALUATOR: FAILS}}, "exporter", "proven"),
    ],
)
def test_a_stamp_above_the_runtime_is_a_gate(stage, given, cause, certainty):
    failed = reported_variant(Status.FAILS, stage, **{"error": "no", "signature": "s", **given})
    (cell,) = diagnosed([reported_cell(failed, reported_variant(exporter="dynamo"))])
    assert (cell.variants[0].cause, cell.variants[0].certainty) == (cause, certainty)


def test_findings_are_told_once_for_each_kind():
    findings = ["frozen-dimension: axis 0 is 3", "frozen-dimension: axis 1 is 5", "unnamed-dimension: axis 2", GATE]
    failed = reported_variant(Status.FAILS, Stage.DECODE, error="no", findings=findings, opinions={EVALUATOR: FAILS})
    (cell,) = diagnosed([reported_cell(failed, reported_variant(exporter="dynamo"))])
    assert cell.variants[0].evidence[2:] == ["the graph has a frozen-dimension: axis 0 is 3 (and 1 more)"]


def test_diagnosing_twice_changes_nothing():
    failed = reported_variant(Status.FAILS, Stage.DECODE, error="no", signature="s", controls={"model t5": WORKS})
    once = diagnosed([reported_cell(failed), reported_cell(failed, onnx="1.17.0")])
    assert [cell.variants[0].cause for cell in once] == ["architecture"] * 2
    assert diagnosed(once) == once
