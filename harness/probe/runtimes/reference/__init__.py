"""ONNX's reference evaluator, in the environment of the export."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

from ...outcome import NotRun
from ...runtime import Graph, Runtime


class ReferenceRuntime(Runtime):
    """The environment's onnx."""

    def load(self, path: Path, binding: str, options: Mapping[str, str]) -> Graph:
        """See Runtime. The evaluator takes arrays, whatever the binding, and has no options."""
        del binding, options
        try:
            from .evaluator import EvaluatedGraph  # noqa: PLC0415 - onnx has an evaluator from 1.13 on
        except ImportError as exc:
            raise NotRun(f"this onnx has no reference evaluator (1.13 and later have): {exc}") from exc
        return EvaluatedGraph(path)


RUNTIME = ReferenceRuntime()
