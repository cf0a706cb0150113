"""Reads files that somebody else may have written: regular files only, of a bounded size, no links, never blocking.

If the folders on the way may be of somebody else too, each is opened by itself, without following links.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

_GZIP = 16 + zlib.MAX_WBITS
"""zlib's name for the gzip format."""


class RefusedFileError(Exception):
    """A file is not read; `str()` is the end of a sentence about it."""


def read(path: Path | str, *, limit: int, dir_fd: int | None = None, start: int = 0) -> bytes:
    """The content of the regular file at `path`, relative to the folder `dir_fd` if that is given, from the byte `start` on.

    Raises:
        FileNotFoundError: nothing is there.
        RefusedFileError: it is a link, no regular file, larger than `limit` bytes, or cannot be read.
    """
    with opened(path, limit=limit, dir_fd=dir_fd) as (handle, size):
        if start:
            os.lseek(handle, start, os.SEEK_SET)
        return b"".join(_parts(handle, max(size - start, 0)))


def read_named(path: Path, *, limit: int) -> bytes:
    """As `read`, for a path that the user has named: links are followed. Raises as `read`."""
    return read(_resolved(path), limit=limit)


def read_named_text(path: Path, *, limit: int) -> str:
    """As `read_named`: text in UTF-8, or in UTF-16 if it begins with a byte order mark, as PowerShell's `>` writes it.

    Raises:
        ValueError: it is no such text; besides what `read` raises.
    """
    content = read_named(path, limit=limit)
    mark, encoding = next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), (b"", "utf-8"))
    return content.removeprefix(mark).decode(encoding)


_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def read_expanded(path: Path, *, limit: int) -> bytes:
    """As `read_named`; if its name ends in `.gz`, what the file expands to, of `limit` bytes at most too."""
    content = read_named(path, limit=limit)
    if path.suffix != ".gz":
        return content
    expander = zlib.decompressobj(wbits=_GZIP)
    try:
        found = expander.decompress(content, limit)
    except zlib.error as error:
        raise RefusedFileError(f"cannot be read: {error}") from None
    if not expander.eof:
        raise RefusedFileError("cannot be read: it ends too early, or is too large")
    return found


def opened_named(path: Path, *, limit: int) -> contextlib.AbstractContextManager[tuple[int, int]]:
    """As `opened`, for a path that the user has named: links are followed. Raises as `read`."""
    return opened(_resolved(path), limit=limit)


def real(path: Path) -> Path:
    """`path` with links followed. One that leads to itself stays as it is, and using it is an OSError."""
    return Path(os.path.realpath(path))


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError:
        raise RefusedFileError("is a symbolic link to itself") from None


def copy(path: Path | str, target: Path, *, limit: int, dir_fd: int | None = None) -> int:
    """Copy the content of that file to the new file `target`; return its bytes. Raises as `read`."""
    with opened(path, limit=limit, dir_fd=dir_fd) as (handle, size), target.open("xb") as file:
        for part in _parts(handle, size):
            file.write(part)
    return size


@contextlib.contextmanager
def folder(root: Path, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """A descriptor of the folder `parts` within `root`; `root` alone may be a link. With `make` missing folders are made.

    Raises:
        FileNotFoundError: it is not there.
        RefusedFileError: a link, or no folder, is in its place or on the way.
    """
    if make:
        root.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as open_folders:
        handle = open_folders.enter_context(folder_at(str(real(root)), None))
        for part in parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=handle)
            handle = open_folders.enter_context(folder_at(part, handle))
        yield handle


@contextlib.contextmanager
def folder_at(name: str, dir_fd: int | None) -> Iterator[int]:
    """A descriptor of the folder `name` in the folder `dir_fd`; a link is refused. Raises as `folder`."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RefusedFileError(reason(name, dir_fd) or f"cannot be read: {error}") from None
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def opened(path: Path | str, *, limit: int, dir_fd: int | None = None) -> Iterator[tuple[int, int]]:
    """(descriptor, size) of the regular file at `path`. Raises as `read`."""
    try:
        # Without O_NONBLOCK opening a FIFO waits for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise RefusedFileError(reason(path, dir_fd) or f"cannot be read: {error}") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedFileError(f"is {kind_of(status.st_mode)}, not a regular file")
        if status.st_size > limit:
            raise RefusedFileError(f"has {status.st_size:,} bytes, more than the {limit:,} that are read")
        yield handle, status.st_size
    finally:
        os.close(handle)


def _parts(handle: int, size: int) -> Iterator[bytes]:
    """The first `size` bytes, in parts; fewer if the file has shrunk since."""
    try:
        while size and (part := os.read(handle, min(size, 2**24))):
            yield part
            size -= len(part)
    except OSError as error:
        raise RefusedFileError(f"cannot be read: {error}") from None


def reason(path: Path | str, dir_fd: int | None) -> str | None:
    """Why `path` cannot be opened, if that is because it is no regular file."""
    try:
        mode = os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_mode
    except (OSError, ValueError):
        return None
    return None if stat.S_ISREG(mode) else f"is {kind_of(mode)}, not a regular file"


def kind_of(mode: int) -> str:
    """The kind of a file with that mode, in words; not for regular files."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
