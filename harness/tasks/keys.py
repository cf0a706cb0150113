"""What results are stored under, besides the distributions: the probe's source, the model, the platform, our own rules."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import platform
import stat
from pathlib import Path

from harness import subprocesses
from harness.matrix.schema import ProbeSection
from harness.model import digest
from harness.store.digests import file_digest, folder_digest
from harness.tasks import probe_source

_FOLDERS = {"import": set[str](), "export": {"export"}, "run": {"ort"}, "reference": {"reference"}}
"""Kind of job → the folders of the probe that are its own; everything else there may be used by all."""


@functools.cache
def source(kind: str) -> str:
    """Digest of the probe's source as far as a job of `kind` can use it."""
    root = probe_source.MAIN.parent
    _stamp(root)
    left_out = {"export", "ort", "reference"} - _FOLDERS[kind]
    sums = {}
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if left_out.isdisjoint(name.parts):
            sums[name.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digest(sums)


@functools.cache
def platform_id() -> str:
    """What a wheel is chosen by, besides the interpreter: `Linux-x86_64-glibc2.36`."""
    return "-".join(filter(None, (platform.system(), platform.machine(), "".join(platform.libc_ver()))))


def asked(kind: str, model: ProbeSection) -> list[object]:
    """What every process of `kind` has in common: where it runs, what it runs, and how the host judges it."""
    return [platform_id(), _surroundings(), probe_source.RULES, asked_source(kind, model)]


@functools.cache
def _surroundings() -> dict[str, str | int]:
    return subprocesses.probe_surroundings()


def asked_source(kind: str, model: ProbeSection) -> str:
    """Digest of all source that a job of `kind` can use, one's own module included."""
    own = probe_files(model)
    return digest([source(kind), own]) if own else source(kind)


def probe_id(model: ProbeSection) -> str:
    """Names what was asked of every cell."""
    return asked_source("export", model)


def probe_files(model: ProbeSection) -> str | None:
    """Digest of one's own module and the files it needs, by relative name and content; None for the built-in probe."""
    return _files_digest(tuple(model.sources.items())) if model.module is not None else None


@functools.cache
def _files_digest(files: tuple[tuple[str, Path], ...]) -> str:
    return digest({name: file_digest(path) for name, path in files})


def model_key(model: ProbeSection) -> object:
    """A family by name, size and seed; a checkpoint by content, wherever it lies; one's own module by its options."""
    if model.module is not None:
        return [model.options, model.seed]
    if model.checkpoint is None:
        return {"model": model.model, "profile": model.profile, "seed": model.seed}
    # The seed draws the inputs, whatever the weights are.
    return [_checkpoint_digest(model.checkpoint), model.seed]


@functools.cache
def _checkpoint_digest(folder: str) -> str:
    _stamp(Path(folder))
    return folder_digest(Path(folder))


_STAMPS: dict[Path, dict[Path, tuple[int, int, int]]] = {}
"""Folder → how its files looked when it was read for a key."""


def _stamp(folder: Path) -> None:
    """Remember, before `folder` is read, how its files look."""
    _STAMPS[folder] = _looks(folder)


def _looks(folder: Path) -> dict[Path, tuple[int, int, int]]:
    found = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode) and path.parent.name != "__pycache__":
                found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def read_anew() -> None:
    """Forget what files held, and how this process was surrounded, when an earlier run of it looked."""
    for cached in (source, _files_digest, _checkpoint_digest, _surroundings):
        cached.cache_clear()


def require_unchanged(model: ProbeSection) -> None:
    """The probe's source, and the checkpoint of `model`, are still what keys say.

    Raises:
        RuntimeError: they have been edited since, and what a process has found out may be of another source.
    """
    read = [probe_source.MAIN.parent, *([Path(model.checkpoint)] if model.checkpoint else [])]
    for folder in read:
        looked = _STAMPS.get(folder)
        if looked is None:
            continue
        if (now := _looks(folder)) != looked:
            names = sorted(path.name for path in looked.keys() | now.keys() if looked.get(path) != now.get(path))
            raise RuntimeError(f"{', '.join(names[:3])} in {folder.name} was edited during this run; run it again")
