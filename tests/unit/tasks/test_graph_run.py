"""The tasks that run exported graphs."""

from __future__ import annotations

from dataclasses import replace

from values import PAIR, resolved, tasks_of

from harness.environments.layers import packages
from harness.locked import LockedDistribution, PackageLock
from harness.model import Interpreter, Setup
from harness.tasks.graph_run import Run

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
