"""Refusals of exporters in pasted texts, against what exporters may have answered."""

from __future__ import annotations

import datetime as dt

import pytest

from harness.decide.exporter_refusals import ExporterRefusal, exporter_refusals
from harness.decide.model_support import Reading
from harness.verdicts.exporter_operators import ExporterOperators, MeasuredTorch

READS, UNKNOWN, REFUSES = Reading.READS, Reading.UNKNOWN, Reading.REFUSES


def torch(*, dynamo: bool) -> MeasuredTorch:
    day = dt.date(2026, 11, 30)
    return MeasuredTorch(
        opsets=(9, 20), onnxscript="0.7.2" if dynamo else None, dynamo=dynamo, measured=day, platform="", python=""
    )


MEASURED = ExporterOperators(
    schema=1,
    torch={version: torch(dynamo=version > "2.5") for version in ("2.0.1", "2.1.2", "2.6.0", "2.9.1")},
    torchscript={
        "aten::scaled": {14: frozenset({"2.1.2", "2.6.0"}), 12: frozenset({"2.9.1"})},
        "aten::other": {9: frozenset({"2.0.1", "2.1.2", "2.6.0", "2.9.1"})},
        "prim::scaled": {9: frozenset({"2.0.1"})},
    },
    dynamo={
        "aten.scaled.default": frozenset({"2.9.1"}),
        "aten.scaled.Tensor": frozenset({"2.6.0", "2.9.1"}),
        "aten.scaled_more.default": frozenset({"2.6.0"}),
    },
)


def refusals(text: str) -> list[ExporterRefusal]:
    return exporter_refusals(text, lambda: MEASURED)


def script(operator: str, opset: int = 12) -> str:
    return f"UnsupportedOperatorError: Exporting the operator {operator} to ONNX opset version {opset} is not supported. Please"


@pytest.mark.parametrize("operator", ["'aten::scaled'", "scaled", "aten::scaled", "\u2018aten::scaled\u2019"])
def test_an_operator_is_held_against_what_each_torch_translates_with_that_opset(operator):
    (refusal,) = refusals(script(operator))
    assert refusal.operator == "aten::scaled"
    assert refusal.readings == {"2.0.1": REFUSES, "2.1.2": UNKNOWN, "2.6.0": UNKNOWN, "2.9.1": READS}
    assert refusal.first_opsets == {"2.1.2": 14, "2.6.0": 14, "2.9.1": 12}
    assert refusal.functions == {"aten.scaled.default": ("2.9.1",), "aten.scaled.Tensor": ("2.6.0", "2.9.1")}


def test_an_operator_that_nobody_translates_is_refused_by_all():
    (refusal,) = refusals(script("'aten::diff'"))
    assert (set(refusal.readings.values()), refusal.first_opsets, refusal.functions) == ({REFUSES}, {}, {})
    (named,) = refusals(script("'prim::scaled'"))
    assert named.readings["2.0.1"] is READS, "another namespace is another operator"
    assert named.readings["2.9.1"] is REFUSES


def test_an_overload_is_held_against_the_functions_of_torches_that_could_be_asked():
    (refusal,) = refusals("No ONNX function found for <OpOverload(op='aten.scaled', overload='default')>. Failure message: No")
    assert (refusal.operator, refusal.readings) == ("aten.scaled.default", {"2.6.0": REFUSES, "2.9.1": READS})
    (unknown,) = refusals("No ONNX function found for <OpOverload(op='aten.mul', overload='Scalar')>.")
    assert set(unknown.readings.values()) == {REFUSES}


def test_a_log_may_have_several_and_each_is_answered_once():
    log = "\n".join([script("scaled"), script("other"), script("scaled"), script("scaled", 14)])
    assert [(refusal.operator, refusal.opset) for refusal in refusals(log)] == [
        ("aten::scaled", 12),
        ("aten::other", 12),
        ("aten::scaled", 14),
    ]


def test_nothing_is_read_for_another_text():
    def never():
        raise AssertionError("read")

    assert exporter_refusals("RuntimeError: aten::scaled to ONNX opset version 12", never) == []


def test_functions_are_those_of_the_onnxscript_beside_them():
    (refusal,) = refusals("No ONNX function found for <OpOverload(op='aten.mul', overload='Scalar')>.")
    assert refusal.onnxscripts == ("0.7.2",)
    (other,) = refusals(script("scaled"))
    assert other.onnxscripts == ()


def test_a_library_that_was_not_loaded_is_not_answered():
    assert refusals("No ONNX function found for <OpOverload(op='quantized_decomposed.dequantize', overload='default')>.") == []
    assert refusals(script("'mmdeploy::roi'")) == []
