"""What uv has made once is copied the next time: environments without anything in them, and what a lock installs.

A lock names every file by its hash, so what the same lock installs is the same. For tests of what comes after: most of the
time of their runs would be uv's, which starts a dozen times for one cell. Whatever did not go well is not remembered.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.environments.lockfile import lock_text
from harness.environments.uv.client import Uv
from harness.hashing import digest
from harness.locked import Lock
from harness.model import Interpreter


def patched(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have `Uv` make everything once, and keep it in `folder`."""
    create, install, interpreters = Uv.create, Uv.install, Uv.interpreters
    guards: dict[Path, threading.Lock] = {}
    found: dict[str, list[Interpreter]] = {}

    def made(key: object, make: Callable[[Path], object]) -> Path:
        """The folder of that key; made by `make` if it is not there."""
        place = folder / digest(key)
        with guards.setdefault(place, threading.Lock()):
            if not place.exists():
                new = place.with_suffix(".new")
                shutil.rmtree(new, ignore_errors=True)
                make(new)
                new.rename(place)
        return place

    def created(self: Uv, at: Path, python: Interpreter) -> None:
        empty = made(python.path, lambda new: create(self, new, python))
        shutil.copytree(empty, at, symlinks=True, dirs_exist_ok=True)

    def installed(self: Uv, at: Path, lock: Lock, python: Interpreter | None = None) -> None:
        (site,) = at.glob("lib/python*/site-packages")
        if any(site.glob("*.dist-info")):
            install(self, at, lock, python)
            return

        def fill(new: Path) -> None:
            install(self, at, lock, python)
            shutil.copytree(site, new)

        before = set(site.iterdir())
        there = made([site.parent.name, lock_text(lock)], fill)
        if set(site.iterdir()) == before:
            shutil.copytree(there, site, dirs_exist_ok=True)

    def listed(self: Uv) -> list[Interpreter]:
        path = os.environ.get("PATH", "")
        if path not in found:
            found[path] = interpreters(self)
        return list(found[path])

    patch.setattr(Uv, "create", created)
    patch.setattr(Uv, "install", installed)
    patch.setattr(Uv, "interpreters", listed)
