"""Kind "run" with fake packages: the real one's stages and subjects; the packages decide what happens."""

from __future__ import annotations

import importlib
import sys

from harness_probe.imports import import_stage

# What is not replaced here is the real one's.
__path__.append(f"{sys.modules['harness_probe'].__path__[-1]}/runtimes")

RUNTIMES = {
    "onnxruntime": (".ort", ("numpy", "onnxruntime")),
    "onnx.reference": (".reference", ("numpy", "onnx")),
    "onnxruntime-node": (".node", ("numpy",)),
}


def packages(job):
    return iter(RUNTIMES[job["runtime"]][1])


def run(job, journal):
    if import_stage(journal, packages(job)):
        runtime = importlib.import_module(RUNTIMES[job["runtime"]][0], __name__)
        runtime.RUNNER = job.get("runner")
        for request in job["runs"]:
            runtime.run(request, journal)
