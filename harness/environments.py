"""Lock → environment on disk, verified against the lock.

An environment is built once for every distinct *closure*: what an export can import, or what a run can import.
A `together` environment holds no files of its own: it is composed of both closures, which agree on every
distribution they share because they come from one lock. So twelve onnxruntime versions cost one torch on disk, and
its bytecode is compiled once.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout
from packaging.utils import canonicalize_name

from harness.model import Failure, Interpreter, Lock, Stage, StageResult, Status, digest
from harness.store import Store, is_gone, owner
from harness.uv import Trouble, Uv, UvFailure


@dataclass(frozen=True, kw_only=True, slots=True)
class Closure:
    """A set of distributions for one interpreter: all that a process can import. Equal keys are equal closures."""

    key: str
    """Digest of interpreter version and distributions; see `closure`."""
    interpreter: Interpreter = field(compare=False)
    lock: Lock = field(compare=False)


def closure(interpreter: Interpreter, lock: Lock) -> Closure:
    """The closure of `lock` under its content key."""
    return Closure(interpreter=interpreter, lock=lock, key=digest([interpreter.version, lock.digest]))


class Environments:
    """Environments under `<store>/envs`, made on demand."""

    def __init__(self, store: Store, uv: Uv) -> None:
        self._store = store
        self._uv = uv
        self._made: set[Path] = set()
        self._number = itertools.count()
        for mark in (store.root / "envs").glob(f"*/{_OWNER}"):
            if is_gone(mark.read_text(encoding="utf-8")):
                # A killed run left it: as good as new where it was finished, and ours to remove.
                self._own(mark.parent)
        # Half a million files take a while to go; probes need not wait for it.
        self._removal = ThreadPoolExecutor(1, thread_name_prefix="removal")

    def ensure(self, closure: Closure) -> tuple[Path | None, StageResult]:
        """(the environment's python, its `install` result); no python where the install did not work."""
        folder = self._folder(closure.key)
        with self._locked(closure.key):
            made = (folder / _VERIFIED).exists()
            if not made:
                # Half an environment is no start: uv would believe what it finds.
                shutil.rmtree(folder, ignore_errors=True)
                self._own(folder)
            return self._fill(folder, closure, create=not made, install=not made)

    def adopt(self, folder: Path, closure: Closure) -> tuple[Path | None, StageResult]:
        """The same for an environment that somebody else made at `folder` and that is theirs to remove."""
        version = _python_of(folder)
        if version != closure.interpreter.version:
            message = f"it has Python {version or 'of no known version'}, the lock is for {closure.interpreter.version}"
            return None, _result(Status.ERROR, time.time(), Failure(type="verification", message=message))
        return self._fill(folder, closure, create=False, install=True)

    def _fill(self, folder: Path, closure: Closure, *, create: bool, install: bool) -> tuple[Path | None, StageResult]:
        started = time.time()
        try:
            if create:
                self._uv.create(folder, closure.interpreter)
            if install:
                # One at a time, whoever asks: uv downloads in parallel by itself, and no wheel is fetched twice.
                with self._locked("install"):
                    self._uv.install(folder, closure.lock)
            differences = difference(closure.lock.versions, installed([site_packages(folder, closure.interpreter)]))
        except UvFailure as failure:
            status = Status.ERROR if failure.trouble is Trouble.INFRASTRUCTURE else Status.FAILS
            return None, _result(status, started, failure.failure)
        except InterruptedError:
            raise
        except OSError as error:
            return None, _result(Status.ERROR, started, Failure(type="disk", message=str(error)))
        if differences:
            message = "the environment is not what was locked: " + "; ".join(differences)
            (folder / _VERIFIED).unlink(missing_ok=True)
            return None, _result(Status.ERROR, started, Failure(type="verification", message=message))
        (folder / _VERIFIED).touch()
        return folder / "bin" / "python", _result(Status.WORKS, started)

    def compose(self, parts: tuple[Closure, ...]) -> Path:
        """The python of an environment that sees everything in `parts`, which must be installed already."""
        interpreter, key = parts[0].interpreter, _key(parts)
        if len(parts) == 1:
            return self._folder(key) / "bin" / "python"
        folder = self._folder(key)
        with self._locked(key):
            if not (folder / _VERIFIED).exists():
                self._own(folder)
                self._uv.create(folder, interpreter)
                sites = [site_packages(self._folder(part.key), interpreter) for part in parts]
                # addsitedir and not a bare path: a .pth file inside a part (protobuf's, setuptools') must count as usual.
                lines = [f"import site; site.addsitedir({str(site)!r})\n" for site in sites]
                (site_packages(folder, interpreter) / "parts.pth").write_text("".join(lines), encoding="utf-8")
                (folder / _VERIFIED).touch()
        return folder / "bin" / "python"

    def release(self, parts: tuple[Closure, ...]) -> None:
        """Delete, in the background, the environment of `parts` if this object made it: nothing needs it any more.

        uv's cache keeps the files it was linked from.
        """
        folder = self._folder(_key(parts))
        if folder in self._made:
            self._made.discard(folder)
            # Out of the way first: while the old one goes, a new one may be built in its place.
            trash = self._store.root / "tmp" / f"{owner()}.{folder.name}-{next(self._number)}"
            folder.rename(trash)
            self._removal.submit(shutil.rmtree, trash, ignore_errors=True)

    def close(self, *, keep: bool) -> None:
        """Delete whatever this object made and nobody has released, unless `keep`; returns when it is gone."""
        for folder in self._made:
            if keep:
                (folder / _OWNER).unlink(missing_ok=True)
            else:
                self._removal.submit(shutil.rmtree, folder, ignore_errors=True)
        self._made.clear()
        self._removal.shutdown(wait=True)

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Hold the lock of that name; who waits for another process that holds it still hears an interruption."""
        lock = FileLock(self._store.root / "envs" / f"{name}.lock")
        while not lock.is_locked:
            self._uv.children.check()
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=0.5)
        try:
            yield
        finally:
            lock.release()

    def _own(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / _OWNER).write_text(owner(), encoding="utf-8")
        self._made.add(folder)

    def _folder(self, key: str) -> Path:
        return self._store.root / "envs" / key[:16]


def _key(parts: tuple[Closure, ...]) -> str:
    return parts[0].key if len(parts) == 1 else digest([part.key for part in parts])


_VERIFIED = "verified-by-harness"
"""Marks an environment whose installation ran to its end."""

_OWNER = "owned-by-harness"
"""Names the process that will remove the environment; absent where it is to be kept."""


def site_packages(folder: Path, interpreter: Interpreter) -> Path:
    """Where a POSIX virtual environment keeps its distributions."""
    major, minor, *_ = interpreter.version.split(".")
    return folder / "lib" / f"python{major}.{minor}" / "site-packages"


def _python_of(folder: Path) -> str | None:
    """The Python version of the virtual environment at `folder`."""
    try:
        lines = (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    settings = dict(line.replace(" ", "").split("=", 1) for line in lines if "=" in line)
    return settings.get("version_info") or settings.get("version")


def installed(sites: list[Path]) -> dict[str, str]:
    """Name → version of what is installed in `sites`, read from disk without starting a process."""
    found = importlib.metadata.distributions(path=[str(site) for site in sites])
    return {canonicalize_name(distribution.metadata["Name"]): distribution.version for distribution in found}


def difference(locked: Mapping[str, str], present: Mapping[str, str]) -> list[str]:
    """One phrase for every distribution that is missing, surplus or of another version."""
    return [
        f"{name} {present.get(name, 'missing')}, locked {locked.get(name, 'not at all')}"
        for name in sorted(locked.keys() | present.keys())
        if locked.get(name) != present.get(name)
    ]


def _result(status: Status, started: float, error: Failure | None = None) -> StageResult:
    finished = time.time()
    return StageResult(stage=Stage.INSTALL, status=status, seconds=round(finished - started, 3), error=error, finished=finished)
