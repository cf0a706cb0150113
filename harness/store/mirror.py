"""What a store shares with other machines: its results and artifacts behind a URL, through fsspec.

The files have the names that they have in a store's folder, so a folder that other machines can see is such a mirror too
(`file://…`). Nothing is locked: a name stands for a content, or for a result that may be replaced as a whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from harness import regular_files
from harness.errors import StoreError
from harness.model import digest
from harness.store.envelope import LIMIT


def cache_of(url: str) -> Path:
    """The local folder of the store behind `url`: this machine's artifacts, environments, logs and work in flight."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "export-matrix" / digest(url.rstrip("/"))[:16]


class Mirror:
    """A place that fsspec knows. Names are those in a store's folder, with slashes. Thread-safe."""

    def __init__(self, url: str) -> None:
        """Raises StoreError where `url` cannot be written, or fsspec is not there to do it."""
        try:
            import fsspec  # noqa: PLC0415 -- an optional extra

            options = {"auto_mkdir": True} if url.startswith("file:") else {}
            # Others write there too: a listing that is remembered is wrong soon.
            self._fs, root = fsspec.url_to_fs(url, use_listings_cache=False, **options)
            self._root = root.rstrip("/")
            self._is_folder = isinstance(self._fs, fsspec.get_filesystem_class("file"))
            self.write("export-matrix", b"a store of export-matrix\n")
        except ImportError as error:
            wanted = "pip install 'export-matrix[remote]'"
            raise StoreError(f"the store {url} needs what is not installed ({error}): {wanted}") from None
        except Exception as error:  # noqa: BLE001 -- every file system has errors of its own
            raise StoreError(f"the store {url} cannot be used: {error or type(error).__name__}") from None

    def write(self, name: str, content: bytes) -> None:
        """Put one file there, in place of what was there."""
        self._fs.pipe_file(self._at(name), content)

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        if self._fs.exists(self._at(name)):
            self._fs.rm(self._at(name), recursive=True)

    def has(self, name: str) -> bool:
        """Whether there is a file or a folder of that name."""
        return bool(self._fs.exists(self._at(name)))

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Name → content of those of the files that are there; many at once.

        A folder that others write into too is read as regular.py does, and what is refused there is left out.
        """
        if self._is_folder:
            return {name: content for name in names if (content := self._read_here(name)) is not None}
        places = {self._at(name): name for name in names}
        found = self._fs.cat(list(places), on_error="return")
        for content in found.values():
            if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                raise content
        return {places[place]: content for place, content in found.items() if isinstance(content, bytes)}

    def _read_here(self, name: str) -> bytes | None:
        try:
            return regular_files.read(self._at(name), limit=LIMIT)
        except (FileNotFoundError, regular_files.RefusedFileError):
            return None

    def upload(self, folder: Path, name: str) -> None:
        """Have the files of `folder` there under `name`, unless they are."""
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        # By size: what an interrupted upload left is completed; whoever downloads looks closer.
        there = {file: info["size"] for file, info in self._files(name).items()}
        if there != {file: path.stat().st_size for file, path in files.items()}:
            self._fs.put([str(path) for path in files.values()], [self._at(f"{name}/{file}") for file in files])

    def download(self, name: str, folder: Path) -> None:
        """Make the new `folder` hold the files that are there under `name`; it is empty where nothing is.

        Raises:
            RefusedFileError: a name leads out of the folder.
            StoreError: all is more than the disk has room for.
        """
        folder.mkdir()
        files = self._files(name)
        for file in files:
            if PurePosixPath(file).is_absolute() or not {"", ".", ".."}.isdisjoint(file.split("/")):
                raise regular_files.RefusedFileError(f"the name {file!r} leads out of the folder")
        if sum(info["size"] for info in files.values()) > shutil.disk_usage(folder).free:
            raise StoreError(f"there is no room here for {name} of the store: free some space and run again")
        if files:
            self._fs.get([self._at(f"{name}/{file}") for file in files], [str(folder / file) for file in files])

    def versions(self, name: str) -> dict[str, str]:
        """Name → something that changes with the content, for every file under the folder `name`; not what is too large."""
        return {f"{name}/{file}": digest(str(info)) for file, info in self._files(name).items() if info["size"] <= LIMIT}

    def _files(self, name: str) -> dict[str, dict[str, Any]]:
        """Relative name → what is known of it, for every regular file under the folder `name`."""
        top = self._at(name)
        found: dict[str, dict[str, Any]] = self._fs.find(top, detail=True)
        return {
            path.removeprefix(f"{top}/"): info
            for path, info in found.items()
            if info["type"] == "file" and not info.get("islink")
        }

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"
