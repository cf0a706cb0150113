"""One graph in ONNX's reference evaluator: slow, written in numpy, and sharing no code with onnxruntime."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any, Iterator, Mapping

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from ...messages import with_class
from ...outcome import NotRun
from ...runtime import CallFailure, Form, Graph, Values, array_form


class EvaluatedGraph(Graph):
    """A graph in the evaluator. With an operator that it does not implement a run is `not-run`, never `fails`."""

    def __init__(self, path: Path) -> None:
        try:
            self._evaluator = ReferenceEvaluator(str(path))
        except NotImplementedError as exc:
            raise NotRun(_unimplemented(exc)) from exc
        # Up to IR 3 initializers are inputs too, and need not be given.
        self.inputs = tuple(name for name in self._evaluator.input_names if name not in self._evaluator.rt_inits_)

    def run(self, values: Mapping[str, Any]) -> Values:
        """See Graph."""
        # Some of its operators (Gather, in onnx 1.15) cannot take views.
        feed = {name: np.ascontiguousarray(values[name]) for name in self.inputs}
        try:
            results = self._evaluator.run(None, feed)
        except NotImplementedError as exc:
            raise NotRun(_unimplemented(exc)) from exc
        except Exception as exc:
            node = _failing_node(exc)
            place = f"{node['op_type']} node {node['name']!r} of inputs {node['input_shapes']}: " if node else ""
            raise CallFailure(f"{place}{with_class(exc)}", exc, node) from exc
        return dict(zip(self._evaluator.output_names, map(np.asarray, results)))

    def form(self, value: Any) -> Form:
        """See Graph."""
        return array_form(value)


def _unimplemented(exc: Exception) -> str:
    return f"the reference evaluator of onnx {onnx.__version__} does not implement what the graph uses: {exc}"


def _failing_node(exc: Exception) -> dict[str, Any] | None:
    """Return the innermost node that was running, with the shapes of its inputs.

    The evaluator's exceptions do not name the node. But the traceback keeps the frame of its loop over nodes, with the
    operator as `node` and its values as `inputs`. An If has such a frame for each graph, and raises another exception from
    that of the node in its branch.
    """
    found = None
    for frame in _frames(exc):
        local = frame.f_locals
        proto = getattr(local.get("node"), "onnx_node", None)
        if proto is not None and isinstance(local.get("inputs"), list):
            found = {"name": proto.name, "op_type": proto.op_type, "input_shapes": [_shape(value) for value in local["inputs"]]}
    return found


def _frames(exc: BaseException) -> Iterator[Any]:
    """Yield the frames of `exc`, and then of its causes, the outermost first."""
    cause: BaseException | None = exc
    while cause is not None:
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            yield frame
        cause = cause.__cause__


def _shape(value: Any) -> list[int] | None:
    return [int(size) for size in value.shape] if hasattr(value, "shape") else None
