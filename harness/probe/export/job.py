"""The export job: the model in PyTorch, then every variant. A variant that fails does not stop the next one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ..artifact import Case, Reference, write_json
from ..findings import Findings
from ..journal import Journal, StageScope
from ..outcome import NotRun, ProbeFailure
from ..protocol import Probe
from ..variant import RequestedVariant
from ..wire import ExportJob, ExportVariant
from .inspection import describe_graph, stamp_ir
from .lint import lint_graph


def run(job: ExportJob, probe: Probe, journal: Journal) -> None:
    """Run the stages `eager`, and `export` and `check` for each variant of `job`."""
    out = Path(job["out"])
    with journal.stage("eager") as stage:
        model = _eager(probe, job["probe"]["options"], out / "reference", stage)
    if not stage.works:
        return
    for request in job["variants"]:
        folder = out / request["id"]
        with journal.stage("export", request["id"]) as stage:
            _export(probe, model, request, folder, stage)
        if stage.works:
            with journal.stage("check", request["id"]):
                _check(folder)


def _eager(probe: Probe, options: dict[str, Any], folder: Path, stage: StageScope) -> Any:
    """Build the model and write its reference.

    The reference is made before any export: exporters have left models in training mode.
    """
    model = probe.load(options)
    cases = probe.cases(model)
    for case in cases:
        _require_finite(case)
    stage.data.update(probe.about(model), tolerance=probe.tolerance, cases=len(cases))
    Reference(probe.about(model), probe.tolerance, cases).write(folder)
    return model


def _require_finite(case: Case) -> None:
    """Raise ProbeFailure if PyTorch itself gives nan or inf: no runtime can be expected to match that."""
    for number, outputs in enumerate(case.expected):
        for name, array in outputs.items():
            ignored = case.ignored[number].get(name)
            compared = array if ignored is None else array[~ignored]
            if not np.isfinite(compared).all():
                message = f"PyTorch gives nan or inf for {name}: case {case.name}, step {number}"
                raise ProbeFailure(message)


def _export(probe: Probe, model: Any, request: ExportVariant, folder: Path, stage: StageScope) -> None:
    """Leave the variant's files and manifest in `folder`; the stage's data are their stamps, sizes and findings."""
    findings: Findings = []
    stage.data["findings"] = findings
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    variant = RequestedVariant(request, findings)
    probe.export(model, variant, folder)
    files = {path.stem: path for path in sorted(folder.glob("*.onnx"))}
    if not files:
        message = "the probe's export() left no .onnx file in the folder that it was given"
        raise FileNotFoundError(message)
    ir_exported = max(describe_graph(path)["ir"] for path in files.values())
    if variant.ir_version is not None:
        for path in files.values():
            stamp_ir(path, variant.ir_version)
    described = {role: describe_graph(path) for role, path in files.items()}
    for role, path in files.items():
        findings += lint_graph(role, path, described[role])
    stamps = {
        "ir": max(graph["ir"] for graph in described.values()),
        "ir_exported": ir_exported,
        "opset": max(graph["opset"] for graph in described.values()),
    }
    stage.data.update(stamps, files={path.name: path.stat().st_size for path in sorted(folder.iterdir())})
    if stamps["opset"] != variant.opset:
        message = f"asked for opset {variant.opset}, the exporter wrote {stamps['opset']}: it cannot translate to it"
        raise NotRun(message)
    manifest = {"variant": request, **stamps, "tolerance": probe.tolerance, "graphs": described, "declared": variant.declared}
    write_json(folder / "manifest.json", manifest)


def _check(folder: Path) -> None:
    """Run onnx's checker, with shape inference, on every graph in `folder`; by path, so that size does not matter."""
    for path in sorted(folder.glob("*.onnx")):
        onnx.checker.check_model(str(path), full_check=True)
