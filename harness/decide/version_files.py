"""Version sets as people keep them: requirements files, pylock.toml, uv.lock, a virtual environment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import cast

from packaging.dependency_groups import resolve_dependency_groups
from packaging.markers import Environment
from packaging.pylock import PylockSelectError, PylockValidationError, is_valid_pylock_path
from packaging.tags import Tag, compatible_tags, cpython_tags, sys_tags
from packaging.version import Version

from harness import regular_files
from harness.decide import package_files, uv_lock
from harness.decide.requirements_files import ELSEWHERE, RequirementsFiles, marker_environment, read_text
from harness.decide.version_sets import Versions
from harness.environments.installed import described, installed_directly, python_of, sees_system
from harness.environments.lockfile import parse_pylock
from harness.errors import VersionsError
from harness.packaging_values import (
    distribution_name,
    exact_version,
    is_one_pin,
    python_version,
    quoted,
    required_name,
    specifier_set,
    the_build,
    within,
)


def read(path: Path, python: str | None, default: str | None, *, with_extras: bool = False) -> Versions:
    """The set that `path` holds: an environment's folder, a file that its name tells, or else requirements.

    Such files are pyproject.toml, pylock.toml, uv.lock, package.json and package-lock.json.
    `python` overrides the Python of the file; `default` is for a file without one. `with_extras` takes the extras and
    dependency groups of a pyproject.toml too, which are not installed with it.

    Raises:
        VersionsError: it cannot be read, or is none of these.
    """
    if path.is_dir():
        return _of_environment(path, python)
    text = read_text(path)
    if is_valid_pylock_path(path):
        return _of_pylock(path, text, python, default)
    if path.suffix == ".lock":
        return _of_uv_lock(path, text, python, default)
    if path.name == "pyproject.toml":
        return _of_pyproject(path, text, python, default, with_extras=with_extras)
    if path.name in package_files.NAMES:
        return package_files.read(path, text, python or default)
    if path.suffix in {".toml", ".json", ".yml", ".yaml"}:
        kinds = "a requirements file, a pyproject.toml, a pylock.toml, a uv.lock or a package.json"
        raise VersionsError(f"{path}: expected {kinds}, or the folder of a virtual environment")
    files = RequirementsFiles(python or default)
    files.read(path, text)
    return files.versions(str(path))


def _exact(
    source: Path, entries: Iterable[tuple[object, object]], several: str = "write one (uv export does)"
) -> dict[str, str]:
    """Name → version; `source` is the file of the entries, `several` what to do about two versions.

    Raises:
        VersionsError: an entry is not a name and a version, or a name has two versions.
    """
    found: dict[str, str] = {}
    for name, version in entries:
        try:
            normalized, read = distribution_name(_string(name)), exact_version(_string(version))
        except ValueError as error:
            where = f" of {quoted(name)}" if isinstance(name, str) else ""
            raise VersionsError(f"{source} cannot be used: an entry{where}: {error}; make it anew, or correct it") from None
        if not is_one_pin(found.setdefault(normalized, read), read):
            raise VersionsError(f"{source} has several versions of {normalized}, {found[normalized]} and {read}; {several}")
        found[normalized] = the_build(found[normalized], read)
    return found


_REPAIR = "an interrupted installation leaves that; install it anew"


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, not {quoted(value)}")  # noqa: TRY004 -- the callers report ValueError
    return value


def _of_environment(folder: Path, python: str | None) -> Versions:
    own = python_of(folder)
    if own is None:
        raise VersionsError(f"{folder} is not a virtual environment: it has no pyvenv.cfg that names its Python")
    match = re.match(r"3\.[0-9]{1,3}(?![0-9])", own, re.ASCII)
    if match is None:
        raise VersionsError(f"{folder} cannot be used: its pyvenv.cfg names no CPython 3, but {quoted(own)}")
    try:
        sites = [folder / "lib" / f"python{match[0]}" / "site-packages"]
        direct, there = installed_directly(sites), described(sites)
    except (OSError, regular_files.RefusedFileError) as problem:
        raise VersionsError(f"{folder} cannot be used: {problem}") from None
    indexed = [(name, version) for name, version in there if name not in direct and name != _INSTALLER]
    missing = [f"{name}: {ELSEWHERE}" for name in sorted(direct) if not direct[name]]
    if sees_system(folder):
        missing.append(f"{folder}: it also sees the packages of the system (include-system-site-packages), which are not read")
    return Versions(
        source=str(folder),
        python=python or match[0],
        exact=_exact(folder, indexed, several=_REPAIR),
        is_installed=True,
        ignored=tuple(f"{name}: it is a project in editable mode" for name in sorted(direct) if direct[name]),
        missing=tuple(missing),
    )


_INSTALLER = "pip"
"""What puts itself into an environment, and is imported by nothing there."""


def _of_pylock(path: Path, text: str, python: str | None, default: str | None) -> Versions:
    try:
        lock = parse_pylock(text)
        python, notes = _python(path, str(lock.requires_python or ""), python, default)
        selected = [
            package
            for package, _ in lock.select(environment=cast("Environment", marker_environment(python)), tags=_tags(python))
        ]
    except (ValueError, KeyError, PylockValidationError, PylockSelectError, RecursionError) as error:
        raise VersionsError(f"{path} cannot be used: {error}") from None
    foreign = [package for package in selected if package.vcs or package.directory or package.archive]
    indexed = [package for package in selected if package not in foreign]
    exact = _exact(path, ((package.name, str(package.version)) for package in indexed if package.version))
    missing = (
        *(f"{package.name}: {ELSEWHERE}" for package in foreign),
        *(f"{package.name}: it has no version in {path.name}" for package in indexed if not package.version),
    )
    return Versions(source=str(path), python=python, exact=exact, is_installed=True, ignored=notes, missing=missing)


def _of_pyproject(path: Path, text: str, python: str | None, default: str | None, *, with_extras: bool) -> Versions:
    """The dependencies of a project, `with_extras` also those of its extras and dependency groups."""
    try:
        data = tomllib.loads(text)
        project = data.get("project", {})
        extras, groups = project.get("optional-dependencies", {}), data.get("dependency-groups", {})
        found = list(project.get("dependencies", []))
        if with_extras:
            found += [entry for extra in extras.values() for entry in extra]
            found += resolve_dependency_groups(groups, *groups)
        left_out = [] if with_extras else [*(f"the extra {name}" for name in extras), *(f"the group {name}" for name in groups)]
        own = distribution_name(project["name"]) if "name" in project else None
        # An extra may name the project itself, with other extras.
        entries = [text for text in map(_string, found) if own is None or required_name(text) != own]
        python, notes = _python(path, _string(project.get("requires-python", "")), python, default)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ExceptionGroup) as error:
        raise VersionsError(f"{path} is not read as a pyproject.toml: {type(error).__name__}: {error}") from None
    files = RequirementsFiles(python)
    files.take(path, entries)
    versions = files.versions(str(path))
    ignored = (f"{', '.join(left_out)}: the set is what `pip install .` installs, the dependencies",) if left_out else ()
    return replace(versions, ignored=(*versions.ignored, *ignored, *notes))


def _of_uv_lock(path: Path, text: str, python: str | None, default: str | None) -> Versions:
    try:
        data = tomllib.loads(text)
        python, notes = _python(path, _string(data["requires-python"]), python, default)
        found = uv_lock.installed(data, marker_environment(python), _default_groups(path.parent / "pyproject.toml"))
        exact = _exact(path, [(package["name"], package["version"]) for package in found.indexed])
        missing = [f"{distribution_name(package['name'])}: {ELSEWHERE}" for package in found.others]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VersionsError(f"{path} is not read as a uv.lock: {type(error).__name__}: {error}") from None
    ignored = (*([found.left_out] if found.left_out else []), *notes)
    return Versions(source=str(path), python=python, exact=exact, is_installed=True, ignored=ignored, missing=tuple(missing))


def _default_groups(path: Path) -> list[str] | None:
    """The dependency groups that uv installs without being asked, by the pyproject.toml of a lock; None is all of them."""
    try:
        groups = tomllib.loads(read_text(path)).get("tool", {}).get("uv", {}).get("default-groups", ["dev"])
    except (VersionsError, ValueError, AttributeError, RecursionError):
        return ["dev"]
    return None if groups == "all" else list(map(_string, groups))


def _python(path: Path, requires: str, chosen: str | None, default: str | None) -> tuple[str | None, tuple[str, ...]]:
    """(the Python of a project or lock, a note if it is only the oldest that `requires` admits).

    That of a .python-version beside it goes before `default`; what `requires` does not admit is neither.
    """
    if chosen is not None:
        return chosen, ()
    for python in (_beside(path.with_name(".python-version")), default):
        if python is not None and _admits(requires, python):
            return python, ()
    oldest = _oldest(requires)
    if oldest is None:
        return default, ()
    return oldest, (f"{path}: Python {oldest} is the oldest that its requires-python admits; --python chooses another one",)


def _beside(path: Path) -> str | None:
    """The CPython that a .python-version names, as uv and pyenv read it; None if it names none."""
    try:
        return python_version(next(iter(read_text(path).split()), ""))
    except (VersionsError, ValueError):
        return None


def _admits(requires: str, python: str) -> bool:
    """Whether `requires-python` admits a Python; without a patch release it is the newest one."""
    try:
        return within(marker_environment(python)["python_full_version"], specifier_set(requires))
    except ValueError:
        return False


def _oldest(requires: str) -> str | None:
    """The oldest Python that `requires-python` admits: `>=3.10` → `3.10`."""
    try:
        lower = [Version(bound.version.removesuffix(".*")) for bound in specifier_set(requires) if bound.operator in _LOWER]
        return python_version(".".join(map(str, max(lower).release[:2]))) if lower else None
    except ValueError:
        return None


_LOWER = {">=", "==", "~=", ">", "==="}


def _tags(python: str | None) -> list[Tag]:
    """The tags of wheels that this machine accepts with `python`."""
    if python is None:
        return list(sys_tags())
    release = tuple(map(int, python.split(".")[:2]))
    return [*cpython_tags(release), *compatible_tags(release, interpreter=f"cp{release[0]}{release[1]}")]
