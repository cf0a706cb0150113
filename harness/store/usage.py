"""Which processes use a store: each holds a shared lock on a file in it until it ends; `clean` needs that lock alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from harness.errors import StoreError
from harness.store.scratch import FileLock

_LOCKS: dict[Path, FileLock] = {}
"""Root of a store → the lock of this process; the kernel releases it when the process ends."""

_GUARD = threading.Lock()


def share(root: Path) -> None:
    """Hold a share of the store at `root` from now on; waits while another process cleans it.

    Where no file can be locked nothing is held, and nobody can clean the store.
    """
    with _GUARD, contextlib.suppress(OSError):
        for removed in [other for other, lock in _LOCKS.items() if not lock.current]:
            _LOCKS.pop(removed).close()
        if root not in _LOCKS:
            lock = FileLock(root / "in-use.lock")
            lock.share()
            _LOCKS[root] = lock


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Be the only process that uses the store at `root`, of which this process holds a share.

    Raises:
        StoreError: another process uses it, or no file can be locked there.
    """
    lock = _LOCKS.get(root)
    try:
        if lock is None or not lock.exclude():
            problem = "no file can be locked in it" if lock is None else "another process works with it"
            raise StoreError(f"the store {root} cannot be cleaned now: {problem}")
        yield
    finally:
        if lock is not None:
            lock.share()
