"""The exporters that turn a request into a graph, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from ..failures import ProbeModuleError
from ..graphs import GraphRequest
from ..protocol import RequestedVariant
from . import dynamo, external, torchscript
from .inspection import require_inputs
from .lint import lint_export

EXPORTERS: dict[str, Callable[[GraphRequest, Path, int], None]] = {
    "torchscript": torchscript.export,
    "dynamo": dynamo.export,
}


def export_graph(request: GraphRequest, variant: RequestedVariant, path: Path) -> None:
    """Write `request` to `path` as `variant` asks, and note what differs from what was asked for.

    NotRun where this torch cannot; ProbeModuleError where no exporter has the variant's name; ProbeFailure where an input
    that the graph must depend on was pruned.
    """
    if variant.exporter not in EXPORTERS:
        message = f"the harness has no exporter {variant.exporter!r} for graphs(); it has {', '.join(EXPORTERS)}"
        raise ProbeModuleError(f"{message}, and an export() in the probe module may know others")
    variant.declare(request.role, request.inputs, request.outputs)
    external.apart(lambda written: EXPORTERS[variant.exporter](request, written, variant.opset), path)
    variant.add(lint_export(request, path))
    require_inputs(request, path)
