"""What an exporter offers. Adding one: a file here, and a line in registry.py.

A *graph exporter* is a module with `export(request, path, opset)`, which writes one graph of any model. A *model exporter*
writes all graphs of a transformers model at once, in files and layouts of its own: only the built-in probe has such a model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Callable, Mapping

from ..graph_request import GraphRequest

ExportGraph = Callable[[GraphRequest, Path, int], None]
"""Writes a request to a path at an opset; NotRun if the packages of this environment cannot."""


class ModelExporter(ABC):
    """Writes all graphs of a model at once."""

    roles: Mapping[str, tuple[str, ...]]
    """Layout → the roles of its graphs."""
    files: Mapping[str, str]
    """Role → file name."""

    @abstractmethod
    def require(self, layout: str, attention: str | None) -> None:
        """Raise NotRun if the exporter is not installed, or cannot do this."""

    @abstractmethod
    def export(self, model: Any, folder: Path, opset: int) -> dict[str, Path]:
        """Write every graph of `model` into `folder` and return role → path. Raises what the exporter raises, or NotRun."""
