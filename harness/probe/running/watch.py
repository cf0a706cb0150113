"""Watches each call of a graph for dimensions that are not what the graph says they are."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ..findings import Findings, finding
from ..runtime import CallFailure, Form, Graph, Values
from .interface import Interface

Described = Mapping[str, Any]
"""A graph as the manifest describes it."""


class Watched(Graph):
    """A graph whose calls add to `findings`, each thing once; inputs are looked at before the call, which may fail."""

    def __init__(self, graph: Graph, role: str, described: Described, findings: Findings, interface: Interface) -> None:
        self._graph = graph
        self._role = role
        self._dims = {side: _declared(described[side]) for side in ("inputs", "outputs")}
        self._findings = findings
        self._interface = interface
        self._seen = {(one["rule"], one["where"]) for one in findings}
        self.inputs = graph.inputs

    def run(self, values: Mapping[str, Any]) -> Values:
        """Run the graph. InventedInput or ProbeModuleError where `values` lack one of its inputs."""
        self._interface.offer(self.inputs, values)
        bound: dict[str, tuple[int, str]] = {}
        self._look("inputs", {name: values[name] for name in self.inputs}, bound)
        try:
            outputs = self._graph.run(values)
        except CallFailure as exc:
            if exc.node is not None:
                exc.node["graph"] = self._role
            raise
        self._look("outputs", outputs, bound)
        return self._interface.outputs(outputs)

    def form(self, value: Any) -> Form:
        """Pass through."""
        return self._graph.form(value)

    def _look(self, side: str, values: Mapping[str, Any], bound: dict[str, tuple[int, str]]) -> None:
        for name, value in values.items():
            for axis, dim, size in _pairs(self._dims[side].get(name), self.form(value).shape):
                place = f"axis {axis} of {name}"
                if isinstance(dim, int):
                    if dim != size:
                        self._note("frozen-dimension", f"{place} is {dim} in the graph and {size} in the call", place)
                    continue
                known, first = bound.setdefault(dim, (size, place))
                if known != size:
                    message = f"{dim!r} stands for {known} ({first}) and for {size} ({place}) in one call"
                    self._note("dimension-bound-twice", message, dim)

    def _note(self, rule: str, message: str, what: str) -> None:
        where = f"{self._role}: {what}"
        if (rule, where) not in self._seen:
            self._seen.add((rule, where))
            self._findings.append(finding(rule, message, where))


def _declared(values: Sequence[Described]) -> dict[str, Any]:
    return {value["name"]: value["dims"] for value in values}


def _pairs(dims: Any, shape: tuple[int, ...]) -> Iterator[tuple[int, Any, int]]:
    """Yield (axis, declared, actual) of every axis that the graph says something about."""
    if dims is not None and len(dims) == len(shape):
        for axis, (dim, size) in enumerate(zip(dims, shape)):
            if dim is not None:
                yield axis, dim, size
