"""The exporters that turn a request into a graph, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from ..graphs import GraphRequest
from ..protocol import Variant
from . import dynamo, external, torchscript
from .inspection import require_inputs
from .lint import lint_export

EXPORTERS: dict[str, Callable[[GraphRequest, Path, int], None]] = {
    "torchscript": torchscript.export,
    "dynamo": dynamo.export,
}


def export_graph(request: GraphRequest, variant: Variant, path: Path) -> None:
    """Write `request` to `path` as `variant` asks, and note what differs from what was asked for.

    NotRun where this torch cannot; ProbeFailure where an input that the graph must depend on was pruned.
    """
    variant.declare(request.role, request.inputs, request.outputs)
    external.apart(lambda written: EXPORTERS[variant.exporter](request, written, variant.opset), path)
    variant.add(lint_export(request, path))
    require_inputs(request, path)
