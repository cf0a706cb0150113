"""Kind "reference" with fake packages: an evaluator that runs whatever was exported without a flaw."""

from __future__ import annotations

import json
from pathlib import Path

from harness_probe.failures import ProbeFailure
from harness_probe.imports import import_stage


def run(job, journal):
    if import_stage(journal, ("numpy", "onnx")):
        for one in job["runs"]:
            _run(one, journal)


def _run(one, journal):
    import onnx

    model = json.loads((Path(one["artifact"]) / "model.onnx").read_text())
    for name in ("load", "decode", "parity"):
        with journal.stage(name, one["id"]) as stage:
            if name == "decode":
                onnx.evaluate(one)
                _evaluate(model)
            if name == "parity" and model["flawed"]:
                message = "logits differ from PyTorch by 0.5"
                raise ProbeFailure(message)
        if not stage.works:
            return


def _evaluate(model):
    try:
        exec(model["evaluate"], {})
    except Exception as exc:
        message = f"{type(exc).__name__}: {exc}"
        raise ProbeFailure(message, exc) from exc
