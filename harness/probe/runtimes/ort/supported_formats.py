"""The largest IR and opset that this onnxruntime runs."""

from __future__ import annotations

import functools
from typing import Any, Mapping

import numpy as np
import onnxruntime

from ...findings import Findings
from ..largest_stamps import largest_stamps, stamps_above

_FATAL = 4


@functools.lru_cache(maxsize=None)
def measured() -> dict[str, int | None]:
    """Return max_ir and max_opset, as `largest_stamps` has them."""
    return largest_stamps(_runs)


def lint(manifest: Mapping[str, Any]) -> Findings:
    """Return a finding for each graph whose stamp is above what was measured."""
    return stamps_above(manifest, measured(), f"onnxruntime {onnxruntime.__version__}")


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
