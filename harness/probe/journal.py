"""The probe's only channel to the host: a file of events, one JSON object per line.

    {"event": "begin", "stage": S, "subject": id or null, "time": unix seconds}
    {"event": "doing", "stage": S, "subject": id or null, "doing": words}
    {"event": "end", "stage": S, "subject": id or null, "status": works|fails|error|not-run, "seconds": float,
     "error": null or {"type", "message", "traceback", "where"}, "data": {…}}
    {"event": "done", "subject": id or null, "distributions": {name: version}, "peak_rss": bytes}
    {"event": "left", "subject": id, "code": exit code, negative for a signal}

`doing` says what an open stage does next, where the process may die of that. `done` is of the process (null), or of a fork
of it for that subject; `left` says that such a fork is gone, done or not.

Every line is one `write` to a descriptor in append mode: a crash loses nothing that was said before it, and the last
`begin` without an `end` names what the process died of.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from typing import Any, Callable, Iterator

from .failures import NotRun, describe, status_of
from .messages import plain
from .missing import missing_module


class StageScope:
    """One stage while it runs. `data` is what its `end` event will carry, whatever happens."""

    def __init__(self, doing: Callable[[str], None]) -> None:
        self.doing = doing
        """Says what the stage does next: to be called before what may kill the process."""
        self.data: dict[str, Any] = {}
        self.status = "works"
        self.error: dict[str, Any] | None = None

    @property
    def works(self) -> bool:
        """Whether the stage ended well; ask after its `with` block."""
        return self.status == "works"


class Journal:
    """Appends events to the file at `path`."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    @contextlib.contextmanager
    def stage(self, name: str, subject: str | None = None) -> Iterator[StageScope]:
        """Record the block as a stage. An exception ends the stage and is swallowed: ask `StageScope.works` afterwards."""
        stage = StageScope(lambda words: self._write({"event": "doing", "stage": name, "subject": subject, "doing": words}))
        self._write({"event": "begin", "stage": name, "subject": subject, "time": time.time()})
        started = time.perf_counter()
        try:
            yield stage
        except KeyboardInterrupt:
            raise
        except NotRun as exc:
            stage.status = "not-run"
            stage.data["reason"] = plain(str(exc))
        except BaseException as exc:  # noqa: BLE001 - the SystemExit of a package is its failure, not our end
            stage.status, where = status_of(exc)
            stage.error = describe(exc, where)
            stage.data.update(missing_module(exc))
        self._write(
            {
                "event": "end",
                "stage": name,
                "subject": subject,
                "status": stage.status,
                "seconds": round(time.perf_counter() - started, 4),
                "error": stage.error,
                "data": stage.data,
            }
        )

    def done(self, distributions: dict[str, str], subject: str | None = None) -> None:
        """Write the last event of this process."""
        self._write({"event": "done", "subject": subject, "distributions": distributions, "peak_rss": _peak_rss()})

    def left(self, subject: str, code: int) -> None:
        """Write that the fork for `subject` is gone, and how."""
        self._write({"event": "left", "subject": subject, "code": code})

    def _write(self, event: dict[str, Any]) -> None:
        os.write(self._descriptor, json.dumps(event, allow_nan=False).encode("ascii") + b"\n")


def _peak_rss() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
