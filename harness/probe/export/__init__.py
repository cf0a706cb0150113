"""Kind "export": build the model, write the reference, and leave an artifact for every variant.

job.py            the order of things: eager, then for each variant export and check
shared.py         the models and graphs that variants share
graphs.py         what is asked of an exporter: a module with named inputs, outputs and axes
torchscript.py  dynamo.py   the exporters, for any such module
layouts.py  merge.py        how exported graphs become a variant's files
inspection.py  lint.py      what a written graph really holds, and what is noticed of it
models/           the models under test; seq2seq.py is what encoder-decoders share
"""

from __future__ import annotations

import importlib
from typing import Any

from ..imports import import_stage
from ..journal import Journal

_PACKAGES = ("torch", "transformers", "onnx")


def run(job: dict[str, Any], journal: Journal) -> None:
    """Run the stages `import`, `eager`, and `export` and `check` for each variant."""
    # The rest imports the packages at its top, so it may be loaded only after the stage that tells whether they load.
    if import_stage(journal, _PACKAGES):
        importlib.import_module(".job", __name__).run(job, journal)
