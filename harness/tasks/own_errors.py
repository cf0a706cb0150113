"""Trouble of ours with a task, as the results that it owes: errors, which prove nothing and are tried again."""

from __future__ import annotations

import time
import traceback

from harness.model import Failure, Stage, StageResult, Status
from harness.tasks.pending import missing_exports, missing_imports, missing_runs
from harness.tasks.records import Records
from harness.tasks.tasks import Evaluate, Export, Install, Run, Task

HINDERED = "the harness failed here"
"""How the message of such an error begins."""


def hinder(task: Task, facts: Records, error: Exception) -> None:
    """Record `error` for all that `task` has not done: it proves nothing, and the next run tries again."""
    for key, stage in _owed(task, facts):
        facts.put(key, [_trouble(stage, error)], remember=False)


def _owed(task: Task, facts: Records) -> list[tuple[str, Stage]]:
    """(key, stage) of what `task` has not done; never a key that stands for other tasks' work too."""
    match task:
        case Install() if facts.get(task.key) is not None:
            # An environment that was there before, and is needed again.
            return []
        case Install():
            return [(task.key, Stage.INSTALL)]
        case Export():
            imports = [(one.key, Stage.IMPORT) for one in missing_imports(task, facts)]
            if facts.get(task.key) is None:
                return [(task.key, Stage.IMPORT), *imports]
            return [*imports, *((task.variant_key(variant), Stage.EXPORT) for variant in missing_exports(task, facts))]
        case Run() | Evaluate():
            return [(task.variant_key(*one), Stage.LOAD) for one in missing_runs(task, facts)]


def _trouble(stage: Stage, error: Exception) -> StageResult:
    told = "".join(traceback.format_exception(error))
    failure = Failure(type=type(error).__name__, message=f"{HINDERED}: {error}", traceback=told)
    return StageResult(stage=stage, status=Status.ERROR, error=failure, finished=time.time())
