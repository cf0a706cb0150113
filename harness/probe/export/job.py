"""The export job: the model in PyTorch, then every variant, one failing without stopping the next."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import onnx

from ..artifact import write_json
from ..compare import TOLERANCE
from ..findings import Findings
from ..journal import Journal, Stage
from .inspection import describe_graph, stamp_ir
from .layouts import LAYOUTS
from .lint import lint_graph
from .models import build
from .reference import build_reference, check_cached
from .shared import Models, SharedGraphs


def run(job: dict[str, Any], journal: Journal) -> None:
    """Run the stages `eager`, and `export` and `check` for each variant of `job`."""
    out = Path(job["out"])
    models = _eager(job["model"], out / "reference", journal)
    if models is None:
        return
    shared = SharedGraphs(models, out / ".graphs")
    for variant in job["variants"]:
        folder = out / variant["id"]
        with journal.stage("export", variant["id"]) as stage:
            _export(variant, models, shared, folder, stage)
        if stage.works:
            with journal.stage("check", variant["id"]):
                _check(folder)
    shared.remove()


def _eager(model: dict[str, Any], folder: Path, journal: Journal) -> Models | None:
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
    return Models(model, subject, reference) if stage.works else None


def _export(variant: dict[str, Any], models: Models, shared: SharedGraphs, folder: Path, stage: Stage) -> None:
    """Leave the variant's files and manifest in `folder`; the stage's data are their stamps, sizes and findings."""
    findings: Findings = []
    stage.data["findings"] = findings
    layout = LAYOUTS[variant["layout"]]
    graphs = shared.get(variant, layout.roles, findings)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = layout.build(graphs, folder)
    ir_exported = max(describe_graph(path)["ir"] for path in files.values())
    if variant.get("ir_version") is not None:
        for path in files.values():
            stamp_ir(path, variant["ir_version"])
    described = {role: describe_graph(path) for role, path in files.items()}
    for role, path in files.items():
        findings += lint_graph(role, path, described[role])
    stamps = {
        "ir": max(graph["ir"] for graph in described.values()),
        "ir_exported": ir_exported,
        "opset": max(graph["opset"] for graph in described.values()),
    }
    manifest = {
        "variant": variant,
        **stamps,
        "layout": variant["layout"],
        "tolerance": TOLERANCE,
        "cache": models.get(variant.get("attention")).cache_sizes,
        "graphs": described,
    }
    write_json(folder / "manifest.json", manifest)
    stage.data.update(stamps, files={graph["file"]: graph["size"] for graph in described.values()})


def _check(folder: Path) -> None:
    """Run onnx's checker, with shape inference, on every graph in `folder`; by path, so that size does not matter."""
    for path in sorted(folder.glob("*.onnx")):
        onnx.checker.check_model(str(path), full_check=True)
