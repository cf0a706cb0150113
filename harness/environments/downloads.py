"""What an install of closures would fetch: the files that uv's cache lacks, and their sizes."""

from __future__ import annotations

import contextlib
import http.client
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from harness.environments.interface import ProviderFailure
from harness.environments.layers import Closure
from harness.environments.lockfile import parse_pylock
from harness.environments.uv.cache import Wheels
from harness.environments.uv.client import Uv
from harness.foreign_text import without_userinfo
from harness.locked import Lock, LockedDistribution
from harness.model import Interpreter
from harness.stack import unpacked

if TYPE_CHECKING:
    from packaging.pylock import Package, PackageSdist, PackageWheel

_PARALLEL = 8
"""Questions at once; they wait for the index more than they compute."""

_HEAD_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """A file that uv's cache lacks. Of several that an interpreter accepts it is the largest."""

    name: str
    version: str
    size: int | None
    """Bytes that are fetched, 0 for a file on this machine; None if no index says so."""
    unpacked: int | None
    """About the bytes that it takes in uv's cache; environments are hard links to these."""


def missing(closures: Iterable[Closure], uv: Uv) -> list[Download]:
    """What uv would fetch to install `closures`, each file once; indexes are asked for the sizes of these files alone.

    Raises:
        ProviderFailure: uv does not say where its cache is.
    """
    wheels = Wheels(uv.cache_folder())
    locked = {(closure.interpreter, pinned): None for closure in closures for pinned in closure.lock.distributions}
    left: dict[Interpreter, list[LockedDistribution]] = {}
    for python, pinned in locked:
        if wheels.archive(pinned, python) is None:
            left.setdefault(python, []).append(pinned)
    questions = [(python, lock) for python, needed in left.items() for lock in _locks(needed)]
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="sizes") as pool:
        found = [each for answer in pool.map(partial(_asked, uv), questions) for each in answer]
        return list(pool.map(_download, dict.fromkeys(found)))


def _locks(distributions: Iterable[LockedDistribution]) -> Iterator[Lock]:
    """`distributions` in as few locks as possible: a lock has one version of each name."""
    of_name: dict[str, list[LockedDistribution]] = {}
    for pinned in distributions:
        of_name.setdefault(pinned.name, []).append(pinned)
    for number in range(max(map(len, of_name.values()), default=0)):
        yield Lock(distributions=tuple(same[number] for same in of_name.values() if number < len(same)))


class _File(NamedTuple):
    """The file of a distribution as an index names it."""

    name: str
    version: str
    url: str | None
    """None if no index has answered."""
    size: int | None
    """Bytes."""


def _asked(uv: Uv, question: tuple[Interpreter, Lock]) -> list[_File]:
    """The file of each distribution of a lock, for an interpreter."""
    python, lock = question
    try:
        return [_largest(package) for package in parse_pylock(uv.pylock(lock, python)).packages]
    except (ProviderFailure, ValueError):
        return [_File(pinned.name, pinned.version, url=None, size=None) for pinned in lock.distributions]


def _largest(package: Package) -> _File:
    """The largest of the files that uv names: all of them suit the interpreter."""
    files: list[PackageWheel | PackageSdist] = [*(package.wheels or ()), *([package.sdist] if package.sdist else [])]
    file = max(files, key=lambda file: file.size or 0)
    return _File(package.name, str(package.version), url=file.url, size=file.size)


def _download(file: _File) -> Download:
    """`file` with the size that an index, a server or a folder of this machine names."""
    url, size = file.url or "", file.size
    scheme = url.partition(":")[0]
    local = scheme == "file"
    with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
        if size is None and local:
            size = Path(url2pathname(urlsplit(url).path)).stat().st_size
        elif size is None and scheme in {"http", "https"}:
            size = _content_length(without_userinfo(url))
    return Download(
        name=file.name,
        version=file.version,
        size=0 if local else size,
        unpacked=None if size is None else unpacked(file.name, size),
    )


def _content_length(url: str) -> int | None:
    """What the server of a file says of its size; PyTorch's own index names no sizes.

    Raises:
        OSError, ValueError, http.client.HTTPException: it does not.
    """
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 -- the scheme was looked at
    with urllib.request.urlopen(request, timeout=_HEAD_SECONDS) as answer:  # noqa: S310
        return int(answer.headers.get("Content-Length", ""))
