"""Kind "export": build the model, write the reference, and leave an artifact for every variant.

job.py            the order of things: eager, then for each variant export and check
exporters.py      the exporters by name: torchscript.py, dynamo.py, for any module (graphs.py)
external.py       tensors in files beside a graph: one file for each graph, wherever it goes
inspection.py  lint.py      what a written graph really holds, and what is noticed of it
"""

from __future__ import annotations

import importlib
from typing import Any, Iterator

from ..beside import import_beside
from ..imports import import_stage, load_probe, then_the_probe
from ..journal import Journal


def packages(job: dict[str, Any]) -> Iterator[str]:
    """Yield what is imported, in this order."""
    return then_the_probe(("numpy",), job)


def run(job: dict[str, Any], journal: Journal) -> None:
    """Run the stages `import`, `eager`, and `export` and `check` for each variant; before these, the imports beside."""
    if not import_stage(journal, packages(job)):
        return
    # Before anything has been computed: a fork has one thread, and what others were at would be lost in it.
    for one in job["imports"]:
        import_beside(one, job, journal)
    if job["reference"]:
        # It imports the packages at its top, so it may be loaded only after the stage that tells whether they load.
        importlib.import_module(".job", __name__).run(job, load_probe(job), journal)
