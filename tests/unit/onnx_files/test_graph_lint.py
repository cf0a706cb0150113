"""Findings without a run, against those of the probe's lint, which reads models with onnx."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnx_models import FLOAT, INT, every_feature, external, identity, merged, model, saved, value, weight

from harness.onnx_files import graph_lint
from harness.onnx_files.graph_lint import MergedDecoder, fixed_axes, lint, merged_decoder
from harness.onnx_files.reader import read_model
from harness.probe.export import lint as probe_lint
from harness.probe.export.inspection import describe_graph


def reshape(shape: Any = None, name: str = "", **attributes: Any) -> Any:
    """A model with a Reshape, its shape a weight, a Constant or an input."""
    node = helper.make_node("Reshape", ["x", "shape"], ["y"], name=name, **attributes)
    inputs, nodes, weights = [value("x")], [node], []
    if shape is None:
        inputs.append(value("shape", (2,), INT))
    elif isinstance(shape, list):
        nodes.insert(0, helper.make_node("Constant", [], ["shape"], value_ints=shape))
    else:
        weights.append(shape)
    return model(nodes, inputs, [value("y")], weights=weights)


def in_a_branch() -> Any:
    """A Reshape in a branch, its shape outside of it."""
    inner = helper.make_graph([helper.make_node("Reshape", ["x", "shape"], ["z"], name="inner")], "g", [], [value("z")])
    choice = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    return model([choice], [value("x"), value("c", (), 9)], [value("y")], weights=[weight("shape", np.asarray([0, -1]))])


MODELS = {
    "one node": identity(),
    "everything": every_feature(),
    "a shape that is a weight": reshape(weight("shape", np.asarray([0, -1])), name="r"),
    "a shape that is a list": reshape(helper.make_tensor("shape", INT, [2], [0, -1])),
    "a shape without 0": reshape(weight("shape", np.asarray([1, -1]))),
    "a constant": reshape([0, 4]),
    "allowzero": reshape([0, 4], allowzero=1),
    "an input": reshape(),
    "elsewhere": reshape(external("shape", (2,), INT, location="x")),
    "in a branch": in_a_branch(),
    "merged": merged(np.zeros((0, 2, 1, 8), dtype=np.float32)),
    "made-up names": model(
        [helper.make_node("Relu", ["x"], ["y"])],
        [value("x", ("12", "s3", "unk__4", "_d2", "batch", None))],
        [value("y", ("Relu_y_dim_0", "u0", "length"))],
    ),
    "no shape": model([helper.make_node("Relu", ["x"], ["y"])], [value("x", None)], [value("y", None)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_findings_are_those_of_the_probe(tmp_path, name):
    path = saved(tmp_path / "model.onnx", MODELS[name])
    expected = [(found["rule"], found["message"]) for found in probe_lint.lint_graph("model", path, describe_graph(path))]
    found = [(found.rule, found.message) for found in lint(read_model(path)) if found.rule != "pruned-input"]
    assert found == expected


def test_some_of_these_models_have_findings(tmp_path):
    rules = {found.rule for made in MODELS.values() for found in lint(read_model(saved(tmp_path / "model.onnx", made)))}
    assert rules == {"pruned-input", "unnamed-dimension", "reshape-zero"}
    assert graph_lint._MADE_UP.pattern == probe_lint._MADE_UP.pattern


def test_an_input_that_feeds_nothing_is_found(tmp_path):
    made = model(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [value("x"), value("idle"), value("w")],  # a weight may be an input too, up to IR 3
        [value("y")],
        weights=[weight("w", np.zeros(4, dtype=np.float32))],
    )
    (found,) = lint(read_model(saved(tmp_path / "model.onnx", made)))
    assert (found.rule, found.message) == ("pruned-input", "inputs that feed nothing: idle")


@pytest.mark.parametrize(
    ("constant", "expected"),
    [
        (np.zeros((0, 2, 1, 8), dtype=np.float32), MergedDecoder(empty=("present.0.encoder.key",), passed_through=())),
        (np.ones((1, 2, 1, 8), dtype=np.float32), MergedDecoder(empty=(), passed_through=())),
        (None, MergedDecoder(empty=(), passed_through=("present.0.encoder.key",))),
    ],
)
def test_what_the_cached_branch_returns(tmp_path, constant, expected):
    read = read_model(saved(tmp_path / "model.onnx", merged(constant)))
    assert merged_decoder(read) == expected


def test_only_a_switch_makes_a_merged_decoder(tmp_path):
    def decoder(made: Any) -> MergedDecoder | None:
        return merged_decoder(read_model(saved(tmp_path / "model.onnx", made)))

    other_condition, other_type = merged(), merged()
    other_condition.graph.node[0].input[0] = "other"
    other_type.graph.input[2].type.tensor_type.elem_type = FLOAT
    assert decoder(merged()) is not None
    assert [decoder(made) for made in (other_condition, other_type, identity())] == [None, None, None]


def test_a_circle_of_identities_ends(tmp_path):
    made = merged()
    branch = next(attribute.g for attribute in made.graph.node[0].attribute if attribute.name == "then_branch")
    for node in branch.node:
        node.op_type = "Identity"
        node.input[0], node.output[0] = "later", "later"
    assert merged_decoder(read_model(saved(tmp_path / "model.onnx", made))) == MergedDecoder(empty=(), passed_through=())


@pytest.mark.parametrize(
    ("name", "element", "dims", "axes"),
    [
        ("input_ids", INT, (1, 16), [(0, 1), (1, 16)]),
        ("features", FLOAT, ("batch", 16), []),
        ("hidden", FLOAT, ("batch", 16, 512), [(1, 16)]),
        ("past.0.key", FLOAT, ("batch", 8, 7, 64), [(2, 7)]),
        ("past.0.key", FLOAT, (1, 8, "past", 64), [(0, 1)]),
        ("pixels", FLOAT, ("batch", 3, 224, 224), []),
        ("scale", FLOAT, (1,), []),
        ("any", FLOAT, None, []),
    ],
)
def test_axes_that_usually_vary(tmp_path, name, element, dims, axes):
    made = model([helper.make_node("Relu", [name], ["y"])], [value(name, dims, element)], [value("y")])
    assert fixed_axes(read_model(saved(tmp_path / "model.onnx", made)).graph.inputs[0]) == axes
