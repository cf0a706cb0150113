"""The run job: each artifact through onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from ..findings import Findings
from ..journal import Journal
from ..protocol import Probe
from ..running.stages import run_one
from ..runtime import Graph, Runtime
from . import limits
from .session import BINDINGS


class OnnxRuntime(Runtime):
    """The environment's onnxruntime, its sessions with the options that are asked for; see session.py."""

    def __init__(self, session: Mapping[str, str]) -> None:
        self._session = session

    def load(self, path: Path, binding: str) -> Graph:
        """See Runtime."""
        return BINDINGS[binding](path, self._session)

    def lint(self, manifest: Mapping[str, Any]) -> Findings:
        """Return the stamps that are above this runtime."""
        return limits.lint(manifest)


def run(job: Mapping[str, Any], probe: Probe, journal: Journal) -> None:
    """Run the stages `load`, `decode` and `parity` for each of `job["runs"]`."""
    for one in job["runs"]:
        run_one(one, probe, OnnxRuntime(one["session"]), journal)
