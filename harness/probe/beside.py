"""The joint import in a fork of a process that has imported most of it already: the price is that of one more package.

Importing torch and transformers takes seconds, and onnxruntime a fraction of one. So the process that has imported what
an export can import forks for each runtime that it shall go together with: the fork is that process, a moment later,
with the runtime's packages added to its path. It ends there; the export goes on untouched by what it did.
"""

from __future__ import annotations

import importlib
import os
import site
import sys
from typing import Any

from .distributions import imported_distributions
from .forking import leave_with
from .imports import import_stage, then_the_probe
from .joint import session_beside_torch
from .journal import Journal
from .orphans import die_with_the_parent


def import_beside(one: dict[str, Any], job: dict[str, Any], journal: Journal) -> None:
    """Record the stage `import` of `one["modules"]` under the subject `one["id"]`, with `one["sites"]` on the path."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        leave_with(_import, one, job, journal)
    _, status = os.waitpid(child, 0)
    journal.left(one["id"], -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def _import(one: dict[str, Any], job: dict[str, Any], journal: Journal) -> None:
    die_with_the_parent()
    for folder in one["sites"]:
        site.addsitedir(folder)
    importlib.invalidate_caches()
    import_stage(journal, then_the_probe(one["modules"], job), session_beside_torch, subject=one["id"])
    journal.done(imported_distributions(), one["id"])
