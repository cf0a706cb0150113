"""Kind "run": load, decode and compare artifacts in one runtime.

Adding a runtime: a folder here with a `Runtime` (runtime.py), and a line in RUNTIMES.

ort/               onnxruntime
reference/         ONNX's reference evaluator, which tells a fault of the exporter from one of onnxruntime
runner/            runtimes that are no Python package, each behind a program of its own (docs/runtimes.md)
stages.py          the stages load, decode and parity of a run
watched_graph.py   findings at each call of a graph: dimensions that are not what the graph declares
graph_names.py     inputs that nothing offers, outputs that are missing: a fact, or an error of the probe module
failing_node.py    the failing node, read from onnxruntime's messages
largest_stamps.py  the largest IR and opset that a runtime runs
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Iterator, NamedTuple

from ..imports import import_stage, load_probe
from ..journal import Journal, StageScope
from ..runtime import Runtime
from ..wire import ForkServerJob, RunJob


class Registered(NamedTuple):
    """A runtime that can be loaded."""

    module: str
    """Has a `RUNTIME`, and may import the packages at its top."""
    packages: tuple[str, ...]
    """What it imports, in this order."""


RUNTIMES = {
    "onnxruntime": Registered(".ort", ("numpy", "onnxruntime")),
    "onnx.reference": Registered(".reference", ("numpy", "onnx")),
    "onnxruntime-node": Registered(".runner", ("numpy",)),
}
"""Name in a job → the runtime."""


def packages(job: RunJob | ForkServerJob) -> Iterator[str]:
    """Yield what is imported, in this order; then load the probe, which may import what it needs."""
    yield from RUNTIMES[job["runtime"] or ""].packages
    load_probe(job)


def run(job: RunJob, journal: Journal) -> None:
    """Run the stages `import`, and `load`, `decode` and `parity` for each run."""

    def runtime() -> Runtime:
        found: Runtime = importlib.import_module(RUNTIMES[job["runtime"]].module, __name__).RUNTIME
        return found

    with contextlib.ExitStack() as ending:

        def begin(stage: StageScope) -> None:
            ending.callback(runtime().stop)
            runtime().start(job)
            stage.data.update(runtime().measure())

        if import_stage(journal, packages(job), begin):
            # It imports numpy at its top, so it is loaded only now that the stage has shown that numpy loads.
            stages = importlib.import_module(".stages", __name__)
            for request in job["runs"]:
                stages.run_artifact(request, load_probe(job), runtime(), journal)
