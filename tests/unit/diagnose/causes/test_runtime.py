"""What others made of an artifact tells whose fault it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import reported_cell, reported_variant

from harness.diagnose.causes.causes import diagnosed
from harness.diagnose.causes.failure_kinds import failure_of
from harness.model import Setup, Stage, Status

EVALUATOR, NEWEST = "onnx.reference", "onnxruntime 1.32.0"
NO = "while running Gather node: no"
WORKS, FAILS = "works", f"fails at decode: {NO}"
ABOVE = "fails at load: Unsupported model IR version: 14, max supported IR version: 10"
SILENT = "not-run at load: the reference evaluator of onnx 1.16.2 does not implement what the graph uses"
TROUBLE = "error at load: the harness failed here"
GATE = "ir-above-runtime: IR version 10; onnxruntime 1.16.3 runs up to 9"


def told(stage: Stage = Stage.DECODE, *others, **given) -> tuple[str | None, str]:
    """(cause, certainty) of one variant that fails at `stage`, in a cell that has a working one too."""
    failed = reported_variant(Status.FAILS, stage, **{"error": NO, "signature": "s", **given})
    # The opinions are those of other cells' runtimes.
    newest = reported_cell(reported_variant(layout="pair", exporter="dynamo"), onnxruntime="1.32.0")
    cell, *_ = diagnosed([reported_cell(failed, *others, reported_variant(layout="pair", exporter="dynamo")), newest])
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
    opinions = {name: text.replace("at decode", f"at {stage}") for name, text in opinions.items()}
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
    alike = {EVALUATOR: f"fails at parity: {NO}"}
    kept = reported_variant(Status.FAILS, Stage.PARITY, error=NO, signature=signature, opinions=alike)
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
    failed = reported_variant(Status.FAILS, stage, **{"error": NO, "signature": "s", **given})
    (cell,) = diagnosed([reported_cell(failed, reported_variant(exporter="dynamo"))])
    assert (cell.variants[0].cause, cell.variants[0].certainty) == (cause, certainty)


OPSET = "opset-above-runtime: opset 20; onnxruntime 1.16.3 runs up to 19"


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({}, "format gate"),
        ({"remedy": "opset 19"}, "format gate"),
        ({"remedy": "onnxruntime 1.17.0"}, "format gate"),
        # The same stamps in the same runtime.
        ({"remedy": "numpy<2"}, "version conflict"),
        ({"remedy": "optimization disabled"}, "runtime"),
        ({"remedy": "binding ortvalue"}, "runtime"),
        ({"controls": {"binding ortvalue": WORKS}}, "runtime"),
        ({"controls": {"model t5": WORKS}}, "format gate"),
    ],
)
def test_a_runtime_that_runs_the_same_stamps_has_no_gate_there(given, cause):
    opinions = {EVALUATOR: WORKS, NEWEST: WORKS}
    assert told(Stage.PARITY, findings=[OPSET], opinions=opinions, **given)[0] == cause


def test_another_option_of_the_session_shows_that_there_is_no_gate():
    other = reported_variant(optimization="disabled")
    assert told(Stage.DECODE, other, findings=[OPSET], opinions={NEWEST: WORKS}) == ("runtime", "proven")


ORT = "[ONNXRuntimeError] : 1 : FAIL : "
BFLOAT = f"net: {ORT}NOT_IMPLEMENTED : Could not find an implementation for MatMul(13) node with name '/MatMul'"
FUSED = f"net: {ORT}Node (Fused_Gemm) Op (Gemm) [ShapeInferenceError] First input does not have rank 2"
BROADCAST = (
    f"case a, step 0: {ORT}Non-zero status code returned while running FusedMatMul node. Name:'a' "
    "Status Message: right operand cannot broadcast on dim 0"
)
FROZEN = (
    f"case a, step 0: {ORT}Got invalid dimensions for input: input_ids for the following indices index: 0 Got: 1 Expected: 3"
)
FLOATS = f"net: {ORT}Type Error: Type 'tensor(float)' of input parameter (i) of operator (GatherND) in node (g) is invalid."
DIFFER, NAN = "case a, step 0: y: 3 of 12 values differ, by up to ", "case a, step 0: y: 3 of 12 values are nan or inf"
NODE = "case a, step 0: {} node 'b' of inputs [[0], [1]]: "
"""How the evaluator says where it failed."""


@pytest.mark.parametrize(
    ("stage", "error", "evaluator", "cause", "certainty"),
    [
        # One kind of failure at one place, in two runtimes that share no code.
        (Stage.LOAD, FLOATS, f"{NODE.format('GatherND')}IndexError: arrays must be of integer type", "exporter", "proven"),
        (Stage.DECODE, BROADCAST, f"{NODE.format('MatMul')}ValueError: could not be broadcast", "exporter", "proven"),
        (Stage.PARITY, f"{DIFFER}0.512", f"{DIFFER}0.513".replace("3 of", "4 of"), "exporter", "proven"),
        (Stage.PARITY, NAN, NAN, "exporter", "proven"),
        # Another place, another amount, another kind.
        (Stage.DECODE, BROADCAST, f"{NODE.format('Concat')}ValueError: dimensions must match", "exporter", "likely"),
        (
            Stage.DECODE,
            BROADCAST.replace("Fused", ""),
            f"{NODE.format('MatMul')}ValueError: could not be broadcast",
            "exporter",
            "likely",
        ),
        (Stage.PARITY, f"{DIFFER}0.5", f"{DIFFER}7.1", "exporter", "likely"),
        (Stage.PARITY, f"{DIFFER}0.5", NAN, "exporter", "likely"),
        (Stage.DECODE, BROADCAST, f"{NODE.format('MatMul')}KeyError: 'x'", None, "open"),
        (Stage.LOAD, FUSED, f"{NODE.format('Gather')}TypeError: only integer arrays", None, "open"),
        # What a runtime does not implement says nothing of the artifact.
        (Stage.LOAD, BFLOAT, f"{NODE.format('MatMul')}RuntimeTypeError: bfloat16 != float32", "runtime", "likely"),
        (Stage.LOAD, BFLOAT, BFLOAT, "runtime", "likely"),
        (
            Stage.DECODE,
            BROADCAST,
            f"{NODE.format('MatMul')}TypeError: ufunc did not contain a loop with signature",
            None,
            "open",
        ),
    ],
)
def test_only_one_kind_of_failure_at_one_place_proves_the_exporter(stage, error, evaluator, cause, certainty):
    elsewhere = Stage.DECODE if stage is Stage.LOAD else stage
    assert told(stage, error=error, opinions={EVALUATOR: f"fails at {elsewhere}: {evaluator}"}) == (cause, certainty)


def at(operator: str, what: str = "cannot broadcast"):
    return failure_of(Stage.DECODE, f"while running {operator} node. {what}" if operator else what)


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        ("MatMul", "MatMul", True),
        ("FusedMatMul", "MatMul", True),
        ("SkipSimplifiedLayerNormalization", "LayerNormalization", True),
        ("BiasGelu", "Gelu", True),
        ("NhwcFusedConv", "Conv", True),
        ("MatMul", "Mul", False),
        ("Max", "ReduceMax", False),
        ("Gather", "GatherND", False),
    ],
)
def test_an_operator_is_the_same_if_it_is_that_or_fused_from_it(mine, theirs, same):
    assert at(mine).same(at(theirs, "dimensions do not match")) is same


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        (at("Gather", "no"), at("Gather", "no"), True),
        (at("Gather", "no"), at("Gather", "never"), False),
        # Of no known reason, and of no place: a bare name, or nothing at all.
        (at("", "KeyError: 'x'"), at("", "KeyError: 'x'"), False),
        (at("", ""), at("", ""), False),
        (failure_of(Stage.PARITY, ""), failure_of(Stage.PARITY, ""), False),
    ],
)
def test_equal_words_without_a_place_prove_nothing(mine, theirs, same):
    assert mine.same(theirs) is same


def test_a_size_that_the_graph_itself_has_frozen_is_the_same_fault_at_two_places():
    elsewhere = f"fails at decode: {NODE.format('GatherND')}IndexError: index 1 is out of bounds for axis 2"
    frozen = ["frozen-dimension: axis 0 of input_ids was asked to be 'batch' and is 3"]
    assert told(error=FROZEN, opinions={EVALUATOR: elsewhere}, findings=frozen) == ("exporter", "proven")
    assert told(error=FROZEN, opinions={EVALUATOR: elsewhere}) == ("exporter", "likely")


def test_what_a_runtime_does_not_implement_and_the_evaluator_runs_is_the_runtimes_fault():
    assert told(Stage.LOAD, error=BFLOAT, opinions={EVALUATOR: WORKS}) == ("runtime", "proven")


@pytest.mark.parametrize(
    ("remedy", "cause", "certainty"),
    [
        # The same artifact in the same runtime.
        ("optimization basic", "runtime", "proven"),
        ("memory-pattern disabled", "runtime", "proven"),
        ("binding ortvalue", "consumer protocol", "proven"),
        # Versions alone; a bound may hold several.
        ("numpy<2", "version conflict", "proven"),
        ("numpy>=1.26,<2", "version conflict", "proven"),
        ("onnx-ir==0.1.10 protobuf<5", "version conflict", "proven"),
        ("onnx 1.16.2", "version conflict", "proven"),
        ("onnxruntime 1.18.1", "runtime", "likely"),
        # Another exporter, or another graph, tells what the evaluator told.
        ("torch 2.1.1", "exporter", "proven"),
        ("transformers 4.40.0", "exporter", "proven"),
        ("opset 18", "exporter", "proven"),
        ("numpy<2, ir-version 9", "exporter", "proven"),
        ("of another day", "exporter", "proven"),
    ],
)
def test_a_remedy_is_evidence_because_it_was_run_on_this_variant(remedy, cause, certainty):
    assert told(opinions={EVALUATOR: FAILS}, remedy=remedy) == (cause, certainty)


def test_every_remedy_that_was_run_is_evidence_and_not_the_cheapest_alone():
    several = ["exporter dynamo", "optimization basic (also disabled)"]
    assert told(opinions={EVALUATOR: SILENT}, remedy=several[0], remedies=several) == ("runtime", "proven")
    assert told(opinions={EVALUATOR: SILENT}, remedy=several[0]) != ("runtime", "proven")


def test_another_torch_that_works_makes_the_exporter_likely():
    assert told(opinions={EVALUATOR: SILENT}, remedy="torch 2.1.1") == ("exporter", "likely")
    assert told(opinions={EVALUATOR: SILENT}) == (None, "open")


def test_another_stamp_on_the_same_graph_proves_the_gate():
    assert told(Stage.LOAD, error=ABOVE, remedy="ir-version 9") == ("format gate", "proven")
    assert told(Stage.LOAD, error=NO, remedy="ir-version 9") != ("format gate", "proven"), "a stamp has a meaning, too"


@pytest.mark.parametrize("rule", ["frozen-dimension", "dimension-bound-twice"])
def test_an_option_that_avoids_a_false_promise_of_the_graph_does_not_prove_the_runtime(rule):
    found = told(remedy="memory-pattern disabled", findings=[f"{rule}: 'past' stands for 3 and for 4 in one call"])
    assert found == ("exporter", "likely")


def test_the_matrixs_own_variant_with_another_option_proves_the_runtime_too():
    other = reported_variant(optimization="disabled")
    assert told(Stage.DECODE, other, opinions={EVALUATOR: SILENT}) == ("runtime", "proven")


class TestTheSameArtifactInAnotherCell:
    """Cells that differ in their onnxruntime alone run the same artifact."""

    def diagnose(self, opinions=None, *, requires=(), optimum: str | None = None, **other: str) -> tuple[str | None, str]:
        failed = reported_variant(Status.FAILS, Stage.DECODE, error=NO, opinions=opinions or {})
        pins = {"optimum": optimum} if optimum else {}
        cells = [reported_cell(failed, **pins), reported_cell(onnxruntime="1.20.1", **pins, **other)]
        variant = diagnosed(cells, requires=requires)[0].variants[0]
        return variant.cause, variant.certainty

    def test_is_another_onnxruntime_that_runs_it(self):
        assert self.diagnose() == ("runtime", "likely")
        assert self.diagnose({EVALUATOR: WORKS}) == ("runtime", "proven")

    @pytest.mark.parametrize(
        ("setup", "optimum", "requires", "certainty"),
        [
            (Setup.HANDOFF, None, (), "proven"),
            # The other onnxruntime may have brought something into the export.
            (Setup.TOGETHER, None, (), "likely"),
            (Setup.HANDOFF, "1.16.0", (), "likely"),
            (Setup.HANDOFF, None, ("onnxruntime",), "likely"),
        ],
    )
    def test_is_a_remedys_only_if_no_onnxruntime_changes_the_export(self, setup, optimum, requires, certainty):
        failed = reported_variant(
            Status.FAILS, Stage.DECODE, error=NO, opinions={EVALUATOR: WORKS}, remedy="onnxruntime 1.16.4"
        )
        cell = reported_cell(failed, **({"optimum": optimum} if optimum else {}))
        found = diagnosed([replace(cell, environment=setup), reported_cell()], requires=requires)[0].variants[0]
        assert (found.cause, found.certainty) == ("runtime", certainty)
        same = "the same artifact works in onnxruntime 1.16.4"
        assert (same in found.evidence) is (certainty == "proven")

    def test_unless_anything_else_differs_or_the_export_may_see_onnxruntime(self):
        assert self.diagnose(torch="2.6.0") == (None, "open")
        assert self.diagnose(optimum="1.24.0") == (None, "open")
        assert self.diagnose(requires=["onnxruntime"]) == (None, "open")


def test_findings_are_told_once_for_each_kind():
    findings = ["frozen-dimension: axis 0 is 3", "frozen-dimension: axis 1 is 5", "unnamed-dimension: axis 2", GATE]
    failed = reported_variant(Status.FAILS, Stage.DECODE, error=NO, findings=findings, opinions={EVALUATOR: FAILS})
    (cell,) = diagnosed([reported_cell(failed, reported_variant(exporter="dynamo"))])
    assert cell.variants[0].evidence[2:] == ["the graph has a frozen-dimension: axis 0 is 3 (and 1 more)"]


@pytest.mark.parametrize(
    ("remedy", "cause"), [(None, "architecture"), ("opset 18", "exporter"), ("optimization basic", "runtime")]
)
def test_what_a_change_has_mended_with_this_very_model_is_not_due_to_the_model(remedy, cause):
    given = {"error": NO, "signature": "s", "controls": {"model t5": WORKS}, "opinions": {EVALUATOR: FAILS}}
    failed = reported_variant(Status.FAILS, Stage.DECODE, remedy=remedy, **given)
    cells = diagnosed([reported_cell(failed), reported_cell(failed, onnx="1.17.0")])
    assert [cell.variants[0].cause for cell in cells] == [cause] * 2


def test_diagnosing_twice_changes_nothing():
    failed = reported_variant(Status.FAILS, Stage.DECODE, error=NO, signature="s", controls={"model t5": WORKS})
    once = diagnosed([reported_cell(failed), reported_cell(failed, onnx="1.17.0")])
    assert [cell.variants[0].cause for cell in once] == ["architecture"] * 2
    assert diagnosed(once) == once
