"""Which operators a model uses, each for which types of elements: the types are followed from the inputs to the outputs. Pure.

onnxruntime does the same before it looks for kernels. A type that could not be followed is named; what comes after it is not.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.onnx_files import operators
from harness.onnx_files.onnx_model import DEFAULT_DOMAIN, ELEMENT_TYPES, Function, Node, OnnxGraph, OnnxModel, Value
from harness.verdicts.runtime_kernels import Operator, Operators

_SPELLED = {"float32": "float", "float64": "double"}
"""Where onnxruntime's name of a type is not numpy's."""
_FLOAT, _INT32 = "tensor(float)", "tensor(int32)"
_CONSTANTS = {
    "value_float": _FLOAT, "value_floats": _FLOAT, "value_int": "tensor(int64)", "value_ints": "tensor(int64)",
    "value_string": "tensor(string)", "value_strings": "tensor(string)",
}  # fmt: skip
"""Attribute of a Constant → its type."""
_NAMED = ("to", "dtype", "output_dtype", "output_datatype")
"""Attributes that name the type of an output."""
_WITHOUT = {
    "ConstantOfShape": _FLOAT, "RandomNormal": _FLOAT, "RandomUniform": _FLOAT, "BlackmanWindow": _FLOAT,
    "HammingWindow": _FLOAT, "HannWindow": _FLOAT, "MelWeightMatrix": _FLOAT, "LayerNormalization": _FLOAT,
    "Multinomial": _INT32, "QuantizeLinear": "tensor(uint8)",
}  # fmt: skip
"""Operator → the type of an output that nothing names."""
_LIKE = ("RandomNormalLike", "RandomUniformLike", "Bernoulli", "EyeLike")
"""Operators whose output has the type of the input if nothing names another one."""
_SEQUENCES = ("SequenceConstruct", "SplitToSequence")
_DEEPEST = 20
"""Functions within functions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorUse:
    """An operator for certain types."""

    domain: str
    name: str
    since: int
    """The opset that brought the form of it which the model uses."""
    types: tuple[tuple[str, str], ...]
    """(parameter, type), such as (`T`, `tensor(float)`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorUses:
    """All of a model."""

    uses: tuple[OperatorUse, ...]
    differing: tuple[str, ...]
    """A text for each node whose inputs have types that its operator does not take together."""
    untyped: tuple[str, ...]
    """Values of which the type is not known."""


def tensor_type(element: int) -> str | None:
    """The name in onnxruntime of tensors of such elements; None if they are not known here."""
    known = ELEMENT_TYPES.get(element)
    return f"tensor({_SPELLED.get(known.name, known.name)})" if known else None


def operator_uses(model: OnnxModel, described: Operators) -> OperatorUses:
    """The operators that `model` uses, as they are `described`."""
    follower = _Follower(model.functions, described)
    follower.graph(model.graph, ChainMap(), model.opsets, ())
    return OperatorUses(
        uses=tuple(follower.uses),
        differing=tuple(dict.fromkeys(follower.differing)),
        untyped=tuple(dict.fromkeys(follower.untyped)),
    )


_Types = ChainMap[str, str | None]


class _Follower:
    """Follows the types through a model."""

    def __init__(self, functions: Iterable[Function], described: Operators) -> None:
        # onnxruntime takes operators of ONNX's own domains from its own schemas alone.
        own = (function for function in functions if function.domain not in operators.DOMAINS)
        self._functions = {(function.domain, function.name, function.overload): function for function in own}
        self._described = described
        self._called: dict[tuple[object, ...], list[str | None]] = {}
        self.uses: dict[OperatorUse, None] = {}
        self.differing: list[str] = []
        self.untyped: list[str] = []

    def graph(self, graph: OnnxGraph, outer: _Types, opsets: dict[str, int], given: Sequence[str | None]) -> _Types:
        """The types of a graph whose inputs are `given` types where they have none of their own."""
        types = outer.new_child({tensor.name: tensor_type(tensor.element) for tensor in graph.initializers})
        for place, value in enumerate(graph.inputs):
            found = _declared(value) or (given[place] if place < len(given) else None)
            types[value.name] = found or types.maps[0].get(value.name)
            if types[value.name] is None and place >= len(given):
                self.untyped.append(value.name)
        self._nodes(graph.nodes, types, opsets, 0)
        return types

    def _nodes(self, nodes: Iterable[Node], types: _Types, opsets: dict[str, int], depth: int) -> None:
        for node in nodes:
            inputs = [types.get(name) if name else None for name in node.inputs]
            outputs = self._node(node, inputs, types, opsets, depth)
            known = all(kind for name, kind in zip(node.inputs, inputs, strict=True) if name)
            for place, name in enumerate(node.outputs):
                types[name] = outputs[place] if place < len(outputs) else None
                if name and known and types[name] is None:
                    self.untyped.append(name)

    def _node(
        self, node: Node, inputs: Sequence[str | None], types: _Types, opsets: dict[str, int], depth: int
    ) -> Sequence[str | None]:
        """The types of the outputs of a node."""
        if function := self._functions.get((node.domain, node.op_type, node.overload)):
            return self._call(function, inputs, depth)
        forms = self._described.get(node.domain, {}).get(node.op_type, {})
        since = max((since for since in forms if since <= opsets.get(node.domain, 0)), default=None)
        inner = [self.graph(graph, types, opsets, _handed(node, inputs)) for _, graph in node.graphs]
        if since is None or not operators.has(node.domain, opsets[node.domain], node.op_type):
            return []
        bound = self._bound(node, forms[since], inputs)
        parameters = list(_repeated(forms[since].outputs, len(node.outputs)))
        if node.graphs:
            outputs = _of_graphs(node, inner[0])
        else:
            outputs = [_output(node, parameter, bound, inputs) for parameter in parameters]
        pairs = {(parameter, kind) for parameter, kinds in bound.items() for kind in kinds}
        named = zip(parameters, outputs, strict=False)
        pairs |= {(name.rstrip("+*"), kind) for name, kind in named if kind and "(" not in name}
        self._use(node, opsets, tuple(sorted(pairs)))
        return outputs

    def _use(self, node: Node, opsets: dict[str, int], types: tuple[tuple[str, str], ...]) -> None:
        # A Constant becomes a weight, and ONNX defines CastLike by a Cast, which onnxruntime puts in its place.
        name = "Cast" if (node.domain, node.op_type) == (DEFAULT_DOMAIN, "CastLike") else node.op_type
        if (node.domain, name) != (DEFAULT_DOMAIN, "Constant"):
            since = max(since for since in self._described[node.domain][name] if since <= opsets[node.domain])
            self.uses[OperatorUse(domain=node.domain, name=name, since=since, types=types)] = None

    def _bound(self, node: Node, form: Operator, inputs: Sequence[str | None]) -> dict[str, list[str]]:
        """Parameter → its types; several only where each repetition may have its own."""
        bound: dict[str, list[str]] = {}
        for parameter, kind in zip(_repeated(form.inputs, len(inputs)), inputs, strict=False):
            name = parameter.rstrip("+*")
            if kind is None:
                continue
            expected = [name] if "(" in name else [] if parameter.endswith("*") else bound.get(name, [])
            if expected and kind not in expected:
                self.differing.append(f"{node.op_type} {node.name} gets {kind} beside {expected[0]}".replace("  ", " "))
            if "(" not in name and kind not in bound.setdefault(name, []):
                bound[name].append(kind)
        return bound

    def _call(self, function: Function, inputs: Sequence[str | None], depth: int) -> Sequence[str | None]:
        key = (function.domain, function.name, function.overload, *inputs)
        if key not in self._called and depth < _DEEPEST:
            self._called[key] = []
            types: _Types = ChainMap(dict(zip(function.inputs, inputs, strict=False)))
            self._nodes(function.nodes, types, function.opsets, depth + 1)
            self._called[key] = [types.get(name) for name in function.outputs]
        return self._called.get(key, [])


def _declared(value: Value) -> str | None:
    return tensor_type(value.element) if value.kind == "tensor" else None


def _of_graphs(node: Node, types: _Types) -> list[str | None]:
    """The types of the outputs of a node with graphs; `types` are those of the first one."""
    results = [types.get(value.name) or _declared(value) for value in node.graphs[0][1].outputs]
    return {"If": results, "Loop": results[1:], "Scan": results}.get(node.op_type, [])


def _handed(node: Node, inputs: Sequence[str | None]) -> Sequence[str | None]:
    """The types of the inputs of a body."""
    return ["tensor(int64)", "tensor(bool)", *inputs[2:]] if node.op_type == "Loop" else inputs


def _repeated(parameters: Sequence[str], count: int) -> Iterator[str]:
    """`parameters` for so many inputs or outputs: the last one may repeat."""
    yield from parameters[:count]
    if parameters and parameters[-1].endswith(("+", "*")):
        yield from [parameters[-1]] * (count - len(parameters))


def _output(node: Node, parameter: str, bound: dict[str, list[str]], inputs: Sequence[str | None]) -> str | None:
    name = parameter.rstrip("+*")
    if "(" in name:
        return name
    if found := bound.get(name):
        return found[0]
    if node.tensors:
        return tensor_type(node.tensors[0].element)
    named = next((node.integer(attribute) for attribute in _NAMED if node.integer(attribute)), 0)
    if named:
        return tensor_type(named)
    if any(attribute in _NAMED for attribute in node.attributes):
        return None
    first = next(iter(inputs), None)
    if node.op_type in _LIKE:
        return first
    if node.op_type in _SEQUENCES and first:
        return f"seq({first})"
    if first and first.startswith("seq("):
        return first[len("seq(") : -1]
    constant = next((_CONSTANTS[attribute] for attribute in node.attributes if attribute in _CONSTANTS), None)
    return constant or _WITHOUT.get(node.op_type)
