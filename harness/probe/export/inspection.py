"""What a written graph holds: its inputs, outputs and stamps, and which inputs feed nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import onnx

from ..graph_request import GraphRequest
from ..outcome import ProbeFailure

_NO_INPUT, _IDLE = "is no input of the graph", "feeds nothing"
_PROBLEMS = {_NO_INPUT: "the exporter pruned the inputs", _IDLE: "the exported graph never uses its inputs"}


def describe_graph(path: Path) -> dict[str, Any]:
    """Return file, size, ir, opset, opsets by domain, inputs and outputs of the model at `path`."""
    model = onnx.load(str(path), load_external_data=False)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    return {
        "file": path.name,
        "size": path.stat().st_size,
        "ir": model.ir_version,
        "opset": opsets.get("", opsets.get("ai.onnx")),
        "opsets": opsets,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "inputs": [_describe_value(value) for value in model.graph.input],
        "outputs": [_describe_value(value) for value in model.graph.output],
    }


def pruned_inputs(request: GraphRequest, path: Path) -> list[tuple[str, str]]:
    """Return (name, problem) of each required input of `request` that the graph at `path` does not depend on."""
    graph = onnx.load(str(path), load_external_data=False).graph
    present = {value.name for value in graph.input}
    pruned = [(name, _NO_INPUT) for name in sorted(request.required - present)]
    return pruned + [(name, _IDLE) for name in sorted((request.required & present) - consumed_names(graph))]


def require_inputs(request: GraphRequest, path: Path) -> None:
    """Raise ProbeFailure if a required input of `request` is missing from the graph at `path`, or feeds nothing."""
    pruned = pruned_inputs(request, path)
    for problem, words in _PROBLEMS.items():
        names = [name for name, found in pruned if found == problem]
        if names:
            raise ProbeFailure(f"{request.role}: {words} {', '.join(names)}")


def stamp_ir(path: Path, ir: int) -> None:
    """Give the model at `path` another IR version. The file is replaced, because it may be a link to a shared one."""
    model = onnx.load(str(path), load_external_data=False)
    model.ir_version = ir
    path.unlink()
    onnx.save(model, str(path))


def consumed_names(graph: Any) -> set[str]:
    """Return every name that a node of `graph`, or of a graph nested in one, reads, or that is an output."""
    names = {value.name for value in graph.output}
    for node in graph.node:
        names.update(node.input)
        for nested in nested_graphs(node):
            names |= consumed_names(nested)
    return names


def nested_graphs(node: Any) -> Iterator[Any]:
    """Yield the graphs among the attributes of `node` (the branches of an If, the body of a Loop)."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _describe_value(value: Any) -> dict[str, Any]:
    tensor = value.type.tensor_type
    return {"name": value.name, "dtype": _dtype_name(tensor.elem_type), "dims": _dims(tensor)}


def _dtype_name(element: int) -> str:
    """Return numpy's name of an ONNX element type, such as float32 or int64."""
    name: str = onnx.TensorProto.DataType.Name(element)
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())


def _dims(tensor: Any) -> list[Any] | None:
    """Return a number, a symbolic name, or None (unnamed) for each axis; None if the rank is unknown."""
    if not tensor.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in tensor.shape.dim]
