"""What comes of an install: a result of the stage `install`, whatever goes wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from harness import regular_files
from harness.environments.interface import FailureType, ProviderFailure
from harness.model import Failure, Stage, StageResult, Status


def result_of(status: Status, started: float, error: Failure | None = None) -> StageResult:
    """The result of what `started` (Unix, seconds) and has ended now."""
    finished = time.time()
    return StageResult(stage=Stage.INSTALL, status=status, seconds=round(finished - started, 3), error=error, finished=finished)


@contextlib.contextmanager
def failures(started: float) -> Iterator[list[StageResult]]:
    """Ends at a failure of what installs, or of the disk: the list has its result then."""
    failed: list[StageResult] = []
    try:
        yield failed
    except ProviderFailure as failure:
        status = Status.ERROR if failure.type is FailureType.INFRASTRUCTURE else Status.FAILS
        failed.append(result_of(status, started, failure.failure))
    except InterruptedError:
        raise
    except (OSError, regular_files.RefusedFileError) as error:
        failed.append(result_of(Status.ERROR, started, Failure(type="disk", message=str(error))))
