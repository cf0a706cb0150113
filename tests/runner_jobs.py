"""Jobs for the probe's client of runners: an artifact of one graph, in the runner of fake_runner.py."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import runner_models

from harness.probe.artifact import Case, Reference, write_json

FAKE = [sys.executable, "-I", str(Path(__file__).with_name("fake_runner.py"))]
X = np.array([1, 2, 3], np.float32)


def artifact(folder: Path, expected: Any = X, ir: int = 8) -> Path:
    """An artifact of one graph that copies x to y."""
    folder.mkdir()
    path = runner_models.identity(folder)
    value = {"dtype": "float32", "dims": None}
    graph = {"file": path.name, "inputs": [{"name": "x", **value}], "outputs": [{"name": "y", **value}], "ir": ir, "opset": 13}
    variant = {"id": folder.name, "exporter": "own", "opset": 13, "layout": "whole"}
    write_json(folder / "manifest.json", {"variant": variant, "graphs": {"net": graph}, "declared": {}})
    Reference({}, {"absolute": 0.0, "relative": 0.0}, [Case("three", {"x": X}, {"y": expected})]).write(folder / "reference")
    return folder


def job(folder: Path, fault: Sequence[str], artifacts: Sequence[Path], binding: str = "numpy") -> dict[str, Any]:
    module = folder / "own.py"
    module.write_text("def cases(model): ...\ndef graphs(model): ...\n")
    of_all = {"layout": "whole", "feedback": "", "binding": binding, "strategy": "", "session": {}}
    runs = [{"id": path.name, "artifact": str(path), "reference": str(path / "reference"), **of_all} for path in artifacts]
    return {
        "kind": "run", "runtime": "onnxruntime-node", "runs": runs, "events": str(folder / "events"),
        "runner": [*FAKE, *fault], "probe": {"path": str(module), "options": {}},
    }  # fmt: skip
