"""What is kept of a model: its stamps, its graphs without weights, and where weights lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

DEFAULT_DOMAIN = "ai.onnx"
"""The name of the default domain here; files write an empty text, or this."""

INT64 = 7


class ElementType(NamedTuple):
    """A type of the elements of a tensor."""

    name: str
    """numpy's name where it has one."""
    bits: int
    """0 if an element has no fixed size."""
    ir: int
    """The IR version that brought it."""


ELEMENT_TYPES = {
    1: ElementType("float32", 32, 1), 2: ElementType("uint8", 8, 1), 3: ElementType("int8", 8, 1),
    4: ElementType("uint16", 16, 1), 5: ElementType("int16", 16, 1), 6: ElementType("int32", 32, 1),
    7: ElementType("int64", 64, 1), 8: ElementType("string", 0, 1), 9: ElementType("bool", 8, 1),
    10: ElementType("float16", 16, 1), 11: ElementType("float64", 64, 1), 12: ElementType("uint32", 32, 1),
    13: ElementType("uint64", 64, 1), 14: ElementType("complex64", 64, 1), 15: ElementType("complex128", 128, 1),
    16: ElementType("bfloat16", 16, 4), 17: ElementType("float8e4m3fn", 8, 9), 18: ElementType("float8e4m3fnuz", 8, 9),
    19: ElementType("float8e5m2", 8, 9), 20: ElementType("float8e5m2fnuz", 8, 9), 21: ElementType("uint4", 4, 10),
    22: ElementType("int4", 4, 10), 23: ElementType("float4e2m1", 4, 11), 24: ElementType("float8e8m0", 8, 12),
    25: ElementType("uint2", 2, 13), 26: ElementType("int2", 2, 13),
}  # fmt: skip
"""TensorProto.DataType → the type, from onnx.proto; a test holds names and IR versions to it."""


def type_name(number: int) -> str:
    """The name of an element type."""
    known = ELEMENT_TYPES.get(number)
    return known.name if known else f"type {number}"


Dimension = int | str | None
"""A number, a symbolic name, or None (unnamed)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """An input or output of a graph."""

    name: str
    kind: str
    """`tensor`, `sequence`, `optional`, `map`, …"""
    element: int = 0
    dims: tuple[Dimension, ...] | None = None
    """None if the rank is unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class External:
    """Where the content of a tensor lies, as the file writes it."""

    location: str
    offset: str
    length: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """A weight or a constant."""

    name: str
    dims: tuple[int, ...]
    element: int
    external: External | None = None
    numbers: tuple[int, ...] | None = None
    """The content of a small int64 tensor."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A node, with the attributes that matter here."""

    op_type: str
    domain: str
    name: str
    overload: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    graphs: tuple[tuple[str, OnnxGraph], ...] = ()
    """(name of the attribute, graph)."""
    tensors: tuple[Tensor, ...] = ()
    integers: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """(name of the attribute, its integers)."""
    attributes: tuple[str, ...] = ()
    """The names of all its attributes."""

    def integer(self, name: str) -> int:
        """The first integer of an attribute; 0 if there is none."""
        return next((numbers[0] for found, numbers in self.integers if found == name and numbers), 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class OnnxGraph:
    """A graph, or a branch or body of a node."""

    name: str
    nodes: tuple[Node, ...] = ()
    initializers: tuple[Tensor, ...] = ()
    inputs: tuple[Value, ...] = ()
    outputs: tuple[Value, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """A function of the model."""

    name: str
    domain: str
    overload: str
    opsets: dict[str, int]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OnnxModel:
    """A whole model."""

    size: int
    """Bytes of its file."""
    ir: int
    producer: str
    opsets: dict[str, int]
    """Domain → version; the default domain is `ai.onnx`."""
    graph: OnnxGraph
    functions: tuple[Function, ...] = field(default=())

    @property
    def opset(self) -> int | None:
        """The opset of the default domain; None if it imports none."""
        return self.opsets.get(DEFAULT_DOMAIN)

    def largest_opsets(self) -> dict[str, int]:
        """Domain → the largest version that the model or one of its functions imports."""
        found = dict(self.opsets)
        for function in self.functions:
            found |= {domain: max(version, found.get(domain, version)) for domain, version in function.opsets.items()}
        return found

    def scopes(self) -> Iterator[tuple[dict[str, int], Iterator[Node]]]:
        """(opsets, nodes that are of them): of the graph with its branches and bodies, and of each function."""
        yield self.opsets, _nodes(self.graph.nodes)
        for function in self.functions:
            yield function.opsets, _nodes(function.nodes)

    def nodes(self) -> Iterator[Node]:
        """All nodes, those of branches, bodies and functions too."""
        for _, nodes in self.scopes():
            yield from nodes

    def tensors(self) -> Iterator[Tensor]:
        """All tensors, those of branches and of attributes too."""
        yield from self.graph.initializers
        for node in self.nodes():
            yield from node.tensors
            for _, graph in node.graphs:
                yield from graph.initializers


def _nodes(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for _, graph in node.graphs:
            yield from _nodes(graph.nodes)
