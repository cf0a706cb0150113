"""Kind "export" with fake packages: the real one's stages, subjects and files; the packages decide what happens."""

from __future__ import annotations

import json
import os

from ..failures import ProbeFailure
from ..imports import import_stage


def run(job, journal):
    if not import_stage(journal, ("torch", "transformers", "onnx")):
        return
    import torch
    import transformers

    with journal.stage("eager") as stage:
        answer = transformers.eager()
        if answer is not None:
            _write_reference(os.path.join(job["out"], "reference"), *answer)
    if not stage.works:
        return
    if answer is None:
        raise AssertionError("a bug of the probe's own, outside of any stage")
    for variant in job["variants"]:
        _export(torch, variant, os.path.join(job["out"], variant["id"]), journal)


def _write_reference(folder, cached, uncached):
    if cached != uncached:
        raise ProbeFailure("cached and uncached decoding disagree in PyTorch: {} and {}".format(cached, uncached))
    os.makedirs(folder)
    with open(os.path.join(folder, "reference.json"), "w") as stream:
        json.dump(cached, stream)


def _export(torch, variant, folder, journal):
    import onnx

    path = os.path.join(folder, "model.onnx")
    with journal.stage("export", variant["id"]) as stage:
        os.makedirs(folder)
        torch.onnx.export(variant, path)
        with open(path) as stream:
            stage.data["ir"] = json.load(stream)["ir"]
    if stage.works:
        with journal.stage("check", variant["id"]):
            onnx.checker.check_model(path)
