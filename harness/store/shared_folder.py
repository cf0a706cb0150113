"""A mirror that is a folder, which other users may write too: no link is followed, and files appear whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness import regular_files
from harness.regular_files import RefusedFileError
from harness.store.envelope import LIMIT
from harness.store.removal import remove

_NEW = ".new-"
"""Prefix of a file that is being written, in the root."""

_OLD = 7 * 24 * 3600.0
"""Seconds after which such a file is left over."""


class SharedFolder:
    """The folder `root`, made at the first write. Names have slashes. Every method may raise OSError or RefusedFileError."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def has(self, name: str) -> bool:
        """Whether there is a regular file or a folder of that name."""
        with contextlib.suppress(FileNotFoundError, RefusedFileError), self._parent(name) as (handle, leaf):
            mode = os.stat(leaf, dir_fd=handle, follow_symlinks=False).st_mode
            return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
        return False

    def files(self, name: str) -> dict[str, tuple[int, object]]:
        """Relative name → (bytes, a value that changes with the content) of every regular file under the folder `name`."""
        found: dict[str, tuple[int, object]] = {}
        with contextlib.suppress(FileNotFoundError, RefusedFileError), self._parent(f"{name}/") as (top, _):
            for folder, _, files, handle in os.fwalk(".", dir_fd=top):
                for file in files:
                    with contextlib.suppress(FileNotFoundError):
                        status = os.stat(file, dir_fd=handle, follow_symlinks=False)
                        if stat.S_ISREG(status.st_mode):
                            place = os.path.normpath(os.path.join(folder, file))  # noqa: PTH118 -- no path leads there
                            found[place] = status.st_size, (status.st_size, status.st_mtime_ns, status.st_ino)
        return found

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Name → content of those of `names` that are regular files and not too large for a record."""
        found = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError, RefusedFileError), self._parent(name) as (handle, leaf):
                found[name] = regular_files.read(leaf, limit=LIMIT, dir_fd=handle)
        return found

    def get(self, files: Mapping[str, Path]) -> None:
        """Copy each file that is there to its new path."""
        for name, target in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError), self._parent(name) as (handle, leaf):
                free = shutil.disk_usage(target.parent).free
                regular_files.copy(leaf, target, limit=free, dir_fd=handle)

    def put(self, files: Mapping[str, Path]) -> None:
        """Copy each path to its name."""
        for name, path in files.items():
            with self._written(name) as new, path.open("rb") as source, os.fdopen(new, "wb") as file:
                shutil.copyfileobj(source, file, 2**20)

    def write(self, name: str, content: bytes) -> None:
        """Write the file `name`."""
        with self._written(name) as new, os.fdopen(new, "wb") as file:
            file.write(content)

    def remove(self, name: str) -> None:
        """Remove the file, folder or link of that name, at once."""
        with contextlib.suppress(FileNotFoundError), self._folder() as root, self._parent(name) as (handle, leaf):
            gone = f"{_NEW}{secrets.token_hex(8)}"
            os.rename(leaf, gone, src_dir_fd=handle, dst_dir_fd=root)
            remove(gone, root)

    def sweep(self) -> None:
        """Remove what processes left that ended while they wrote."""
        with contextlib.suppress(OSError, RefusedFileError), self._folder() as root:
            for name in os.listdir(root):  # noqa: PTH208 -- no path leads there
                if name.startswith(_NEW):
                    with contextlib.suppress(OSError):
                        if os.stat(name, dir_fd=root, follow_symlinks=False).st_mtime < time.time() - _OLD:
                            remove(name, root)

    @contextlib.contextmanager
    def _written(self, name: str) -> Iterator[int]:
        """A descriptor of a new file, which takes the place of `name` at the end."""
        with self._folder(make=True) as root, self._parent(name, make=True) as (handle, leaf):
            new = f"{_NEW}{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                yield os.open(new, flags, 0o666, dir_fd=root)
                os.replace(new, leaf, src_dir_fd=root, dst_dir_fd=handle)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=root)
                raise

    def _folder(self, *parts: str, make: bool = False) -> contextlib.AbstractContextManager[int]:
        return regular_files.folder(self._root, parts, make=make)

    @contextlib.contextmanager
    def _parent(self, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """(descriptor of the folder of `name`, last part of `name`)."""
        *folders, leaf = name.split("/")
        try:
            with self._folder(*folders, make=make) as handle:
                yield handle, leaf
        except RefusedFileError as problem:
            raise RefusedFileError(f"{self._root / name} {problem}") from None
