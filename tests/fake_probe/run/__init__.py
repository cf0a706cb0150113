"""Kind "run" with fake packages: the real one's stages and subjects; the packages decide what happens."""

from __future__ import annotations

import json
from pathlib import Path

from harness_probe.failures import ProbeFailure
from harness_probe.imports import import_stage


def packages(job):
    return iter(("numpy", "onnxruntime"))


def run(job, journal):
    if import_stage(journal, packages(job)):
        for one in job["runs"]:
            _run(one, journal)


def _run(one, journal):
    import onnxruntime

    with journal.stage("load", one["id"]) as stage:
        path = Path(one["artifact"]) / "model.onnx"
        stage.data["findings"] = _above(json.loads(path.read_text())["ir"], onnxruntime)
        session = onnxruntime.InferenceSession(str(path))
    if not stage.works:
        return
    with journal.stage("decode", one["id"]) as stage:
        logits = session.run(one)
    if not stage.works:
        return
    with journal.stage("parity", one["id"]) as stage:
        expected = json.loads((Path(one["reference"]) / "reference.json").read_text())
        difference = max(abs(left - right) for left, right in zip(logits, expected, strict=True))
        stage.data["max_abs_diff"] = difference
        if difference > 1e-4:
            message = f"logits differ from PyTorch by {difference}"
            raise ProbeFailure(message)


def _above(ir, onnxruntime):
    if ir <= onnxruntime.MAX_IR:
        return []
    message = f"IR version {ir}; onnxruntime {onnxruntime.__version__} runs up to {onnxruntime.MAX_IR}"
    return [{"rule": "ir-above-runtime", "message": message, "subject": "model", "limit": onnxruntime.MAX_IR}]
