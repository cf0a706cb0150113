"""One graph in onnxruntime: a class for each binding."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import onnxruntime

from ...messages import sentence, text_of
from ...runtime import CallFailure, Form, Graph, Values, array_form
from ..failing_node import failing_node

_ERRORS_ONLY = 3
_LEVELS = {"disabled": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED"}
_PATTERNS = {"disabled": False}
_NUMPY_NAMES = {"float": "float32", "double": "float64"}


class _Session(Graph):
    """A loaded ONNX graph on the CPU, on one thread."""

    def __init__(self, path: Path, requested: Mapping[str, str]) -> None:
        options = onnxruntime.SessionOptions()
        if "optimization" in requested:
            options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, _LEVELS[requested["optimization"]])
        if "memory_pattern" in requested:
            options.enable_mem_pattern = _PATTERNS[requested["memory_pattern"]]
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs = tuple(value.name for value in self._session.get_inputs())
        self._outputs = tuple(value.name for value in self._session.get_outputs())

    def run(self, values: Mapping[str, Any]) -> Values:
        """See Graph."""
        feed = {name: values[name] for name in self.inputs}
        try:
            results = self._call(feed)
        except Exception as exc:
            raise CallFailure(sentence(exc), exc, failing_node(text_of(exc))) from exc
        return dict(zip(self._outputs, results))

    def _call(self, feed: Mapping[str, Any]) -> Any:
        raise NotImplementedError


class ArraySession(_Session):
    """Arrays in, arrays out."""

    def form(self, value: Any) -> Form:
        """See Graph."""
        return array_form(value)

    def _call(self, feed: Mapping[str, Any]) -> Any:
        return self._session.run(None, {name: np.ascontiguousarray(array) for name, array in feed.items()})


class BoundSession(_Session):
    """IO binding: outputs stay OrtValues that onnxruntime allocated. They are bound as inputs again, and never read."""

    def form(self, value: Any) -> Form:
        """See Graph."""
        if isinstance(value, np.ndarray):
            return array_form(value)
        return Form(_dtype(value.data_type()), tuple(value.shape()))

    def _call(self, feed: Mapping[str, Any]) -> Any:
        binding = self._session.io_binding()
        # An OrtValue made from an array borrows the array's memory, so both are kept until the call is over.
        bound = {name: _as_ort_value(value) for name, value in feed.items()}
        for name, value in bound.items():
            binding.bind_ortvalue_input(name, value)
        for name in self._outputs:
            binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding)
        return binding.get_outputs()


BINDINGS: dict[str, type[_Session]] = {"numpy": ArraySession, "ortvalue": BoundSession}


def _as_ort_value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value))
    return value


def _dtype(data_type: str) -> str:
    """Return numpy's name for onnxruntime's, such as `tensor(float)`."""
    found = re.fullmatch(r"tensor\((.+)\)", data_type)
    name = found[1] if found else data_type
    return _NUMPY_NAMES.get(name, name)
