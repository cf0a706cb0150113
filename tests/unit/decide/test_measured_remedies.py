"""The order of measured remedies, and the limits that other numbers set to them."""

from __future__ import annotations

import pytest

from harness.decide import measured_remedies
from harness.model import Stage

REMEDIES = [["layout pair", "exporter torchscript"], ["layout pair", "onnx 1.15.0", "ir-version 9"], ["layout pair", "numpy<2"]]


def test_before_a_file_is_loaded_the_most_frequent_remedy_is_first_then_the_cheapest():
    counted = measured_remedies.counted(REMEDIES, Stage.EXPORT)
    assert list(counted.items()) == [
        ("layout pair", 3),
        ("exporter torchscript", 1),
        ("onnx 1.15.0", 1),
        ("numpy<2", 1),
        ("ir-version 9", 1),
    ]


@pytest.mark.parametrize("stage", [Stage.LOAD, Stage.DECODE])
def test_of_a_file_what_keeps_it_is_first_and_another_layout_last(stage):
    counted = measured_remedies.counted([*REMEDIES, ["onnxruntime 1.20.1"], ["onnxruntime 1.20.1"]], stage)
    assert list(counted) == [
        "onnxruntime 1.20.1",
        "numpy<2",
        "ir-version 9",
        "exporter torchscript",
        "onnx 1.15.0",
        "layout pair",
    ]


def test_changes_together_are_as_far_away_as_the_farthest():
    both = "feedback keep-cross, attention sdpa"
    assert list(measured_remedies.counted([[both], [both], ["feedback keep-cross"]], Stage.DECODE))[-1] == both


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ("onnxruntime 1.19.2", {"onnxruntime"}),
        ("onnx-ir==0.1.10", {"onnx-ir"}),
        ("numpy<2 onnx>=1.16", {"numpy", "onnx"}),
        ("attention sdpa, torch 2.6.0", {"torch"}),
        ("onnxscript", {"onnxscript"}),
        ("ir-version 9", set()),
        ("exporter optimum", set()),
    ],
)
def test_the_distributions_of_a_change(change, names):
    assert measured_remedies.distributions(change) == names


@pytest.mark.parametrize(
    ("change", "measured", "own", "limit"),
    [
        ("opset 18", ("20", "19"), ("16", "15"), "at most 15"),
        ("opset 18", ("20", "19"), ("19", "18"), None),
        ("opset 17", ("18",), ("17",), "below 17"),
        ("opset 17", ("18",), ("19",), None),
        ("ir-version 9", ("10", "9"), ("9", "8"), "at most 8"),
        ("ir-version 9", ("10", "9"), ("10", "8"), "at most 8"),
        ("ir-version 9", ("10", "9"), ("11", "10"), None),
        ("opset 14", ("12", "14"), ("9", "11"), None),
        ("opset 14", ("12", "14"), ("13", "16"), "at least 16"),
        ("torch 2.6.0", ("2.6", "2.1.2"), ("2.9", "2.8.0"), "at least 2.9"),
        ("torch 2.6.0", ("2.6", "2.1.2"), ("2.6", "2.3.0"), None),
        ("numpy 1.26.4", ("1.x", "2.0.2"), ("1.x", "2.3.0"), None),
        ("exporter torchscript", ("10", "9"), ("9", "8"), None),
        ("opset 18, attention eager", ("20", "19"), ("16", "15"), "at most 15"),
        ("attention eager, opset 18", ("20", "19"), ("16", "15"), "at most 15"),
    ],
)
def test_a_number_must_stand_to_those_of_the_text_as_it_stood_to_those_measured(change, measured, own, limit):
    assert measured_remedies.limit(change, measured, own) == limit
