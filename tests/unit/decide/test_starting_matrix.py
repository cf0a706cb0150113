"""The first matrix.toml for the runtime that somebody has."""

from __future__ import annotations

import pytest

from harness.decide.starting_matrix import text
from harness.decide.version_sets import Versions
from harness.matrix.load import load


@pytest.mark.parametrize(
    ("exact", "fixed", "runtimes"),
    [
        ({}, [], {"onnxruntime": ["; latest"]}),
        ({"onnxruntime": "1.16.3"}, [], {"onnxruntime": ["1.16.3", "; latest"]}),
        ({"onnxruntime-node": "1.16.3"}, [], {"onnxruntime-node": ["1.16.3", "; latest"]}),
        ({"onnxruntime-node": "1.16.3"}, ["1.17.0"], {"onnxruntime": ["1.17.0"], "onnxruntime-node": ["1.16.3", "; latest"]}),
        ({"onnxruntime-gpu": "1.17.0"}, [], {"onnxruntime": ["1.17.0", "; latest"]}),
    ],
)
def test_a_matrix_has_the_runtimes_of_the_set(tmp_path, exact, fixed, runtimes):
    made = text(Versions(source="mine", python="3.11", exact=exact), fixed, "3.11")
    path = tmp_path / "matrix.toml"
    path.write_text(made, encoding="utf-8")
    read = load(path)
    assert {axis: values for axis, values in read.axes.items() if axis.startswith("onnxruntime")} == runtimes
    assert any("onnxruntime<1.19" in rule.when for rule in read.constraint) is ("onnxruntime" in runtimes)
