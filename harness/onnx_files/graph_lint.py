"""Findings about a model that need no run. Rules and messages are those of the probe (probe/findings.py); a test compares.

What needs a request or a call (a pruned input, an axis that was asked to be dynamic, a name that bound two values) is left
to the probe. A graph that is merged with a switch is looked at as the probe's own merge writes it, and optimum's.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.onnx_files.onnx_model import DEFAULT_DOMAIN, Dimension, Node, OnnxGraph, OnnxModel, Tensor, Value

_MADE_UP = re.compile(r"\d+|[su]\d+|_?d\d+|unk__\d+|.*_dim_\d+")
"""As in probe/export/lint.py."""
_LISTED = 5
SWITCH = "use_cache_branch"
_BOOL = 9
_TOKENS = (6, 7, _BOOL)
"""Element types of token ids and masks: int32, int64, bool."""
_LONGEST_CHAIN = 16
"""Identities that are followed back; a stranger's may go round in a circle."""
_Numbers = tuple[int, ...] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphFinding:
    """Something noticed."""

    rule: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedDecoder:
    """Two decoders in one graph, with a switch."""

    empty: tuple[str, ...]
    """Outputs that the cached branch fills with constants of size 0."""
    passed_through: tuple[str, ...]
    """Outputs that the cached branch copies from inputs."""


def lint(model: OnnxModel) -> list[GraphFinding]:
    """The findings about a model."""
    graph, consumed, found = model.graph, _consumed(model.graph), list[GraphFinding]()
    idle = [value.name for value in graph_inputs(graph) if value.name not in consumed]
    if idle:
        found.append(GraphFinding(rule="pruned-input", message=f"inputs that feed nothing: {some(idle)}"))
    unnamed = [text for value in (*graph.inputs, *graph.outputs) for text in _unnamed(value)]
    if unnamed:
        message = f"{len(unnamed)} axes have no name of their own: {some(unnamed)}"
        found.append(GraphFinding(rule="unnamed-dimension", message=message))
    reshapes = list(_zero_reshapes(model))
    if reshapes:
        message = f"{len(reshapes)} Reshapes copy a dimension, their shape holding 0 with allowzero unset: {some(reshapes)}"
        found.append(GraphFinding(rule="reshape-zero", message=message))
    return found


def graph_inputs(graph: OnnxGraph) -> list[Value]:
    """The inputs that a caller feeds: up to IR 3 initializers were inputs too."""
    initializers = {tensor.name for tensor in graph.initializers}
    return [value for value in graph.inputs if value.name not in initializers]


def fixed_axes(value: Value) -> list[tuple[int, int]]:
    """(axis, size) of the axes of an input that have a fixed size, where a batch or a length usually varies.

    The first axis; the second of token ids and masks, and of sequences with features; the third of a cache (`past…`).
    """
    rank = len(value.dims or ())
    axes = {0} if rank > 1 else set()
    axes |= {1} if rank == 3 or (rank == 2 and value.element in _TOKENS) else set()
    axes |= {2} if rank == 4 and value.name.startswith("past") else set()
    return [(axis, dim) for axis, dim in enumerate(value.dims or ()) if axis in axes and isinstance(dim, int)]


def merged_decoder(model: OnnxModel) -> MergedDecoder | None:
    """What the branch for cached steps returns, if the model has the switch."""
    graph = model.graph
    if not any(value.name == SWITCH and value.element == _BOOL for value in graph.inputs):
        return None
    for node in graph.nodes:
        branch = next((inner for name, inner in node.graphs if name == "then_branch"), None)
        if node.op_type == "If" and branch and node.inputs[:1] == (SWITCH,):
            return _merged(node, branch, graph)
    return None


def _merged(node: Node, branch: OnnxGraph, outer: OnnxGraph) -> MergedDecoder:
    producers = {output: inner for inner in branch.nodes for output in inner.outputs}
    weights = {tensor.name: tensor for tensor in (*outer.initializers, *branch.initializers)}
    inputs = {value.name for value in outer.inputs}
    empty, passed = [], []
    for output, result in zip(node.outputs, branch.outputs, strict=False):
        name, producer = result.name, producers.get(result.name)
        for _ in range(_LONGEST_CHAIN):
            if producer is None or producer.op_type != "Identity" or not producer.inputs:
                break
            name, producer = producer.inputs[0], producers.get(producer.inputs[0])
        constant = weights.get(name) or next(
            iter(producer.tensors if producer and producer.op_type == "Constant" else ()), None
        )
        if constant and 0 in constant.dims:
            empty.append(output)
        elif producer is None and name in inputs:
            passed.append(output)
    return MergedDecoder(empty=tuple(empty), passed_through=tuple(passed))


def _unnamed(value: Value) -> Iterator[str]:
    for axis, dim in enumerate(value.dims or ()):
        if _is_unnamed(dim):
            yield f"axis {axis} of {value.name}" + (f" ({dim!r})" if dim else "")


def _is_unnamed(dim: Dimension) -> bool:
    return dim is None or (isinstance(dim, str) and _MADE_UP.fullmatch(dim) is not None)


def _zero_reshapes(model: OnnxModel) -> Iterator[str]:
    yield from _zero_reshapes_in(model.graph.nodes, _weights(model.graph.initializers), ChainMap())
    for function in model.functions:
        yield from _zero_reshapes_in(function.nodes, {}, ChainMap())


def _zero_reshapes_in(nodes: Sequence[Node], own: Mapping[str, _Numbers], outer: ChainMap[str, _Numbers]) -> Iterator[str]:
    constants = {node.outputs[0]: _constant(node) for node in nodes if node.op_type == "Constant" and node.outputs}
    known = outer.new_child({**own, **constants})
    for node in nodes:
        for _, inner in node.graphs:
            yield from _zero_reshapes_in(inner.nodes, _weights(inner.initializers), known)
        if node.op_type == "Reshape" and node.domain == DEFAULT_DOMAIN and not node.integer("allowzero"):
            shape = known.get(node.inputs[1]) if len(node.inputs) > 1 else None
            if shape and 0 in shape:
                yield node.name or next(iter(node.outputs), "")


def _weights(tensors: Iterable[Tensor]) -> dict[str, _Numbers]:
    return {tensor.name: tensor.numbers for tensor in tensors}


def _constant(node: Node) -> _Numbers:
    """The integers of a Constant; None for another kind."""
    integers = next((numbers for name, numbers in node.integers if name == "value_ints"), None)
    return node.tensors[0].numbers if node.tensors else integers


def _consumed(graph: OnnxGraph) -> set[str]:
    """Every name that a node of the graph, or of a graph nested in one, reads, or that is an output."""
    names = {value.name for value in graph.outputs}
    for node in graph.nodes:
        names.update(node.inputs)
        for _, inner in node.graphs:
            names |= _consumed(inner)
    return names


def some(texts: Sequence[str]) -> str:
    """The first of `texts`; there may be hundreds."""
    return ", ".join(texts[:_LISTED]) + (" …" if len(texts) > _LISTED else "")
