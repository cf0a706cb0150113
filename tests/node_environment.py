"""onnxruntime-node for tests: installed by npm into a temporary folder, without running its scripts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NEEDS_NODE = pytest.mark.programs("node", "npm")

RUNNER = Path(__file__).resolve().parents[1] / "harness" / "runners" / "node" / "main.js"


def runner_of(version: str, folder: Path) -> list[str]:
    """The command of a runner with onnxruntime-node `version` in `folder`; skips the test where that cannot be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip(f"there is no {'node' if node is None else 'npm'} on PATH")
    (folder / "package.json").write_text('{"private": true}')
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", f"onnxruntime-node@{version}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm cannot install onnxruntime-node@{version}: {done.stderr.strip()[-300:]}")
    return [node, str(RUNNER), str(folder)]
