"""Claims: of the processes that share a store, one does a piece of work, and the others wait for its results.

    <store>/claims/<key>.lock   exists, and is locked, while somebody works

The kernel releases a lock when its process ends, however it ends; so nothing has to expire.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.store.scratch import FileLock

_PASSING = {getattr(errno, name) for name in ("EMFILE", "ENFILE", "ENOMEM", "ENOSPC", "EDQUOT", "EIO", "ENOENT")}
"""Numbers of errors that say nothing of whether files can be locked there."""

_LOOK_SECONDS = 0.05
"""Interval at which a claim is tried that another process holds."""


@contextlib.contextmanager
def claimed(folder: Path, key: str, look: Callable[[], object]) -> Iterator[bool]:
    """Holds the claim on `key` inside; whether another process held it before, and may have done the work.

    `look` is called again and again while this waits, and may raise. Where no file can be locked nobody waits.

    Raises:
        OSError: the file cannot be made now: there is no room for it, or too many files are open.
    """
    waited = False
    with contextlib.ExitStack() as held:
        while True:
            try:
                lock = _taken(folder / f"{key}.lock")
            except OSError as error:
                if error.errno in _PASSING:
                    raise
                break
            if lock:
                held.callback(lock.remove)
                break
            waited = True
            look()
            time.sleep(_LOOK_SECONDS)
        yield waited


def _taken(path: Path) -> FileLock | None:
    """The lock on `path`, unless another process has it."""
    with contextlib.ExitStack() as opened:
        lock = opened.enter_context(contextlib.closing(FileLock(path)))
        # Its last holder may have removed the file since it was opened.
        if lock.exclude() and lock.current:
            opened.pop_all()
            return lock
    return None
