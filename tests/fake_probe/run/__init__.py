"""Kind "run" with fake packages: the real one's stages and subjects; the packages decide what happens."""

from __future__ import annotations

import json
import os

from ..failures import ProbeFailure
from ..imports import import_stage


def run(job, journal):
    if not import_stage(journal, ("numpy", "onnxruntime")):
        return
    for one in job["runs"]:
        _run(one, journal)


def _run(one, journal):
    import onnxruntime

    with journal.stage("load", one["id"]) as stage:
        session = onnxruntime.InferenceSession(os.path.join(one["artifact"], "model.onnx"))
    if not stage.works:
        return
    with journal.stage("decode", one["id"]) as stage:
        logits = session.run(one)
    if not stage.works:
        return
    with journal.stage("parity", one["id"]) as stage:
        with open(os.path.join(one["reference"], "reference.json")) as stream:
            expected = json.load(stream)
        difference = max(abs(left - right) for left, right in zip(logits, expected))
        stage.data["max_abs_diff"] = difference
        if difference > 1e-4:
            raise ProbeFailure("logits differ from PyTorch by {}".format(difference))
