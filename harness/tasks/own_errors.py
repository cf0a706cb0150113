"""When the harness itself fails in a task: an `error` for every result that the task has not produced."""

from __future__ import annotations

import time
import traceback

from harness.model import Failure, Stage, StageResult, Status
from harness.tasks.interface import Task
from harness.tasks.records import Records

OWN_ERROR = "the harness failed here"
"""How the message of such an error begins."""


def record_own_error(task: Task, records: Records, error: Exception) -> None:
    """Record `error` for everything that `task` has not done. It proves nothing, and the next run tries again."""
    for key, stage in task.missing(records):
        records.put(key, [_result(stage, error)], remember=False)


def _result(stage: Stage, error: Exception) -> StageResult:
    text = "".join(traceback.format_exception(error))
    failure = Failure(type=type(error).__name__, message=f"{OWN_ERROR}: {error}", traceback=text)
    return StageResult(stage=stage, status=Status.ERROR, error=failure, finished=time.time())
