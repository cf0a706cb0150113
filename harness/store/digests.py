"""Digests of files and folders by content; making, copying and syncing such folders."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from harness import regular_files
from harness.hashing import digest
from harness.regular_files import RefusedFileError


def plain_digest(folder: Path) -> str | None:
    """`folder_digest`; None if there is anything but regular files and folders, or if it cannot be read."""
    try:
        if folder.is_symlink() or not folder.is_dir():
            return None
        modes = [path.lstat().st_mode for path in folder.rglob("*")]
        is_plain = all(stat.S_ISREG(mode) or stat.S_ISDIR(mode) for mode in modes)
        return folder_digest(folder) if is_plain else None
    except OSError:
        return None


def make_plain(folder: Path) -> None:
    """Replace links to other files in `folder` by these, and remove whatever else is no regular file and no folder.

    What a link names elsewhere is not read: whoever made it may not have been allowed to.
    """
    root = regular_files.real(folder)
    for path in list(folder.rglob("*")):
        mode = path.lstat().st_mode
        content = regular_files.real(path)
        if stat.S_ISLNK(mode) and content.is_relative_to(root) and content.is_file():
            path.unlink()
            os.link(content, path)
        elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            path.unlink()


def copy_within(folder: Path, target: Path, names: Iterable[str] | None = None) -> None:
    """Copy files from `folder` to `target`: those of `names`, or all that `folder_digest` covers. Links are followed.

    Raises:
        RefusedFileError: a file is not regular, or a link leads out of `folder` or to nothing.
    """
    all_names = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")))
    for name in all_names if names is None else names:
        path = folder / name
        if not counts(name) or path.is_dir():
            continue
        if not regular_files.real(path).is_relative_to(regular_files.real(folder)):
            raise RefusedFileError(f"{path} is a link that leads out of {folder}: put a copy of what it names in its place")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            regular_files.copy(regular_files.real(path), target / name, limit=shutil.disk_usage(target).free)
        except FileNotFoundError:
            raise RefusedFileError(f"{path} is a link to nothing") from None
        except RefusedFileError as problem:
            raise RefusedFileError(f"{path} {problem}") from None


def make_folder(folder: Path) -> None:
    """Make `folder` unless it exists; a file or a link in its place is removed."""
    if folder.is_symlink() or not folder.is_dir():
        # Usually nothing is there. Another process may make the folder meanwhile, and unlink removes no folder.
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
            folder.unlink()
        folder.mkdir(exist_ok=True)


def folder_digest(folder: Path) -> str:
    """Digest of the `files_of` a folder, by relative name and content."""
    return digest([[name, file_digest(path)] for name, path in files_of(folder).items()])


def files_of(folder: Path) -> dict[str, Path]:
    """Relative name → path of every file that `folder_digest` covers."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path for name, path in files.items() if counts(name)}


def counts(name: str) -> bool:
    """Whether `folder_digest` covers a file of that relative name; it leaves out bytecode, which an import may add."""
    return PurePosixPath(name).parent.name != "__pycache__"


def file_digest(path: Path) -> str:
    """Digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Write a file's content, or a folder's entries, to the disk before anything that follows."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        # Some network file systems have no fsync for folders.
        if not path.is_dir():
            raise
    finally:
        os.close(handle)
