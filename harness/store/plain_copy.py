"""Copies of folders that somebody else has made, as new files: regular files and folders only, and no link is followed.

Each folder is opened by itself. Whoever holds a descriptor of an original file, or of its folder, has none of the copy.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from harness import regular_files
from harness.regular_files import RefusedFileError

DEPTH_LIMIT = 16
"""Depth of the folders that an artifact may have."""


@dataclass(kw_only=True, slots=True)
class CopyAllowance:
    """How much may still be copied."""

    size: int
    """Bytes."""
    files: float = math.inf


class TooLargeError(RefusedFileError):
    """There is more than the bytes that may be copied."""


def copy_plain(folder: Path, target: Path) -> None:
    """Copy `folder`, without bytecode, to the new folder `target`.

    Raises:
        RefusedFileError: it, or something in it, is neither a regular file nor a folder.
        OSError: the disk has no room for it.
    """
    allowance = CopyAllowance(size=shutil.disk_usage(target.parent).free)
    try:
        with regular_files.folder(folder.parent, [folder.name]) as handle:
            copy_opened(handle, target, allowance)
    except TooLargeError:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from None


def copy_opened(handle: int, target: Path, allowance: CopyAllowance, depth: int = 0) -> None:
    """Copy the files and folders in the folder `handle`, without bytecode, which no digest covers.

    Raises:
        RefusedFileError: see `copy_plain`; or it is more than `allowance`, or has too many folders within each other.
    """
    if depth == DEPTH_LIMIT:
        raise RefusedFileError(f"has more than {DEPTH_LIMIT} folders within each other")
    target.mkdir()
    for name in sorted(os.listdir(handle)):
        if name == "__pycache__":
            continue
        allowance.files -= 1
        if allowance.files < 0:
            raise RefusedFileError("has too many files")
        status = os.stat(name, dir_fd=handle, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            with regular_files.folder_at(name, handle) as inner:
                copy_opened(inner, target / name, allowance, depth + 1)
            continue
        if stat.S_ISREG(status.st_mode) and status.st_size > allowance.size:
            raise TooLargeError(
                f"holds {name!r}, which has {status.st_size:,} bytes, more than the {allowance.size:,} that are left"
            )
        try:
            allowance.size -= regular_files.copy(name, target / name, limit=allowance.size, dir_fd=handle)
        except RefusedFileError as problem:
            raise RefusedFileError(f"holds {name!r}, which {problem}") from None
