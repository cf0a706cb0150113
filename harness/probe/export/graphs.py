"""What is asked of an exporter, whatever the model."""

from __future__ import annotations

from dataclasses import dataclass
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
    inputs: dict[str, Any]
    outputs: tuple[str, ...]
    input_axes: Mapping[str, Axes]
    output_axes: Mapping[str, Axes]
    required: frozenset[str]
    """The inputs whose value must reach the graph's outputs; an exporter that prunes one has changed the model."""
