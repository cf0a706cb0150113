"""The removal of what others have made: folders of any depth, with paths of any length; no link is followed."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: Path | str, dir_fd: int | None = None) -> None:
    """Remove a file, a link, or a folder with its content, as far as possible; `path` may start at the folder `dir_fd`."""
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_mode):
            os.unlink(path, dir_fd=dir_fd)
            return
        with _opened(path, dir_fd) as folder:
            while _flatten(folder):
                pass
        os.rmdir(path, dir_fd=dir_fd)


def _flatten(top: int) -> bool:
    """Remove what is in the folder `top`, and move there what is in its folders; whether anything has changed.

    So no more than two folders are open at a time, however deep they lie in each other.
    """
    changed = False
    for name, is_folder in _entries(top):
        with contextlib.suppress(OSError):
            if is_folder:
                with _opened(name, top) as folder:
                    for inner, is_inner_folder in _entries(folder):
                        changed |= _lifted(inner, folder, top) if is_inner_folder else _unlinked(inner, folder)
                os.rmdir(name, dir_fd=top)
                changed = True
            else:
                changed |= _unlinked(name, top)
    return changed


def _entries(folder: int) -> list[tuple[str, bool]]:
    """(name, whether it is a folder) of all in the folder with that descriptor."""
    with os.scandir(folder) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


def _unlinked(name: str, folder: int) -> bool:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)
        return True
    return False


def _lifted(name: str, folder: int, top: int) -> bool:
    """Move the folder `name` from `folder` to `top`: for that it has to be writable itself."""
    with contextlib.suppress(OSError):
        with _opened(name, folder):
            os.rename(name, secrets.token_hex(8), src_dir_fd=folder, dst_dir_fd=top)
        return True
    return False


@contextlib.contextmanager
def _opened(name: Path | str, dir_fd: int | None) -> Iterator[int]:
    """A descriptor of a folder in which one may do anything; packages leave folders without these rights. Raises OSError."""
    try:
        handle = os.open(name, _FOLDER, dir_fd=dir_fd)
    except PermissionError:
        _allow(name, dir_fd)
        handle = os.open(name, _FOLDER, dir_fd=dir_fd)
    try:
        if os.fstat(handle).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(handle, stat.S_IRWXU)
        yield handle
    finally:
        os.close(handle)


def _allow(name: Path | str, dir_fd: int | None) -> None:
    """Let oneself use a folder, but never what a link leads to that has taken its place."""
    if sys.platform != "linux":
        os.chmod(name, stat.S_IRWXU, dir_fd=dir_fd, follow_symlinks=False)
        return
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        Path(f"/proc/self/fd/{handle}").chmod(stat.S_IRWXU)
    finally:
        os.close(handle)
