"""Results and artifacts by key: atomic, crash-safe, shareable between processes.

    <store>/results/<ab>/<key>.json   what is known, one small JSON file per key
    <store>/artifacts/<digest>/       what an export left behind, with the reference to compare a run with; named by content
    <store>/logs/<key>.log            output of one process, by digest of the keys it was to give results under
    <store>/envs/                     environments (see environments.py)
    <store>/bytecode/                 what Python compiled for them, by path; it outlives them, and a bounded number is kept

A file appears under its final name complete or not at all, so a `kill -9` at any moment loses at most the work in
flight, and two processes that finish the same work write the same thing. What was written is on the disk before its
name is; where a disk lied about that, a result that cannot be read and an artifact that is not what its name says
count as absent.

A store behind a URL (mirror.py) is such a folder, in the user's cache, that shares results and artifacts with a mirror.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from harness.errors import StoreError
from harness.mirror import Mirror, cache_of
from harness.model import digest

BYTECODE = "bytecode"
"""The folder of a store that Python keeps bytecode in."""


def owner() -> str:
    """The running process, as far as others on a shared folder must know it: `host.pid`."""
    return f"{socket.gethostname()}.{os.getpid()}"


def is_gone(process: str) -> bool:
    """Whether the process that `owner()` named is known to have ended; another host's never is."""
    host, _, pid = process.rpartition(".")
    return host == socket.gethostname() and pid.isdigit() and not psutil.pid_exists(int(pid))


class Store:
    """A folder of results. Values are JSON-able; keys are hex digests that the caller computes from all inputs."""

    def __init__(self, root: Path, mirror: Mirror | None = None) -> None:
        """Raises StoreError where `root` cannot be made or written."""
        self.root = root.resolve()
        self._mirror = mirror
        self._intact: set[str] = set()
        try:
            for name in ("results", "artifacts", "logs", "envs", "tmp"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            self._sweep()
        except OSError as error:
            raise StoreError(f"the store {root} cannot be used: {error}; name another with --store") from None

    @classmethod
    def open(cls, place: Path | str, *, pull: bool = True) -> Store:
        """The store at `place`, a folder or a URL; `pull` brings what others have found out since the last time.

        Raises:
            StoreError: it cannot be used.
        """
        if isinstance(place, Path):
            return cls(place)
        store = cls(cache_of(place), Mirror(place))
        try:
            if pull:
                store._pull()
        except Exception as error:  # noqa: BLE001 -- every file system has errors of its own
            raise StoreError(f"the store {place} cannot be read: {error or type(error).__name__}") from None
        return store

    def get(self, key: str) -> Any | None:
        """The value stored under `key`, or None; a file that was damaged from outside counts as absent."""
        try:
            return json.loads(self._path(key).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Store `value`, replacing what was there."""
        name = self._name(self._path(key))
        content = json.dumps(value, ensure_ascii=False, sort_keys=True).encode()
        if self._mirror:
            # First: what is known here alone would never be made again, and never be known elsewhere.
            self._mirror.write(name, content)
        self._write(name, content)

    def forget(self, key: str) -> None:
        """Remove a result, so that the next run makes it again."""
        self._path(key).unlink(missing_ok=True)
        if self._mirror:
            self._mirror.remove(self._name(self._path(key)))

    def refresh(self, keys: Iterable[str]) -> None:
        """Take what another process has stored under `keys` for what is here."""
        if self._mirror:
            self._bring(self._mirror, [self._name(self._path(key)) for key in keys])

    def artifact(self, digest: str) -> Path:
        """Where the artifact of that digest is, if it is there; brought from the mirror where it is not here yet.

        Raises:
            StoreError: what the mirror has is not what its name says; it is gone now, so that it is made again.
        """
        folder = self._folder(digest)
        if self._mirror and not folder.is_dir():
            with self.scratch() as scratch:
                self._mirror.download(self._name(folder), scratch / digest)
                if folder_digest(scratch / digest) != digest:
                    self._mirror.remove(self._name(folder))
                    raise StoreError(f"artifact {digest} was lost or damaged; the next run makes it again")
                with contextlib.suppress(OSError):  # another task was first
                    (scratch / digest).rename(folder)
                self._intact.add(digest)
        return folder

    def publish(self, folder: Path) -> str:
        """Move a finished folder (on the store's filesystem: see `scratch`) to its place; returns the digest that names it.

        What is there already has the same content and stays, unless it was damaged.
        """
        digest = folder_digest(folder)
        if not self.intact(digest):
            self.discard(digest)
            for path in [*folder.rglob("*"), folder]:
                _sync(path)
            try:
                folder.rename(self._folder(digest))
            except OSError:
                # Another process may have been first.
                if not self.intact(digest):
                    raise
            _sync(self.root / "artifacts")
            self._intact.add(digest)
        if self._mirror:
            self._mirror.upload(self._folder(digest), self._name(self._folder(digest)))
        return digest

    def intact(self, digest: str) -> bool:
        """Whether that artifact is there and is what its name says; looked at once, then believed.

        What only the mirror has is believed until somebody needs it (see `artifact`).
        """
        folder = self._folder(digest)
        if not folder.is_dir():
            return self._mirror is not None and self._mirror.has(self._name(folder))
        if digest not in self._intact and folder_digest(folder) == digest:
            self._intact.add(digest)
        return digest in self._intact

    def discard(self, digest: str) -> None:
        """Remove that artifact, if it is there."""
        self._intact.discard(digest)
        with self.scratch() as trash, contextlib.suppress(FileNotFoundError):
            # At once, and not file by file: nobody is to see half of it.
            self._folder(digest).rename(trash / "old")

    def replace(self, folder: Path, target: Path) -> None:
        """Move a finished folder from `scratch` to `target`, which lies in the store too, in place of what is there."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.scratch() as trash, contextlib.suppress(FileNotFoundError):
            target.rename(trash / "old")
        folder.rename(target)

    def log(self, key: str) -> Path:
        """Where the log of `key` goes."""
        return self.root / "logs" / f"{key}.log"

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for work in flight, gone afterwards."""
        folder = Path(tempfile.mkdtemp(dir=self.root / "tmp", prefix=f"{owner()}."))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a killed process left in flight."""
        for entry in (self.root / "tmp").iterdir():
            if is_gone(entry.name.rpartition(".")[0]):
                shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)

    def _pull(self) -> None:
        """Bring the results that the mirror has got, or got anew, since this was last done."""
        if self._mirror:
            listed = self._mirror.versions("results")
            try:
                seen = json.loads((self.root / "seen.json").read_bytes())
            except (FileNotFoundError, ValueError):
                seen = {}
            new = [name for name in listed if seen.get(name) != listed[name] or not (self.root / name).exists()]
            self._bring(self._mirror, new)
            self._write("seen.json", json.dumps(listed).encode())

    def _bring(self, mirror: Mirror, names: Sequence[str]) -> None:
        for name, content in mirror.read(names).items() if names else ():
            self._write(name, content)

    def _write(self, name: str, content: bytes) -> None:
        """Have a file of that content in the folder, in place of what was there."""
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.root / "tmp", prefix=f"{owner()}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        _sync(Path(temporary))
        Path(temporary).replace(path)
        _sync(path.parent)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _folder(self, digest: str) -> Path:
        return self.root / "artifacts" / digest

    def _path(self, key: str) -> Path:
        return self.root / "results" / key[:2] / f"{key}.json"


def folder_digest(folder: Path) -> str:
    """Digest of every file in `folder`, by relative name and content; bytecode that an import left there is not of it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != "__pycache__"]
    return digest([[path.relative_to(folder).as_posix(), file_digest(path)] for path in files])


def file_digest(path: Path) -> str:
    """Digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
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
