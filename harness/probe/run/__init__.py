"""Kind "run": onnxruntime and numpy, an artifact and a reference, and nothing else.

job.py        each run of the job, in onnxruntime; the stages are running/stages.py's
session.py    one graph in onnxruntime, by each binding
node.py       what onnxruntime's messages tell of a failing node
limits.py     the largest IR and opset that this onnxruntime runs, measured
"""

from __future__ import annotations

import importlib
from typing import Any, Iterator

from ..imports import import_stage, load_probe
from ..journal import Journal, StageScope


def packages(job: dict[str, Any]) -> Iterator[str]:
    """Yield what is imported, in this order; the probe is loaded then, which may import what it needs."""
    yield from ("numpy", "onnxruntime")
    load_probe(job)


def run(job: dict[str, Any], journal: Journal) -> None:
    """Run the stages `import`, and `load`, `decode` and `parity` for each run."""
    # The rest imports the packages at its top, so it may be loaded only after the stage that tells whether they load.
    if import_stage(journal, packages(job), measure=_limits):
        importlib.import_module(".job", __name__).run(job, load_probe(job), journal)


def _limits(_stage: StageScope) -> dict[str, Any]:
    measured: dict[str, Any] = importlib.import_module(".limits", __name__).measured()
    return measured
