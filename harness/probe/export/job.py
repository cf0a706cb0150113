"""The export job: the model in PyTorch, then every variant, one failing without stopping the next."""

from __future__ import annotations

import os
import shutil
from typing import Any, Callable, Dict, List, Optional, Tuple

import onnx

from ..artifact import write_json
from ..compare import TOLERANCE
from ..journal import Journal
from . import dynamo, torchscript
from .graphs import GraphRequest
from .inspection import describe_graph, require_inputs
from .layouts import LAYOUTS
from .models import build
from .models.seq2seq import Seq2Seq
from .reference import build_reference, check_cached

EXPORTERS: Dict[str, Callable[[GraphRequest, str, int], None]] = {
    "torchscript": torchscript.export,
    "dynamo": dynamo.export,
}


def run(job: Dict[str, Any], journal: Journal) -> None:
    """Run the stages `eager`, and `export` and `check` for each variant of `job`."""
    out: str = job["out"]
    subject = _eager(job["model"], os.path.join(out, "reference"), journal)
    if subject is None:
        return
    shared = SharedGraphs(subject, os.path.join(out, ".graphs"))
    for variant in job["variants"]:
        folder = os.path.join(out, variant["id"])
        with journal.stage("export", variant["id"]) as stage:
            stage.data.update(_export(variant, shared, folder))
        if stage.works:
            with journal.stage("check", variant["id"]):
                _check(folder)
    shared.remove()


def _eager(model: Dict[str, Any], folder: str, journal: Journal) -> Optional[Seq2Seq]:
    """Build the model and write its reference; None where PyTorch itself fails.

    The reference comes before any export: exporters have left models in training mode.
    """
    with journal.stage("eager") as stage:
        subject = build(model)
        reference = build_reference(subject, model)
        stage.data["tolerance"] = TOLERANCE
        stage.data["max_abs_diff"] = check_cached(subject, reference)
        stage.data["cases"] = len(reference.cases)
        stage.data["cache"] = type(subject.decoder.cache).__name__
        reference.write(folder)
    return subject if stage.works else None


class SharedGraphs:
    """The graphs of one model, exported once for each exporter and opset, whichever variants share them."""

    def __init__(self, subject: Seq2Seq, folder: str) -> None:
        self.cache_sizes = subject.cache_sizes
        self._requests = subject.requests()
        self._folder = folder
        self._results: Dict[Tuple[str, int], Any] = {}

    def get(self, exporter: str, opset: int) -> Dict[str, str]:
        """Return role → path; raises again what the first attempt raised."""
        key = (exporter, opset)
        if key not in self._results:
            try:
                self._results[key] = self._export(exporter, opset)
            except Exception as exc:
                self._results[key] = exc
        result = self._results[key]
        if isinstance(result, Exception):
            raise result
        return dict(result)

    def remove(self) -> None:
        """Delete the shared folder; the variants hold hard links."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _export(self, exporter: str, opset: int) -> Dict[str, str]:
        folder = os.path.join(self._folder, f"{exporter}-{opset}")
        os.makedirs(folder, exist_ok=True)
        paths = {}
        for request in self._requests:
            path = os.path.join(folder, request.role + ".onnx")
            EXPORTERS[exporter](request, path, opset)
            require_inputs(request, path)
            paths[request.role] = path
        return paths


def _export(variant: Dict[str, Any], shared: SharedGraphs, folder: str) -> Dict[str, Any]:
    """Leave the variant's files and manifest in `folder` and return the data of its `export` event."""
    graphs = shared.get(variant["exporter"], variant["opset"])
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    files = LAYOUTS[variant["layout"]](graphs, folder)
    described = {role: describe_graph(path) for role, path in files.items()}
    stamps = {
        "ir": max(graph["ir"] for graph in described.values()),
        "opset": max(graph["opset"] for graph in described.values()),
    }
    manifest = {
        "variant": variant,
        **stamps,
        "layout": variant["layout"],
        "tolerance": TOLERANCE,
        "cache": shared.cache_sizes,
        "graphs": described,
    }
    write_json(os.path.join(folder, "manifest.json"), manifest)
    return {**stamps, "files": {graph["file"]: graph["size"] for graph in described.values()}}


def _check(folder: str) -> None:
    """Run onnx's checker, with shape inference, on every graph in `folder`; by path, so that size does not matter."""
    paths: List[str] = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".onnx")]
    for path in paths:
        onnx.checker.check_model(path, full_check=True)
