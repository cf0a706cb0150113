"""A mirror of a store: its records and artifacts behind a URL, for other machines, through fsspec.

Files have the same names as in a store's folder; a folder that other machines see is a mirror too (`file://…`,
shared_folder.py). Nothing is locked: a name stands for a content, or for a record that may be replaced as a whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from harness import disk_space, regular_files
from harness.errors import StoreError
from harness.hashing import digest
from harness.store.access import Access
from harness.store.digests import counts, files_of
from harness.store.envelope import LIMIT
from harness.store.shared_folder import SharedFolder


def cache_of(url: str) -> Path:
    """The local folder of the store behind `url`: artifacts, environments, logs and work in flight of this machine."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "export-matrix" / digest(url.rstrip("/"))[:16]


_MARKER = "export-matrix"


class Mirror:
    """Files behind a URL. Names are those in a store's folder, with slashes. Thread-safe.

    Whatever goes wrong there is a StoreError, except that a full disk stays what it is.
    """

    def __init__(self, url: str, *, access: Access = Access.REMOVE) -> None:
        """Raises StoreError if `url` cannot be used, or fsspec is not installed."""
        self._url = url
        try:
            self._files = _opened(url, access)
            if access is Access.ADD:
                self._files.has(_MARKER)
            else:
                self._files.write(_MARKER, b"a store of export-matrix\n")
        except ImportError as error:
            advice = "pip install 'export-matrix[remote]'"
            raise StoreError(f"the store {url} needs what is not installed ({error}): {advice}") from None
        except Exception as error:  # noqa: BLE001 -- every file system has errors of its own
            raise StoreError(f"the store {url} cannot be used: {error or type(error).__name__}") from None

    def has(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""
        with self._used("read"):
            return self._files.has(name)

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Name → content of those of `names` that are there."""
        with self._used("read"):
            return self._files.read(names)

    def remove(self, name: str) -> None:
        """Remove a file or folder, if it is there."""
        with self._used("written"):
            self._files.remove(name)

    def write(self, name: str, content: bytes) -> None:
        """Write the file `name`; it replaces what is there. A folder on the way that is a link is refused."""
        with self._used("written"):
            self._files.write(name, content)

    def upload(self, folder: Path, name: str) -> None:
        """Upload the files of `folder` under `name`, unless they are there. A link on the way is refused."""
        files = files_of(folder)
        # Sizes are enough here: they show an interrupted upload, and a download verifies the digest.
        if self._sizes(name) != {file: path.stat().st_size for file, path in files.items()}:
            with self._used("written"):
                self._files.put({f"{name}/{file}": path for file, path in files.items()})

    def download(self, name: str, folder: Path) -> None:
        """Download the files under `name` that a digest covers, to the new `folder`; it stays empty if there are none.

        Raises:
            RefusedFileError: a name leads out of the folder, or to what is no regular file.
            StoreError: the disk has no room for them.
        """
        folder.mkdir()
        sizes = self._sizes(name)
        for file in sizes:
            if PurePosixPath(file).is_absolute() or not {"", ".", ".."}.isdisjoint(file.split("/")):
                raise regular_files.RefusedFileError(f"the name {file!r} leads out of the folder")
        if sum(sizes.values()) > shutil.disk_usage(folder).free:
            raise StoreError(f"there is no room here for {name} of the store: free some space and run again")
        if sizes:
            with self._used("read", refused=True):
                self._files.get({f"{name}/{file}": folder / file for file in sizes})

    def versions(self, name: str) -> dict[str, str]:
        """Name → a value that changes with the content, for every file under `name` that is not too large for a record."""
        with self._used("read"):
            files = self._files.files(name)
        return {f"{name}/{file}": digest(str(version)) for file, (size, version) in files.items() if size <= LIMIT}

    def _sizes(self, name: str) -> dict[str, int]:
        """Relative name → bytes of every file of the artifact `name`."""
        with self._used("read"):
            return {file: size for file, (size, _) in self._files.files(name).items() if counts(file)}

    @contextlib.contextmanager
    def _used(self, how: str, *, refused: bool = False) -> Iterator[None]:
        """Every file system has errors of its own. With `refused` a RefusedFileError is the caller's to handle."""
        try:
            yield
        except Exception as error:
            if disk_space.is_full(error) or (refused and isinstance(error, regular_files.RefusedFileError)):
                raise
            raise StoreError(f"the store {self._url} cannot be {how}: {error or type(error).__name__}") from error


def _opened(url: str, access: Access) -> SharedFolder | _Remote:
    import fsspec  # noqa: PLC0415 -- an optional extra

    # Other machines write there too, so listings must not be cached.
    fs, root = fsspec.url_to_fs(url, use_listings_cache=False)
    if not isinstance(fs, fsspec.get_filesystem_class("file")):
        return _Remote(fs, root.rstrip("/"))
    folder = SharedFolder(Path(root))
    if access is Access.REMOVE:
        folder.sweep()
    return folder


class _Remote:
    """The files under a root of fsspec, such as a bucket; its methods are those of SharedFolder."""

    def __init__(self, fs: Any, root: str) -> None:
        self._fs = fs
        self._root = root

    def has(self, name: str) -> bool:
        return bool(self._fs.exists(self._at(name)))

    def files(self, name: str) -> dict[str, tuple[int, object]]:
        top = self._at(name)
        found: dict[str, dict[str, Any]] = self._fs.find(top, detail=True)
        return {path.removeprefix(f"{top}/"): (info["size"], info) for path, info in found.items() if info["type"] == "file"}

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        places = {self._at(name): name for name in names}
        found = self._fs.cat(list(places), on_error="return")
        for content in found.values():
            if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                raise content
        return {places[place]: content for place, content in found.items() if isinstance(content, bytes)}

    def get(self, files: Mapping[str, Path]) -> None:
        self._fs.get(list(map(self._at, files)), list(map(str, files.values())))

    def put(self, files: Mapping[str, Path]) -> None:
        self._fs.put(list(map(str, files.values())), list(map(self._at, files)))

    def write(self, name: str, content: bytes) -> None:
        self._fs.pipe_file(self._at(name), content)

    def remove(self, name: str) -> None:
        if self.has(name):
            self._fs.rm(self._at(name), recursive=True)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"
