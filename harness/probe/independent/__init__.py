"""Kind "reference": the same runs through onnx's own reference evaluator, in the export environment.

It tells an exporter's fault from onnxruntime's, and where onnxruntime names a failing node only, it knows the shapes.

job.py         each run of the job; the stages are running/stages.py's
evaluator.py   one graph in the evaluator
"""

from __future__ import annotations

import importlib
from typing import Any, Iterator

from ..imports import import_stage, load_probe
from ..journal import Journal


def packages(job: dict[str, Any]) -> Iterator[str]:
    """Yield what is imported, in this order; the probe is loaded then, which may import what it needs."""
    yield from ("numpy", "onnx")
    load_probe(job)


def run(job: dict[str, Any], journal: Journal) -> None:
    """Run the stages `import`, and `load`, `decode` and `parity` for each run."""
    # The rest imports the packages at its top, so it may be loaded only after the stage that tells whether they load.
    if import_stage(journal, packages(job)):
        importlib.import_module(".job", __name__).run(job, load_probe(job), journal)
