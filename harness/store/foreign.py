"""Reads a store that somebody else has written: no path leads out of its folder, and no content is trusted.

Each folder on the way to a file is opened by itself, without following links, and files are read as in regular_files.py.
What is refused is left out and named.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness import regular_files
from harness.hashing import is_digest
from harness.store.digests import folder_digest
from harness.store.envelope import LIMIT, DamagedRecordError, opened
from harness.store.plain_copy import CopyAllowance, copy_opened

LOG_LIMIT = 16 * 2**20
"""Bytes of the largest log that is copied. A run cuts its own logs back to 8 million bytes."""

_ARTIFACT_LIMIT = 64 * 2**30
"""Bytes of the largest artifact that is copied. A model with 13 billion parameters has 52 GB."""

_FILES_LIMIT = 10_000
"""Files that an artifact may have."""


@dataclass(kw_only=True, slots=True)
class ForeignStore:
    """The store in the folder `root`."""

    root: Path
    refused: list[str] = field(default_factory=list)
    """A sentence for each file or folder that was left out."""

    def records(self) -> Iterator[tuple[str, str, bytes]]:
        """(key, name of the kind, bytes of the value) of every record that is whole."""
        for folder in self._names("results"):
            for name in self._names(f"results/{folder}"):
                if record := self._record(folder, name):
                    yield record

    def refuse(self, name: str, problem: str) -> None:
        """Note that a file is left out."""
        path = str(self.root / name)
        self.refused.append(f"damaged, and ignored: {path if path.isprintable() else ascii(path)} {problem}")

    def copy_artifact(self, digest: str, target: Path) -> bool:
        """Copy that artifact to the new folder `target`; False if it is not there, or not what its name says."""
        name = f"artifacts/{digest}"
        try:
            allowance = CopyAllowance(size=min(_ARTIFACT_LIMIT, shutil.disk_usage(target.parent).free), files=_FILES_LIMIT)
            with self._folder(name) as handle:
                copy_opened(handle, target, allowance)
        except FileNotFoundError:
            return False
        except (regular_files.RefusedFileError, OSError) as problem:
            self.refuse(name, _reason(problem))
            return False
        if folder_digest(target) != digest:
            self.refuse(name, "does not hold what its name says")
            return False
        return True

    def copy_log(self, name: str, target: Path) -> None:
        """Copy the log of that name, `logs/<digest>.log`, to the new file `target`, if it is there."""
        folder, _, file = name.partition("/")
        try:
            with self._folder(folder) as handle:
                regular_files.copy(file, target, limit=LOG_LIMIT, dir_fd=handle)
        except FileNotFoundError:
            pass
        except (regular_files.RefusedFileError, OSError) as problem:
            self.refuse(name, _reason(problem))

    def _record(self, folder: str, file: str) -> tuple[str, str, bytes] | None:
        key, name = file.removesuffix(".json"), f"results/{folder}/{file}"
        if file != f"{key}.json" or not is_digest(key) or folder != key[:2]:
            self.refuse(name, "has a name that no record has")
            return None
        try:
            with self._folder(f"results/{folder}") as handle:
                kind, value = opened(key, regular_files.read(file, limit=LIMIT, dir_fd=handle))
        except FileNotFoundError:
            return None
        except (regular_files.RefusedFileError, DamagedRecordError) as problem:
            self.refuse(name, str(problem))
            return None
        return key, kind, value

    def _names(self, folder: str) -> list[str]:
        try:
            with self._folder(folder) as handle:
                return sorted(os.listdir(handle))  # noqa: PTH208 -- no path leads there
        except FileNotFoundError:
            return []
        except (regular_files.RefusedFileError, OSError) as problem:
            self.refuse(folder, _reason(problem))
            return []

    def _folder(self, name: str) -> contextlib.AbstractContextManager[int]:
        """A descriptor of that folder of the store. The user has named the root, so that alone may be a link."""
        return regular_files.folder(self.root, name.split("/"))


def _reason(problem: Exception) -> str:
    return f"cannot be copied: {problem}" if isinstance(problem, OSError) else str(problem)
