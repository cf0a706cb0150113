"""What npm is used for: which versions are published, resolve, install, and what is installed.

Where packages come from, proxies and tokens are npm's own configuration, and so is its cache. No script of a package runs.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from packaging.version import InvalidVersion, Version

from harness import regular_files
from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.lockfile import PublishedVersion
from harness.environments.npm import command
from harness.environments.npm.lockfile import files, parse
from harness.environments.npm.variables import source_settings
from harness.locked import Lock, PackageLock
from harness.model import Interpreter
from harness.packaging_values import required_name, requirement, specifier_set
from harness.store import scratch
from harness.subprocesses import Supervisor

_VIEW_SECONDS = 120.0
_RESOLVE_SECONDS = 300.0
_INSTALL_SECONDS = 3600.0

_LIMIT = 16 * 2**20
"""Bytes of the largest package.json, and of the largest lock."""

_PINNED = ("--no-engine-strict", "--no-legacy-peer-deps", "--no-strict-peer-deps", "--no-force")
"""npm's defaults for what else a set depends on: so no setting of a user need be known."""

_REGISTRY_ONLY = (*(f"--allow-{kind}=none" for kind in ("git", "remote", "file", "directory")), "--git=/nonexistent/git")
"""Nothing is fetched that is not of a registry. An older npm ignores the first ones: there it finds no git."""

_OFFLINE = ("--offline", "--fetch-retries=0")
"""Without retries an empty cache is noticed at once."""
_ONLINE = ("--prefer-online",)
"""The registry is asked for all that npm's cache has: a list of what is published may be old there, and lack a version."""

_ALWAYS = ("--ignore-scripts", *_PINNED, *_REGISTRY_ONLY)

_GET = "Node.js brings both: its installer, a package `nodejs` with `npm`, or a version manager such as nvm"


class Npm:
    """npm and node as they are on this machine, a `PackageProvider`. Both are looked for once. Thread-safe."""

    def __init__(
        self,
        children: Supervisor,
        *,
        offline: bool = False,
        temporary: Callable[[], contextlib.AbstractContextManager[Path]] = scratch.temporary,
    ) -> None:
        """`temporary` makes the folder that a call runs in, and removes it."""
        self.children = children
        self._offline = offline
        self._temporary = temporary
        self._guard = threading.Lock()
        self._program: Interpreter | None = None
        self._missing: str | None = None
        self._views: dict[str, dict[str, str]] = {}
        """Package → its published versions, each with the time of its upload, possibly empty."""

    def program(self) -> Interpreter | None:
        """See PackageProvider: node."""
        with self._guard:
            if self._program is None and self._missing is None:
                self._look()
            return self._program

    def why_missing(self) -> str:
        """See PackageProvider."""
        self.program()
        return self._missing or ""

    def _look(self) -> None:
        absent = [name for name in ("node", "npm") if command.find(name) is None]
        if absent:
            self._missing = f"no {' and no '.join(absent)} on this machine's PATH; {_GET}"
            return
        try:
            with self._temporary() as folder:
                self._program = command.node(command.find("node") or "node", folder, self.children)
        except ProviderFailure as failure:
            self._missing = f"{failure}; {_GET}"

    def identity(self, store: Path) -> list[object]:  # noqa: ARG002 -- as Provider
        """See Provider. Registries are in it by their digest."""
        return ["npm", source_settings()]

    def newest(self, name: str, bounds: str, python: Interpreter) -> str | None:  # noqa: ARG002 -- as Provider
        """See Provider. It raises ProviderFailure, too, if the registry does not have the package."""
        return next(iter(self._within(name, bounds)), None)

    def oldest(self, name: str, bounds: str, python: Interpreter) -> str | None:  # noqa: ARG002 -- as Provider
        """As `newest`, the oldest one."""
        return next(iter(reversed(self._within(name, bounds))), None)

    def published(self, requirement_: str, python: Interpreter) -> PublishedVersion | None:
        """See Provider; a registry says nothing of the size of a file."""
        name = required_name(requirement_)
        try:
            version = self.newest(name, str(requirement(requirement_).specifier), python)
        except ProviderFailure as failure:
            if failure.unpublished:
                return None
            raise
        if version is None:
            return None
        time = self._time(name, version)
        return PublishedVersion(version=version, day=time.date().isoformat() if time else None, size=None)

    def released(self, name: str, version: str, python: Interpreter) -> dt.datetime | None:  # noqa: ARG002 -- as of uv
        """The upload time of a published version; None if the registry has no dates.

        Raises:
            ProviderFailure: the registry could not be asked.
        """
        return self._time(name, version)

    def resolve(
        self,
        requirements: Sequence[str],
        python: Interpreter,  # noqa: ARG002 -- as Provider
        bounds: Sequence[str] = (),  # noqa: ARG002 -- npm has none
        preferred: Lock | None = None,  # noqa: ARG002 -- a package names what it needs
        overrides: Sequence[str] = (),  # noqa: ARG002 -- they concern distributions of Python
    ) -> PackageLock:
        """See Provider; one requirement with an exact version."""
        (text,) = requirements
        name, _, version = text.partition("==")
        spelled = self._spelled(name, version)
        with self._temporary() as folder:
            needed = {"private": True, "dependencies": {name: spelled}}
            (folder / "package.json").write_text(json.dumps(needed), encoding="utf-8")
            options = ["--package-lock-only", "--lockfile-version=3", "--omit-lockfile-registry-resolved"]
            arguments = ["install", *_ALWAYS, *options]
            self._call(arguments, folder, folder, _RESOLVE_SECONDS, (name, version))
            try:
                return parse(regular_files.read_named(folder / "package-lock.json", limit=_LIMIT).decode())
            except (OSError, ValueError, regular_files.RefusedFileError) as error:
                message = f"what npm wrote cannot be used: {error}"
                raise ProviderFailure(FailureType.INFRASTRUCTURE, message, tool="npm") from None

    def create(self, folder: Path, python: Interpreter) -> None:  # noqa: ARG002 -- as Provider
        """See Provider."""
        folder.mkdir(parents=True, exist_ok=True)

    def install(self, folder: Path, lock: Lock, python: Interpreter | None = None) -> None:  # noqa: ARG002 -- as Provider
        """See Provider. npm compares each file with the integrity in the lock, and reads its cache before it downloads one."""
        try:
            self._install(folder, lock, *(_OFFLINE if self._offline else ()))
        except ProviderFailure as failure:
            if self._offline or "ETARGET" not in str(failure):
                raise
            self._install(folder, lock, *_ONLINE)

    def install_from_cache(self, folder: Path, lock: Lock, python: Interpreter | None = None) -> bool:  # noqa: ARG002 -- as Provider
        """As `install`, from npm's cache alone; False if it lacks something."""
        try:
            self._install(folder, lock, *_OFFLINE)
        except ProviderFailure:
            return False
        return True

    def _install(self, folder: Path, lock: Lock, *network: str) -> None:
        assert isinstance(lock, PackageLock)
        for name, text in files(lock).items():
            (folder / name).write_text(text, encoding="utf-8")
        with self._temporary() as own:
            self._call(["ci", *_ALWAYS, *network], folder, own, _INSTALL_SECONDS)

    def installed(self, folder: Path, python: Interpreter) -> dict[str, str]:  # noqa: ARG002 -- as Provider
        """See Provider: place → version. One that npm did not install from the locked file says so in its version."""
        found = {}
        locked = _packages(folder / "package-lock.json")
        made = _packages(folder / "node_modules" / ".package-lock.json")
        for place in _places(folder / "node_modules", "node_modules/"):
            version = _version(folder / place / "package.json")
            same = made.get(place, {}).get("integrity") == locked.get(place, {}).get("integrity")
            found[place.removeprefix("node_modules/")] = version if same else f"{version} of another file"
        return found

    def _within(self, name: str, bounds: str) -> list[str]:
        """The published versions within `bounds`, newest first; pre-releases if the bounds name one."""
        limits = specifier_set(bounds) if bounds else specifier_set("")
        named = [Version(each.version.removesuffix(".*")) for each in limits]
        # Every version of a minor release is below its .dev0.
        early = any(version.is_prerelease and version.dev != 0 for version in named)
        known = {version: text for text in self._view(name) if (version := _readable(text))}
        able = [version for version in known if early or not version.is_prerelease]
        return [known[version] for version in sorted(limits.filter(able, prereleases=True), reverse=True)]

    def _spelled(self, name: str, version: str) -> str:
        """A version as npm spells it: `1.16` is a range there."""
        wanted = Version(version)
        if str(wanted) == wanted.base_version and not wanted.epoch and len(wanted.release) <= 3:
            return ".".join(map(str, (*wanted.release, 0, 0)[:3]))
        for text in self._view(name):
            if _readable(text) == wanted:
                return text
        message = f"npm's registry has no {name} {version}"
        raise ProviderFailure(FailureType.UNSATISFIABLE, message, unpublished=f"{name}=={version}", tool="npm")

    def _time(self, name: str, version: str) -> dt.datetime | None:
        times = {Version(text): time for text, time in self._view(name).items() if _readable(text)}
        try:
            return dt.datetime.fromisoformat(times[Version(version)])
        except (KeyError, ValueError):
            return None

    def _view(self, name: str) -> dict[str, str]:
        with self._guard:
            if name not in self._views:
                with self._temporary() as folder:
                    arguments = ["view", name, "versions", "time", *(_OFFLINE if self._offline else ())]
                    text = self._call(arguments, folder, folder, _VIEW_SECONDS, (name, "*"))
                self._views[name] = _versions(text)
            return self._views[name]

    def _call(
        self, arguments: Sequence[str], folder: Path, own: Path, seconds: float, requested: tuple[str, str] | None = None
    ) -> str:
        binary = command.find("npm")
        if binary is None:
            raise ProviderFailure(FailureType.INFRASTRUCTURE, f"no npm on this machine's PATH; {_GET}", tool="npm")
        network = (_OFFLINE if self._offline else _ONLINE) if arguments[0] == "install" else ()
        return command.call(binary, [*arguments, *network], folder, own, self.children, seconds=seconds, requested=requested)


def opened(children: Supervisor, temporary: Callable[[], contextlib.AbstractContextManager[Path]], *, offline: bool) -> Npm:
    """The provider of a session."""
    return Npm(children, offline=offline, temporary=temporary)


def _readable(text: str) -> Version | None:
    """A version of npm as PEP 440 has it; None for one that PEP 440 does not know, or takes for a later release.

    semver's `1.22.0-rev` comes before 1.22.0; as PEP 440 reads it, it would be a post-release.
    """
    try:
        version = Version(text)
    except InvalidVersion:
        return None
    return version if version.is_prerelease or "-" not in text else None


def _versions(text: str) -> dict[str, str]:
    """The output of `npm view NAME versions time`: version → time.

    Raises:
        ProviderFailure: it is none.
    """
    try:
        found = json.loads(text)
        versions, times = found["versions"], found.get("time", {})
        listed = [versions] if isinstance(versions, str) else versions
        return {str(version): str(times.get(version, "")) for version in listed}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"what npm wrote cannot be read: {type(error).__name__}"
        raise ProviderFailure(FailureType.INFRASTRUCTURE, message, tool="npm") from None


def _version(path: Path) -> str:
    """The version in a package.json; a word that is none if it cannot be read."""
    try:
        return str(json.loads(regular_files.read_named(path, limit=_LIMIT))["version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "unreadable"


def _packages(path: Path) -> dict[str, dict[str, object]]:
    """The entries of a lock of npm; empty if there is none."""
    try:
        found = json.loads(regular_files.read_named(path, limit=_LIMIT))["packages"]
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _places(folder: Path, prefix: str) -> Iterator[str]:
    """The places of the packages in a folder node_modules, with those of their own node_modules."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith("@"):
            yield from _places(path, f"{prefix}{path.name}/")
        elif not path.name.startswith(".") and path.is_dir():
            yield f"{prefix}{path.name}"
            yield from _places(path / "node_modules", f"{prefix}{path.name}/node_modules/")
