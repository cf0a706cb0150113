"""What a store holds and a matrix does not reach: records, the artifacts and logs that only those name, checkpoints.

Only what has a name that the store gives is found, and no link is followed.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import regular_files
from harness.hashing import DIGEST
from harness.store.envelope import LIMIT
from harness.store.removal import remove

_RECORD = re.compile(rf"({DIGEST})\.json")
_LOG = re.compile(rf"({DIGEST})\.log")
_NAMES = re.compile(DIGEST.encode())


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """A file or folder of the store that the matrix does not reach."""

    kind: str
    """What it is, in the plural."""
    path: Path
    size: int
    """Bytes that its removal frees."""


def leftover(kind: str, path: Path) -> Leftover:
    """The file or folder at `path`."""
    return Leftover(kind=kind, path=path, size=freed(path))


def unreached(root: Path, keys: Collection[str], checkpoints: Collection[str]) -> Iterator[Leftover]:
    """What is in the store at `root` besides the records of `keys`, what they name, and the `checkpoints` of these hub ids."""
    named = set()
    for folder in _folders(root / "results"):
        for path in _files(folder):
            name = _RECORD.fullmatch(path.name)
            if name and path.name.startswith(folder.name):
                if name[1] in keys:
                    named.update(_named(path))
                else:
                    yield leftover("results", path)
    for path in _folders(root / "artifacts"):
        if re.fullmatch(DIGEST, path.name) and path.name not in named:
            yield leftover("artifacts", path)
    for path in _files(root / "logs"):
        name = _LOG.fullmatch(path.name)
        if name and name[1] not in named:
            yield leftover("logs", path)
    for owner in _folders(root / "models"):
        yield from (leftover("checkpoints", path) for path in _folders(owner) if f"{owner.name}/{path.name}" not in checkpoints)


def remove_all(found: Collection[Leftover]) -> None:
    """Remove them, as far as possible. No other process may use the store."""
    for each in found:
        remove(each.path)


def freed(path: Path) -> int:
    """Bytes of disk that the removal of a file or folder frees: files with a further hard link elsewhere free nothing."""
    links = Counter((status.st_dev, status.st_ino, status.st_nlink, status.st_blocks) for status in map(os.lstat, _walk(path)))
    return sum(blocks * 512 for (_, _, number, blocks), found in links.items() if found >= number)


def _walk(path: Path) -> Iterator[Path]:
    """The files of a folder, or a file itself."""
    if not stat.S_ISDIR(path.lstat().st_mode):
        yield path
    for at, _, names in os.walk(path):
        yield from (Path(at, name) for name in names)


def _named(record: Path) -> set[str]:
    """The digests that a record names: of artifacts, of logs, its own key and others."""
    return {name.decode() for name in _NAMES.findall(regular_files.read(record, limit=LIMIT))}


def _folders(place: Path) -> list[Path]:
    return [path for path in _entries(place) if stat.S_ISDIR(path.lstat().st_mode)]


def _files(place: Path) -> list[Path]:
    return [path for path in _entries(place) if stat.S_ISREG(path.lstat().st_mode)]


def _entries(place: Path) -> list[Path]:
    return sorted(place.iterdir()) if place.is_dir() and not place.is_symlink() else []
