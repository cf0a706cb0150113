"""Frees what a store holds besides what its matrices reach: what a report on them reads, and a run of them would use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from harness.diagnose.assembly import report
from harness.environments.environments import environment_name
from harness.environments.interface import ProviderFailure
from harness.environments.leftovers import leftovers
from harness.environments.lock_records import LOCK
from harness.environments.uv.cache import Wheels
from harness.environments.uv.client import Uv
from harness.errors import StoreError
from harness.execution import exported_again
from harness.execution.events import Listener
from harness.execution.once_more import unconfirmed
from harness.execution.preparation import opened
from harness.execution.session import Session
from harness.execution.settings import Settings
from harness.locked import Lock, PackageLock
from harness.model import Stage
from harness.store import usage
from harness.store.access import Access
from harness.store.envelope import DamagedRecordError
from harness.store.foreign import ForeignStore
from harness.store.store import Store
from harness.store.unreferenced import Leftover, freed, remove_all, unreached
from harness.tasks import cell_tasks
from harness.tasks.records import STAGES


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedWheels:
    """Wheels in uv's cache of one distribution, which only locks have that the matrices do not reach."""

    name: str
    versions: tuple[str, ...]
    size: int
    """Bytes that their removal frees."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaned:
    """What was freed, or would be."""

    leftovers: tuple[Leftover, ...]
    packages: tuple[CachedWheels, ...] = ()
    """Removed from uv's cache, all versions of each."""
    kept: tuple[CachedWheels, ...] = ()
    """Not removed: the matrices need another version, and uv removes all or none."""
    dry: bool = False
    """Whether nothing was removed."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(each.size for each in self.leftovers) + sum(each.size for each in self.packages)


def clean(settings: Settings, matrices: Sequence[Path], listen: Listener, *, dry: bool, uv_cache: bool, force: bool) -> Cleaned:
    """Free what none of `matrices` reaches in the store; with `uv_cache` also distributions in uv's cache.

    Raises:
        StoreError: another process uses the store; it is no folder of this machine; or no result in it is reached,
            without `force`.
        HarnessError: a matrix cannot be read, so that nothing is known of what it reaches.
    """
    if not isinstance(settings.store, Path) or not settings.store.is_dir():
        raise StoreError(f"--store {settings.store}: only a folder of this machine can be cleaned, and there is none")
    root = Store.open(settings.store, access=Access.ADD if dry else Access.REMOVE).root
    with nullcontext() if dry else usage.alone(root):
        sessions = [_reported(replace(settings, config=matrix), listen) for matrix in matrices]
        keys = {key for session in sessions for key in session.store.found}
        if not force and not any(map(_is_observed, sessions)):
            _require_no_results(root)
        found = [
            *unreached(root, keys, {checkpoint for session in sessions for checkpoint in _checkpoints(session)}),
            *leftovers(root, {name for session in sessions for name in _environments(session)}),
        ]
        packages, kept = _cached(root, keys, sessions[0].uv) if uv_cache else ([], [])
        if not dry:
            remove_all(found)
    if packages and not dry:
        _clean_cache(sessions[0].uv, packages)
    return Cleaned(leftovers=tuple(found), packages=tuple(packages), kept=tuple(kept), dry=dry)


def _reported(settings: Settings, listen: Listener) -> Session:
    """A session that has read everything that a report on the matrix reads, and a run of it."""
    session = opened(settings, listen, acts=False, access=Access.ADD)
    verdicts = session.verdicts()
    report(session, verdicts)
    session.pending(session.cells)
    exported_again.needed(session.tasks, session.records, lambda _name: True)
    unconfirmed(session, zip((tasks for _, tasks in session.cells), verdicts, strict=True))
    return session


def _is_observed(session: Session) -> bool:
    """Whether a variant of the matrix got beyond its imports, whose results other matrices may share."""
    ends = [variant for verdict in session.verdicts() for variant in verdict.variants]
    return any(variant.status.is_fact and variant.last.stage.number > Stage.IMPORT.number for variant in ends)


def _environments(session: Session) -> Iterator[str]:
    """The names of the environments of all cells, those of remedies and boundaries included."""
    extra = list(session.extra_cells.locks.values())
    for cell in [*session.tasks, *cell_tasks.of_cells(extra, session.matrix.probe)]:
        if cell:
            yield from (environment_name(parts) for task in cell.all for parts in task.environments)
            yield environment_name(tuple(install.closure for install in cell.installs))


def _checkpoints(session: Session) -> Iterator[str]:
    """The hub id of the model, if it was downloaded into the store."""
    models, checkpoint = session.store.root / "models", session.matrix.probe.checkpoint
    if checkpoint and Path(checkpoint).is_relative_to(models):
        yield Path(checkpoint).relative_to(models).as_posix()


def _require_no_results(root: Path) -> None:
    """Raise StoreError if the store has results although the matrix was not run: somebody else may need them."""
    if any(kind == STAGES.name for _, kind, _ in ForeignStore(root=root).records()):
        raise StoreError(
            f"no result in {root} is of this matrix with this version of the probe, this Python and this platform, so nothing "
            "was removed; name their matrix (--config), or remove them anyway (--force)"
        )


def _cached(root: Path, keys: set[str], uv: Uv) -> tuple[list[CachedWheels], list[CachedWheels]]:
    """What uv's cache holds of the versions that only unreached locks have: of other names, and of names in reached locks."""
    reached: dict[str, set[str]] = {}
    others: dict[str, set[str]] = {}
    for key, lock in _locks(root):
        for name, version in lock.versions.items():
            (reached if key in keys else others).setdefault(name, set()).add(version)
    wheels = _wheels(uv)
    removed: list[CachedWheels] = []
    kept: list[CachedWheels] = []
    for name, versions in sorted(others.items()):
        left = sorted(versions - reached.get(name, set()), key=Version)
        held = [version for version in left if wheels.archives(name, version)]
        whole = name not in reached
        archives = wheels.archives(name) if whole else {path for version in held for path in wheels.archives(name, version)}
        if archives:
            (removed if whole else kept).append(CachedWheels(name=name, versions=tuple(held), size=sum(map(freed, archives))))
    return removed, kept


def _locks(root: Path) -> Iterator[tuple[str, Lock]]:
    """(key, lock) of every solve in the store that has a solution."""
    for key, kind, value in ForeignStore(root=root).records():
        if kind == LOCK.name:
            with suppress(DamagedRecordError):
                lock = LOCK.parsed(value).lock
                if lock and not isinstance(lock, PackageLock):
                    yield key, lock


def _wheels(uv: Uv) -> Wheels:
    try:
        return Wheels(uv.cache_folder())
    except ProviderFailure as failure:
        raise failure.as_error() from None


def _clean_cache(uv: Uv, packages: Collection[CachedWheels]) -> None:
    try:
        uv.clean_cache([package.name for package in packages])
    except ProviderFailure as failure:
        raise failure.as_error() from None
