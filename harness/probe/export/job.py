"""The export job: the model in PyTorch, then every variant, one failing without stopping the next."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable

import onnx

from ..artifact import write_json
from ..compare import TOLERANCE
from ..journal import Journal
from . import dynamo, torchscript
from .graphs import GraphRequest
from .inspection import describe_graph, require_inputs
from .layouts import LAYOUTS
from .models import Subject, build
from .reference import build_reference, check_cached

EXPORTERS: dict[str, Callable[[GraphRequest, Path, int], None]] = {
    "torchscript": torchscript.export,
    "dynamo": dynamo.export,
}


def run(job: dict[str, Any], journal: Journal) -> None:
    """Run the stages `eager`, and `export` and `check` for each variant of `job`."""
    out = Path(job["out"])
    subject = _eager(job["model"], job.get("attention"), out / "reference", journal)
    if subject is None:
        return
    shared = SharedGraphs(subject, out / ".graphs")
    for variant in job["variants"]:
        folder = out / variant["id"]
        with journal.stage("export", variant["id"]) as stage:
            stage.data.update(_export(variant, shared, folder))
        if stage.works:
            with journal.stage("check", variant["id"]):
                _check(folder)
    shared.remove()


def _eager(model: dict[str, Any], attention: str | None, folder: Path, journal: Journal) -> Subject | None:
    """Build the model and write its reference; None where PyTorch itself fails.

    The reference comes before any export: exporters have left models in training mode.
    """
    with journal.stage("eager") as stage:
        subject = build(model, attention)
        reference = build_reference(subject, model)
        stage.data["tolerance"] = TOLERANCE
        stage.data["max_abs_diff"] = check_cached(subject, reference)
        stage.data["cases"] = len(reference.cases)
        stage.data["cache"] = type(subject.decoder.cache).__name__
        reference.write(folder)
    return subject if stage.works else None


class SharedGraphs:
    """The graphs of one model, exported once for each exporter and opset, whichever variants share them."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.cache_sizes = subject.cache_sizes
        self._subject = subject
        self._folder = folder
        # An attempt that crashed may have left graphs here which finished variants link to: they may not be written to.
        self.remove()
        self._results: dict[tuple[str, int], Any] = {}

    def get(self, exporter: str, opset: int) -> dict[str, Path]:
        """Return role → path; raises again what the first attempt raised."""
        key = (exporter, opset)
        if key not in self._results:
            try:
                self._results[key] = self._export(exporter, opset)
            except Exception as exc:  # noqa: BLE001 - raised below, now and for every other variant
                self._results[key] = exc
        result = self._results[key]
        if isinstance(result, Exception):
            raise result
        return dict(result)

    def remove(self) -> None:
        """Delete the shared folder; the variants hold hard links."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _export(self, exporter: str, opset: int) -> dict[str, Path]:
        folder = self._folder / f"{exporter}-{opset}"
        folder.mkdir(parents=True, exist_ok=True)
        paths = {}
        for request in self._subject.requests():
            path = folder / f"{request.role}.onnx"
            EXPORTERS[exporter](request, path, opset)
            require_inputs(request, path)
            paths[request.role] = path
        return paths


def _export(variant: dict[str, Any], shared: SharedGraphs, folder: Path) -> dict[str, Any]:
    """Leave the variant's files and manifest in `folder` and return the data of its `export` event."""
    graphs = shared.get(variant["exporter"], variant["opset"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
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
    write_json(folder / "manifest.json", manifest)
    return {**stamps, "files": {graph["file"]: graph["size"] for graph in described.values()}}


def _check(folder: Path) -> None:
    """Run onnx's checker, with shape inference, on every graph in `folder`; by path, so that size does not matter."""
    for path in sorted(folder.glob("*.onnx")):
        onnx.checker.check_model(str(path), full_check=True)
