"""What uv, or another package manager, has resolved for a cell. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from harness.hashing import digest
from harness.packaging_values import DistributionName, ExactVersion, FileHash


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedDistribution:
    """One distribution of a lock."""

    name: DistributionName
    version: ExactVersion
    hashes: tuple[FileHash, ...] = ()
    """`algorithm:hexdigest` of every file of this version in the index, one of which is installed."""
    via: tuple[DistributionName, ...] = ()
    """Names of the distributions that require this one; empty for a requirement of the cell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """All distributions that uv resolved for a cell, transitive ones included."""

    distributions: tuple[LockedDistribution, ...]
    dropped: tuple[tuple[str, str], ...] = ()
    """(requirement, uv's reason) of the optional requirements for which no solution has room."""

    @property
    def versions(self) -> dict[str, str]:
        """Name → version."""
        return {pinned.name: pinned.version for pinned in self.distributions}

    @property
    def digest(self) -> str:
        """Identifies the set of files that may be installed, whatever their order in the lock."""
        return digest([(p.name, p.version, sorted(p.hashes)) for p in sorted(self.distributions, key=lambda p: p.name)])

    def closure(self, roots: Collection[str]) -> Lock:
        """The part of the lock that `roots` reach through requirements, roots included."""
        return self.only(self.reached(roots))

    def reached(self, roots: Collection[str]) -> set[str]:
        """The names of the distributions that `roots` reach through requirements, roots included."""
        requires: dict[str, list[str]] = {}
        for pinned in self.distributions:
            for parent in pinned.via:
                requires.setdefault(parent, []).append(pinned.name)
        reached: set[str] = set()
        pending = [pinned.name for pinned in self.distributions if pinned.name in roots]
        while pending:
            name = pending.pop()
            if name not in reached:
                reached.add(name)
                pending.extend(requires.get(name, ()))
        return reached

    def only(self, names: Collection[str]) -> Lock:
        """The distributions of these names."""
        return Lock(distributions=tuple(pinned for pinned in self.distributions if pinned.name in names))


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageLock(Lock):
    """All packages of a runtime that is no distribution of Python; names are places: `a`, `b/node_modules/a`."""

    kind: str
    text: str
    """The lock file of that kind, without URLs; it is installed from. `root` is the requested package and its version."""
    root: tuple[str, str]
