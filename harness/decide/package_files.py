"""The runtime that a package.json, or its package-lock.json, names: a version set of one entry; all else there is not ours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import regular_files
from harness.decide.version_sets import Versions
from harness.errors import VersionsError
from harness.packaging_values import is_version, quoted, specifier_set
from harness.stack import ECOSYSTEMS

NAMES = frozenset({"package.json", "package-lock.json"})

_LIMIT = 64 * 2**20
"""Bytes of the largest lock that is read."""

_DEPENDENCIES = ("peerDependencies", "dependencies", "optionalDependencies", "devDependencies")
"""Of a package that several of these name npm takes what the last one says."""
_NUMBER = r"(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?"
_EXACT = re.compile(r"[=v]?\s*(\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z.-]+)?)")
_ABOUT = re.compile(rf"([\^~]){_NUMBER}")
_BOUND = re.compile(r"(<=?|>=?)\s*(\d{1,9}(?:\.\d{1,9}){0,2})\s*")
_COMPARED = re.compile(f"(?:{_BOUND.pattern})+")
_ANY = frozenset({"", "*", "x", "latest"})


def read(path: Path, text: str, python: str | None) -> Versions:
    """The runtime that `path` names; the version that its lock has, if there is a lock, and else what the file admits.

    Raises:
        VersionsError: it cannot be read, or names no runtime.
    """
    content = _table(path, text)
    exact = dict(_locked(content)) if path.name == "package-lock.json" else {**dict(_locked(_beside(path)))}
    wanted = {name: bounds for group in _DEPENDENCIES for name, bounds in _entries(content, group) if name in ECOSYSTEMS}
    if path.name == "package.json":
        exact = {name: version for name, version in exact.items() if name in wanted}
    open_ = [f"{name}{_bounds(path, name, bounds)}" for name, bounds in wanted.items() if name not in exact]
    if not exact and not open_:
        raise VersionsError(f"{path} names no known runtime ({', '.join(ECOSYSTEMS)})")
    pinned = [text for text in open_ if "==" in text and not text.endswith(".*")]
    exact |= dict(text.split("==", 1) for text in pinned)
    for name, version in exact.items():
        if not is_version(version):
            raise VersionsError(f"{path}: {name}: expected a version such as '1.16.3', not the build {quoted(version)}")
    left = tuple(text for text in open_ if text not in pinned)
    return Versions(source=str(path), python=python, exact=exact, open=left, is_environment=False)


def _locked(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(runtime, version) of a lock."""
    packages = content.get("packages")
    entries = packages if isinstance(packages, dict) else {}
    found = ((name, entries.get(f"node_modules/{name}")) for name in ECOSYSTEMS)
    return [(name, entry["version"]) for name, entry in found if isinstance(entry, dict) and _is_exact(entry.get("version"))]


def _is_exact(version: object) -> bool:
    return isinstance(version, str) and _EXACT.fullmatch(version) is not None


def _beside(path: Path) -> Mapping[str, Any]:
    """The lock beside a package.json; empty if there is none."""
    lock = path.with_name("package-lock.json")
    try:
        return _table(lock, regular_files.read_named_text(lock, limit=_LIMIT))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, regular_files.RefusedFileError) as problem:
        raise VersionsError(f"{lock} cannot be used: {problem}") from None


def _table(path: Path, text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VersionsError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise VersionsError(f"{path}: expected a table, not {quoted(content)}")
    return content


def _entries(content: Mapping[str, Any], group: str) -> list[tuple[str, object]]:
    entries = content.get(group)
    return list(entries.items()) if isinstance(entries, dict) else []


def _bounds(path: Path, name: str, text: object) -> str:
    """A range of npm as PEP 440 has it.

    Raises:
        VersionsError: it is a URL, a path, a tag, or a union of ranges.
    """
    stripped = text.strip() if isinstance(text, str) else None
    if stripped in _ANY:
        return ""
    if stripped and (found := _EXACT.fullmatch(stripped)):
        return f"=={found[1]}"
    if stripped and re.fullmatch(_NUMBER, stripped):
        return f"=={stripped}.*"
    if stripped and (found := _ABOUT.fullmatch(stripped)):
        return _about(found[1], [int(part) for part in found.groups()[1:] if part is not None])
    if stripped and _COMPARED.fullmatch(stripped):
        return str(specifier_set(",".join(_compared(*found.groups()) for found in _BOUND.finditer(stripped))))
    raise VersionsError(f"{path}: {name}: expected a version such as '1.16.3' or '^1.16.3', not {quoted(text)}")


def _compared(sign: str, number: str) -> str:
    """A part of a version stands for all releases of it: `<=1.16` has 1.16.3, and `>1.16` begins with 1.17.0."""
    if number.count(".") == 2 or sign in {"<", ">="}:
        return f"{sign}{number}"
    *before, last = number.split(".")
    return f"{'<' if sign == '<=' else '>='}{'.'.join([*before, str(int(last) + 1)])}"


def _about(sign: str, numbers: list[int]) -> str:
    """`^1.16.3`: up to the next number that is not 0; `~1.16.3`: up to the next minor release."""
    first = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
    place = first if sign == "^" else min(1, len(numbers) - 1)
    above = [*numbers[:place], numbers[place] + 1]
    return f">={'.'.join(map(str, numbers))},<{'.'.join(map(str, above))}"
