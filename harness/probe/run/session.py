"""One graph in onnxruntime, fed by its actual inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

import numpy as np
import onnxruntime

from ..failures import ProbeFailure

_ERRORS_ONLY = 3


class Graph:
    """A loaded ONNX graph on the CPU, on one thread."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs = [value.name for value in self._session.get_inputs()]
        self.outputs = [value.name for value in self._session.get_outputs()]

    def run(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Return name → array of every output, given at least the graph's inputs; what it does not take is left out.

        KeyError where an input is not offered (ours); whatever onnxruntime raises otherwise, as a ProbeFailure that
        keeps its text to the letter.
        """
        feed = {name: np.ascontiguousarray(arrays[name]) for name in self.inputs}
        try:
            results = self._session.run(None, feed)
        except Exception as exc:
            raise ProbeFailure(str(exc), exc) from exc
        return dict(zip(self.outputs, results))
