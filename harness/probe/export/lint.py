"""Findings about exported graphs: against the request, and in themselves. The rules are in findings.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import onnx
from onnx import numpy_helper

from ..findings import Finding, Findings, finding
from ..graph_request import Axes, GraphRequest
from .inspection import describe_graph, nested_graphs, pruned_inputs

# Made-up names of axes: TorchScript numbers them, or names them after the node and the tensor that they come from; torch.export
# numbers its symbols.
_MADE_UP = re.compile(r"\d+|[su]\d+|_?d\d+|unk__\d+|.*_dim_\d+")
_LISTED = 5


def lint_export(request: GraphRequest, path: Path) -> Findings:
    """Return pruned inputs, and axes that were requested as dynamic and are numbers."""
    found = [
        finding("pruned-input", f"{name} was asked for and {problem}", f"{request.role}: {name}")
        for name, problem in pruned_inputs(request, path)
    ]
    described = describe_graph(path)
    requested = {**request.input_axes, **request.output_axes}
    for value in (*described["inputs"], *described["outputs"]):
        found += _frozen(request.role, value, requested.get(value["name"], {}))
    return found


def lint_graph(role: str, path: Path, described: Mapping[str, Any]) -> Findings:
    """Return unnamed dimensions and reshapes by zero in a file of a variant."""
    found: Findings = []
    unnamed = [words for value in (*described["inputs"], *described["outputs"]) for words in _unnamed(value)]
    if unnamed:
        message = f"{len(unnamed)} axes have no name of their own: {_some(unnamed)}"
        found.append(finding("unnamed-dimension", message, role))
    reshapes = list(_zero_reshapes(path))
    if reshapes:
        message = f"{len(reshapes)} Reshapes copy a dimension, their shape holding 0 with allowzero unset: {_some(reshapes)}"
        found.append(finding("reshape-zero", message, role))
    return found


def _frozen(role: str, value: Mapping[str, Any], axes: Axes) -> Iterator[Finding]:
    for axis, dim in enumerate(value["dims"] or ()):
        if axis in axes and isinstance(dim, int):
            message = f"axis {axis} of {value['name']} was asked to be {axes[axis]!r} and is {dim}"
            yield finding("frozen-dimension", message, f"{role}: axis {axis} of {value['name']}")


def _unnamed(value: Mapping[str, Any]) -> Iterator[str]:
    for axis, dim in enumerate(value["dims"] or ()):
        if dim is None or (isinstance(dim, str) and _MADE_UP.fullmatch(dim)):
            yield f"axis {axis} of {value['name']}" + (f" ({dim!r})" if dim else "")


def _zero_reshapes(path: Path) -> Iterator[str]:
    """Yield the name of each Reshape whose shape is a constant that holds 0, in graphs, branches and functions."""
    model = onnx.load(str(path), load_external_data=False)
    yield from _zero_reshapes_in(model.graph.node, _constants(model.graph))
    for function in model.functions:
        yield from _zero_reshapes_in(function.node, {})


def _zero_reshapes_in(nodes: Any, outer: Mapping[str, Any]) -> Iterator[str]:
    known = {**outer, **{node.output[0]: _constant_value(node) for node in nodes if node.op_type == "Constant"}}
    for node in nodes:
        for nested in nested_graphs(node):
            yield from _zero_reshapes_in(nested.node, {**known, **_constants(nested)})
        if node.op_type == "Reshape" and not any(field.name == "allowzero" and field.i for field in node.attribute):
            shape = known.get(node.input[1])
            if shape is not None and 0 in _numbers(shape):
                yield node.name or node.output[0]


def _constants(graph: Any) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in graph.initializer}


def _constant_value(node: Any) -> Any:
    """Return the tensor or the list of integers of a Constant; None for another kind."""
    for attribute in node.attribute:
        if attribute.name == "value":
            return attribute.t
        if attribute.name == "value_ints":
            return list(attribute.ints)
    return None


def _numbers(constant: Any) -> list[int]:
    """Return the content of a shape; nothing if it is in another file, for which no shape is large enough."""
    if isinstance(constant, list):
        return constant
    if constant.data_location == onnx.TensorProto.EXTERNAL:
        return []
    numbers: list[int] = numpy_helper.to_array(constant).flatten().tolist()
    return numbers


def _some(words: Sequence[str]) -> str:
    """Return the first of `words`; there may be hundreds."""
    return ", ".join(words[:_LISTED]) + (" …" if len(words) > _LISTED else "")
