"""What an exporter receives, whatever the model: a module with named inputs, outputs and axes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

Axes = Mapping[int, str]


@dataclass(frozen=True)
class GraphRequest:
    """One graph to export.

    `module` takes the tensors of `inputs` by position, in order, and returns the tensors named in `outputs`.
    `input_axes` and `output_axes` name every axis that may change. Two axes share a name only if they are always equal:
    runtimes plan their memory by these names.
    """

    role: str
    """The graph's part in the artifact, and its file name without `.onnx`."""
    module: Any
    inputs: Mapping[str, Any]
    outputs: tuple[str, ...]
    input_axes: Mapping[str, Axes] = field(default_factory=dict)
    output_axes: Mapping[str, Axes] = field(default_factory=dict)
    not_needed: frozenset[str] = frozenset()
    """Inputs that an exporter may leave out. If any other input is pruned, the graph is another model."""

    @property
    def required(self) -> frozenset[str]:
        """The inputs that the graph must depend on."""
        return frozenset(self.inputs) - self.not_needed
