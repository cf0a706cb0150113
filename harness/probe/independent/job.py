"""The reference job: each artifact through `onnx.reference.ReferenceEvaluator`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from ..failures import NotRun
from ..journal import Journal
from ..protocol import Probe
from ..running.stages import run_one
from ..runtime import Graph, Runtime


class Independent(Runtime):
    """The environment's onnx."""

    def load(self, path: Path, binding: str) -> Graph:
        """See Runtime. The evaluator knows arrays only, so every binding is the same to it."""
        del binding
        try:
            from .evaluator import Evaluated  # noqa: PLC0415 - onnx has an evaluator from 1.13 on
        except ImportError as exc:
            raise NotRun(f"this onnx has no reference evaluator (1.13 and later have): {exc}") from exc
        return Evaluated(path)


def run(job: Mapping[str, Any], probe: Probe, journal: Journal) -> None:
    """Run the stages `load`, `decode` and `parity` for each of `job["runs"]`."""
    for one in job["runs"]:
        run_one(one, probe, Independent(), journal)
