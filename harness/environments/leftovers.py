"""Environments of a store, and their bytecode, that no cell needs any more."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from harness.environments.environments import MARKS
from harness.store.scratch import FileLock
from harness.store.store import BYTECODE
from harness.store.unreferenced import Leftover, leftover

_NAME = re.compile("[0-9a-f]{16}")


def leftovers(root: Path, names: Collection[str]) -> Iterator[Leftover]:
    """The environments of the store at `root` that are not among `names`, and their bytecode; none that is in use."""
    envs = root / "envs"
    for path in _folders(envs):
        if path.name not in names and any((path / mark).is_file() for mark in MARKS) and not _in_use(path):
            yield leftover("environments", path)
    present = root / BYTECODE / envs.relative_to(envs.anchor)
    for place in _bytecode(root):
        for path in _folders(place):
            # Bytecode for another place is of a time when the store lay there.
            if place != present or (path.name not in names and not _in_use(envs / path.name)):
                yield leftover("bytecode", path)


def _bytecode(root: Path) -> list[Path]:
    """The folders with bytecode of environments."""
    return sorted(Path(at) for at, _, _ in os.walk(root / BYTECODE) if at.endswith(f"{os.sep}envs"))


def _folders(place: Path) -> list[Path]:
    """The folders with names of environments; none if a link leads there."""
    if not place.is_dir() or place.resolve() != place:
        return []
    return sorted(path for path in place.iterdir() if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink())


def _in_use(environment: Path) -> bool:
    """Whether a process works in it, as environments.py has it."""
    lock_file = environment.with_suffix(".use")
    if not lock_file.exists():
        return False
    with contextlib.closing(FileLock(lock_file)) as lock:
        return not lock.exclude()
