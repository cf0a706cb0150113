"""Which line of a file names a version: for annotations, SARIF, and notes about a matrix.

tomllib keeps no lines, so the text is searched as people and tools write it. A line counts only if it is certainly the one;
otherwise the file alone is the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from harness import regular_files

_LIMIT = 64 * 2**20
"""Bytes of the largest file: a lock of a thousand packages with their hashes has some 5 MB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePlace:
    """A place in a file; both fields are None where there is none."""

    file: str | None = None
    """Its path relative to the current folder, with slashes."""
    line: int | None = None
    """From 1; None if no line is certainly the one."""


class Places:
    """The lines of files that name versions."""

    def __init__(self, paths: Iterable[Path]) -> None:
        """Read `paths`; those that say most come first.

        Left out is what has no lines (the folder of an environment), what cannot be read, and what lies outside of the
        current folder: there a code host has no file, and the path would say something about this machine.
        """
        self._files: list[tuple[str, Path, str]] = []
        for path in paths:
            name, text = _relative(path), _text(path)
            if name is not None and text is not None:
                self._files.append((name, path, text))

    def of(self, names: Iterable[str] = (), version: str | None = None) -> FilePlace:
        """The first line that names one of `names`, normalised, or of an axis that `version`; else the first file alone."""
        for wanted in names:
            for file, path, text in self._files:
                if line := line_of(path, text, wanted, version):
                    return FilePlace(file=file, line=line)
        return FilePlace(file=self._files[0][0]) if self._files else FilePlace()


NOWHERE = Places(())
"""No file is known."""


def line_of(path: Path, text: str, name: str, version: str | None = None) -> int | None:
    """The number of the line in `text`, the content of `path`, that names a distribution (normalised), or `python`.

    Of an axis in a matrix it is the line of `version`, if that stands there as it is: a selector stands for several.
    """
    if (line := _in_toml(text, name, version)) or path.suffix in {".toml", ".lock"}:
        return line
    begins = _begins_with(name)
    return _only(number for number, content in enumerate(_LINE_END.split(text), 1) if begins.match(content))


def line_in(path: Path, name: str, version: str | None = None) -> int | None:
    """As `line_of`, for a file that is read for it; None if it cannot be read."""
    text = _text(path)
    return None if text is None else line_of(path, text, name, version)


def _in_toml(text: str, name: str, version: str | None) -> int | None:
    axis, versions, others = list[int](), list[int](), list[int]()
    required, quoted = _required(name), re.compile(rf"[\"']{re.escape(version or '')}[\"']")
    for number, table, key, line in _toml_lines(text):
        if table == "axes" and canonicalize_name(key) == name:
            axis.append(number)
            versions += [number] if version and quoted.search(line) else []
        elif _holds_requirements(table, key):
            others += [number] if required.search(line) else []
        elif table in {"package", "packages"} and key == "name":
            found = _VALUE.search(line)
            others += [number] if found and canonicalize_name(found[1]) == name else []
    return next(iter([*versions, *axis]), None) if axis else _only(others)


def _holds_requirements(table: str, key: str) -> bool:
    """Whether a key of a pyproject.toml lists requirements."""
    return (table, key) == ("project", "dependencies") or table in {"project.optional-dependencies", "dependency-groups"}


def _toml_lines(text: str) -> Iterator[tuple[int, str, str, str]]:
    """(number, table, key, content without its comment) of each line that is in no string of several lines."""
    table = key = ""
    inside = False
    for number, whole in enumerate(_LINE_END.split(text), 1):
        if not inside:
            found = _BEFORE_COMMENT.match(whole)
            line = found[0] if found else ""
            if header := _HEADER.fullmatch(line):
                table, key = header[1], ""
            elif assigned := _KEY.match(line):
                key = assigned[1] or assigned[2]
            yield number, table, key, line
        inside ^= len(_MULTILINE.findall(whole)) % 2 == 1


def _only(numbers: Iterable[int]) -> int | None:
    """The number, if there is one alone: of two lines nobody knows which one is meant."""
    found = list(numbers)
    return found[0] if len(found) == 1 else None


def _begins_with(name: str) -> re.Pattern[str]:
    """A line of a requirements file about a distribution."""
    return re.compile(rf"\s*{_spelled(name)}(?=$|[\s\[(<>=!~;@\\])", re.IGNORECASE)


def _required(name: str) -> re.Pattern[str]:
    """A requirement in quotes."""
    return re.compile(rf"[\"']\s*{_spelled(name)}\s*[\"'\[(<>=!~;@]", re.IGNORECASE)


def _spelled(name: str) -> str:
    """All spellings of a normalised name, as a regular expression."""
    return "[-_.]+".join(map(re.escape, name.split("-")))


def _relative(path: Path) -> str | None:
    try:
        # Links on the way to the file are followed, and the file keeps the name that it has in the repository.
        return (path.parent.resolve() / path.name).relative_to(Path.cwd().resolve()).as_posix()
    except (OSError, RuntimeError, ValueError):
        return None


def _text(path: Path) -> str | None:
    try:
        return regular_files.read_named_text(path, limit=_LIMIT)
    except (regular_files.RefusedFileError, OSError, ValueError):
        return None


_LINE_END = re.compile(r"\r\n|\n|\r")
_BEFORE_COMMENT = re.compile(r"""(?:[^"'#]|"(?:[^"\\]|\\.)*"|'[^']*')*""")
_HEADER = re.compile(r"""\s*\[{1,2}\s*([^\["']+?)\s*\]{1,2}\s*""")
_KEY = re.compile(r"""\s*(?:([\w.-]+)|["']([^"']+)["'])\s*=""")
_VALUE = re.compile(r"""=\s*["']([^"']+)["']""")
_MULTILINE = re.compile("\"\"\"|'''")
