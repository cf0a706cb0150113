"""Read the job file, call the module of its kind, write `done`."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

from .distributions import imported_distributions, uncompiled
from .journal import Journal
from .outcome import expect_refusals
from .wire import FAILED_ITSELF

KINDS = {"import": ".imports", "export": ".export", "run": ".runtimes", "forkserver": ".forking.server"}
"""Kind of job → module with `run(job, journal)`, loaded by name: each may import only what its environment holds."""


def main(job_path: str) -> None:
    """Run the job and leave the process; never returns.

    A job file that cannot be read is the host's fault and ends in a plain traceback: there is no journal yet. An exception of a
    package ends in its stage; one that comes as far as here is the probe's, and must not be taken for the package's exit.
    """
    faulthandler.enable()
    job: dict[str, Any] = json.loads(Path(job_path).read_text(encoding="utf-8"))
    if job.get("confined"):
        expect_refusals(job["confined"])
    if job.get("file_size"):
        with contextlib.suppress(ValueError, OSError):  # the caller's own limit is lower
            resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_size"], job["file_size"]))
    journal = Journal(job["events"])
    code = 0
    try:
        importlib.import_module(KINDS[job["kind"]], __package__).run(job, journal)
        journal.done(imported_distributions(), uncompiled=uncompiled() if job.get("confined") else ())
    except Exception:  # noqa: BLE001 - whatever it is, it is told apart from the exit of a package
        traceback.print_exc()
        code = FAILED_ITSELF
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is recorded. Some packages crash while the interpreter shuts down (onnxruntime 1.16 under numpy 2), which says
    # nothing about the combination any more.
    os._exit(code)
