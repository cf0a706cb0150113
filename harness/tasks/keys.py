"""The parts of a key besides the distributions: the probe's source, the model, the platform, the rules of judging."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import platform
import stat
from pathlib import Path

import harness
from harness import subprocesses
from harness.hashing import canonical, digest, digest_with
from harness.matrix.schema import ProbeSection
from harness.probe.runtimes import RUNTIMES
from harness.stack import RUNNERS
from harness.store.digests import file_digest, folder_digest

PROBE = Path(harness.__file__).parent / "probe" / "__main__.py"
"""The program that every probe process runs."""

RULES = 2
"""Part of every key: to be raised when a probe's events or end come to mean something else (process/probe_results.py)."""

RUNNERS_FOLDER = Path(harness.__file__).parent / "runners"
"""The programs that probe processes drive in place of importing a runtime."""

_FOLDERS = {"import": None, "export": "export", **{name: runtime.module.strip(".") for name, runtime in RUNTIMES.items()}}
"""`import`, `export` or a runtime → the folder of the probe that its jobs alone use; all other files are for every job."""


@functools.cache
def key_of(*parts: str | int | None) -> str:
    """The digest of `parts`; keys are computed again whenever the result of a variant is looked up."""
    return digest(list(parts))


@functools.cache
def source(user: str) -> str:
    """Digest of the probe's source as far as a job can use it; `user` is `import`, `export` or the name of a runtime."""
    left_out = {folder for folder in _FOLDERS.values() if folder not in {None, _FOLDERS.get(user)}}
    return digest({path.as_posix(): content for path, content in _sums().items() if left_out.isdisjoint(path.parts)})


@functools.cache
def _sums() -> dict[Path, str]:
    """File of the probe's source, by its name relative to the probe's folder → digest of its content."""
    root = PROBE.parent
    _stamp(root)
    return {path.relative_to(root): hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*.py")}


@functools.cache
def runner_source(runtime: str) -> str:
    """Digest of the runner of `runtime`: another runner is another measurement."""
    folder = runner(runtime).parent
    _stamp(RUNNERS_FOLDER)
    files = (path for path in folder.rglob("*") if path.is_file() and "node_modules" not in path.parts)
    return digest({path.relative_to(folder).as_posix(): file_digest(path) for path in files})


def runner(runtime: str) -> Path:
    """The program that runs graphs in `runtime`."""
    return RUNNERS_FOLDER / RUNNERS[runtime]


@functools.cache
def platform_id() -> str:
    """What a wheel is chosen by, besides the interpreter: `Linux-x86_64-glibc2.36`."""
    return "-".join(filter(None, (platform.system(), platform.machine(), "".join(platform.libc_ver()))))


def process_key(name: str, user: str, model: ProbeSection, *parts: object) -> str:
    """The key of what a process gives as a whole: these parts, and platform, variables, rules and the source of `user`."""
    return digest_with([name, *parts], _common_part(source_digest(user, model)))


@functools.cache
def _common_part(source: str) -> str:
    return canonical([platform_id(), subprocesses.probe_surroundings(), RULES, source])


def source_digest(user: str, model: ProbeSection) -> str:
    """Digest of all source that a job can use, a probe module included; `user` as for `source`."""
    own = probe_files(model)
    return digest([source(user), own]) if own else source(user)


def probe_id(model: ProbeSection) -> str:
    """The identity of the probe that a report is about."""
    return source_digest("export", model)


def probe_files(model: ProbeSection) -> str | None:
    """Digest of a probe module and its files, by relative name and content; None for the built-in probe."""
    return _files_digest(tuple(model.sources.items())) if model.module is not None else None


@functools.cache
def _files_digest(files: tuple[tuple[str, Path], ...]) -> str:
    return digest({name: file_digest(path) for name, path in files})


def model_key(model: ProbeSection) -> object:
    """A family by name, size and seed; a checkpoint by content, wherever it lies; a probe module by its options."""
    if model.module is not None:
        return [model.options, model.seed]
    if model.checkpoint is None:
        return {"model": model.model, "profile": model.profile, "seed": model.seed}
    # The seed draws the inputs, whatever the weights are. Of pickles torch takes tensors alone (probe_process.py).
    return [_checkpoint_digest(model.checkpoint), model.seed, "weights only"]


@functools.cache
def _checkpoint_digest(folder: str) -> str:
    _stamp(Path(folder))
    return folder_digest(Path(folder))


_STAMPS: dict[Path, dict[Path, tuple[int, int, int]]] = {}
"""Folder → how its files looked when it was read for a key."""


def _stamp(folder: Path) -> None:
    """Remember the state of the files in `folder`, before it is read."""
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
    """Forget the files and variables that an earlier run of this process has read."""
    for cached in (source, runner_source, _sums, _files_digest, _checkpoint_digest, _common_part):
        cached.cache_clear()


def require_unchanged(model: ProbeSection) -> None:
    """Check that the probe's source and the checkpoint of `model` are still what the keys name.

    Raises:
        RuntimeError: they were edited since, so a result may be of other source.
    """
    read = [PROBE.parent, RUNNERS_FOLDER, *([Path(model.checkpoint)] if model.checkpoint else [])]
    for folder in read:
        looked = _STAMPS.get(folder)
        if looked is None:
            continue
        if (now := _looks(folder)) != looked:
            names = sorted(path.name for path in looked.keys() | now.keys() if looked.get(path) != now.get(path))
            raise RuntimeError(f"{', '.join(names[:3])} in {folder.name} was edited during this run; run it again")
