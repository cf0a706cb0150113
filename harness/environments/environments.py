"""Lock → environment on disk, verified against the lock.

The environment of an export's closure holds no files, it is composed of layers. What `cell` leaves behind for a `together`
cell is composed of both closures; distributions that both have agree, because they come from one lock.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from harness.environments.install_results import failures, result_of
from harness.environments.installed import difference, python_of, site_packages
from harness.environments.interface import Provider
from harness.environments.layers import Closure, layers
from harness.environments.providers import Packages
from harness.errors import StoreError
from harness.hashing import digest
from harness.locked import Lock
from harness.model import Failure, Interpreter, StageResult, Status
from harness.stack import ECOSYSTEMS
from harness.store.claims import claimed
from harness.store.removal import remove
from harness.store.scratch import FileLock
from harness.store.store import BYTECODE, Store


class Environments:
    """Environments under `<store>/envs`, made on demand and shared with other processes.

    A process that works in an environment holds a shared lock on the file `<name>.use` beside it. Only the process that
    holds that lock alone removes the environment or builds it anew.
    """

    def __init__(self, store: Store, provider: Provider, packages: Packages = MappingProxyType({})) -> None:
        """`provider` is that of distributions of Python, and `packages` has those of other packages."""
        self._store = store
        self._provider = provider
        self._packages = packages
        self._shares: dict[Path, FileLock] = {}
        # Half a million files take long to remove; probes need not wait for it.
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
        """Take over the environment of a killed run, to use it if it is verified, and to remove it in the end."""
        share = self._lock(folder)
        if not share.exclude():
            share.close()
            return
        self._shares[folder] = share
        if (folder / _VERIFIED).exists():
            share.share()
        else:
            # Without a share in between: who is about to build it anew would take it for in use.
            self._leave(folder, keep=False)

    def ensure(self, closure: Closure) -> tuple[Path | None, StageResult]:
        """(python of the environment, or its folder if it has none; result of `install`); None if that did not work."""
        parts = layers(closure)
        if len(parts) == 1:
            return self._ensure_closure(closure, is_layer=False)
        with ThreadPoolExecutor(len(parts), thread_name_prefix="layer") as pool:
            ensured = list(pool.map(partial(self._ensure_closure, is_layer=True), parts))
        for python, result in ensured:
            if python is None:
                return None, result
        started = time.time()
        with failures(started) as failed:
            python = self._compose(closure.key, parts)
        if failed:
            return None, failed[0]
        results = [result for _, result in ensured]
        seconds = sum(result.seconds for result in results) + time.time() - started
        return python, replace(results[-1], seconds=round(seconds, 3))

    def _ensure_closure(self, closure: Closure, *, is_layer: bool) -> tuple[Path | None, StageResult]:
        folder = self._folder(closure.key)
        with self._locked(closure.key):
            share = self._share(folder)
            exists = (folder / _VERIFIED).exists()
            if exists or share.exclude():
                if not exists:
                    # Not half an environment: a provider would trust what it finds there.
                    remove(folder)
                    _mark_temporary(folder)
                try:
                    python, result = self._fill(folder, closure, create=not exists, install=not exists, is_layer=is_layer)
                finally:
                    share.share()
            else:
                message = "it was found changed, and another process still works in it"
                python, result = None, result_of(Status.ERROR, time.time(), Failure(type="verification", message=message))
            if python is None:
                self._leave(folder, keep=False)
            return python, result

    def adopt(self, folder: Path, closure: Closure) -> tuple[Path | None, StageResult]:
        """As `ensure`, for the environment at `folder`, which the caller has made and removes."""
        version = python_of(folder)
        if version != closure.interpreter.version:
            message = f"it has Python {version or 'of no known version'}, the lock is for {closure.interpreter.version}"
            return None, result_of(Status.ERROR, time.time(), Failure(type="verification", message=message))
        return self._fill(folder, closure, create=False, install=True)

    def build(self, folder: Path, closure: Closure) -> tuple[Path | None, StageResult]:
        """As `ensure`, at `folder`, which the caller removes; what is there already is made to hold the closure."""
        return self._fill(folder, closure, create=not folder.exists(), install=True)

    def _fill(
        self, folder: Path, closure: Closure, *, create: bool, install: bool, is_layer: bool = False
    ) -> tuple[Path | None, StageResult]:
        started, provider = time.time(), self._provider_of(closure)
        with failures(started) as failed:
            if create:
                provider.create(folder, closure.interpreter)
            if install:
                # People may run the scripts of an environment, which must start its own Python. A layer is only imported from.
                self._install(provider, folder, closure.lock, closure.interpreter if is_layer else None)
            differences = difference(closure.lock.versions, provider.installed(folder, closure.interpreter))
        if failed:
            return None, failed[0]
        if differences:
            message = "the environment is not what was locked: " + "; ".join(differences)
            (folder / _VERIFIED).unlink(missing_ok=True)
            return None, result_of(Status.ERROR, started, Failure(type="verification", message=message))
        (folder / _VERIFIED).touch()
        return folder if closure.runtime else folder / "bin" / "python", result_of(Status.WORKS, started)

    def _provider_of(self, closure: Closure) -> Provider:
        return self._packages[ECOSYSTEMS[closure.runtime]] if closure.runtime else self._provider

    def _install(self, provider: Provider, folder: Path, lock: Lock, python: Interpreter | None) -> None:
        """Install from the cache at once; one install at a time downloads what is missing there.

        So nothing is downloaded twice, and the provider itself downloads in parallel.
        """
        if not provider.install_from_cache(folder, lock, python):
            with self._locked("install"):
                provider.install(folder, lock, python)

    def folder(self, parts: tuple[Closure, ...]) -> Path:
        """The folder of the environment of `parts`, which must be installed; several are composed if need be."""
        if len(parts) > 1:
            self._compose(_key(parts), parts)
        return self._folder(_key(parts))

    def _compose(self, key: str, parts: tuple[Closure, ...]) -> Path:
        interpreter, folder = parts[0].interpreter, self._folder(key)
        with self._locked(key):
            self._share(folder)
            if not (folder / _VERIFIED).exists():
                _mark_temporary(folder)
                self._provider.create(folder, interpreter)
                sites = [site_packages(self._folder(part.key), interpreter) for part in parts]
                # addsitedir, not a bare path, so that .pth files in a part (protobuf has one) count as usual.
                lines = [f"import site; site.addsitedir({str(site)!r})\n" for site in sites]
                (site_packages(folder, interpreter) / "parts.pth").write_text("".join(lines), encoding="utf-8")
                (folder / _VERIFIED).touch()
        return folder / "bin" / "python"

    def site(self, closure: Closure) -> Path:
        """The folder from which the distributions of `closure` are imported, once it is installed."""
        return site_packages(self._folder(closure.key), closure.interpreter)

    def intact(self, parts: tuple[Closure, ...]) -> bool:
        """Whether the environment of `parts` is still as it was verified: not removed, and not found changed."""
        keys = {_key(parts), *(closure.key for part in parts for closure in (part, *layers(part)))}
        return all((self._folder(key) / _VERIFIED).exists() for key in keys)

    def release(self, parts: tuple[Closure, ...]) -> None:
        """Give up the environment of `parts`. Its last user removes it, in the background; uv's cache keeps the files."""
        self._leave(self._folder(_key(parts)), keep=False)

    def close(self, *, keep: bool) -> None:
        """Release all environments, for good unless `keep`, and those of killed processes; return when all is gone."""
        if not keep:
            with contextlib.suppress(OSError):
                self._inherit_all()
        for folder in list(self._shares):
            self._leave(folder, keep=keep)
        self._removal.shutdown(wait=True)
        self._forget_bytecode()

    def _forget_bytecode(self) -> None:
        """Remove the bytecode of all environments except the latest, and those in use.

        Other processes may do the same at this moment; what cannot be removed stays.
        """
        envs = self._store.root / "envs"
        compiled = self._store.root / BYTECODE / envs.relative_to(envs.anchor)
        with contextlib.suppress(FileNotFoundError):
            for folder in sorted(compiled.iterdir(), key=_modified)[:-_COMPILED]:
                with contextlib.suppress(OSError):
                    with contextlib.closing(self._lock(envs / folder.name)) as lock:
                        remove = self._away(folder) if lock.exclude() else lambda: None
                    remove()

    def _share(self, folder: Path) -> FileLock:
        if folder not in self._shares:
            self._shares[folder] = self._lock(folder)
        self._shares[folder].share()
        return self._shares[folder]

    @staticmethod
    def _lock(folder: Path) -> FileLock:
        return FileLock(folder.with_suffix(".use"))

    def _leave(self, folder: Path, *, keep: bool) -> None:
        """Give up our share of an environment. Never raises OSError: the next run removes what remains."""
        share = self._shares.pop(folder, None)
        if share is None:
            return
        with contextlib.closing(share), contextlib.suppress(OSError):
            if keep:
                (folder / _TEMPORARY).unlink(missing_ok=True)
            elif share.exclude() and (folder / _TEMPORARY).exists():
                self._removal.submit(self._away(folder))

    def _away(self, folder: Path) -> Callable[[], None]:
        """Move `folder` out of the way, so that a new one may be built in its place; call the result to remove it."""
        with contextlib.ExitStack() as stack:
            folder.rename(stack.enter_context(self._store.scratch()) / folder.name)
            return stack.pop_all().close

    def _locked(self, name: str) -> contextlib.AbstractContextManager[bool]:
        """Hold the lock of that name. Waiting for another process ends with an interruption of the run."""
        return claimed(self._store.root / "envs", name, self._provider.children.check)

    def _folder(self, key: str) -> Path:
        return self._store.root / "envs" / key[:16]


def environment_name(parts: tuple[Closure, ...]) -> str:
    """The name of the folder of the environment of `parts`, which is composed if they are several."""
    return _key(parts)[:16]


def _key(parts: tuple[Closure, ...]) -> str:
    return parts[0].key if len(parts) == 1 else digest([part.key for part in parts])


_VERIFIED = "verified-by-harness"
"""Marks an environment that is complete and verified."""

_TEMPORARY = "owned-by-harness"
"""Marks an environment that its last user removes; without it the environment is kept."""

MARKS = (_VERIFIED, _TEMPORARY)
"""Files, one of which is in every environment that the harness has made."""

_COMPILED = 64
"""Number of environments whose bytecode is kept: some 20 MB for a torch, a few MB for others."""


def _modified(path: Path) -> float:
    """Modification time (Unix, seconds); 0 if it has vanished."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _mark_temporary(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / _TEMPORARY).touch()
