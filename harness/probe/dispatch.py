"""Read the job file, call the module of its kind, write `done`."""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from .distributions import imported_distributions
from .journal import Journal

KINDS = {"import": ".imports", "export": ".export", "run": ".runtimes", "forkserver": ".forking.server"}
"""Kind of job → module with `run(job, journal)`, loaded by name: each may import only what its environment holds."""


def main(job_path: str) -> None:
    """Run the job and leave the process; never returns.

    A job file that cannot be read is the host's fault and ends in a plain traceback: there is no journal yet.
    """
    faulthandler.enable()
    job: dict[str, Any] = json.loads(Path(job_path).read_text(encoding="utf-8"))
    journal = Journal(job["events"])
    importlib.import_module(KINDS[job["kind"]], __package__).run(job, journal)
    journal.done(imported_distributions())
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is recorded. Some packages crash while the interpreter shuts down (onnxruntime 1.16 under numpy 2), which says
    # nothing about the combination any more.
    os._exit(0)
