"""How much the files of a probe process take, measured while it runs and when it has ended; it needs no sandbox."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_ENTRY = 4096
"""Bytes that an empty file or folder counts for."""

_DEPTH = 48
"""Folders within each other; what lies deeper counts as more than any limit. No package needs as many, and each takes a
descriptor while it is measured."""

_SHARE = 20
"""A measurement takes one of so many parts of the time: there may be millions of files."""


class DiskUse:
    """The files of one process: what its exports leave in `out`, and all else in `folders`."""

    def __init__(self, folders: Sequence[Path], out: Path | None, exports: Sequence[str], limit: int) -> None:
        """Each of the `exports`, a folder in `out`, may take `limit` bytes, and all else together too."""
        self._folders = folders
        self._out = out
        self._exports = exports
        self.limit = limit
        self._next = 0.0

    def exceeds(self) -> bool:
        """Whether it is too much by now; not measured at every call."""
        started = time.monotonic()
        if started < self._next:
            return False
        found = bool(self.large())
        self._next = time.monotonic() + _SHARE * (time.monotonic() - started)
        return found

    def large(self) -> list[str | None]:
        """The exports that take more than they may; None for all else."""
        found: dict[str | None, int] = dict.fromkeys(self._exports, 0)
        found[None] = sum(_bytes(folder, self.limit) for folder in self._folders)
        for entry in _entries(self._out) if self._out else ():
            name = entry.name if entry.name in found else None
            found[name] += _size(entry) + _bytes(Path(entry.path), self.limit)
        return [name for name, size in found.items() if size > self.limit]


def _bytes(name: Path | str, limit: int, parent: int | None = None, depth: int = 0) -> int:
    """The bytes of all files below a folder (in the folder `parent`), as far as needed to see that they are more than `limit`.

    No link is followed but `name` itself, and nothing is named by a path, which a package can make too long for the kernel.
    """
    if depth > _DEPTH:
        return limit + 1
    total, flags = 0, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (os.O_NOFOLLOW if depth else 0)
    with contextlib.suppress(OSError):  # gone, no folder, or without the right to read it
        folder = os.open(name, flags, dir_fd=parent)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    total += _size(entry)
                    if entry.is_dir(follow_symlinks=False):
                        total += _bytes(entry.name, limit - total, folder, depth + 1)
                    if total > limit:
                        break
        finally:
            os.close(folder)
    return total


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def _size(entry: os.DirEntry[str]) -> int:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return 0
    return _ENTRY + (status.st_size if stat.S_ISREG(status.st_mode) else 0)
