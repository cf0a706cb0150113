"""What uv installs from a uv.lock: the packages that are reached from the project, on this machine, with one Python.

A uv.lock holds the packages of all platforms, extras and groups at once. uv does not document its fields as stable: what is
not as expected raises KeyError, TypeError, ValueError or AttributeError.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.markers import Marker

Package = Mapping[str, Any]
"""A `[[package]]` table."""
Dependency = Mapping[str, Any]
"""What a package depends on: a name; version and source where several packages have that name; marker and extras."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """The packages that uv installs besides the project itself."""

    indexed: tuple[Package, ...]
    """From an index."""
    others: tuple[Package, ...]
    """From a URL, a repository or a folder."""
    left_out: str | None
    """The extras, groups and members that uv installs only on request, in a sentence; None if there are none."""


def installed(data: Mapping[str, Any], environment: Mapping[str, str], groups: Collection[str] | None) -> Installed:
    """What `uv sync` installs: the dependencies of the project and of its default `groups` (None is all), and no extra.

    `environment` is that of markers.
    """
    lock = _Lock(data, environment, groups)
    packages = lock.reached()
    own = {*(root["name"] for root in lock.project), *lock.members}
    foreign = [package for package in packages if package["name"] not in own]
    return Installed(
        indexed=tuple(package for package in foreign if "registry" in package["source"]),
        others=tuple(package for package in foreign if "registry" not in package["source"]),
        left_out=lock.left_out(packages),
    )


class _Lock:
    """The packages of a lock, and the way through them."""

    def __init__(self, data: Mapping[str, Any], environment: Mapping[str, str], groups: Collection[str] | None) -> None:
        self._packages: list[Package] = data["package"]
        self._manifest: Mapping[str, Any] = data.get("manifest", {})
        self._environment = dict(environment)
        self._groups = groups
        self._by_name: dict[str, list[Package]] = {}
        for package in self._packages:
            self._by_name.setdefault(package["name"], []).append(package)
        self.members: list[str] = self._manifest.get("members", [])
        own = [package for package in self._packages if "." in package["source"].values()]
        self.project = own or [package for package in self._packages if package["name"] in self.members]
        """The project; of a workspace without one all its members; of a script nothing."""

    def reached(self) -> list[Package]:
        """The packages that are installed, the project included."""
        active = {_conflict("group", root["name"], group) for root in self.project for group in self._taken(root)}
        while True:
            packages, extras = self._walk(active)
            if extras <= active:
                return packages
            active |= extras

    def _walk(self, active: set[str]) -> tuple[list[Package], set[str]]:
        """(the packages that are reached if the conflicting extras and groups `active` hold, the extras that were met)."""
        packages = {id(root): root for root in self.project}
        if not self.project and not self._manifest:  # somebody has cut the lock
            packages = {id(package): package for package in filter(self._is_for_here, self._packages)}
        met: set[tuple[int, str]] = set()
        extras: set[str] = set()
        waiting = list(self._first())
        while waiting:
            dependency = waiting.pop()
            for package in self._named(dependency, active):
                if id(package) not in packages:
                    packages[id(package)] = package
                    waiting += package.get("dependencies", [])
                for extra in dependency.get("extra", []):
                    if (id(package), extra) not in met:
                        met.add((id(package), extra))
                        extras.add(_conflict("extra", package["name"], extra))
                        waiting += package.get("optional-dependencies", {}).get(extra, [])
        return list(packages.values()), extras

    def _first(self) -> Iterator[Dependency]:
        """What the project depends on, or a script, with the default groups."""
        for root in self.project:
            yield from root.get("dependencies", [])
            for group in self._taken(root):
                yield from root["dev-dependencies"][group]
        yield from self._manifest.get("requirements", [])
        for group, dependencies in self._manifest.get("dependency-groups", {}).items():
            if self._groups is None or group in self._groups:
                yield from dependencies

    def _taken(self, root: Package) -> list[str]:
        """The groups of `root` that are installed."""
        return [group for group in root.get("dev-dependencies", {}) if self._groups is None or group in self._groups]

    def _named(self, dependency: Dependency, active: set[str]) -> list[Package]:
        """The packages that a dependency means here: one, or those whose own markers hold; its own extras count as active."""
        own = {_conflict("extra", dependency["name"], extra) for extra in dependency.get("extra", [])}
        if not self._holds(dependency.get("marker"), active | own):
            return []
        given = [(key, dependency[key]) for key in ("version", "source") if key in dependency]
        found = [
            package for package in self._by_name[dependency["name"]] if all(package.get(key) == value for key, value in given)
        ]
        return found if len(found) == 1 else list(filter(self._is_for_here, found))

    def _is_for_here(self, package: Package) -> bool:
        markers = package.get("resolution-markers", [])
        return not markers or any(self._holds(marker, ()) for marker in markers)

    def _holds(self, marker: str | None, active: Collection[str]) -> bool:
        """Whether a marker holds; `extra` in it means the extras and groups of conflicts."""
        if marker is None:
            return True
        known = _EXTRA.sub(lambda found: _ALWAYS if (found[2] in active) == (found[1] == "==") else _NEVER, marker)
        return Marker(known).evaluate(self._environment)

    def left_out(self, reached: Collection[Package]) -> str | None:
        """See `Installed`; `reached` are the packages that are installed."""
        there = {id(package) for package in reached}
        known = {package["name"] for package in reached}
        names = [f"the member {member}" for member in self.members if member not in known]
        for root in self.project:
            for kind, table in (("extra", "optional-dependencies"), ("group", "dev-dependencies")):
                for name, dependencies in root.get(table, {}).items():
                    if not self._among(there, dependencies, {_conflict(kind, root["name"], name)}):
                        names.append(f"the {kind} {name} of {root['name']}")
        if not names:
            return None
        taken = dict.fromkeys(group for root in self.project for group in self._taken(root))
        with_groups = "".join(f" and the group {group}" for group in taken)
        return f"{', '.join(names)}: the set is what `uv sync` installs, the dependencies{with_groups}"

    def _among(self, there: Collection[int], dependencies: Iterable[Dependency], active: set[str]) -> bool:
        """Whether all packages that `dependencies` mean here are among those of these ids."""
        return all(id(package) in there for dependency in dependencies for package in self._named(dependency, active))


def _conflict(kind: str, package: str, name: str) -> str:
    """An extra or a group of a package, as uv writes one that conflicts with others into markers, as `extra`."""
    return f"{kind}-{len(package)}-{package}-{name}"


_EXTRA = re.compile(r"extra (==|!=) '([^']*)'")
_ALWAYS, _NEVER = "python_version >= '0'", "python_version < '0'"
