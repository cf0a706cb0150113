"""A full disk: how it is recognised in errors and in output, and the sentence about it with what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.errors import DiskFullError

_ERRNO = {errno.ENOSPC, errno.EDQUOT}
FULL = "No space left on device"
"""What a program says when a disk is full."""

_TEXTS = (FULL, "Disk quota exceeded")

_LITTLE_BYTES = 2**20
_LITTLE_SHARE = 10_000
_LITTLE_FILES = 8


def is_full(error: BaseException) -> bool:
    """Whether `error`, or an error that caused it, says that a disk is full."""
    return any(
        isinstance(cause, DiskFullError) or (isinstance(cause, OSError) and cause.errno in _ERRNO) for cause in _chain(error)
    )


def says_full(text: str) -> bool:
    """Whether the output of a program says that a disk is full."""
    text = " ".join(text.split())
    return any(phrase in text for phrase in _TEXTS)


def nearly_full(folder: Path) -> bool:
    """Whether so little is free there that failures may be due to that."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return False
    free, total = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
    no_files = bool(status.f_files) and status.f_favail < _LITTLE_FILES
    return no_files or free < min(_LITTLE_BYTES, total // 8) + total // _LITTLE_SHARE


def sentence(error: BaseException, places: Mapping[str, Path]) -> str:
    """The file system that is full, what is free there, and what to do; `places` has the names and paths of what is written."""
    files = [Path(os.fsdecode(cause.filename)) for cause in _chain(error) if isinstance(cause, OSError) and cause.filename]
    existing = {name: _existing(path) for name, path in places.items()}
    full = {name: path for name, path in existing.items() if nearly_full(path)}
    # Work in flight was removed since, so there may be room again; then the place with the least room is named.
    least = dict(sorted(existing.items(), key=lambda item: _free_bytes(item[1]))[:1])
    found = full or dict(zip(["a file"], map(_existing, files), strict=False)) or least
    mounts: dict[Path, list[str]] = {}
    for name, path in found.items():
        mounts.setdefault(_mount(path), []).append(f"{name} ({path})")
    details = "; ".join(f"{mount} has {_free(mount)} free and holds {' and '.join(names)}" for mount, names in mounts.items())
    return (
        f"the disk is full: {details}. Free some space, or name other folders (--store, --reports, UV_CACHE_DIR, TMPDIR). "
        "Finished results are kept, and the same command continues from there"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and the errors that caused it."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return iter(seen)


def _existing(path: Path) -> Path:
    path = path.absolute()
    return next((folder for folder in (path, *path.parents) if folder.exists()), path)


def _mount(path: Path) -> Path:
    return next((folder for folder in (path, *path.parents) if folder.is_mount()), path)


def _free_bytes(path: Path) -> int:
    try:
        status = os.statvfs(path)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


def _free(path: Path) -> str:
    try:
        status = os.statvfs(path)
    except OSError:
        return "an unknown amount"
    free, total = (blocks * status.f_frsize / 1e6 for blocks in (status.f_bavail, status.f_blocks))
    files = f" and {status.f_favail} of {status.f_files} files" if status.f_files and status.f_favail < _LITTLE_FILES else ""
    return f"{free:.1f} of {total:.1f} MB{files}"
