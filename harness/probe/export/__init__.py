"""Kind "export": build the model, write the reference, and leave an artifact for every variant.

job.py         the stages: eager, then export and check for each variant
interface.py   what an exporter offers
registry.py    the exporters by name: torchscript.py, dynamo.py, optimum.py
exporters.py   an exporter by its name, and the export of one graph
external.py    tensors in files beside a graph: one file for each graph
inspection.py  inputs, outputs and stamps of a written graph, and pruned inputs
lint.py        findings about a written graph
"""

from __future__ import annotations

import importlib
from typing import Iterator

from ..import_together import import_in_fork
from ..imports import import_stage, load_probe, with_probe_imports
from ..journal import Journal
from ..wire import ExportJob, ForkServerJob


def packages(job: ExportJob | ForkServerJob) -> Iterator[str]:
    """Yield what is imported, in this order."""
    return with_probe_imports(("numpy",), job)


def run(job: ExportJob, journal: Journal) -> None:
    """Run the stages `import`, `eager`, and `export` and `check` for each variant; after the first, the imports in forks."""
    if not import_stage(journal, packages(job)):
        return
    # Before anything has been computed: a fork has only one of the threads, and the state of the others would be lost.
    for request in job["imports"]:
        import_in_fork(request, job, journal)
    if job["reference"]:
        # It imports the packages at its top, so it is loaded only after the stage that tells whether they load.
        importlib.import_module(".job", __name__).run(job, load_probe(job), journal)
