"""A fake onnxruntime: it loads and runs as the fake package says."""

from __future__ import annotations

import json
from pathlib import Path

from harness_probe.outcome import ProbeFailure


def run(request, journal):
    import onnxruntime

    with journal.stage("load", request["id"]) as stage:
        path = Path(request["artifact"]) / "model.onnx"
        stage.data["findings"] = _above(json.loads(path.read_text())["ir"], onnxruntime)
        session = onnxruntime.InferenceSession(str(path))
    if not stage.works:
        return
    with journal.stage("decode", request["id"]) as stage:
        logits = session.run(request)
    if not stage.works:
        return
    with journal.stage("parity", request["id"]) as stage:
        expected = json.loads((Path(request["reference"]) / "reference.json").read_text())
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
