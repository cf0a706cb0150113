"""How much the files of a probe process take, measured while it runs and when it has ended; it needs no sandbox."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_ENTRY = 4096
"""Bytes that an empty file or folder counts for."""

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


def _bytes(folder: Path, limit: int) -> int:
    """The bytes of all files below `folder`, as far as needed to see that they are more than `limit`."""
    total, pending = 0, [folder]
    while pending and total <= limit:
        for entry in _entries(pending.pop()):
            total += _size(entry)
            if entry.is_dir(follow_symlinks=False):
                pending.append(Path(entry.path))
    return total


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:  # gone, no folder, or without the right to read it
        return


def _size(entry: os.DirEntry[str]) -> int:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return 0
    return _ENTRY + (status.st_size if stat.S_ISREG(status.st_mode) else 0)
