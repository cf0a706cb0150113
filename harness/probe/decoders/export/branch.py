"""A model that becomes a branch of an If: its names get a prefix, its initializers move to the outer graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import onnx
from onnx import helper

from ...export import external
from ...export.inspection import nested_graphs
from ...outcome import ProbeFailure


class Branch:
    """A model with a prefix before every inner name: a name inside a branch must not repeat one outside of it.

    `outputs` maps the model's output names to the inner names that hold their values.
    """

    def __init__(self, model: Any, prefix: str) -> None:
        self.model = _inlined(model)
        self._prefix = prefix
        self._inputs = {value.name for value in self.model.graph.input}
        self.outputs = {value.name: self._own(value.name) for value in self.model.graph.output}
        self._renamed: dict[str, str] = {}

    @classmethod
    def load(cls, path: Path, prefix: str) -> Branch:
        """Read the model at `path`, without its external data."""
        return cls(external.load(path), prefix)

    def hand_over_initializers(self, add: Callable[[Any], str]) -> None:
        """Pass each initializer to `add`, which returns its name in the outer graph."""
        for tensor in self.model.graph.initializer:
            self._renamed[tensor.name] = add(tensor)
        # Up to IR 3 initializers were inputs too, and exporters can still do that.
        self._inputs -= set(self._renamed)

    def add_output(self, name: str, node: Any) -> None:
        """Append `node`, which computes the additional output `name`."""
        self.model.graph.node.append(node)
        self.outputs[name] = self._own(name)

    def as_branch(self, order: list[str], name: str) -> Any:
        """Return the graph for the If, with the outputs in the given `order` and no inputs of its own."""
        nodes = [self._rename_node(node, set()) for node in self.model.graph.node]
        computed = {output for node in nodes for output in node.output}
        results = []
        for output in order:
            inner = self.outputs[output]
            if inner not in computed:
                # This output is an input or an initializer, outside of the branch; a branch has to compute what it returns.
                nodes.append(helper.make_node("Identity", [self._new_name(output)], [inner]))
            results.append(inner)
        return helper.make_graph(nodes, name, [], [self._result(output, inner) for output, inner in zip(order, results)])

    def _result(self, output: str, inner: str) -> Any:
        """Return the typed output of the branch, of unknown shape: the runtime infers it from the nodes."""
        known = {value.name: value.type.tensor_type.elem_type for value in self.model.graph.output}
        return helper.make_tensor_value_info(inner, known.get(output, onnx.TensorProto.FLOAT), None)

    def _own(self, name: str) -> str:
        return self._prefix + name

    def _new_name(self, name: str) -> str:
        if not name or name in self._inputs:
            return name
        return self._renamed.get(name) or self._own(name)

    def _rename_node(self, node: Any, local: set[str]) -> Any:
        """Return a copy of `node` under the new names, graphs nested in it included.

        `local` holds the names that an enclosing nested graph declares itself.
        """
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        # A node need not have a name; the prefix alone would not be unique.
        copy.name = self._own(node.name) if node.name else ""
        copy.input[:] = [self._own(name) if name in local else self._new_name(name) for name in node.input]
        copy.output[:] = [self._own(name) if name else name for name in node.output]
        for nested in nested_graphs(copy):
            self._rename_graph(nested, local)
        return copy

    def _rename_graph(self, graph: Any, local: set[str]) -> None:
        """Rename within a nested graph, in place."""
        declared = {value.name for value in [*graph.input, *graph.initializer]}
        declared |= {output for node in graph.node for output in node.output}
        inner = local | declared
        renamed = [self._rename_node(node, inner) for node in graph.node]
        del graph.node[:]
        graph.node.extend(renamed)
        del graph.value_info[:]
        for value in [*graph.input, *graph.initializer, *graph.output]:
            value.name = self._own(value.name) if value.name in inner else self._new_name(value.name)


def _inlined(model: Any) -> Any:
    """Return `model` without model functions: functions of one name in two models may differ."""
    if not model.functions:
        return model
    try:
        from onnx import inliner  # noqa: PLC0415 - onnx has it from 1.15 on
    except ImportError as exc:
        message = "the exported graph consists of model functions, and this onnx cannot inline them (1.15 and later can)"
        raise ProbeFailure(message, exc) from exc
    return inliner.inline_local_functions(model)
