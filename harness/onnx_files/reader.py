"""File → OnnxModel. The numbers of fields are those of onnx.proto, which never change; a test holds them to it.

Scalars that stand twice count as protobuf counts them: the last one. A message that must be there once is refused twice.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from pathlib import Path

from harness import regular_files
from harness.errors import ModelFileError
from harness.onnx_files.onnx_model import (
    DEFAULT_DOMAIN,
    INT64,
    Dimension,
    External,
    Function,
    Node,
    OnnxGraph,
    OnnxModel,
    Tensor,
    Value,
)
from harness.onnx_files.other_formats import require_no_other_format
from harness.onnx_files.protobuf import VARINT, Field, MalformedError, Message, Source, fields, packed

FILE_LIMIT = 2**31
"""Bytes of the largest model: protobuf holds no more."""
_DEEPEST = 30
"""Graphs within graphs. protobuf's own readers stop at 100 messages, which are 33 graphs."""
PARTS = 250_000
"""Nodes, tensors and values that are kept of one file."""
_RANK = 1000
_SHAPE = 64
"""Elements of the largest tensor with a content that is read: a shape."""
_KINDS = {1: "tensor", 4: "sequence", 5: "map", 7: "opaque", 8: "sparse tensor", 9: "optional"}
"""Field of TypeProto → kind of type."""


def read_model(path: Path) -> OnnxModel:
    """The model in the file at `path`; a link that the user has named is followed.

    Raises:
        ModelFileError: it cannot be read, or is no ONNX model.
    """
    try:
        with regular_files.opened_named(path, limit=FILE_LIMIT) as (handle, size):
            return _ModelReader().model(Message(Source(handle), 0, size))
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or error}") from None
    except (MalformedError, regular_files.RefusedFileError) as problem:
        raise ModelFileError(f"{path} {problem}") from None


class _ModelReader:
    """Reads one file."""

    def __init__(self) -> None:
        self._parts = PARTS

    def model(self, message: Message) -> OnnxModel:
        require_no_other_format(message)
        ir, producer, version, opsets = 0, "", "", dict[str, int]()
        graph: OnnxGraph | None = None
        functions = []
        for field in fields(message):
            match field.number:
                case 1:
                    ir = field.integer()
                case 2:
                    producer = field.text()
                case 3:
                    version = field.text()
                case 7 if graph is not None:
                    raise MalformedError("has two graphs where there must be one")
                case 7:
                    graph = self._graph(field.message(), _DEEPEST)
                case 8:
                    _add_opset(opsets, field.message())
                case 25:
                    functions.append(self._function(field.message()))
                case _:
                    pass
        if graph is None or ir == 0:
            raise MalformedError(f"is no ONNX model: it has no {'graph' if graph is None else 'IR version'}")
        return OnnxModel(
            size=message.length, ir=ir, producer=f"{producer} {version}".strip(), opsets=opsets, graph=graph,
            functions=tuple(functions),
        )  # fmt: skip

    def _graph(self, message: Message, deeper: int) -> OnnxGraph:
        if deeper == 0:
            raise MalformedError(f"has graphs within graphs, more than {_DEEPEST} deep")
        name, nodes, tensors, inputs, outputs = "", list[Node](), list[Tensor](), list[Value](), list[Value]()
        for field in fields(message):
            match field.number:
                case 1:
                    nodes.append(self._node(field.message(), deeper))
                case 2:
                    name = field.text()
                case 5:
                    tensors.append(self._tensor(field.message()))
                case 11:
                    inputs.append(self._value(field.message()))
                case 12:
                    outputs.append(self._value(field.message()))
                case 15:
                    tensors += self._sparse(field.message())
                case _:
                    pass
        return OnnxGraph(
            name=name, nodes=tuple(nodes), initializers=tuple(tensors), inputs=tuple(inputs), outputs=tuple(outputs)
        )  # fmt: skip

    def _node(self, message: Message, deeper: int) -> Node:
        self._count()
        texts = {3: "", 4: "", 7: "", 8: ""}
        inputs, outputs, attributes = list[str](), list[str](), list[Message]()
        for field in fields(message):
            match field.number:
                case 1:
                    inputs.append(field.text())
                case 2:
                    outputs.append(field.text())
                case 3 | 4 | 7 | 8:
                    texts[field.number] = field.text()
                case 5:
                    attributes.append(field.message())
                case _:
                    pass
        graphs, tensors, integers = list[tuple[str, OnnxGraph]](), list[Tensor](), list[tuple[str, tuple[int, ...]]]()
        names = list[str]()
        for attribute in attributes:
            name, its_graphs, its_tensors, its_integers = self._attribute(attribute, deeper)
            names.append(name)
            graphs += [(name, graph) for graph in its_graphs]
            tensors += its_tensors
            integers += [(name, its_integers)] if its_integers else []
        return Node(
            op_type=texts[4], domain=_domain(texts[7]), name=texts[3], overload=texts[8], inputs=tuple(inputs),
            outputs=tuple(outputs), graphs=tuple(graphs), tensors=tuple(tensors), integers=tuple(integers),
            attributes=tuple(names),
        )  # fmt: skip

    def _attribute(self, message: Message, deeper: int) -> tuple[str, list[OnnxGraph], list[Tensor], tuple[int, ...]]:
        name, graphs, tensors, integers = "", list[OnnxGraph](), list[Tensor](), list[int]()
        for field in fields(message):
            match field.number:
                case 1:
                    name = field.text()
                case 3:
                    integers.append(field.integer())
                case 5 | 10:
                    tensors.append(self._tensor(field.message()))
                case 6 | 11:
                    graphs.append(self._graph(field.message(), deeper - 1))
                case 8 if len(integers) < _SHAPE and (field.wire == VARINT or field.content.length <= _SHAPE * 10):
                    integers += packed(field, _SHAPE)
                case 22 | 23:
                    tensors += self._sparse(field.message())
                case _:
                    pass
        return name, graphs, tensors, tuple(integers)

    def _tensor(self, message: Message) -> Tensor:
        self._count()
        name, element, external, is_external = "", 0, list[Message](), False
        dims, numbers, raw = list[int](), list[Field](), None
        for field in fields(message, tensor=True):
            match field.number:
                case 1:
                    dims += packed(field, _RANK)
                case 2:
                    element = field.integer()
                case 7 if len(numbers) <= _SHAPE:
                    numbers.append(field)
                case 8:
                    name = field.text()
                case 9:
                    raw = field.message()
                case 13:
                    external.append(field.message())
                case 14:
                    is_external = field.integer() == 1
                case _:
                    pass
        if len(dims) > _RANK:
            raise MalformedError(f"has a tensor with more than {_RANK} dimensions")
        content = None
        if element == INT64 and not is_external and 0 <= math.prod(dims) <= _SHAPE:
            content = _content(numbers, raw, math.prod(dims))
        place = _external(external) if is_external else None
        return Tensor(name=name, dims=tuple(dims), element=element, external=place, numbers=content)

    def _sparse(self, message: Message) -> list[Tensor]:
        return [self._tensor(field.message()) for field in fields(message) if field.number in {1, 2}]

    def _value(self, message: Message) -> Value:
        self._count()
        name, kind, element, dims = "", "unknown", 0, None
        for field in fields(message):
            if field.number == 1:
                name = field.text()
            elif field.number == 2:
                for inner in fields(field.message()):
                    if inner.number in _KINDS:
                        kind = _KINDS[inner.number]
                    if inner.number in {1, 8}:
                        element, dims = _tensor_type(inner.message())
        return Value(name=name, kind=kind, element=element, dims=dims)

    def _function(self, message: Message) -> Function:
        self._count()
        texts, opsets, nodes = {1: "", 10: "", 13: ""}, dict[str, int](), list[Node]()
        inputs, outputs = list[str](), list[str]()
        for field in fields(message):
            match field.number:
                case 1 | 10 | 13:
                    texts[field.number] = field.text()
                case 4:
                    inputs.append(field.text())
                case 5:
                    outputs.append(field.text())
                case 7:
                    nodes.append(self._node(field.message(), _DEEPEST))
                case 9:
                    _add_opset(opsets, field.message())
                case _:
                    pass
        return Function(
            name=texts[1], domain=_domain(texts[10]), overload=texts[13], opsets=opsets, nodes=tuple(nodes),
            inputs=tuple(inputs), outputs=tuple(outputs),
        )  # fmt: skip

    def _count(self) -> None:
        self._parts -= 1
        if self._parts < 0:
            raise MalformedError(f"has more than {PARTS:,} nodes, tensors and values")


def _domain(text: str) -> str:
    return text or DEFAULT_DOMAIN


def _add_opset(opsets: dict[str, int], message: Message) -> None:
    """Add an import; of two of one domain the larger counts."""
    domain, version = "", 0
    for field in fields(message):
        if field.number == 1:
            domain = field.text()
        elif field.number == 2:
            version = field.integer()
    opsets[_domain(domain)] = max(version, opsets.get(_domain(domain), version))


def _tensor_type(message: Message) -> tuple[int, tuple[Dimension, ...] | None]:
    element, dims = 0, None
    for field in fields(message):
        if field.number == 1:
            element = field.integer()
        elif field.number == 2:
            dims = tuple(_dimension(inner.message()) for inner in fields(field.message()) if inner.number == 1)
    return element, dims


def _dimension(message: Message) -> Dimension:
    dimension: Dimension = None
    for field in fields(message):
        if field.number == 1:
            dimension = field.integer()
        elif field.number == 2:
            dimension = field.text() or None
    return dimension


def _external(entries: Iterable[Message]) -> External:
    found = {}
    for entry in entries:
        texts = {field.number: field.text() for field in fields(entry) if field.number in {1, 2}}
        found[texts.get(1, "")] = texts.get(2, "")
    return External(location=found.get("location", ""), offset=found.get("offset", ""), length=found.get("length", ""))


def _content(numbers: Iterable[Field], raw: Message | None, count: int) -> tuple[int, ...] | None:
    """The `count` numbers of a shape; None if the file holds another number of them."""
    found = [number for field in numbers for number in packed(field, _SHAPE)]
    if raw is not None and raw.length == count * 8:
        found = list(struct.unpack(f"<{count}q", raw.content()))
    return tuple(found) if len(found) == count else None
