"""onnxruntime.

session.py             one graph in onnxruntime, by each binding
supported_formats.py   the largest IR and opset that this onnxruntime runs, measured
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from ...findings import Findings
from ...runtime import Graph, Runtime
from . import supported_formats
from .session import BINDINGS


class OnnxRuntime(Runtime):
    """The environment's onnxruntime."""

    def load(self, path: Path, binding: str, options: Mapping[str, str]) -> Graph:
        """See Runtime; for the options see session.py."""
        return BINDINGS[binding](path, options)

    def measure(self) -> dict[str, Any]:
        """Return the largest IR and opset."""
        return supported_formats.measured()

    def lint(self, manifest: Mapping[str, Any]) -> Findings:
        """Return the stamps that are above these."""
        return supported_formats.lint(manifest)


RUNTIME = OnnxRuntime()
