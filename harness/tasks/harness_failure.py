"""Decides that a failure of a task is the harness's own: it becomes an `error`, which proves nothing and is tried again.

What packages under test do comes back as a result of their probe process, whatever that is. So an exception in the code of a
task is a failure of the harness itself, unless the run is being stopped or a disk is full, which end the whole run.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from harness import disk_space
from harness.errors import DiskFullError
from harness.model import Failure, Stage, StageResult, Status
from harness.tasks.interface import Task
from harness.tasks.records import Records

HARNESS_FAILED = "the harness failed here"
"""How the message of such an error begins."""


@contextmanager
def recorded(task: Task, records: Records) -> Iterator[None]:
    """Performs `task` inside; an exception there is recorded as a failure of the harness.

    Raises:
        InterruptedError: the run is being stopped; nothing was recorded for what was in flight.
        DiskFullError: nothing was recorded for what was in flight.
    """
    try:
        yield
    except InterruptedError:
        raise
    except Exception as error:
        if disk_space.is_full(error):
            raise DiskFullError(f"{task.label}: {error}") from error
        record(task, records, error)


def record(task: Task, records: Records, error: Exception) -> None:
    """Record `error` as a failure of the harness for every result that `task` has not produced."""
    for key, stage in task.missing(records):
        records.put(key, [_result(stage, error)], remember=False)


def _result(stage: Stage, error: Exception) -> StageResult:
    text = "".join(traceback.format_exception(error))
    failure = Failure(type=type(error).__name__, message=f"{HARNESS_FAILED}: {error}", traceback=text)
    return StageResult(stage=stage, status=Status.ERROR, error=failure, finished=time.time())
