"""What work costs, before anything is fetched: downloads, disk and time.

Downloads are what uv's cache lacks (environments/downloads.py). They take room in the cache, unpacked, and once: an
environment consists of hard links to these files if store and cache are on one file system, and of copies if not.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import quantities
from harness.environments import downloads
from harness.environments.downloads import Download
from harness.environments.uv.client import Uv
from harness.errors import NoRoomError
from harness.execution.scheduler import INSTALLS
from harness.model import Stage, Status
from harness.store.envelope import DamagedRecordError
from harness.store.foreign import ForeignStore
from harness.tasks.interface import Task
from harness.tasks.records import STAGES, Record

_BYTECODE = 0.03
"""Bytes of bytecode in the store for each byte of the distributions: 325 MB for the shipped matrix, which has 16.4 GB."""

_SAMPLE = 300
"""Records that stand for all of a store: keys are digests, so the first ones are of all kinds and ages."""

_MEASURED = (1.0, 2.0)
"""The shortest and the longest time ÷ that of the results: remedies are searched, and probes wait for each other.

A run of the shipped matrix took 1.45 times as long as its results, on all probes at once.
"""

_GUESSED = (0.8, 1.6)
"""The same ÷ what tasks know of themselves: that run took 8 to 16 minutes on machines of two cores."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What a place needs."""

    place: Path
    needed: int
    """Bytes."""
    free: int
    """Bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """About what some tasks cost."""

    downloads: tuple[Download, ...]
    rooms: tuple[Room, ...]
    """What each file system needs."""
    seconds: tuple[float, float]
    """The shortest and the longest time, without that of the downloads."""
    measured: bool
    """Whether the time follows from results in this store; a guess if not."""
    jobs: int
    """Probes at once."""

    @property
    def bytes(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return sum(download.size or 0 for download in self.downloads)

    @property
    def fetched(self) -> list[Download]:
        """The files that come over the network."""
        return [download for download in self.downloads if download.size != 0]

    @property
    def unknown(self) -> list[Download]:
        """The files whose size nobody says."""
        return [download for download in self.downloads if download.size is None]

    @property
    def disk(self) -> int:
        """Bytes of disk."""
        return sum(room.needed for room in self.rooms)

    @property
    def free(self) -> int:
        """Bytes that are free where they are needed."""
        return sum(room.free for room in self.rooms)

    def require_room(self) -> None:
        """Raise NoRoomError if a file system does not hold what it needs."""
        for room in self.rooms:
            if room.needed > room.free:
                needed, free = quantities.text(room.needed), quantities.text(room.free)
                raise NoRoomError(
                    f"this takes about {needed} of disk, and {room.place} has {free} free; nothing was fetched. Free some "
                    "space (clean), name other folders (--store, UV_CACHE_DIR), select fewer cells, or go on: --no-disk-check"
                )


def estimate(tasks: Sequence[Task], uv: Uv, store: Path, *, probes: int, if_fetched: bool = False) -> Cost | None:
    """What `tasks` cost on this machine, where so many `probes` run at once.

    None with `if_fetched` if uv's cache holds all that they need: that is quick to find out.
    """
    # Of other packages no size is known before they are fetched.
    closures = {closure for task in tasks for parts in task.environments for closure in parts if not closure.runtime}
    # Without an index every file is on this machine, or is not installed.
    found = downloads.missing(closures, uv) if uv.asks_index and not uv.offline else []
    if if_fetched and not found:
        return None
    means = _means(store)
    return Cost(
        downloads=tuple(found),
        rooms=tuple(_rooms(found, uv.cache_folder(), store)) if found else (),
        seconds=_seconds(tasks, means, probes),
        measured=bool(means),
        jobs=probes,
    )


def _rooms(found: Iterable[Download], cache: Path, store: Path) -> list[Room]:
    """What the file systems of cache and store need for new distributions and their bytecode."""
    unpacked = sum(download.unpacked or 0 for download in found)
    bytecode = int(unpacked * _BYTECODE)
    cache = next(folder for folder in (cache, *cache.parents) if folder.exists())
    in_cache = Room(place=cache, needed=unpacked, free=shutil.disk_usage(cache).free)
    copied = os.environ.get("UV_LINK_MODE") == "copy"
    if _same_device(cache, store):
        return [replace(in_cache, needed=unpacked * (2 if copied else 1) + bytecode)]
    return [in_cache, Room(place=store, needed=unpacked + bytecode, free=shutil.disk_usage(store).free)]


def _same_device(cache: Path, store: Path) -> bool:
    return cache.stat().st_dev == store.stat().st_dev


def _seconds(tasks: Iterable[Task], means: dict[Stage, float], probes: int) -> tuple[float, float]:
    """The shortest and the longest time; installs run beside the probes. Without `means` it is a guess."""
    sums = {True: 0.0, False: 0.0}
    for task in tasks:
        if means:
            sums[task.installs] += sum(count * means.get(stage, 0.0) for stage, count in task.results.items())
        else:
            sums[task.installs] += task.seconds
    seconds = max(sums[False] / probes, sums[True] / INSTALLS)
    low, high = _MEASURED if means else _GUESSED
    return seconds * low, seconds * high


def _means(store: Path) -> dict[Stage, float]:
    """The stage that a result begins with (eager for a process that exports) → mean seconds, in a sample of the store.

    Empty if the store has measured no export.
    """
    seconds: dict[Stage, list[float]] = {}
    for record in itertools.islice(_records(store), _SAMPLE):
        stages = [result.stage for result in record.stages]
        begins = Stage.EAGER if Stage.EAGER in stages else stages[0]
        # A failure is repeated.
        times = 1 if all(result.status is not Status.FAILS for result in record.stages) else 2
        seconds.setdefault(begins, []).append(times * sum(result.seconds for result in record.stages))
    return {stage: sum(values) / len(values) for stage, values in seconds.items()} if Stage.EXPORT in seconds else {}


def _records(store: Path) -> Iterator[Record]:
    """The records of stages in a store; what is damaged counts as absent, and is named by whoever needs it."""
    for _, kind, value in ForeignStore(root=store).records():
        if kind == STAGES.name:
            with contextlib.suppress(DamagedRecordError):
                yield STAGES.parsed(value)
