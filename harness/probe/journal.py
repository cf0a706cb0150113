"""The probe's only channel to the host: a file of events, one JSON object a line. The events are typed in wire.py.

Every line is one `write` to a descriptor in append mode. So a crash loses nothing that was written before it, and the last
`begin` without an `end` names the stage in which the process died.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from typing import Any, Callable, Iterable, Iterator

from .messages import plain
from .missing_module import missing_module
from .outcome import NotRun, describe, status_of
from .wire import Begin, Doing, Done, End, Left


class StageScope:
    """One stage while it runs. `data` is in its `end` event, however the stage ends."""

    def __init__(self, doing: Callable[[str], None]) -> None:
        self.doing = doing
        """Records what the stage does next: to be called before something that may kill the process."""
        self.data: dict[str, Any] = {}
        self.works = True
        """Whether the stage ended well; valid after its `with` block."""


class Journal:
    """Appends events to the file at `path`, which is absolute."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = self._open()
        self._file = _identity(self._descriptor)

    @contextlib.contextmanager
    def stage(self, name: str, subject: str | None = None) -> Iterator[StageScope]:
        """Record the block as a stage. An exception ends the stage and is swallowed: check `StageScope.works` afterwards."""
        stage = StageScope(lambda words: self._write({"event": "doing", "stage": name, "subject": subject, "doing": words}))
        self._write({"event": "begin", "stage": name, "subject": subject, "time": time.time()})
        end: End = {
            "event": "end",
            "stage": name,
            "subject": subject,
            "status": "works",
            "seconds": 0,
            "error": None,
            "data": {},
        }
        started = time.perf_counter()
        try:
            yield stage
        except KeyboardInterrupt:
            raise
        except NotRun as exc:
            end["status"] = "not-run"
            stage.data["reason"] = plain(str(exc))
        except BaseException as exc:  # noqa: BLE001 - the SystemExit of a package is its failure
            end["status"], where = status_of(exc)
            end["error"] = describe(exc, where)
            stage.data.update(missing_module(exc))
        stage.works = end["status"] == "works"
        end["seconds"], end["data"] = round(time.perf_counter() - started, 4), stage.data
        self._write(end)

    def done(self, distributions: dict[str, str], subject: str | None = None, uncompiled: Iterable[str] = ()) -> None:
        """Write the last event of this process."""
        self._write(
            {
                "event": "done",
                "subject": subject,
                "distributions": distributions,
                "peak_rss": _peak_rss(),
                "uncompiled": list(uncompiled),
            }
        )

    def left(self, subject: str, code: int) -> None:
        """Write how the fork for `subject` ended."""
        self._write({"event": "left", "subject": subject, "code": code})

    def _write(self, event: Begin | Doing | End | Done | Left) -> None:
        if _identity(self._descriptor) != self._file:
            # A package has closed all descriptors, as daemons do; by now the number may be that of a file of its own.
            self._descriptor = self._open()
        os.write(self._descriptor, json.dumps(event, allow_nan=False).encode("ascii") + b"\n")

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def _identity(descriptor: int) -> tuple[int, int] | None:
    """Return which file a descriptor is of; None if it is closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _peak_rss() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
