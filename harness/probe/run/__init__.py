"""Kind "run": onnxruntime and numpy, an artifact and a reference, and nothing else.

job.py        the stages load, decode and parity of each run
session.py    one graph in onnxruntime, fed by its actual inputs
decode.py     the decoding loops, one for each layout, and what is fed back
"""

from __future__ import annotations

import importlib
from typing import Any

from ..imports import import_stage
from ..journal import Journal

_PACKAGES = ("numpy", "onnxruntime")


def run(job: dict[str, Any], journal: Journal) -> None:
    """Run the stages `import`, and `load`, `decode` and `parity` for each run."""
    # The rest imports the packages at its top, so it may be loaded only after the stage that tells whether they load.
    if import_stage(journal, _PACKAGES):
        importlib.import_module(".job", __name__).run(job, journal)
