"""Kind "export" with fake packages: the real one's stages, subjects and files; the packages decide what happens."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness_probe.import_together import import_in_fork
from harness_probe.imports import import_stage
from harness_probe.outcome import ProbeFailure


def packages(job):
    return iter(("torch", "transformers", "onnx"))


def run(job, journal):
    if not import_stage(journal, packages(job)):
        return
    for request in job["imports"]:
        sys.modules["__main__"].note_start(Path(job["events"]), "import", [request["id"]])
        import_in_fork(request, job, journal)
    if not job["reference"]:
        return
    import transformers

    out = Path(job["out"])
    with journal.stage("eager") as stage:
        family = job["probe"]["options"].get("family")
        answer = transformers.eager(family)
        if answer is not None:
            _write_reference(out / "reference", *answer)
    if not stage.works:
        return
    if answer is None:
        message = "a bug of the probe's own, outside of any stage"
        raise AssertionError(message)
    for variant in job["variants"]:
        _export({**variant, "family": family}, out / variant["id"], journal)


def _write_reference(folder, cached, uncached):
    if cached != uncached:
        message = f"cached and uncached decoding disagree in PyTorch: {cached} and {uncached}"
        raise ProbeFailure(message)
    folder.mkdir()
    (folder / "reference.json").write_text(json.dumps(cached))


def _export(variant, folder, journal):
    import onnx
    import torch

    path = folder / "model.onnx"
    with journal.stage("export", variant["id"]) as stage:
        folder.mkdir()
        torch.onnx.export(variant, str(path))
        stage.data["ir"] = json.loads(path.read_text())["ir"]
    if stage.works:
        with journal.stage("check", variant["id"]):
            onnx.checker.check_model(str(path))
