"""ONNX files for tests, made with onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def value(name: str, dims: tuple[int | str | None, ...] | None = ("batch", 4), element: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, element, dims)


def weight(name: str, content: Any) -> Any:
    return numpy_helper.from_array(np.asarray(content), name)


def external(name: str, dims: tuple[int, ...], element: int = FLOAT, **place: object) -> Any:
    """A tensor that says where its content is."""
    tensor = TensorProto(name=name, dims=dims, data_type=element, data_location=TensorProto.EXTERNAL)
    for key, entry in place.items():
        tensor.external_data.add(key=key, value=str(entry))
    return tensor


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any], **given: Any) -> Any:
    """A model of these nodes: `weights`, `functions`, `opsets` (a dictionary) and `ir` as given."""
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializer=given.get("weights", []))
    opsets = [helper.make_opsetid(domain, version) for domain, version in given.get("opsets", {"": 18}).items()]
    made = helper.make_model(graph, opset_imports=opsets, functions=given.get("functions", []), producer_name="pytorch")
    made.ir_version = given.get("ir", 10)
    made.producer_version = "2.6.0"
    return made


def saved(path: Path, made: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.SerializeToString())
    return path


def identity(**given: Any) -> Any:
    """A model of one node."""
    nodes = [helper.make_node("Identity", ["x"], ["y"], name="copy")]
    return model(nodes, [value("x")], [value("y")], **given)


def merged(constant: Any = None) -> Any:
    """Two decoders behind a switch. The cached branch returns `constant` (numpy) for the cross-attention, or its past."""
    cross = (
        helper.make_node("Identity", ["past_key_values.0.encoder.key"], ["later"])
        if constant is None
        else helper.make_node("Constant", [], ["later"], value=numpy_helper.from_array(constant))
    )
    scores = helper.make_node("Relu", ["x"], ["scores_later"])
    first = [helper.make_node("Relu", ["x"], ["scores_first"]), helper.make_node("Relu", ["x"], ["first"])]
    unknown = ("scores", "cross")
    then = helper.make_graph([scores, cross], "cached", [], [value("scores_later", None), value("later", None)])
    other = helper.make_graph(first, "first", [], [value("scores_first", None), value("first", None)])
    names = ["logits", "present.0.encoder.key"]
    choice = helper.make_node("If", ["use_cache_branch"], names, name="choice", then_branch=then, else_branch=other)
    past = value("past_key_values.0.encoder.key", ("batch", 2, "length", 8))
    inputs = [value("x", ("batch", 2, "length", 8)), past, value("use_cache_branch", (1,), BOOL)]
    return model([choice], inputs, [value(name, unknown) for name in names])


def every_feature() -> Any:
    """A model with branches, functions, sparse tensors, and each kind of attribute and type."""
    body = [helper.make_node("Add", ["a", "a"], ["b"]), helper.make_node("Twice", ["b"], ["c"], domain="own", overload="x")]
    twice = helper.make_function("own", "Twice", ["a"], ["b"], body[:1], [helper.make_opsetid("", 18)], overload="x")
    inner = helper.make_graph(body, "inner", [], [value("c")], initializer=[weight("inner_weight", np.zeros(3, dtype=np.int8))])
    nodes = [
        helper.make_node("If", ["condition"], ["z"], then_branch=inner, else_branch=inner),
        helper.make_node("Constant", [], ["shape"], value_ints=[0, -1]),
        helper.make_node("Reshape", ["z", "shape"], ["r"], name="reshape"),
        helper.make_node("Constant", [], ["numbers"], value=weight("", np.asarray([1, 2], dtype=np.int64))),
        helper.make_node("Cast", ["r"], ["q"], to=TensorProto.BFLOAT16),
    ]
    sequence = helper.make_tensor_sequence_value_info("sequence", FLOAT, None)
    inputs = [value("a", (None, "s0", 3)), value("condition", (), BOOL), sequence]
    made = model(nodes, inputs, [value("q", ("batch", 3), TensorProto.BFLOAT16)], functions=[twice], opsets={"": 18, "own": 1})
    made.graph.initializer.append(weight("big", np.zeros((100, 100), dtype=np.float32)))
    made.graph.sparse_initializer.append(
        onnx.SparseTensorProto(values=weight("few", [1.0]), indices=weight("where", [5]), dims=[100])
    )
    return made
