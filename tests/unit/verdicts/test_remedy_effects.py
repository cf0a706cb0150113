"""What a remedy changed, read off its text."""

from __future__ import annotations

import pytest
from values import reported_variant

from harness.model import Stage, Status
from harness.verdicts.remedy_effects import CONSUMER, EXPORT, SESSION, effect, effects, secondary_pins


@pytest.mark.parametrize(
    ("text", "fields", "pins", "bounds"),
    [
        ("ir-version stamped", {"ir-version"}, set(), set()),
        ("opset 14", {"opset"}, set(), set()),
        ("onnxruntime 1.17.0", set(), {"onnxruntime"}, set()),
        # An axis with the name of a field.
        ("binding 1.1", set(), {"binding"}, set()),
        ("binding ortvalue, layout 2.0", {"binding"}, {"layout"}, set()),
        ("python 3.12", set(), {"python"}, set()),
        ("numpy<2", set(), set(), {"numpy"}),
        ("numpy>=1.2,<2", set(), set(), {"numpy"}),
        ("numpy==1.26.4 ml_dtypes==0.3", set(), set(), {"numpy", "ml-dtypes"}),
        # Added, and not bounded.
        ("onnxscript", set(), set(), {"onnxscript"}),
        ("numpy<2, ir-version 9, torch 2.6.0", {"ir-version"}, {"torch"}, {"numpy"}),
    ],
)
def test_a_text_is_fields_pins_and_bounds(text, fields, pins, bounds):
    found = effect(text)
    assert found
    assert (found.text, found.fields, found.pins, found.bounds) == (text, fields, pins, bounds)
    assert found.versions == (set() if fields else pins | bounds)


@pytest.mark.parametrize("text", ["something in words", "numpy<2 in words", "-e nonsense"])
def test_a_text_that_is_something_else_is_no_effect(text):
    assert effect(text) is None


def test_only_some_fields_are_changed_if_nothing_else_is():
    found = {text: effect(text) for text in ("binding ortvalue", "binding ortvalue, numpy<2", "numpy<2", "opset 14")}
    assert [text for text, changed in found.items() if changed and changed.only(CONSUMER)] == ["binding ortvalue"]
    assert [text for text, changed in found.items() if changed and changed.only(CONSUMER | EXPORT)] == [
        "binding ortvalue",
        "opset 14",
    ]
    assert not [text for text, changed in found.items() if changed and changed.only(SESSION)]


def test_the_remedies_of_a_variant_in_their_order_without_alternatives():
    variant = reported_variant(Status.FAILS, Stage.LOAD, remedies=["ir-version 9", "onnx 1.15.0 (also 1.16.0)", "numpy<2"])
    assert [changed.text for changed in effects(variant)] == ["ir-version 9", "onnx 1.15.0", "numpy<2"]
    assert secondary_pins(variant) == "numpy<2"
    assert [changed.text for changed in effects(reported_variant(Status.FAILS, Stage.LOAD, remedy="opset 14"))] == ["opset 14"]
    assert effects(reported_variant()) == []
    assert secondary_pins(reported_variant(Status.FAILS, Stage.LOAD, remedy="numpy<2, onnx 1.15.0")) is None
