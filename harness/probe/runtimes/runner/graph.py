"""One graph in a runner: a class for each binding. A runner that has ended is started again, and the graph loaded anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from ...runtime import Form, Graph, Values, array_form
from .client import Client, HeldGraph, HeldValue, Runner, call_failures


class HandleGraph(Graph):
    """Outputs stay in the runner. They are inputs again by their handle, and read only where their content is needed."""

    def __init__(self, runner: Runner, path: Path, options: Mapping[str, str]) -> None:
        self._runner = runner
        self._path = path
        self._options = options
        self._held = self._loaded()
        self.inputs = self._held.inputs

    def run(self, values: Mapping[str, Any]) -> Values:
        """See Graph."""
        feed = {name: values[name] for name in self.inputs}
        with call_failures():
            if not self._held.client.process.alive:
                self._held = self._loaded()
            return self._call(self._held.client, feed)

    def form(self, value: Any) -> Form:
        """See Graph."""
        return value.form if isinstance(value, HeldValue) else array_form(value)

    def _call(self, client: Client, feed: Mapping[str, Any]) -> Values:
        return dict(client.run(self._held, feed))

    def _loaded(self) -> HeldGraph:
        return self._runner.client().load(self._path, self._options)


class ArrayGraph(HandleGraph):
    """Arrays in, arrays out: every output is read, and sent again where it is an input."""

    def _call(self, client: Client, feed: Mapping[str, Any]) -> Values:
        outputs = client.run(self._held, feed)
        return dict(zip(outputs, client.read(list(outputs.values()))))


BINDINGS: dict[str, type[HandleGraph]] = {"numpy": ArrayGraph, "ortvalue": HandleGraph}
