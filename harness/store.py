"""Results and artifacts by key: atomic, crash-safe, shareable between processes.

    <store>/results/<ab>/<key>.json   what is known, one small JSON file per key
    <store>/artifacts/<key>/          what an export left behind, and the reference to compare a run with
    <store>/logs/<key>.log            output of one process, by digest of the keys it was to give results under
    <store>/envs/                     environments (see environments.py)

A file appears under its final name complete or not at all, so a `kill -9` at any moment loses at most the work in
flight, and two processes that finish the same work write the same thing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from harness.errors import StoreError


def owner() -> str:
    """The running process, as far as others on a shared folder must know it: `host.pid`."""
    return f"{socket.gethostname()}.{os.getpid()}"


def is_gone(process: str) -> bool:
    """Whether the process that `owner()` named is known to have ended; another host's never is."""
    host, _, pid = process.rpartition(".")
    return host == socket.gethostname() and pid.isdigit() and not psutil.pid_exists(int(pid))


class Store:
    """A folder of results. Values are JSON-able; keys are hex digests that the caller computes from all inputs."""

    def __init__(self, root: Path) -> None:
        """Raises StoreError where `root` cannot be made or written."""
        self.root = root.resolve()
        try:
            for name in ("results", "artifacts", "logs", "envs", "tmp"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            self._sweep()
        except OSError as error:
            raise StoreError(f"the store {root} cannot be used: {error}; name another with --store") from None

    def get(self, key: str) -> Any | None:
        """The value stored under `key`, or None; a file that was damaged from outside counts as absent."""
        try:
            return json.loads(self._path(key).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Store `value`, replacing what was there."""
        path = self._path(key)
        path.parent.mkdir(exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.root / "tmp", prefix=f"{owner()}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, sort_keys=True)
        Path(temporary).replace(path)

    def forget(self, key: str) -> None:
        """Remove a result, so that the next run makes it again."""
        self._path(key).unlink(missing_ok=True)

    def artifact(self, key: str) -> Path:
        """Where the artifact of `key` is, or will be once `publish` has run."""
        return self.root / "artifacts" / key

    def publish(self, key: str, folder: Path) -> Path:
        """Move a finished folder (on the store's filesystem: see `scratch`) to its place; the first one to arrive stays."""
        target = self.artifact(key)
        if target.exists():
            # A forced re-run made it anew: content may differ where an exporter is not deterministic.
            trash = Path(tempfile.mkdtemp(dir=self.root / "tmp", prefix=f"{owner()}."))
            target.rename(trash / "old")
            shutil.rmtree(trash, ignore_errors=True)
        folder.rename(target)
        return target

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

    def _path(self, key: str) -> Path:
        return self.root / "results" / key[:2] / f"{key}.json"
