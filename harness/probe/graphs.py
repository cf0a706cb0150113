"""What is asked of an exporter, whatever the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

Axes = Mapping[int, str]


@dataclass(frozen=True)
class GraphRequest:
    """One graph to export.

    `module` takes the tensors of `inputs` by position, in order, and returns the tensors named in `outputs`.
    `input_axes` and `output_axes` give every axis that may change a symbolic name; two axes share a name only where
    they are always equal, because runtimes plan their memory by these names.
    """

    role: str
    """The graph's part in the artifact, and its file name without `.onnx`."""
    module: Any
    inputs: Mapping[str, Any]
    outputs: tuple[str, ...]
    input_axes: Mapping[str, Axes] = field(default_factory=dict)
    output_axes: Mapping[str, Axes] = field(default_factory=dict)
    not_needed: frozenset[str] = frozenset()
    """Inputs that an exporter may leave out. Of any other the value must reach the outputs: pruned, it changes the model."""

    @property
    def required(self) -> frozenset[str]:
        """The inputs that must be there."""
        return frozenset(self.inputs) - self.not_needed
