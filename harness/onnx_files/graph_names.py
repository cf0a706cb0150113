"""Names in a graph: each is given once, by an input, a weight or a node, before something reads it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from harness.onnx_files.onnx_model import OnnxGraph


def given_twice(graph: OnnxGraph) -> Iterator[str]:
    """The names that more than one gives, in the graph or in one within it."""
    counts = Counter(name for node in graph.nodes for name in node.outputs if name)
    counts.update({value.name for value in graph.inputs} | {tensor.name for tensor in graph.initializers})
    yield from (name for name, count in counts.items() if count > 1)
    for inner in _inner(graph):
        yield from given_twice(inner)


def given_by_nothing(graph: OnnxGraph, outer: Collection[str] = ()) -> Iterator[str]:
    """The names that something reads and nothing gives; a graph within another reads what that one has."""
    known = {*outer, *_given(graph)}
    read = (*(name for node in graph.nodes for name in node.inputs), *(value.name for value in graph.outputs))
    yield from (name for name in read if name and name not in known)
    for inner in _inner(graph):
        yield from given_by_nothing(inner, known)


def _given(graph: OnnxGraph) -> set[str]:
    named = {value.name for value in graph.inputs} | {tensor.name for tensor in graph.initializers}
    return named | {name for node in graph.nodes for name in node.outputs}


def _inner(graph: OnnxGraph) -> Iterator[OnnxGraph]:
    for node in graph.nodes:
        for _, inner in node.graphs:
            yield inner
