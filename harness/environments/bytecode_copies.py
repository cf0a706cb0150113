"""Copies of the store's intact bytecode, for one process: tens of thousands of files, so paths are strings here."""

# ruff: noqa: PTH103, PTH108, PTH116, PTH120, PTH123

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

Sums = Mapping[str, str]
"""Relative name → digest of each file of a group."""

_Identity = tuple[int, int]
"""Device and inode."""


class BytecodeCopies:
    """Fills folders with copies. Thread-safe."""

    def __init__(self, root: Path) -> None:
        """`root` is the folder of all groups."""
        self._root = root
        self._identities: dict[str, _Identity] = {}

    def fill(self, prefix: Path, suffix: str, groups: Mapping[Path, Sums]) -> None:
        """Copy the files of `groups` that end with `suffix` to the same places in `prefix`."""
        for group, sums in groups.items():
            place = prefix / group.relative_to(self._root)
            for name, digest in sums.items():
                if name.endswith(suffix):
                    _copy(f"{group}/{name}", digest, f"{place}/{name}")

    def fill_by_source(self, prefix: Path, suffix: str, folders: Iterable[Path], groups: Mapping[Path, Sums]) -> None:
        """Copy what `groups` have of the sources in `folders`, which may be links to the same files."""
        known = self._by_source(suffix, groups)
        for at, _, names in itertools.chain.from_iterable(os.walk(folder) for folder in folders):
            for name in names:
                if not (name.endswith(".py") and (identity := _identity(f"{at}/{name}")) and (found := known.get(identity))):
                    continue
                source, path, digest = found
                if _identity(source) == identity:
                    _copy(path, digest, f"{prefix}{at}/{name.removesuffix('.py')}{suffix}")

    def _by_source(self, suffix: str, groups: Mapping[Path, Sums]) -> dict[_Identity, tuple[str, str, str]]:
        """A source → its path, and file and digest of its bytecode."""
        found: dict[_Identity, tuple[str, str, str]] = {}
        for group, sums in groups.items():
            place = Path("/", group.relative_to(self._root))
            for name, digest in sums.items():
                if name.endswith(suffix):
                    source = f"{place}/{name.removesuffix(suffix)}.py"
                    if identity := self._identity_once(source):
                        found[identity] = source, f"{group}/{name}", digest
        return found

    def _identity_once(self, source: str) -> _Identity | None:
        """As `_identity`, at the first call: it may be outdated."""
        if source not in self._identities and (found := _identity(source)):
            self._identities[source] = found
        return self._identities.get(source)


def _identity(path: str) -> _Identity | None:
    """None if there is no such file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _copy(path: str, digest: str, target: str) -> None:
    """Copy a file if it has that digest."""
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return
        with open(path, "rb") as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() == digest:
            try:
                with _made(target) as file:
                    file.write(content)
            except OSError:
                # Python does not forgive half a file, which would be the package's failure.
                os.unlink(target)


def _made(path: str) -> BinaryIO:
    """A new file at `path`, and its folder."""
    try:
        return open(path, "wb")
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "wb")
