"""The joint import of a `together` cell, in a fork of an export's process: it costs the import of one more package.

Importing torch and transformers takes seconds, and onnxruntime a fraction of one. So the process that has imported all that
an export needs forks for each runtime that it shall go together with. The fork adds the runtime's packages to its path,
imports them, and ends. The export goes on untouched.
"""

from __future__ import annotations

import importlib
import os
import site
import sys

from .distributions import imported_distributions
from .forking.process_control import die_with_the_parent, exit_code, leave_with
from .imports import import_stage, with_probe_imports
from .joint_session import run_joint_session
from .journal import Journal
from .wire import ExportJob, TogetherImport


def import_in_fork(request: TogetherImport, job: ExportJob, journal: Journal) -> None:
    """Record the stage `import` of `request["modules"]` under its id, with its `sites` on the path."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        leave_with(_import, request, job, journal)
    _, status = os.waitpid(child, 0)
    journal.left(request["id"], exit_code(status))


def _import(request: TogetherImport, job: ExportJob, journal: Journal) -> None:
    die_with_the_parent()
    for folder in request["sites"]:
        site.addsitedir(folder)
    importlib.invalidate_caches()
    import_stage(journal, with_probe_imports(request["modules"], job), run_joint_session, subject=request["id"])
    journal.done(imported_distributions(), request["id"])
