"""Requirements files as a version set: one file, and the files that it names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from harness import regular_files
from harness.decide.version_sets import Versions, pinned_and_open
from harness.errors import VersionsError
from harness.foreign_text import redacted
from harness.packaging_values import distribution_name, quoted, requirement

ELSEWHERE = "it comes from a URL or a folder, and no index has it"
"""Why an entry is not used."""


def read_text(path: Path) -> str:
    """The content of a file with versions.

    Raises:
        VersionsError: it cannot be read.
    """
    try:
        return regular_files.read_named_text(path, limit=_LIMIT)
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
        self._required, self._limits = list[Requirement](), list[Requirement]()
        self._ignored, self._missing = list[str](), list[str]()
        self._seen: set[tuple[Path, bool]] = set()

    def read(self, path: Path, text: str, *, named: bool = True, limits: bool = False) -> None:
        """Take the entries of a file. With `limits` it is a constraints file: it and the files that it names require nothing.

        If the user has not `named` it, but another file has, no line of it is shown: it may hold secrets.
        """
        self._seen.add((path.resolve(), limits))
        for number, entry in _entries(text):
            place = redacted(entry) if named else f"{path}, line {number}"
            if nested := _NESTED.match(entry):
                self._nested(path, _unquoted(nested["path"].rstrip()), place, limits=limits or bool(nested["limits"]))
            elif _EDITABLE.match(entry) and not _EDITABLE_URL.match(entry):
                self._ignored.append(f"{place}: it is a project in editable mode, and its dependencies are not read")
            elif entry.startswith("-") and not _EDITABLE.match(entry):
                self._ignored.append(f"{place}: sources of distributions belong in [uv] of the matrix")
            else:
                content = _HASHES.sub("", _EDITABLE.sub("", entry, count=1)).strip()
                try:
                    if _FILE.match(content):
                        self._take_file(content, place)
                    else:
                        self._take(content, place, self._limits if limits else self._required)
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
                self._take(entry, redacted(entry), self._required)
            except ValueError as error:
                raise VersionsError(f"{path}: cannot read the requirement {quoted(entry)}: {error}") from None

    def _nested(self, path: Path, name: str, place: str, *, limits: bool) -> None:
        name = _VARIABLE.sub(lambda found: os.environ.get(found[1], found[0]), name)
        if _REMOTE.match(name):
            self._missing.append(f"{place}: it is at a URL, and only files are read")
            return
        try:
            other = path.parent / (_in_url(name) if _FILE_URL.match(name) else name)
        except ValueError as error:
            raise VersionsError(f"{path}: {redacted(name)} cannot be read: {error}") from None
        try:
            if (other.resolve(), limits) not in self._seen:
                self.read(other, read_text(other), named=False, limits=limits)
        except (OSError, RuntimeError, ValueError) as error:
            raise VersionsError(f"{path}: {other} cannot be read: {error}") from None
        except VersionsError as error:
            raise VersionsError(f"{path}: {error}") from None

    def _take_file(self, text: str, place: str) -> None:
        """Take a URL or a path without a name, as pip and uv do; a wheel has the name in its own."""
        location, _, marker = text.partition(" ;")
        if marker and not self._admits(Marker(marker)):
            return
        file = unquote(urlsplit(location.strip()).path).rpartition("/")[2].partition("[")[0]
        try:
            name = str(parse_wheel_filename(file)[0])
        except InvalidWheelFilename:
            name = place
        self._missing.append(f"{name}: {ELSEWHERE}")

    def _admits(self, marker: Marker | None) -> bool:
        try:
            return marker is None or marker.evaluate(self._environment)
        except KeyError as error:
            raise ValueError(f"the marker {error} is valid in a lock only") from None

    def _take(self, text: str, place: str, entries: list[Requirement]) -> None:
        required = requirement(text.replace("\t", " "))
        if not self._admits(required.marker):
            return
        name = distribution_name(required.name)
        if required.url:
            self._missing.append(f"{name}: {ELSEWHERE}")
        elif name == "python":
            self._ignored.append(f"{place}: Python is chosen with --python")
        else:
            entries.append(required)

    def versions(self, source: str) -> Versions:
        """The set of all entries.

        Raises:
            VersionsError: there are none.
        """
        if not self._required and not self._limits:
            raise VersionsError(f"{source} names no distribution")
        names = {distribution_name(required.name) for required in self._required}
        limits = [(distribution_name(limit.name) in names, limit) for limit in self._limits]
        entries = [*self._required, *(limit for is_required, limit in limits if is_required)]
        exact, open_ = pinned_and_open((source, entry) for entry in entries)
        pins, loose = pinned_and_open((source, limit) for is_required, limit in limits if not is_required)
        return Versions(
            source=source,
            python=self._python,
            exact=exact,
            open=open_,
            bounds=(*(f"{name}=={version}" for name, version in pins.items()), *loose),
            extras=_extras(self._required),
            ignored=tuple(dict.fromkeys(self._ignored)),
            missing=tuple(dict.fromkeys(self._missing)),
        )


def _extras(entries: Iterable[Requirement]) -> dict[str, frozenset[str]]:
    """Name → its extras, of those that have some."""
    found: dict[str, frozenset[str]] = {}
    for required in filter(lambda entry: entry.extras, entries):
        name = distribution_name(required.name)
        found[name] = found.get(name, frozenset()).union(map(distribution_name, required.extras))
    return found


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """(number of its first line, content) of each entry, as uv reads them; a backslash at its end joins the next line to it.

    A comment ends with its line, and ends the entry.
    """
    first, parts = 0, list[str]()
    # Not splitlines: a form feed or a line separator ends no line here.
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        first = first if parts else number
        content = _COMMENT.sub("", line)
        parts.append(content.removesuffix("\\"))
        if not content.endswith("\\"):
            if entry := " ".join(parts).strip():
                yield first, entry
            parts.clear()
    if entry := " ".join(parts).strip():
        yield first, entry


def _in_url(url: str) -> str:
    """The path of a `file:` URL. Raises ValueError."""
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise ValueError("it names another machine")
    return url2pathname(parts.path)


def _unquoted(name: str) -> str:
    return _QUOTES.sub(lambda found: found[found.lastindex or 0], name)


_COMMENT = re.compile(r"(^|[ \t])#.*$", re.DOTALL)
_NESTED = re.compile(r"^(-r|--requirement|(?P<limits>-c|--constraint))[\s=]*+(?P<path>[^#]+)")
_QUOTES = re.compile(r"""\\(.)|"([^"]*)"|'([^']*)'""")
"""What a shell would take away from the name of a file."""
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
"""What uv replaces in the name of a file, if the variable is set; nowhere else but in URLs."""
_FILE_URL = re.compile(r"file:/", re.IGNORECASE)
_REMOTE = re.compile(r"https?:/", re.IGNORECASE)
_EDITABLE = re.compile(r"^(?:-e|--editable)[\s=]\s*")
_EDITABLE_URL = re.compile(_EDITABLE.pattern + r"(?!file:)[a-z][a-z0-9+]*:/", re.IGNORECASE)
"""Somebody else's project, which the set has like any other distribution."""
_FILE = re.compile(
    r"""(?:[a-z][a-z0-9+]*:/|\.{0,2}/|\.{1,2}(?:$|[\s\[])|~/|[^\s;@<>=]+/)        # a URL, or a path
      | [^\s;@<>=]+\.(?:whl|zip|tar\.(?:gz|bz2|xz|zst)|tgz)(?:$|[\s\[])""",
    re.IGNORECASE | re.VERBOSE,
)
"""What is no requirement: a URL, or the path of a folder, a wheel or an archive."""
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
