"""A runtime that is a program of its own, a runner: the client of the protocol in docs/runtimes.md.

process.py   the runner's process: how it starts, what it is sent and answers, how it ends
stderr.py    what it writes to its stderr
frames.py    the bytes of a request and of an answer
client.py    the requests as functions; values and graphs that the runner holds
graph.py     one graph in the runner, by each binding
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from ...findings import Findings
from ...messages import sentence
from ...outcome import ProbeFailure, RunnerCrash
from ...runtime import Graph, RunnerError, Runtime
from ...wire import RunJob
from ..largest_stamps import largest_stamps, stamps_above
from .client import Client, Runner, RuntimeFault
from .graph import BINDINGS


class RunnerRuntime(Runtime):
    """The runtime behind the runner that the job names."""

    def __init__(self) -> None:
        self._runner: Runner | None = None
        self._limits: dict[str, int | None] = {}
        self._versions: dict[str, str] = {}
        self._runtime = ""

    def start(self, job: RunJob) -> None:
        """See Runtime. RunnerError: the runner does not start, or has another runtime; ProbeFailure: its runtime fails."""
        command = job.get("runner")
        if not command:
            message = f"the job names no runner for {job['runtime']}"
            raise RunnerError(message)
        self._runner = Runner(command, job["runtime"], job.get("version"))
        try:
            self._versions, self._runtime = self._client().versions, job["runtime"]
        except (RuntimeFault, RunnerCrash) as exc:
            message = f"{job['runtime']} does not load: {sentence(exc)}"
            raise ProbeFailure(message, exc) from exc

    def stop(self) -> None:
        """See Runtime."""
        if self._runner is not None:
            self._runner.close()

    def load(self, path: Path, binding: str, options: Mapping[str, str]) -> Graph:
        """See Runtime. The options are those of onnxruntime's sessions."""
        assert self._runner is not None
        return BINDINGS[binding](self._runner, path, options)

    def measure(self) -> dict[str, Any]:
        """Return the runner's versions, and the largest IR and opset."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                self._limits = largest_stamps(lambda model: self._runs(Path(folder) / "model.onnx", model))
            except RunnerCrash as exc:
                message = f"the largest stamps: {sentence(exc)}"
                raise ProbeFailure(message, exc) from exc
        self.release()
        return {"runner": self._versions, **self._limits}

    def release(self) -> None:
        """See Runtime."""
        assert self._runner is not None
        try:
            self._runner.release()
        except (RuntimeFault, RunnerCrash) as exc:
            message = f"after the last run: {sentence(exc)}"
            raise ProbeFailure(message, exc) from exc

    def lint(self, manifest: Mapping[str, Any]) -> Findings:
        """Return the stamps that are above these."""
        return stamps_above(manifest, self._limits, f"{self._runtime} {self._versions[self._runtime]}")

    def _client(self) -> Client:
        assert self._runner is not None
        return self._runner.client()

    def _runs(self, path: Path, model: bytes) -> bool:
        path.write_bytes(model)
        client = self._client()
        try:
            client.read(list(client.run(client.load(path, {}), {"x": np.ones(1, dtype=np.float32)}).values()))
        except RuntimeFault:
            return False
        return True


RUNTIME = RunnerRuntime()
