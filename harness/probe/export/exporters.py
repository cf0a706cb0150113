"""An exporter by its name, and the export of one graph."""

from __future__ import annotations

import importlib
from pathlib import Path

from ..findings import Findings
from ..graph_request import GraphRequest
from ..outcome import ProbeModuleError
from ..variant import RequestedVariant
from . import external
from .inspection import require_inputs
from .interface import ExportGraph, ModelExporter
from .lint import lint_export
from .registry import GRAPH_EXPORTERS, MODEL_EXPORTERS


def model_exporter(name: str) -> ModelExporter | None:
    """Return the model exporter of that name, None if it is a graph exporter."""
    if name not in MODEL_EXPORTERS:
        return None
    exporter: ModelExporter = importlib.import_module(MODEL_EXPORTERS[name], __package__).EXPORTER
    return exporter


def export_graph(request: GraphRequest, variant: RequestedVariant, path: Path, findings: Findings) -> None:
    """Write `request` to `path` as `variant` asks, and add to `findings` what differs from the request.

    NotRun if this torch cannot; ProbeModuleError if no graph exporter has the variant's name; ProbeFailure if an input that the
    graph must depend on was pruned.
    """
    if variant.exporter not in GRAPH_EXPORTERS:
        message = f"the harness has no exporter {variant.exporter!r} for graphs(); it has {', '.join(GRAPH_EXPORTERS)}"
        raise ProbeModuleError(f"{message}, and an export() in the probe module may know others")
    export: ExportGraph = importlib.import_module(GRAPH_EXPORTERS[variant.exporter], __package__).export
    external.write_apart(lambda written: export(request, written, variant.opset), path)
    findings += lint_export(request, path)
    require_inputs(request, path)
