"""The tasks that run exported graphs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from values import PAIR, resolved, tasks_of

from harness.environments.layers import packages
from harness.locked import LockedDistribution, PackageLock
from harness.model import Interpreter, Setup
from harness.tasks.graph_run import Run, RunBatch

NODE = "onnxruntime-node"


def run_in_node(version: str) -> Run:
    lock = PackageLock(
        distributions=(LockedDistribution(name=NODE, version=version),), kind="npm", text=version, root=(NODE, version)
    )
    program = Interpreter(version="20.11.1", path="/usr/bin/node")
    return tasks_of(replace(resolved(setup=Setup.HANDOFF), packages=packages(NODE, program, lock))).run


def test_a_failure_is_about_the_release_of_the_package_too():
    """The distributions of Python, which are those of the closure, are the same for all of them."""
    one, other = run_in_node("1.16.3"), run_in_node("1.20.1")
    assert one.closure == other.closure
    assert one.place(PAIR, "artifact") != other.place(PAIR, "artifact")
    assert one.place(PAIR, "artifact") == run_in_node("1.16.3").place(PAIR, "artifact")


def test_a_runtime_is_named_with_its_version():
    assert run_in_node("1.16.3").runtime == "onnxruntime-node 1.16.3"
    assert tasks_of(resolved()).run.runtime == "onnxruntime 1.16.3"


def test_a_job_says_which_version_its_runner_must_have():
    workplace = SimpleNamespace(python=lambda _: Path("python"), runner=lambda _: ["node", "main.js"])
    job = RunBatch(task=run_in_node("1.16.3"), runs=()).request(workplace, Path("out")).job
    assert (job["runner"], job["version"]) == (["node", "main.js"], "1.16.3")
    assert "runner" not in RunBatch(task=tasks_of(resolved()).run, runs=()).request(workplace, Path("out")).job
