"""Lock → environment on disk, verified against the lock.

The environment of an export's closure holds no files of its own, it is composed of layers; and a `together` environment
is composed of both closures. Whatever overlaps agrees, coming from one lock.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.parser import HeaderParser
from functools import partial
from pathlib import Path

from packaging.utils import canonicalize_name

from harness import regular_files
from harness.environments.layers import Closure, layers
from harness.environments.uv.client import Uv
from harness.environments.uv.errors import Trouble, UvFailure
from harness.errors import StoreError
from harness.model import Failure, Interpreter, Lock, Stage, StageResult, Status, digest
from harness.store.scratch import FileLock
from harness.store.store import BYTECODE, Store


class Environments:
    """Environments under `<store>/envs`, made on demand and shared with other processes.

    Who works in one holds a shared lock beside it, on `<name>.use`; who removes it or builds it anew must hold that lock alone.
    """

    def __init__(self, store: Store, uv: Uv) -> None:
        self._store = store
        self._uv = uv
        self._shares: dict[Path, FileLock] = {}
        # Half a million files take a while to go; probes need not wait for it.
        self._removal = ThreadPoolExecutor(1, thread_name_prefix="removal")
        self._require_locks()
        self._inherit_all()

    def _require_locks(self) -> None:
        try:
            with contextlib.closing(FileLock(self._store.root / "envs" / "locks.lock")) as lock:
                lock.share()
        except OSError as error:
            advice = "keep the store on another file system, and share its results with --store file://…"
            raise StoreError(f"no file can be locked in {self._store.root / 'envs'}: {error}; {advice}") from None

    def _inherit_all(self) -> None:
        for mark in (self._store.root / "envs").glob(f"*/{_TEMPORARY}"):
            self._inherit(mark.parent)

    def _inherit(self, folder: Path) -> None:
        """Take over what a killed run left: as good as new where it was finished, and ours to remove."""
        share = self._lock(folder)
        if share.exclude():
            share.share()
            self._shares[folder] = share
            if not (folder / _VERIFIED).exists():
                self._leave(folder, keep=False)
        else:
            share.close()

    def ensure(self, closure: Closure) -> tuple[Path | None, StageResult]:
        """(the environment's python, its `install` result); no python where the install did not work."""
        parts = layers(closure)
        if len(parts) == 1:
            return self._ensure_one(closure, is_layer=False)
        with ThreadPoolExecutor(len(parts), thread_name_prefix="layer") as pool:
            made = list(pool.map(partial(self._ensure_one, is_layer=True), parts))
        results = [result for _, result in made]
        for python, result in made:
            if python is None:
                return None, result
        started = time.time()
        python = self._compose(closure.key, parts)
        return python, replace(results[-1], seconds=round(sum(one.seconds for one in results) + time.time() - started, 3))

    def _ensure_one(self, closure: Closure, *, is_layer: bool) -> tuple[Path | None, StageResult]:
        folder = self._folder(closure.key)
        with self._locked(closure.key):
            share = self._share(folder)
            made = (folder / _VERIFIED).exists()
            if made or share.exclude():
                if not made:
                    # Half an environment is no start: uv would believe what it finds.
                    shutil.rmtree(folder, ignore_errors=True)
                    _mark_temporary(folder)
                try:
                    python, result = self._fill(folder, closure, create=not made, install=not made, is_layer=is_layer)
                finally:
                    share.share()
            else:
                message = "it was found changed, and another process still works in it"
                python, result = None, _result(Status.ERROR, time.time(), Failure(type="verification", message=message))
            if python is None:
                self._leave(folder, keep=False)
            return python, result

    def adopt(self, folder: Path, closure: Closure) -> tuple[Path | None, StageResult]:
        """The same for an environment that somebody else made at `folder` and that is theirs to remove."""
        version = python_of(folder)
        if version != closure.interpreter.version:
            message = f"it has Python {version or 'of no known version'}, the lock is for {closure.interpreter.version}"
            return None, _result(Status.ERROR, time.time(), Failure(type="verification", message=message))
        return self._fill(folder, closure, create=False, install=True)

    def _fill(
        self, folder: Path, closure: Closure, *, create: bool, install: bool, is_layer: bool = False
    ) -> tuple[Path | None, StageResult]:
        started = time.time()
        try:
            if create:
                self._uv.create(folder, closure.interpreter)
            if install:
                # Somebody may use an environment, whose scripts then begin with its own Python; a layer is only imported from.
                self._install(folder, closure.lock, closure.interpreter if is_layer else None)
            differences = difference(closure.lock.versions, installed([site_packages(folder, closure.interpreter)]))
        except UvFailure as failure:
            status = Status.ERROR if failure.trouble is Trouble.INFRASTRUCTURE else Status.FAILS
            return None, _result(status, started, failure.failure)
        except InterruptedError:
            raise
        except (OSError, regular_files.RefusedFileError) as error:
            return None, _result(Status.ERROR, started, Failure(type="disk", message=str(error)))
        if differences:
            message = "the environment is not what was locked: " + "; ".join(differences)
            (folder / _VERIFIED).unlink(missing_ok=True)
            return None, _result(Status.ERROR, started, Failure(type="verification", message=message))
        (folder / _VERIFIED).touch()
        return folder / "bin" / "python", _result(Status.WORKS, started)

    def _install(self, folder: Path, lock: Lock, python: Interpreter | None) -> None:
        """From uv's cache at once; what is not there is fetched by one at a time, whoever asks.

        So no wheel is fetched twice, and uv itself downloads in parallel.
        """
        # A build would take for its requirements what the cache happens to hold, and fail of that.
        if not self._uv.sources.build:
            with contextlib.suppress(UvFailure):
                return self._uv.cached.install(folder, lock, python)
        with self._locked("install"):
            return self._uv.install(folder, lock, python)

    def compose(self, parts: tuple[Closure, ...]) -> Path:
        """The python of an environment that sees everything in `parts`, which must be installed already."""
        key = _key(parts)
        return self._folder(key) / "bin" / "python" if len(parts) == 1 else self._compose(key, parts)

    def _compose(self, key: str, parts: tuple[Closure, ...]) -> Path:
        interpreter, folder = parts[0].interpreter, self._folder(key)
        with self._locked(key):
            self._share(folder)
            if not (folder / _VERIFIED).exists():
                _mark_temporary(folder)
                self._uv.create(folder, interpreter)
                sites = [site_packages(self._folder(part.key), interpreter) for part in parts]
                # addsitedir and not a bare path: a .pth file inside a part (protobuf's, setuptools') must count as usual.
                lines = [f"import site; site.addsitedir({str(site)!r})\n" for site in sites]
                (site_packages(folder, interpreter) / "parts.pth").write_text("".join(lines), encoding="utf-8")
                (folder / _VERIFIED).touch()
        return folder / "bin" / "python"

    def site(self, closure: Closure) -> Path:
        """Where what `closure` holds is importable from, once it is installed."""
        return site_packages(self._folder(closure.key), closure.interpreter)

    def intact(self, parts: tuple[Closure, ...]) -> bool:
        """Whether the environment of `parts` is still what was verified: nobody has removed it or found it changed."""
        keys = {_key(parts), *(one.key for part in parts for one in (part, *layers(part)))}
        return all((self._folder(key) / _VERIFIED).exists() for key in keys)

    def release(self, parts: tuple[Closure, ...]) -> None:
        """Nothing here needs the environment of `parts` any more: it goes, in the background, with its last user.

        uv's cache keeps the files it was linked from.
        """
        self._leave(self._folder(_key(parts)), keep=False)

    def close(self, *, keep: bool) -> None:
        """Release whatever nobody has released, for good unless `keep`; returns when it is gone.

        That of processes that were killed meanwhile goes too.
        """
        if not keep:
            with contextlib.suppress(OSError):
                self._inherit_all()
        for folder in list(self._shares):
            self._leave(folder, keep=keep)
        self._removal.shutdown(wait=True)
        self._forget_bytecode()

    def _forget_bytecode(self) -> None:
        """Remove what was compiled for all but the latest environments, and those that somebody works in.

        Other processes may do the same at this moment; whatever cannot be removed stays.
        """
        envs = self._store.root / "envs"
        compiled = self._store.root / BYTECODE / envs.relative_to(envs.anchor)
        with contextlib.suppress(FileNotFoundError):
            for folder in sorted(compiled.iterdir(), key=_age)[:-_COMPILED]:
                with contextlib.suppress(OSError):
                    self._unused(envs / folder.name, folder)()

    def _unused(self, folder: Path, what: Path) -> Callable[[], None]:
        """Move `what` away if nobody works in the environment at `folder`; what is returned removes it."""
        with contextlib.closing(self._lock(folder)) as lock:
            return self._away(what) if lock.exclude() else lambda: None

    def _share(self, folder: Path) -> FileLock:
        if folder not in self._shares:
            self._shares[folder] = self._lock(folder)
        self._shares[folder].share()
        return self._shares[folder]

    @staticmethod
    def _lock(folder: Path) -> FileLock:
        return FileLock(folder.with_suffix(".use"))

    def _leave(self, folder: Path, *, keep: bool) -> None:
        """Give up what we hold of it. Never raises OSError: what cannot be removed is for the next run."""
        share = self._shares.pop(folder, None)
        if share is None:
            return
        with contextlib.closing(share), contextlib.suppress(OSError):
            if keep:
                (folder / _TEMPORARY).unlink(missing_ok=True)
            elif share.exclude() and (folder / _TEMPORARY).exists():
                self._removal.submit(self._away(folder))

    def _away(self, folder: Path) -> Callable[[], None]:
        """Move it out of the way, so that a new one may be built in its place; what is returned removes it."""
        with contextlib.ExitStack() as stack:
            folder.rename(stack.enter_context(self._store.scratch()) / folder.name)
            return stack.pop_all().close

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Hold the lock of that name; who waits for another process that holds it still hears an interruption."""
        with contextlib.closing(FileLock(self._store.root / "envs" / f"{name}.lock")) as lock:
            while not lock.exclude():
                self._uv.children.check()
                time.sleep(_LOOK_SECONDS)
            yield

    def _folder(self, key: str) -> Path:
        return self._store.root / "envs" / key[:16]


def _key(parts: tuple[Closure, ...]) -> str:
    return parts[0].key if len(parts) == 1 else digest([part.key for part in parts])


_VERIFIED = "verified-by-harness"
"""Marks an environment whose installation ran to its end."""

_TEMPORARY = "owned-by-harness"
"""Marks an environment that goes with the last process that works in it; absent where it is to be kept."""


_COMPILED = 64
"""Environments whose bytecode is kept: some 20 MB for a torch, a few for the others."""


_LOOK_SECONDS = 0.05
"""How often a lock is tried that another process holds."""


def _age(path: Path) -> float:
    """When it was changed, by its file system's clock; long ago, if it vanished meanwhile."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _mark_temporary(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / _TEMPORARY).touch()


def site_packages(folder: Path, interpreter: Interpreter) -> Path:
    """Where a POSIX virtual environment keeps its distributions."""
    major, minor, *_ = interpreter.version.split(".")
    return folder / "lib" / f"python{major}.{minor}" / "site-packages"


def python_of(folder: Path) -> str | None:
    """The Python version of the virtual environment at `folder`."""
    try:
        lines = _text(folder / "pyvenv.cfg").splitlines()
    except (OSError, regular_files.RefusedFileError):
        return None
    settings = dict(line.replace(" ", "").split("=", 1) for line in lines if "=" in line)
    return settings.get("version_info") or settings.get("version")


def installed(sites: list[Path]) -> dict[str, str]:
    """Name → version of what is installed in `sites`, read from disk without starting a process.

    Raises:
        RefusedFileError: what says so of a distribution is no regular file.
    """
    described = (
        HeaderParser().parsestr(_text(path))
        for site in sites
        for kind in _DESCRIPTIONS
        for path in site.glob(kind)
        if not path.is_dir()
    )
    # Without a name it is what an interrupted uninstallation leaves; pip passes over it too.
    return {canonicalize_name(one["Name"]): one["Version"] for one in described if one["Name"]}


_DESCRIPTIONS = ("*.egg-info", "*.egg-info/PKG-INFO", "*.dist-info/METADATA")
"""What says name and version of an installed distribution; the last is what every tool of today writes."""

_LIMIT = 16 * 2**20
"""Bytes of the largest of these files."""


def _text(path: Path) -> str:
    """The content of a file of an environment, which may be somebody else's."""
    return regular_files.read_named(path, limit=_LIMIT).decode("utf-8", errors="replace")


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
