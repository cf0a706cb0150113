"""What is noticed of a graph, made here node by node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.probe.export.inspection import describe_graph
from harness.probe.export.lint import lint_export, lint_graph
from harness.probe.graph_request import GraphRequest

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def value(name: str, dims: tuple[int | str | None, ...] | None = ("batch", 4), element: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, element, dims)


def saved(folder: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **given: Any) -> Path:
    """A model of these nodes; `initializers` and `functions` as given."""
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializer=given.get("initializers", []))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], functions=given.get("functions", []))
    path = folder / "decoder.onnx"
    onnx.save(model, str(path))
    return path


def request(inputs: tuple[str, ...], **given: Any) -> GraphRequest:
    return GraphRequest("decoder", None, dict.fromkeys(inputs), ("y",), **given)


def add(inputs: tuple[str, str] = ("x", "bias"), output: str = "y") -> Any:
    return helper.make_node("Add", list(inputs), [output], name=f"{output}_add")


def test_a_graph_that_is_as_it_was_asked_for(tmp_path):
    path = saved(tmp_path, [add()], [value("x"), value("bias", (4,))], [value("y")])
    asked = request(("x", "bias"), input_axes={"x": {0: "batch"}}, output_axes={"y": {0: "batch"}})
    assert lint_export(asked, path) == []
    assert lint_graph("decoder", path, describe_graph(path)) == []


def test_an_input_that_is_gone_and_one_that_feeds_nothing(tmp_path):
    path = saved(tmp_path, [add(("x", "x"))], [value("x"), value("idle")], [value("y")])
    assert lint_export(request(("x", "idle", "gone", "spare"), not_needed=frozenset({"spare"})), path) == [
        {
            "rule": "pruned-input",
            "message": "gone was asked for and is no input of the graph",
            "where": "decoder: gone",
        },
        {"rule": "pruned-input", "message": "idle was asked for and feeds nothing", "where": "decoder: idle"},
    ]


def test_an_input_that_only_a_branch_reads_is_read(tmp_path):
    branches = {
        name: helper.make_graph([helper.make_node("Identity", [source], [f"{name}_y"])], name, [], [value(f"{name}_y", None)])
        for name, source in (("then_branch", "x"), ("else_branch", "inner"))
    }
    node = helper.make_node("If", ["switch"], ["y"], **branches)
    path = saved(tmp_path, [node], [value("switch", (1,), BOOL), value("x"), value("inner")], [value("y")])
    assert lint_export(request(("switch", "x", "inner")), path) == []


def test_an_input_that_is_an_output_too_is_read(tmp_path):
    path = saved(tmp_path, [add(("x", "x"))], [value("x"), value("kept")], [value("y"), value("kept")])
    assert lint_export(request(("x", "kept")), path) == []


def test_an_axis_that_was_to_be_dynamic_and_is_a_number(tmp_path):
    path = saved(tmp_path, [add()], [value("x", (2, "s1", 8)), value("bias", (8,))], [value("y", (2, "s1", 8))])
    asked = request(("x", "bias"), input_axes={"x": {0: "batch", 1: "length"}}, output_axes={"y": {0: "batch", 1: "length"}})
    found = lint_export(asked, path)
    assert [(one["rule"], one["where"]) for one in found] == [
        ("frozen-dimension", "decoder: axis 0 of x"),
        ("frozen-dimension", "decoder: axis 0 of y"),
    ]
    assert found[0]["message"] == "axis 0 of x was asked to be 'batch' and is 2"


def test_of_an_output_of_unknown_rank_nothing_is_said(tmp_path):
    path = saved(tmp_path, [add()], [value("x"), value("bias", (4,))], [value("y", None)])
    asked = request(("x", "bias"), output_axes={"y": {0: "batch"}})
    assert lint_export(asked, path) == []
    assert lint_graph("decoder", path, describe_graph(path)) == []


MADE_UP = {
    None: "axis 0 of x",
    "0": "axis 0 of x ('0')",
    "12": "axis 0 of x ('12')",
    "s7": "axis 0 of x ('s7')",
    "u0": "axis 0 of x ('u0')",
    "d1": "axis 0 of x ('d1')",
    "_d1": "axis 0 of x ('_d1')",
    "unk__4": "axis 0 of x ('unk__4')",
    "Addy_dim_0": "axis 0 of x ('Addy_dim_0')",
}


@pytest.mark.parametrize("name", MADE_UP)
def test_an_axis_without_a_name_of_its_own(tmp_path, name):
    path = saved(tmp_path, [add()], [value("x", (name, 4)), value("bias", (4,))], [value("y")])
    assert lint_graph("decoder", path, describe_graph(path)) == [
        {
            "rule": "unnamed-dimension",
            "message": f"1 axes have no name of their own: {MADE_UP[name]}",
            "where": "decoder",
        }
    ]


@pytest.mark.parametrize("name", ["batch", "batch_size", "s", "d", "s7_length", "dim_0x", "past_dims", 3])
def test_a_name_that_somebody_gave(tmp_path, name):
    path = saved(tmp_path, [add()], [value("x", (name, 4)), value("bias", (4,))], [value("y")])
    assert lint_graph("decoder", path, describe_graph(path)) == []


def test_of_many_five_are_named(tmp_path):
    inputs = [value(f"x{number}", ("s1", "s2")) for number in range(4)]
    path = saved(tmp_path, [add(("x0", "x1"))], inputs, [value("y")])
    (found,) = lint_graph("decoder", path, describe_graph(path))
    assert found["message"].startswith("8 axes have no name of their own: axis 0 of x0 ('s1'), ")
    assert found["message"].count("axis ") == 5
    assert found["message"].endswith(" …")


def reshape(shape: str = "shape", name: str = "reshape", data: str = "x", output: str = "y", **attributes: Any) -> Any:
    return helper.make_node("Reshape", [data, shape], [output], name=name, **attributes)


def numbers(*content: int, name: str = "shape") -> Any:
    return numpy_helper.from_array(np.array(content, np.int64), name)


def constant(output: str, **attributes: Any) -> Any:
    return helper.make_node("Constant", [], [output], **attributes)


def reshapes(path: Path) -> str | None:
    found = [one["message"] for one in lint_graph("decoder", path, describe_graph(path)) if one["rule"] == "reshape-zero"]
    return found[0] if found else None


SAID = "1 Reshapes copy a dimension, their shape holding 0 with allowzero unset: reshape"
EXTERNAL = numbers(0, -1)
EXTERNAL.data_location = TensorProto.EXTERNAL
EXTERNAL.external_data.add(key="location", value="shapes.bin")
ONE_NODE: dict[str, tuple[list[Any], list[Any], str | None]] = {
    "an initializer with 0": ([reshape()], [numbers(0, -1)], SAID),
    "an initializer without": ([reshape()], [numbers(1, -1)], None),
    "allowzero": ([reshape(allowzero=1)], [numbers(0, -1)], None),
    "allowzero unset": ([reshape(allowzero=0)], [numbers(0, -1)], SAID),
    "a Constant": ([constant("shape", value=numbers(0, -1)), reshape()], [], SAID),
    "a Constant of integers": ([constant("shape", value_ints=[2, 0]), reshape()], [], SAID),
    "a Constant of one integer": ([constant("shape", value_int=0), reshape()], [], None),
    "a Constant of something else": ([constant("shape", value_floats=[0.0]), reshape()], [], None),
    "without a name": ([reshape(name="")], [numbers(0, -1)], SAID.replace(": reshape", ": y")),
    "in another file": ([reshape()], [EXTERNAL], None),
    "another operator": ([helper.make_node("Expand", ["x", "shape"], ["y"])], [numbers(0, -1)], None),
}


@pytest.mark.parametrize(("nodes", "initializers", "said"), ONE_NODE.values(), ids=ONE_NODE)
def test_a_reshape_that_copies_a_dimension(tmp_path, nodes, initializers, said):
    assert reshapes(saved(tmp_path, nodes, [value("x")], [value("y", None)], initializers=initializers)) == said


def test_a_shape_that_is_computed_is_unknown(tmp_path):
    shape = helper.make_node("Shape", ["x"], ["shape"])
    assert reshapes(saved(tmp_path, [shape, reshape()], [value("x")], [value("y", None)])) is None


def branch(name: str, nodes: list[Any], initializers: tuple[Any, ...] = ()) -> Any:
    return helper.make_graph(nodes, name, [], [value(nodes[-1].output[0], None)], initializer=list(initializers))


def test_branches_see_the_shapes_outside_of_them_and_have_their_own(tmp_path):
    then = branch("then", [reshape("outer", "in_then", output="t")])
    other = branch("else", [reshape("own", "in_else", output="e")], (numbers(1, 0, name="own"),))
    node = helper.make_node("If", ["switch"], ["y"], then_branch=then, else_branch=other)
    inputs = [value("switch", (1,), BOOL), value("x")]
    path = saved(tmp_path, [node], inputs, [value("y", None)], initializers=[numbers(0, -1, name="outer")])
    assert reshapes(path) == "2 Reshapes copy a dimension, their shape holding 0 with allowzero unset: in_else, in_then"


def test_functions_have_their_own_constants_only(tmp_path):
    body = [constant("shape", value_ints=[0, -1]), reshape("shape", "in_function", data="a", output="b")]
    function = helper.make_function("own", "Flatten", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    call = helper.make_node("Flatten", ["x"], ["y"], domain="own")
    path = saved(tmp_path, [call], [value("x")], [value("y", None)], functions=[function])
    assert reshapes(path) == SAID.replace(": reshape", ": in_function")


def test_what_a_graph_is(tmp_path):
    path = saved(
        tmp_path, [add()], [value("x", ("batch", None)), value("bias", (4,), TensorProto.DOUBLE)], [value("y", None, INT)]
    )
    described = describe_graph(path)
    assert (described["file"], described["size"], described["opset"]) == ("decoder.onnx", path.stat().st_size, 17)
    assert described["inputs"] == [
        {"name": "x", "dtype": "float32", "dims": ["batch", None]},
        {"name": "bias", "dtype": "float64", "dims": [4]},
    ]
    assert described["outputs"] == [{"name": "y", "dtype": "int64", "dims": None}]
