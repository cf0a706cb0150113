"""What a written graph holds, and inputs that it does not depend on."""

from __future__ import annotations

from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

from harness.probe.export.inspection import describe_graph, pruned_inputs, require_inputs, stamp_ir  # noqa: E402
from harness.probe.graph_request import GraphRequest  # noqa: E402
from harness.probe.outcome import ProbeFailure  # noqa: E402


def write(path: Path, *inputs: str) -> Path:
    """A graph with these inputs, of which it adds up x and y as far as they are among them."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, None]) for name in inputs]
    result = helper.make_tensor_value_info("sum", TensorProto.FLOAT, None)
    node = helper.make_node("Sum", [name for name in inputs if name in ("x", "y")], ["sum"])
    graph = helper.make_graph([node], "net", values, [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def request(*inputs: str, not_needed: frozenset[str] = frozenset()) -> GraphRequest:
    return GraphRequest("net", None, dict.fromkeys(inputs), ("sum",), not_needed=not_needed)


def test_a_graph_is_described_by_its_stamps_inputs_and_outputs(tmp_path):
    found = describe_graph(write(tmp_path / "net.onnx", "x"))
    assert (found["file"], found["ir"], found["opset"], found["opsets"]) == ("net.onnx", 8, 17, {"": 17})
    assert found["inputs"] == [{"name": "x", "dtype": "float32", "dims": ["batch", 3, None]}]
    assert found["outputs"] == [{"name": "sum", "dtype": "float32", "dims": None}]


def test_another_ir_is_stamped_into_a_file_of_its_own(tmp_path):
    shared = write(tmp_path / "shared.onnx", "x")
    (tmp_path / "net.onnx").hardlink_to(shared)
    stamp_ir(tmp_path / "net.onnx", 9)
    assert (describe_graph(tmp_path / "net.onnx")["ir"], describe_graph(shared)["ir"]) == (9, 8)


@pytest.mark.parametrize(
    ("inputs", "requested", "pruned"),
    [
        (("x", "y"), request("x", "y"), []),
        (("x",), request("x", "y"), [("y", "is no input of the graph")]),
        (("x", "mask"), request("x", "mask"), [("mask", "feeds nothing")]),
        (("x", "mask"), request("x", "mask", not_needed=frozenset({"mask"})), []),
    ],
)
def test_required_inputs_that_the_graph_does_not_depend_on_are_pruned(tmp_path, inputs, requested, pruned):
    assert pruned_inputs(requested, write(tmp_path / "net.onnx", *inputs)) == pruned


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (("x",), "net: the exporter pruned the inputs mask, y"),
        (("x", "mask", "y"), "net: the exported graph never uses its inputs mask"),
    ],
)
def test_a_graph_without_a_required_input_fails(tmp_path, inputs, message):
    with pytest.raises(ProbeFailure) as caught:
        require_inputs(request("x", "y", "mask"), write(tmp_path / "net.onnx", *inputs))
    assert str(caught.value) == message
