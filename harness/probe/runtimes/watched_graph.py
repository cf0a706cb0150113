"""A graph that checks each call: the dimensions against what the graph declares, the names against what is offered."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from ..findings import Findings, finding
from ..runtime import CallFailure, Form, Graph, Values
from .graph_names import GraphNames


class WatchedGraph(Graph):
    """A graph whose calls add findings, each once. Inputs are checked before the call, which may fail.

    `described` is the graph in the manifest.
    """

    def __init__(self, graph: Graph, described: Mapping[str, Any], findings: Findings, names: GraphNames) -> None:
        self._graph = graph
        self._dims = {side: {value["name"]: value["dims"] for value in described[side]} for side in ("inputs", "outputs")}
        self._findings = findings
        self._names = names
        self._seen = {(found["rule"], found["where"]) for found in findings}
        self.inputs = graph.inputs

    def run(self, values: Mapping[str, Any]) -> Values:
        """Run the graph. InventedInput or ProbeModuleError if `values` lack one of its inputs."""
        self._names.offer(self.inputs, values)
        bound: dict[str, tuple[int, str]] = {}
        self._check("inputs", {name: values[name] for name in self.inputs}, bound)
        try:
            outputs = self._graph.run(values)
        except CallFailure as exc:
            if exc.node is not None:
                exc.node["graph"] = self._names.role
            raise
        self._check("outputs", outputs, bound)
        return self._names.outputs(outputs)

    def form(self, value: Any) -> Form:
        """See Graph."""
        return self._graph.form(value)

    def _check(self, side: str, values: Mapping[str, Any], bound: dict[str, tuple[int, str]]) -> None:
        for name, value in values.items():
            for axis, dim, size in _declared_axes(self._dims[side].get(name), self.form(value).shape):
                place = f"axis {axis} of {name}"
                if isinstance(dim, int):
                    if dim != size:
                        self._add("frozen-dimension", f"{place} is {dim} in the graph and {size} in the call", place)
                    continue
                known, first = bound.setdefault(dim, (size, place))
                if known != size:
                    message = f"{dim!r} stands for {known} ({first}) and for {size} ({place}) in one call"
                    self._add("dimension-bound-twice", message, dim)

    def _add(self, rule: str, message: str, place: str) -> None:
        where = f"{self._names.role}: {place}"
        if (rule, where) not in self._seen:
            self._seen.add((rule, where))
            self._findings.append(finding(rule, message, where))


def _declared_axes(dims: Any, shape: tuple[int, ...]) -> Iterator[tuple[int, Any, int]]:
    """Yield (axis, declared dimension, actual size) of every axis that the graph declares."""
    if dims is not None and len(dims) == len(shape):
        for axis, (dim, size) in enumerate(zip(dims, shape)):
            if dim is not None:
                yield axis, dim, size
