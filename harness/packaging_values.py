"""Readers of distribution names, exact versions, specifiers, requirements and Python versions.

The definitions are packaging's (PEP 440, PEP 508), limited to one printable word or line: packaging strips whitespace and
newlines, and takes arbitrary text after `===`. They serve for everything that is read: matrix.toml, locks, requirements,
environments, records, matrix.json, the command line. So no name and no version can become another line, an option, a path
or a URL in a file that uv reads.

The readers raise ValueError with a sentence about what was expected; the caller adds the place. The types at the end have
pydantic call them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Annotated

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name, canonicalize_version
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, Field

from harness.foreign_text import redacted

LONGEST = 200
"""Characters of the longest name or version; on PyPI all have fewer than 100."""
_LINE = 2000
"""Characters of the longest requirement."""
_PYTHON = re.compile(r"3\.[0-9]{1,3}(\.[0-9]{1,3})?")


def quoted(text: object) -> str:
    """A text for an error message: an ASCII literal without secrets, shortened to some 100 characters."""
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
    """An exact version, unchanged."""
    expected = "an exact version"
    try:
        Version(_word(text, expected))
    except InvalidVersion:
        raise ValueError(f"expected {expected}, not {quoted(text)}") from None
    return text


def is_version(text: str) -> bool:
    """Whether `text` is an exact version."""
    try:
        exact_version(text)
    except ValueError:
        return False
    return True


def same_build(one: str | None, other: str | None) -> bool:
    """Whether two texts name one version and build, as `2020.04.01` and `2020.4.1` do; what is no version is only itself."""
    if one == other or one is None or other is None:
        return one == other
    return is_version(one) and is_version(other) and Version(one) == Version(other)


def python_version(text: str) -> str:
    """A version of CPython, with or without its patch release."""
    if not isinstance(text, str) or not _PYTHON.fullmatch(text):
        raise ValueError(f"expected CPython versions such as '3.11', not {quoted(text)}")
    return text


def specifier_set(text: str) -> SpecifierSet:
    """Version bounds. Each has a version; arbitrary text after `===` is refused."""
    expected = "version bounds such as '>=4.36,<6'"
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or len(text) > LONGEST:
        raise ValueError(f"expected {expected}, not {quoted(text)}")
    try:
        bounds = SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f"expected {expected}, not {quoted(text)}") from None
    for specifier in bounds:
        exact_version(specifier.version.removesuffix(".*"))
    return bounds


def requirement(text: str) -> Requirement:
    """Any requirement, with a URL or without."""
    expected = "a requirement such as 'numpy<2'"
    if not isinstance(text, str) or not text.isprintable() or len(text) > _LINE:
        raise ValueError(f"expected {expected}, not {quoted(text)}")
    try:
        parsed = Requirement(text)
        specifier_set(str(parsed.specifier))
    except InvalidRequirement as error:
        raise ValueError(f"expected {expected}, not {quoted(text)}: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError(f"expected {expected}, not {quoted(text)}: its brackets are too deep") from None
    distribution_name(parsed.name)
    return parsed


def required_name(text: str) -> str:
    """The normalized name in a requirement that was read before."""
    return canonicalize_name(Requirement(text).name)


def within(version: str, bounds: SpecifierSet) -> bool:
    """Whether a version is within bounds; pre-releases count."""
    return bounds.contains(version, prereleases=True)


def same_version(first: str | None, second: str | None) -> bool:
    """Whether two texts mean one version, as `2.1`, `2.1.0` and the build `2.1.0+cpu` do; None is equal to None alone."""
    if first is None or second is None:
        return first is second
    return bare_version(first) == bare_version(second)


def is_one_pin(first: str, second: str) -> bool:
    """Whether two texts mean one version, and not two builds of it."""
    return same_version(first, second) and len({Version(first).local, Version(second).local} - {None}) < 2


def the_build(first: str, second: str) -> str:
    """Of two texts that mean one version, the one that names a build of it."""
    return second if Version(second).local and not Version(first).local else first


@functools.lru_cache(maxsize=16384)
def bare_version(version: str) -> str:
    """A text that is equal for equal versions: without zeros at the end, and without its local part, which names a build."""
    return canonicalize_version(Version(version).public)


def release_text(epoch: int, numbers: Iterable[int]) -> str:
    """A version of these numbers; a bound without the epoch of a version would compare it with another epoch."""
    return f"{epoch}!" * bool(epoch) + ".".join(map(str, numbers))


def after(version: str) -> str:
    """Bounds for all that is newer than a version; PEP 440's `>` leaves out its post-releases."""
    public = Version(version).public
    return f">={public},!={public}"


def index_requirement(text: str) -> Requirement:
    """A requirement of a distribution of an index: without a URL, and without characters that requirements files interpret."""
    parsed = requirement(text)
    if parsed.url:
        raise ValueError(
            f"expected a name and versions, not the URL in {quoted(text)}: a lock holds what an index has; "
            "put the file into a folder and name that under find-links in [uv]"
        )
    if _SPECIAL.intersection(text):
        raise ValueError(f"expected no {' or '.join(sorted(_SPECIAL))} in a requirement, not {quoted(text)}")
    return parsed


_SPECIAL = frozenset("\\#$")
"""In a file that uv reads: a backslash continues a line, `#` begins a comment, and `$` a variable."""


def requirement_line(text: str) -> str:
    """A line of a requirements, constraints or lock file for uv: exactly one requirement, as packaging spells it."""
    return str(index_requirement(text))


def cell_id(text: str) -> str:
    """The id of a cell; it may become the name of a folder."""
    if not isinstance(text, str) or not _CELL_ID.fullmatch(text):
        raise ValueError(f"expected a cell's id such as 'py311-t210-o1162', not {quoted(text)}")
    return text


_CELL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,249}")


DistributionName = Annotated[str, AfterValidator(distribution_name)]
ExactVersion = Annotated[str, AfterValidator(exact_version)]
PythonVersion = Annotated[str, AfterValidator(python_version)]
CellId = Annotated[str, AfterValidator(cell_id)]
FileHash = Annotated[str, Field(pattern=r"^[a-z0-9]+:[0-9a-f]+$", max_length=LONGEST)]
"""`algorithm:hexdigest`, as in a lock."""
TorchBackend = Annotated[str, Field(pattern=r"^[a-z][a-z0-9.]*$")]
"""A value of uv's `--torch-backend`."""
