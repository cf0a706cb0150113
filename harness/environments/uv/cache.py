"""What uv's cache holds of wheels. It is read alone: uv says that nobody else may change its files.

    <cache>/wheels-v8/pypi/torch/2.6.0-cp311-cp311-manylinux1_x86_64.http    a pointer: file name, hashes, archive
    <cache>/wheels-v8/pypi/torch/2.6.0-cp311-cp311-manylinux1_x86_64         a link to the archive
    <cache>/archive-v0/<id>/                                                 the unpacked wheel

Wheels of other indexes than PyPI lie in `index/<digest>/`, in place of `pypi/`. Later versions of uv may use a bucket of
another number; the highest one counts.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from harness.locked import LockedDistribution
from harness.model import Interpreter

_BUCKET = re.compile(r"wheels-v(\d+)")
_FILE_NAME = re.compile(rb"[A-Za-z0-9_.]+-[A-Za-z0-9_.+!]+(?:-\d\w*)?-[\w.]+-[\w.]+-[\w.]+\.whl")
_POINTER_LIMIT = 2**16
"""Bytes of a pointer that are read; the largest seen has 1 kB."""


class Wheels:
    """The wheels in the cache at `folder`, as it is when this object is made."""

    def __init__(self, folder: Path) -> None:
        numbers = [int(match[1]) for name in _listed(folder) if (match := _BUCKET.fullmatch(name))]
        bucket = folder / f"wheels-v{max(numbers, default=0)}"
        self._places = [bucket / "pypi", *(bucket / "index" / name for name in _listed(bucket / "index"))]

    def archive(self, pinned: LockedDistribution, python: Interpreter) -> Path | None:
        """The unpacked wheel with which uv installs `pinned` for that interpreter; None if it has to fetch one.

        It has one of the hashes of the lock, and tags that the interpreter accepts.
        """
        digests = [value.partition(":")[2].encode() for value in pinned.hashes]
        for pointer in self._pointers(pinned.name, f"{pinned.version}-"):
            content, archive = _content(pointer), _archive(pointer)
            if archive and any(digest in content for digest in digests) and _accepted(content, _tags(python.version)):
                return archive
        return None

    def archives(self, name: str, version: str = "") -> set[Path]:
        """The unpacked wheels of a version of the distribution `name`, or of all versions."""
        return {archive for pointer in self._pointers(name, f"{version}-" if version else "") if (archive := _archive(pointer))}

    def _pointers(self, name: str, beginning: str = "") -> Iterator[Path]:
        for place in self._places:
            for file in _listed(place / name):
                if file.startswith(beginning) and file.endswith((".http", ".rev")):
                    yield place / name / file


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 -- names are enough, and there are thousands
    except OSError:
        return []


def _archive(pointer: Path) -> Path | None:
    archive = Path(str(pointer).removesuffix(pointer.suffix))
    return archive.resolve() if archive.is_dir() else None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_POINTER_LIMIT)
    except OSError:
        return b""


def _accepted(content: bytes, tags: frozenset[Tag]) -> bool:
    """Whether the file name in a pointer has one of `tags`."""
    for name in _FILE_NAME.findall(content):
        try:
            if not tags.isdisjoint(parse_wheel_filename(name.decode())[3]):
                return True
        except InvalidWheelFilename:
            continue
    return False


@functools.cache
def _tags(version: str) -> frozenset[Tag]:
    """The tags that a CPython of that version accepts on this machine."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return frozenset([*cpython_tags((major, minor)), *compatible_tags((major, minor), f"cp{major}{minor}")])
