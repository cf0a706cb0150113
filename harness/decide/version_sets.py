"""The current set of versions, read wherever people keep it: requirements.txt, pylock.toml, uv.lock, an environment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from packaging.markers import Environment, Marker, default_environment
from packaging.pylock import PylockSelectError, PylockValidationError, is_valid_pylock_path
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, sys_tags
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness import regular_files
from harness.environments.installed import installed, python_of
from harness.environments.lockfile import parse_pylock
from harness.errors import VersionsError
from harness.foreign_text import redacted
from harness.packaging_values import distribution_name, exact_version, index_requirement, python_version, quoted, specifier_set
from harness.packaging_values import requirement as parse_requirement


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """What somebody has installed, or means to."""

    source: str
    """What a message calls it."""
    python: str | None
    """As on an axis (`3.11`, `3.11.7`); None where the source does not say."""
    exact: Mapping[str, str]
    """Name → version. A local part (`+cu121`) is left out: it names a build of the same version."""
    open: tuple[str, ...] = ()
    """Requirements such as `torch>=2` that leave the version to the resolver."""
    ignored: tuple[str, ...] = ()
    """What was read and has no meaning here, with the reason."""

    def with_(self, requirements: Iterable[Requirement]) -> Versions:
        """The same with `requirements` in place of what it says of their distributions."""
        asked = list(requirements)
        names = {canonicalize_name(one.name) for one in asked}
        exact = {name: version for name, version in self.exact.items() if name not in names}
        left = [text for text in self.open if name_of(text) not in names]
        for one in asked:
            if (version := exactly(one)) is not None:
                exact[canonicalize_name(one.name)] = version
            else:
                left.append(_plain(one))
        return replace(self, exact=exact, open=tuple(left))


def name_of(text: str) -> str:
    """The normalised name in a requirement."""
    return canonicalize_name(Requirement(text).name)


def exactly(requirement: Requirement) -> str | None:
    """The one version that `requirement` admits, or None."""
    parts = list(requirement.specifier)
    if len(parts) == 1 and parts[0].operator in {"==", "==="} and not parts[0].version.endswith(".*"):
        return Version(exact_version(parts[0].version)).public
    return None


def requirement(text: str, place: str) -> Requirement:
    """Read a requirement that somebody wrote on the command line.

    Raises:
        VersionsError: it is none, or says more than a name and versions.
    """
    try:
        read = index_requirement(text)
    except ValueError as error:
        raise VersionsError(f"{place}: {error}") from None
    if read.marker or read.extras:
        raise VersionsError(f"{place}: expected a name and versions such as 'transformers>=5', not {quoted(text)}")
    return read


def distribution(text: str, place: str) -> Requirement:
    """Read a requirement of something that is installed, which a Python is not.

    Raises:
        VersionsError: as `requirement`, or it speaks of Python.
    """
    read = requirement(text, place)
    if canonicalize_name(read.name) == "python":
        raise VersionsError(f"{place} {text}: the Python of a set is chosen with --python, and is the same at both ends")
    return read


def read(path: Path, python: str | None, otherwise: str | None) -> Versions:
    """The set that `path` holds: an environment's folder, a pylock.toml, a uv.lock, or else a requirements file.

    `python` is what somebody asked for, and stands against what the file says; `otherwise` is for a file that says nothing.

    Raises:
        VersionsError: it cannot be read, or is none of these.
    """
    if path.is_dir():
        return _of_environment(path, python)
    text = _text(path)
    if is_valid_pylock_path(path):
        return _of_pylock(path, text, python, otherwise)
    if path.suffix == ".lock":
        return _of_uv_lock(path, text, python, otherwise)
    if path.suffix in {".toml", ".json", ".yml", ".yaml"}:
        kinds = "a requirements file, a pylock.toml, a uv.lock or the folder of a virtual environment"
        raise VersionsError(f"{path}: expected {kinds}")
    entries = _Entries(python=python or otherwise)
    entries.read(path, text)
    return entries.versions(str(path))


def _text(path: Path) -> str:
    """The content of a file that somebody keeps versions in."""
    try:
        return regular_files.read_named(path, limit=_LIMIT).decode("utf-8")
    except regular_files.RefusedFileError as problem:
        raise VersionsError(f"{path} cannot be read: it {problem}") from None
    except (OSError, ValueError) as error:
        raise VersionsError(f"{path} cannot be read: {error}") from None


_LIMIT = 64 * 2**20
"""Bytes of the largest file: a lock of a thousand packages with their hashes has some 5 MB."""


def _exact(source: Path, entries: Iterable[tuple[object, object]]) -> dict[str, str]:
    """Name → version without its local part, of `entries`, which come from `source`.

    Raises:
        VersionsError: one is no name or no version, or a name has two versions.
    """
    found: dict[str, str] = {}
    for name, version in entries:
        try:
            normalized, public = distribution_name(_string(name)), Version(exact_version(_string(version))).public
        except ValueError as error:
            where = f" of {quoted(name)}" if isinstance(name, str) else ""
            raise VersionsError(f"{source} cannot be used: an entry{where}: {error}; make it anew, or correct it") from None
        if found.setdefault(normalized, public) != public:
            raise VersionsError(
                f"{source} has several versions of {normalized}, {found[normalized]} and {public}; write one (uv export does)"
            )
    return found


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, not {quoted(value)}")  # noqa: TRY004 -- the callers report ValueError
    return value


def _of_environment(folder: Path, python: str | None) -> Versions:
    own = python_of(folder)
    if own is None:
        raise VersionsError(f"{folder} is no virtual environment: it has no pyvenv.cfg that names its Python")
    match = re.match(r"3\.[0-9]{1,3}(?![0-9])", own, re.ASCII)
    if match is None:
        raise VersionsError(f"{folder} cannot be used: its pyvenv.cfg names no CPython 3, but {quoted(own)}")
    try:
        there = installed([folder / "lib" / f"python{match[0]}" / "site-packages"])
    except (OSError, regular_files.RefusedFileError) as problem:
        raise VersionsError(f"{folder} cannot be used: {problem}") from None
    return Versions(source=str(folder), python=python or match[0], exact=_exact(folder, there.items()))


def _of_pylock(path: Path, text: str, python: str | None, otherwise: str | None) -> Versions:
    try:
        lock = parse_pylock(text)
        python = python or (_oldest(str(lock.requires_python)) if lock.requires_python else None) or otherwise
        selected = [
            package for package, _ in lock.select(environment=cast("Environment", _environment(python)), tags=_tags(python))
        ]
    except (ValueError, KeyError, PylockValidationError, PylockSelectError, RecursionError) as error:
        raise VersionsError(f"{path} cannot be used: {error}") from None
    foreign = [package for package in selected if package.vcs or package.directory or package.archive]
    indexed = [package for package in selected if package not in foreign]
    exact = _exact(path, ((package.name, str(package.version)) for package in indexed if package.version))
    ignored = (
        *(f"{package.name}: {_ELSEWHERE}" for package in foreign),
        *(f"{package.name}: it has no version in {path.name}" for package in indexed if not package.version),
    )
    return Versions(source=str(path), python=python, exact=exact, ignored=ignored)


_ELSEWHERE = "it comes from a URL or a folder, and no index has it"


def _of_uv_lock(path: Path, text: str, python: str | None, otherwise: str | None) -> Versions:
    """By the fields that uv documents no stability for; what they must be is checked, and several versions are told apart."""
    try:
        data = tomllib.loads(text)
        requires = data["requires-python"]
        packages = [one for one in data["package"] if not _LOCAL.intersection(one["source"])]
        python = python or _oldest(requires) or otherwise
        environment = _environment(python)
        installed_here = [
            (one["name"], one["version"])
            for one in packages
            if not (markers := one.get("resolution-markers", []))
            or any(Marker(marker).evaluate(environment) for marker in markers)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VersionsError(f"{path} is not read as a uv.lock: {type(error).__name__}: {error}") from None
    return Versions(source=str(path), python=python, exact=_exact(path, installed_here))


_LOCAL = {"virtual", "editable", "directory", "path", "url", "git"}
"""Sources of a uv.lock's packages that no index has: the project itself, and what it takes from elsewhere."""


class _Entries:
    """The lines of requirements files, one file and those that it names."""

    def __init__(self, python: str | None) -> None:
        self._python = python
        self._environment = _environment(python)
        self._exact: dict[str, str] = {}
        self._open: list[str] = []
        self._ignored: list[str] = []
        self._seen: set[Path] = set()

    def read(self, path: Path, text: str, *, named: bool = True) -> None:
        """Take what the lines say.

        Of a file that another has named, no line is shown: whoever wrote that one may have named a file of somebody's
        secrets.
        """
        self._seen.add(path.resolve())
        for number, line in _logical(text):
            entry = re.sub(r"(^|\s)#.*$", "", line).strip()
            said = redacted(entry) if named else f"{path}, line {number}"
            if not entry:
                continue
            if nested := _NESTED.match(entry):
                self._nested(path, path.parent / nested["path"])
            elif entry.startswith("-"):
                self._ignored.append(f"{said}: where distributions come from is said in [uv] of the matrix")
            else:
                try:
                    self._take(path, _HASHES.sub("", entry).rstrip(), said)
                except ValueError as error:
                    if not named:
                        raise VersionsError(f"{said} is no requirement that can be read") from None
                    raise VersionsError(f"{path}: cannot read the line {quoted(entry)}: {error}") from None

    def _nested(self, path: Path, other: Path) -> None:
        try:
            if other.resolve() not in self._seen:
                self.read(other, _text(other), named=False)
        except (OSError, RuntimeError, ValueError) as error:
            raise VersionsError(f"{path}: {other} cannot be read: {error}") from None
        except VersionsError as error:
            raise VersionsError(f"{path}: {error}") from None

    def _take(self, path: Path, text: str, said: str) -> None:
        one = parse_requirement(text.replace("\t", " "))
        try:
            if one.marker and not one.marker.evaluate(self._environment):
                return
        except KeyError as error:
            raise ValueError(f"what it says of {error} has a meaning in a lock alone") from None
        name = distribution_name(one.name)
        if one.url:
            self._ignored.append(f"{name}: {_ELSEWHERE}")
        elif name == "python":
            self._ignored.append(f"{said}: Python is chosen with --python")
        elif (version := exactly(one)) is not None:
            if self._exact.setdefault(name, version) != version:
                raise VersionsError(f"{path}: {name} is pinned twice, to {self._exact[name]} and to {version}")
        else:
            self._open.append(_plain(one))

    def versions(self, source: str) -> Versions:
        """What was read."""
        if not self._exact and not self._open:
            raise VersionsError(f"{source} names no distribution")
        left = tuple(dict.fromkeys(text for text in self._open if name_of(text) not in self._exact))
        return Versions(
            source=source, python=self._python, exact=self._exact, open=left, ignored=tuple(dict.fromkeys(self._ignored))
        )


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """(number of its first line, content) of each line, where a backslash at the end joins the next one to it."""
    begun, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun if parts else number
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            yield begun, " ".join(parts)
            parts.clear()
    if parts:
        yield begun, " ".join(parts)


_NESTED = re.compile(r"^(-r|-c|--requirement|--constraint)[\s=]*+(?P<path>\S+)$")
_HASHES = re.compile(r"\s--hash[\s=]\S+")


def _plain(one: Requirement) -> str:
    """Name and bounds: an extra's requirements come along by themselves, or not at all."""
    return f"{canonicalize_name(one.name)}{one.specifier}"


def _oldest(requires: str) -> str | None:
    """The oldest Python that `requires-python` admits, which is what a lock was made for: `>=3.10` → `3.10`."""
    try:
        lower = [Version(one.version.removesuffix(".*")) for one in specifier_set(requires) if one.operator in _FROM]
        return python_version(".".join(map(str, max(lower).release[:2]))) if lower else None
    except ValueError:
        return None


_FROM = {">=", "==", "~=", ">", "==="}


def _environment(python: str | None) -> dict[str, str]:
    """What markers are evaluated with: this machine, with another Python."""
    environment = {name: str(value) for name, value in default_environment().items()}
    if python is not None:
        major, minor, *patch = python.split(".")
        # Of a Python that is named without a patch release the newest, whichever that is.
        full = python if patch else f"{python}.999"
        environment |= {"python_version": f"{major}.{minor}", "python_full_version": full, "implementation_version": full}
    return environment


def _tags(python: str | None) -> list[Tag]:
    """What wheels this machine takes under `python`."""
    if python is None:
        return list(sys_tags())
    release = tuple(map(int, python.split(".")[:2]))
    return [*cpython_tags(release), *compatible_tags(release, interpreter=f"cp{release[0]}{release[1]}")]
