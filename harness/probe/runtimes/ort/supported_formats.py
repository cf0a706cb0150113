"""The largest IR and opset that this onnxruntime runs: measured, because it has no call for it and tables go stale."""

from __future__ import annotations

import functools
from typing import Any, Callable, Mapping

import numpy as np
import onnxruntime

from ...findings import Findings, finding
from ...identity_model import identity_model

# Stamps that every release runs, for one while the other is raised.
_SAFE_IR, _SAFE_OPSET = 8, 13
_FATAL = 4


@functools.lru_cache(maxsize=None)
def measured() -> dict[str, int | None]:
    """Return max_ir and max_opset; None if not even the safe stamps run.

    A model has to be run, not only loaded: onnxruntime may load an opset that is "under development" with a warning
    and then lack the kernels.
    """
    return {
        "max_ir": _largest(_SAFE_IR, lambda ir: identity_model(ir, _SAFE_OPSET)),
        "max_opset": _largest(_SAFE_OPSET, lambda opset: identity_model(_SAFE_IR, opset)),
    }


def lint(manifest: Mapping[str, Any]) -> Findings:
    """Return a finding for each graph whose stamp is above what was measured."""
    limits = measured()
    names = {"ir": ("ir-above-runtime", "IR version", "max_ir"), "opset": ("opset-above-runtime", "opset", "max_opset")}
    found = []
    for role, graph in manifest["graphs"].items():
        for key, (rule, words, limit) in names.items():
            largest = limits[limit]
            if largest is not None and graph[key] > largest:
                message = f"{words} {graph[key]}; onnxruntime {onnxruntime.__version__} runs up to {largest}"
                found.append(finding(rule, message, role, limit=largest))
    return found


def _largest(first: int, model: Callable[[int], bytes]) -> int | None:
    largest, stamp = None, first
    while _runs(model(stamp)):
        largest, stamp = stamp, stamp + 1
    return largest


def _runs(model: bytes) -> bool:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        session.run(None, {"x": np.ones(1, dtype=np.float32)})
    except Exception:  # noqa: BLE001 - its exceptions have no common base that every release exports
        return False
    return True
