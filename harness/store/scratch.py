"""Work in flight: files and folders of running processes, and the removal of what ended processes have left.

    <folder>/<owner>.lock       the owner holds an exclusive lock on this file while it has an entry here
    <folder>/<owner>.<number>   an entry

The kernel releases a lock when its process ends, however it ends. So ownership needs no process ids, which mean something
else in a container and are used again. The lock is made first and removed last, so no entry is ever without an owner. If
the file system has no locks, nothing can be proven, and nothing is swept.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import itertools
import os
import re
import secrets
import socket
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from harness.store.removal import remove

_OWNER = re.compile(r"(?P<kernel>[0-9a-f]{6})[0-9a-f]{6}")

_OLD = 7 * 24 * 3600.0
"""Seconds without a change after which an entry is swept although its lock proves nothing (of another kernel, or none)."""


TEMPORARY = "t"
"""The folder for temporary files within an entry; short, because paths of sockets must be."""

_SOCKET_PATH = 107
"""Bytes of the longest path of a Unix socket on Linux."""

_SOCKET_NAME = 36
"""Bytes that packages add to the temporary folder for a socket: `/pymp-12345678/listener-12345678`; torch adds more."""


class FileLock:
    """An advisory lock on a file. It ends with the process; children do not inherit it."""

    def __init__(self, path: Path) -> None:
        """Open `path`, or make it. Raises OSError."""
        # Network file systems need a file that is open for reading to share a lock, and for writing to take one alone.
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        self._path = path

    def share(self) -> None:
        """Take a shared lock. Blocks while another process holds an exclusive one. Raises OSError."""
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def exclude(self, *, wait: bool = False) -> bool:
        """Take the exclusive lock; False if another process holds a lock. A shared lock that was held here is lost then.

        Raises:
            OSError: the file system has no locks.
        """
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @property
    def current(self) -> bool:
        """Whether the locked file is still the one at its path."""
        try:
            status = os.lstat(self._path)
        except OSError:
            return False
        return os.path.samestat(status, os.fstat(self._handle))

    def remove(self) -> None:
        """Remove the file and release the lock."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Release the lock."""
        os.close(self._handle)


class Scratch:
    """A folder of work in flight, shared by processes. Thread-safe."""

    def __init__(self, folder: Path, prefix: str = "") -> None:
        """Every name in `folder` begins with `prefix`; with a prefix, files of other programs may lie there too."""
        self.place = folder
        self._prefix = prefix
        self._guard = threading.Lock()
        self._numbers = itertools.count()
        self._users = 0
        self._owner = ""
        self._lock: FileLock | None = None

    @contextlib.contextmanager
    def name(self) -> Iterator[Path]:
        """A new path; what is there at the end is removed. Raises OSError."""
        with self._guard:
            if not self._users:
                self._claim()
            self._users += 1
            path = self.place / f"{self._owner}.{next(self._numbers)}"
        try:
            yield path
        finally:
            remove(path)
            with self._guard:
                self._users -= 1
                if not self._users and self._lock:
                    self._lock.remove()

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """A new, private folder, removed at the end. Raises OSError."""
        with self.name() as path:
            path.mkdir(mode=0o700)
            yield path

    def discard(self, path: Path) -> None:
        """Remove what is at `path` on this file system, at once: no other process sees half of it."""
        with self.folder() as trash, contextlib.suppress(FileNotFoundError):
            path.rename(trash / "old")

    def sweep(self) -> None:
        """Remove the entries of processes that have ended. Never raises OSError."""
        entries: dict[str, list[Path]] = defaultdict(list)
        with contextlib.suppress(OSError):
            for path in self.place.iterdir():
                # What another user has put there under such a name is no work of ours.
                if path.name.startswith(self._prefix) and (not self._prefix or _is_ours(path)):
                    entries[path.name[len(self._prefix) :].partition(".")[0]].append(path)
        for owner, paths in entries.items():
            with contextlib.suppress(OSError):
                self._sweep(owner, paths)

    def _sweep(self, owner: str, paths: list[Path]) -> None:
        name = _OWNER.fullmatch(owner)
        if not name:
            # An entry of an older version, which locked nothing; or, with a prefix, of another program.
            for path in paths:
                if not self._prefix and _old([path]):
                    remove(path)
            return
        if name["kernel"] != _kernel() and not _old(paths):
            return
        lock = FileLock(self.place / f"{self._prefix}{owner}.lock")
        if not (lock.exclude() and lock.current):
            lock.close()
            return
        for path in paths:
            if path.suffix != ".lock":
                remove(path)
        lock.remove()

    def _claim(self) -> None:
        """Choose the name of this owner, and take the lock on it if the file system has locks."""
        while True:
            owner = f"{self._prefix}{_kernel()}{secrets.token_hex(3)}"
            path = self.place / f"{owner}.lock"
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            except FileExistsError:
                continue
            lock = FileLock(path)
            with contextlib.suppress(OSError):
                # A sweep may have locked the file just now, and be about to remove it.
                lock.exclude(wait=True)
            if lock.current:
                self._owner, self._lock = owner, lock
                return
            lock.close()


def temporaries() -> list[Scratch]:
    """The system's temporary folders, that of `TMPDIR` first."""
    places = dict.fromkeys((tempfile.gettempdir(), "/tmp"))  # noqa: S108 -- names there are private, and hard to guess
    return [Scratch(Path(place), "xm-") for place in places if Path(place).is_dir()]


def temporary() -> contextlib.AbstractContextManager[Path]:
    """A new folder in the system's temporary folder, removed at the end; `Store.temporary` makes one in a store."""
    return temporary_in(temporaries()[0])


@contextlib.contextmanager
def temporary_in(scratch: Scratch) -> Iterator[Path]:
    """A new private folder within an entry of `scratch`; its user may rename it."""
    with scratch.folder() as folder:
        (folder / TEMPORARY).mkdir()
        yield folder / TEMPORARY


def with_sockets(scratch: Scratch) -> Scratch:
    """`scratch` if packages can make Unix sockets there, else one of the system's temporary folders."""
    places = [scratch, *temporaries()]
    return next(filter(_holds_sockets, places), places[1])


def _holds_sockets(scratch: Scratch) -> bool:
    """Whether packages can make Unix sockets there: the path is short enough, and the file system has sockets."""
    longest = scratch.place / "xm-0123456789ab.9999" / TEMPORARY
    if len(os.fsencode(longest)) + _SOCKET_NAME > _SOCKET_PATH:
        return False
    try:
        with scratch.folder() as folder, socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(folder / "socket"))
    except OSError:
        return False
    return True


@functools.cache
def _kernel() -> str:
    """Identifies the running kernel, within which locks are shared; equal in all of its containers."""
    try:
        identity = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        identity = socket.gethostname().encode()
    return hashlib.sha256(identity).hexdigest()[:6]


def _is_ours(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.lstat().st_uid == os.getuid()
    return False


def _old(paths: list[Path]) -> bool:
    return max(path.lstat().st_mtime for path in paths) < time.time() - _OLD
