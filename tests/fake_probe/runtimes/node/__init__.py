"""A fake runtime behind a runner: the command of the job gets the request and the model, and answers with logits."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from harness_probe.outcome import ProbeFailure

RUNNER: list[str] = []
"""The command of the job."""


def run(request, journal):
    model = json.loads((Path(request["artifact"]) / "model.onnx").read_text())
    with journal.stage("load", request["id"]) as stage:
        done = subprocess.run(RUNNER, input=json.dumps([request, model]), capture_output=True, text=True, check=False)
        if done.returncode:
            raise ProbeFailure(done.stderr.strip() or f"the runner ended with {done.returncode}")
    if not stage.works:
        return
    answer = json.loads(done.stdout)
    with journal.stage("decode", request["id"]) as stage:
        if "error" in answer:
            raise ProbeFailure(answer["error"])
    if not stage.works:
        return
    with journal.stage("parity", request["id"]) as stage:
        stage.data["max_abs_diff"] = abs(answer["logits"][0] - 0.5)
