"""Requirements files as a version set: one file, and the files that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.markers import default_environment

from harness import regular_files
from harness.decide.version_sets import Versions, exactly, name_and_bounds
from harness.errors import VersionsError
from harness.foreign_text import redacted
from harness.packaging_values import distribution_name, quoted, required_name, requirement

ELSEWHERE = "it comes from a URL or a folder, and no index has it"
"""Why an entry is not used."""


def read_text(path: Path) -> str:
    """The content of a file with versions.

    Raises:
        VersionsError: it cannot be read.
    """
    try:
        return regular_files.read_named(path, limit=_LIMIT).decode("utf-8")
    except regular_files.RefusedFileError as problem:
        raise VersionsError(f"{path} cannot be read: it {problem}") from None
    except (OSError, ValueError) as error:
        raise VersionsError(f"{path} cannot be read: {error}") from None


_LIMIT = 64 * 2**20
"""Bytes of the largest file: a lock of a thousand packages with their hashes has some 5 MB."""


class RequirementsFiles:
    """Reads requirements files."""

    def __init__(self, python: str | None) -> None:
        """`python` evaluates markers; None is the Python of this process."""
        self._python = python
        self._environment = marker_environment(python)
        self._exact: dict[str, str] = {}
        self._open: list[str] = []
        self._ignored: list[str] = []
        self._seen: set[Path] = set()

    def read(self, path: Path, text: str, *, named: bool = True) -> None:
        """Take the entries of a file.

        If the user has not `named` it, but another file has, no line of it is shown: it may hold secrets.
        """
        self._seen.add(path.resolve())
        for number, line in _logical(text):
            entry = re.sub(r"(^|\s)#.*$", "", line).strip()
            place = redacted(entry) if named else f"{path}, line {number}"
            if not entry:
                continue
            if nested := _NESTED.match(entry):
                self._nested(path, path.parent / nested["path"])
            elif entry.startswith("-"):
                self._ignored.append(f"{place}: sources of distributions belong into [uv] of the matrix")
            else:
                try:
                    self._take(path, _HASHES.sub("", entry).rstrip(), place)
                except ValueError as error:
                    if not named:
                        raise VersionsError(f"{place} is no requirement that can be read") from None
                    raise VersionsError(f"{path}: cannot read the line {quoted(entry)}: {error}") from None

    def take(self, path: Path, entries: Iterable[str]) -> None:
        """Take requirements that a file of another kind holds.

        Raises:
            VersionsError: one is no requirement.
        """
        for entry in entries:
            try:
                self._take(path, entry, redacted(entry))
            except ValueError as error:
                raise VersionsError(f"{path}: cannot read the requirement {quoted(entry)}: {error}") from None

    def _nested(self, path: Path, other: Path) -> None:
        try:
            if other.resolve() not in self._seen:
                self.read(other, read_text(other), named=False)
        except (OSError, RuntimeError, ValueError) as error:
            raise VersionsError(f"{path}: {other} cannot be read: {error}") from None
        except VersionsError as error:
            raise VersionsError(f"{path}: {error}") from None

    def _take(self, path: Path, text: str, place: str) -> None:
        required = requirement(text.replace("\t", " "))
        try:
            if required.marker and not required.marker.evaluate(self._environment):
                return
        except KeyError as error:
            raise ValueError(f"the marker {error} has a meaning in a lock only") from None
        name = distribution_name(required.name)
        if required.url:
            self._ignored.append(f"{name}: {ELSEWHERE}")
        elif name == "python":
            self._ignored.append(f"{place}: Python is chosen with --python")
        elif (version := exactly(required)) is not None:
            if self._exact.setdefault(name, version) != version:
                raise VersionsError(f"{path}: {name} is pinned twice, to {self._exact[name]} and to {version}")
        else:
            self._open.append(name_and_bounds(required))

    def versions(self, source: str) -> Versions:
        """The set of all entries.

        Raises:
            VersionsError: there are none.
        """
        if not self._exact and not self._open:
            raise VersionsError(f"{source} names no distribution")
        open_ = tuple(dict.fromkeys(text for text in self._open if required_name(text) not in self._exact))
        return Versions(
            source=source, python=self._python, exact=self._exact, open=open_, ignored=tuple(dict.fromkeys(self._ignored))
        )


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """(number of its first line, content) of each line; a backslash at its end joins the next one to it."""
    first, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        first = first if parts else number
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            yield first, " ".join(parts)
            parts.clear()
    if parts:
        yield first, " ".join(parts)


_NESTED = re.compile(r"^(-r|-c|--requirement|--constraint)[\s=]*+(?P<path>\S+)$")
_HASHES = re.compile(r"\s--hash[\s=]\S+")


def marker_environment(python: str | None) -> dict[str, str]:
    """The environment for markers: this machine, with another Python."""
    environment = {name: str(value) for name, value in default_environment().items()}
    if python is not None:
        major, minor, *patch = python.split(".")
        # A Python without a patch release means the newest one.
        full = python if patch else f"{python}.999"
        environment |= {"python_version": f"{major}.{minor}", "python_full_version": full, "implementation_version": full}
    return environment
