"""Digests of files and folders by content, and what it takes to have them on the disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from harness import regular_files
from harness.model import digest
from harness.regular_files import RefusedFileError


def plain_digest(folder: Path) -> str | None:
    """`folder_digest`; None where there is anything but regular files and folders, or it cannot be read."""
    try:
        if folder.is_symlink() or not folder.is_dir():
            return None
        modes = [path.lstat().st_mode for path in folder.rglob("*")]
        plain = all(stat.S_ISREG(mode) or stat.S_ISDIR(mode) for mode in modes)
        return folder_digest(folder) if plain else None
    except OSError:
        return None


def make_plain(folder: Path) -> None:
    """Have nothing but regular files and folders in `folder`: copies for links to files, nothing for all else."""
    for path in list(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) and path.is_file():
            content = path.resolve()
            path.unlink()
            shutil.copyfile(content, path)
        elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            path.unlink()


def copy_within(folder: Path, target: Path, names: Iterable[str] | None = None) -> None:
    """Copy files from `folder` to `target`: those of these names, or all that the digest is of. Of links what they name.

    Raises:
        RefusedFileError: one is no regular file, or a link that leads out of `folder` or to nothing.
    """
    every = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")))
    for name in every if names is None else names:
        path = folder / name
        if not counts(name) or path.is_dir():
            continue
        if not path.resolve().is_relative_to(folder.resolve()):
            raise RefusedFileError(f"{path} is a link that leads out of {folder}: put a copy of what it names in its place")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            regular_files.copy(path.resolve(), target / name, limit=shutil.disk_usage(target).free)
        except FileNotFoundError:
            raise RefusedFileError(f"{path} is a link to nothing") from None
        except RefusedFileError as problem:
            raise RefusedFileError(f"{path} {problem}") from None


def make_folder(folder: Path) -> None:
    """Have the folder, in place of a file or a link; a folder that another process makes meanwhile stays."""
    if folder.is_symlink() or not folder.is_dir():
        # Nothing is the usual case, and no folder is ever removed by this.
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
            folder.unlink()
        folder.mkdir(exist_ok=True)


def folder_digest(folder: Path) -> str:
    """Digest of the `files_of` a folder, by relative name and content."""
    return digest([[name, file_digest(path)] for name, path in files_of(folder).items()])


def files_of(folder: Path) -> dict[str, Path]:
    """Relative name → path of every file that the folder's digest is of."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path for name, path in files.items() if counts(name)}


def counts(name: str) -> bool:
    """Whether a file of that relative name is of its folder's digest: bytecode that an import left there is not."""
    return PurePosixPath(name).parent.name != "__pycache__"


def file_digest(path: Path) -> str:
    """Digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have a file's content, or a folder's entries, on the disk before anything that comes after."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        # Some file systems of a network know no fsync of a folder.
        if not path.is_dir():
            raise
    finally:
        os.close(handle)
