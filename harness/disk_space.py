"""A full disk: recognised in errors and in what others print, and said in words with what to do about it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.errors import DiskFullError

_ERRNO = {errno.ENOSPC, errno.EDQUOT}
_TEXTS = ("No space left on device", "Disk quota exceeded")

_LITTLE_BYTES = 2**20
_LITTLE_SHARE = 10_000
_LITTLE_FILES = 8


def is_full(error: BaseException) -> bool:
    """Whether `error`, or one that it came of, says that a disk is full."""
    return any(isinstance(one, DiskFullError) or (isinstance(one, OSError) and one.errno in _ERRNO) for one in _chain(error))


def says_full(text: str) -> bool:
    """Whether a program's output says so."""
    text = " ".join(text.split())
    return any(words in text for words in _TEXTS)


def nearly_full(folder: Path) -> bool:
    """Whether nothing can be written there that is worth writing: what fails there may fail for that reason."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return False
    free, total = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
    no_files = bool(status.f_files) and status.f_favail < _LITTLE_FILES
    return no_files or free < min(_LITTLE_BYTES, total // 8) + total // _LITTLE_SHARE


def sentence(error: BaseException, places: Mapping[str, Path]) -> str:
    """What is full, how much is free there, and what to do; `places` has what is written by what it is called."""
    named = [Path(os.fsdecode(one.filename)) for one in _chain(error) if isinstance(one, OSError) and one.filename]
    there = {name: _existing(path) for name, path in places.items()}
    full = {name: path for name, path in there.items() if nearly_full(path)}
    # Work in flight has been removed since, so that there may be room again: then it was the one with the least.
    least = dict(sorted(there.items(), key=lambda item: _free_bytes(item[1]))[:1])
    found = full or dict(zip(["a file"], map(_existing, named), strict=False)) or least
    mounts: dict[Path, list[str]] = {}
    for name, path in found.items():
        mounts.setdefault(_mount(path), []).append(f"{name} ({path})")
    told = "; ".join(f"{mount} has {_free(mount)} free and holds {' and '.join(names)}" for mount, names in mounts.items())
    return (
        f"the disk is full: {told}. Free some space, or name other folders (--store, --reports, UV_CACHE_DIR, TMPDIR). "
        "What was finished before is kept, and the same command goes on from there"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it came of."""
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        one = one.__cause__ or one.__context__
    return iter(seen)


def _existing(path: Path) -> Path:
    path = path.absolute()
    return next((one for one in (path, *path.parents) if one.exists()), path)


def _mount(path: Path) -> Path:
    return next((one for one in (path, *path.parents) if one.is_mount()), path)


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
