"""What a distribution name, an exact version, a specifier, a requirement and a Python version are.

The definitions are packaging's (PEP 440, PEP 508), narrowed to what is one printable word or line: packaging strips
whitespace, a newline included, and takes arbitrary text after `===`. Every reader uses them, whatever it reads: matrix.toml,
locks, requirements, environments, records of the store, matrix.json, the command line. So no name and no version can become
another line, an option, a path or a URL in a file that uv reads.

The functions raise ValueError with a sentence that says what was expected; the caller adds the place.
"""

from __future__ import annotations

import functools
import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.foreign_text import redacted

LONGEST = 200
"""Characters of the longest name or version; one of PyPI has fewer than 100."""
_LINE = 2000
"""Characters of the longest requirement."""
_PYTHON = re.compile(r"3\.[0-9]{1,3}(\.[0-9]{1,3})?")


def quoted(text: object) -> str:
    """A text in an error message: as Python writes it, without characters that do not print and secrets, and cut."""
    shown = redacted(ascii(text))
    return shown if len(shown) <= 100 else f"{shown[:60]}…{shown[-30:]} ({len(shown)} characters)"


def _word(text: object, expected: str) -> str:
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or " " in text or not 0 < len(text) <= LONGEST:
        raise ValueError(f"expected {expected}, not {quoted(text)}")
    return text


@functools.lru_cache(maxsize=16384)
def distribution_name(text: str) -> str:
    """The name of a distribution, normalized."""
    expected = "the name of a distribution such as 'torch'"
    try:
        return canonicalize_name(_word(text, expected), validate=True)
    except InvalidName:
        raise ValueError(f"expected {expected}, not {quoted(text)}") from None


@functools.lru_cache(maxsize=16384)
def exact_version(text: str) -> str:
    """An exact version, as it is written."""
    expected = "an exact version"
    try:
        Version(_word(text, expected))
    except InvalidVersion:
        raise ValueError(f"expected {expected}, not {quoted(text)}") from None
    return text


def python_version(text: str) -> str:
    """A version of CPython, with or without its patch release."""
    if not isinstance(text, str) or not _PYTHON.fullmatch(text):
        raise ValueError(f"expected CPython versions such as '3.11', not {quoted(text)}")
    return text


def specifier_set(text: str) -> SpecifierSet:
    """Version bounds, of which each names a version; `===` takes no arbitrary text here."""
    expected = "version bounds such as '>=4.36,<6'"
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or len(text) > LONGEST:
        raise ValueError(f"expected {expected}, not {quoted(text)}")
    try:
        found = SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f"expected {expected}, not {quoted(text)}") from None
    for one in found:
        exact_version(one.version.removesuffix(".*"))
    return found


def requirement(text: str) -> Requirement:
    """A requirement, whatever its parts; a URL too."""
    expected = "a requirement such as 'numpy<2'"
    if not isinstance(text, str) or not text.isprintable() or len(text) > _LINE:
        raise ValueError(f"expected {expected}, not {quoted(text)}")
    try:
        found = Requirement(text)
        specifier_set(str(found.specifier))
    except InvalidRequirement as error:
        raise ValueError(f"expected {expected}, not {quoted(text)}: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError(f"expected {expected}, not {quoted(text)}: its brackets are too deep") from None
    distribution_name(found.name)
    return found


def index_requirement(text: str) -> Requirement:
    """A requirement of something that an index has: no URL, and nothing that a requirements file gives a meaning to."""
    found = requirement(text)
    if found.url:
        raise ValueError(
            f"expected a name and versions, not the URL in {quoted(text)}: a lock holds what an index has; "
            "put the file into a folder and name that under find-links in [uv]"
        )
    if _SPECIAL.intersection(text):
        raise ValueError(f"expected no {' or '.join(sorted(_SPECIAL))} in a requirement, not {quoted(text)}")
    return found


_SPECIAL = frozenset("\\#$")
"""A line goes on after a backslash, ends before a comment, and has variables put in, in what uv reads."""


def requirement_line(text: str) -> str:
    """One line of a requirements, constraints or lock file for uv: exactly one requirement, spelled as packaging does."""
    return str(index_requirement(text))


def cell_id(text: str) -> str:
    """The id of a cell: it becomes the name of a folder."""
    if not isinstance(text, str) or not _CELL_ID.fullmatch(text):
        raise ValueError(f"expected a cell's id such as 'py311-t210-o1162', not {quoted(text)}")
    return text


_CELL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,249}")
