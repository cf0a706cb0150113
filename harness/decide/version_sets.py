"""A version set: what somebody has installed or plans to install; and requirements of the command line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.errors import VersionsError
from harness.packaging_values import (
    exact_version,
    index_requirement,
    is_one_pin,
    quoted,
    required_name,
    the_build,
    within,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """A version set."""

    source: str
    """Its name in messages."""
    python: str | None
    """As on an axis (`3.11`, `3.11.7`); None if the source does not say."""
    exact: Mapping[str, str]
    """Name → version, with its local part (`+cu121`) if the source names a build."""
    open: tuple[str, ...] = ()
    """Requirements such as `torch>=2` that leave the version to the resolver."""
    bounds: tuple[str, ...] = ()
    """Requirements that limit versions and require nothing: those of a constraints file."""
    extras: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Name → the extras that are installed with it."""
    limited: frozenset[str] = frozenset()
    """Names of entries that limit a version and require nothing."""
    is_environment: bool = True
    """Whether it is all that is installed, as a file is; else what exporters need is added to it."""
    is_installed: bool = False
    """Whether these versions stand beside each other whatever they require: those of a lock or an environment."""
    held: frozenset[str] = frozenset()
    """Names whose versions hold against what other distributions require of them."""
    missing: tuple[str, ...] = ()
    """What is part of the set and is not installed, with the reason: without it nothing is proven safe."""
    ignored: tuple[str, ...] = ()
    """Entries that were read and are not used, with the reason."""

    @property
    def requirements(self) -> dict[str, str]:
        """Name → its requirement, for all distributions in the set."""
        exact = {name: f"{name}=={version}" for name, version in self.exact.items()}
        return {**{required_name(text): text for text in (*self.bounds, *self.open)}, **exact}

    def with_(self, requirements: Iterable[Requirement], *, adds: bool = True) -> Versions:
        """The same with `requirements` in place of its own entries for these distributions.

        Without `adds` one of a distribution that is not in the set only limits its version.
        """
        requested = list(requirements)
        names = {canonicalize_name(required.name) for required in requested}
        limited = self.limited if adds else self.limited | (names - self.requirements.keys())
        kept = self.without(names)
        exact, open_ = dict(kept.exact), list(kept.open)
        for required in requested:
            if (version := exactly(required)) is not None:
                exact[canonicalize_name(required.name)] = version
            else:
                open_.append(name_and_bounds(required))
        return replace(self, exact=exact, open=tuple(open_), limited=limited)

    def without(self, names: Collection[str]) -> Versions:
        """The same without its entries for `names`, so that the resolver chooses their versions."""
        exact = {name: version for name, version in self.exact.items() if name not in names}
        open_, bounds = ([text for text in texts if required_name(text) not in names] for texts in (self.open, self.bounds))
        return replace(self, exact=exact, open=tuple(open_), bounds=tuple(bounds))

    def with_bounds_as_entries(self, besides: Collection[str]) -> Versions:
        """The same with bounds as entries, which limit what is there anyway; not those on `besides`, or beside an entry."""
        entries = {*self.exact, *map(required_name, self.open), *besides}
        taken = [text for text in self.bounds if required_name(text) not in entries]
        kept = tuple(text for text in self.bounds if text not in taken)
        limited = self.limited.union(map(required_name, taken))
        return replace(self.with_(map(Requirement, taken)), bounds=kept, limited=limited)

    def released(self, names: Collection[str]) -> Versions:
        """The same with the versions of `names` left to the resolver; what the set requires, it still requires."""
        required = [name for name in self.requirements if name in names and name not in self.limited]
        bounds = set(map(required_name, self.bounds)) - self.exact.keys() - set(map(required_name, self.open))
        kept = self.without(names)
        return replace(kept, open=(*kept.open, *(name for name in required if name not in bounds)))

    def without_entry(self, name: str, reason: str) -> Versions:
        """The same without an entry that cannot be installed, and with the `reason`."""
        extras = {other: found for other, found in self.extras.items() if other != name}
        return replace(self.without({name}), extras=extras, missing=(*self.missing, reason))


def together(sets: Sequence[Versions]) -> Versions:
    """One set of the entries of several, which have the same Python.

    Raises:
        VersionsError: two of them have different versions of a distribution.
    """
    exact, open_ = pinned_and_open((one.source, Requirement(text)) for one in sets for text in _entries(one))
    extras: dict[str, frozenset[str]] = {}
    for name, own in (entry for one in sets for entry in one.extras.items()):
        extras[name] = extras.get(name, frozenset()) | own
    return replace(
        sets[0],
        exact=exact,
        open=open_,
        bounds=tuple(dict.fromkeys(text for one in sets for text in one.bounds)),
        extras=extras,
        is_environment=any(one.is_environment for one in sets),
        is_installed=all(one.is_installed for one in sets),
        ignored=tuple(text for one in sets for text in one.ignored),
        missing=tuple(text for one in sets for text in one.missing),
    )


def _entries(versions: Versions) -> list[str]:
    return [*(f"{name}=={version}" for name, version in versions.exact.items()), *versions.open]


def pinned_and_open(entries: Iterable[tuple[str, Requirement]]) -> tuple[dict[str, str], tuple[str, ...]]:
    """(name → version of what is pinned, the other requirements without those that say nothing besides a pin).

    `entries` are (source, requirement).

    Raises:
        VersionsError: a distribution is pinned to two versions, or to two builds of one.
    """
    exact, sources, open_ = dict[str, str](), dict[str, str](), list[Requirement]()
    for source, required in entries:
        name, version = canonicalize_name(required.name), exactly(required)
        if version is None:
            open_.append(required)
        elif is_one_pin(exact.setdefault(name, version), version):
            exact[name] = the_build(exact[name], version)
            sources.setdefault(name, source)
        elif sources[name] == source:
            raise VersionsError(f"{source}: {name} is pinned twice, to {exact[name]} and to {version}")
        else:
            found = f"{exact[name]} and {version}"
            raise VersionsError(f"{sources[name]} and {source} have two versions of {name}: {found}")
    pins = [(exact.get(canonicalize_name(required.name)), required) for required in open_]
    # With a pin that a requirement excludes, there is no solution.
    said = [required for pin, required in pins if pin is None or not within(pin, required.specifier)]
    return exact, tuple(dict.fromkeys(map(name_and_bounds, said)))


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetSet:
    """Where an upgrade goes to."""

    base: Versions
    """The current set, or the one of a file."""
    requested: Mapping[str, str] = field(default_factory=dict)
    """Name → the version in place of that in `base`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionChange:
    """A distribution that differs between two sets; None in a set that does not have it."""

    name: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.old or 'absent'} → {self.new or 'absent'}"


def exactly(requirement: Requirement) -> str | None:
    """The one version that `requirement` admits, or None."""
    parts = list(requirement.specifier)
    if len(parts) == 1 and parts[0].operator in {"==", "==="} and not parts[0].version.endswith(".*"):
        return exact_version(parts[0].version)
    return None


def is_requirement(text: str) -> bool:
    """Whether `text` is a requirement."""
    try:
        index_requirement(_spelled(text))
    except ValueError:
        return False
    return True


_AT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)@(?:latest|(?P<version>\d[\w.+!-]*))")


def _spelled(text: str) -> str:
    """A requirement that is written as npm writes it: `NAME@latest` is any version, of which the newest is taken."""
    found = _AT.fullmatch(text)
    if not found:
        return text
    return f"{found['name']}=={found['version']}" if found["version"] else found["name"]


def requirement(text: str, place: str) -> Requirement:
    """Read a requirement of the command line; `place` is the option.

    Raises:
        VersionsError: it is not a requirement, or has more than a name and versions.
    """
    try:
        read = index_requirement(_spelled(text))
    except ValueError as error:
        raise VersionsError(f"{place}: {error}") from None
    if read.marker or read.extras:
        raise VersionsError(f"{place}: expected a name and versions such as 'transformers>=5', not {quoted(text)}")
    return read


def distribution(text: str, place: str) -> Requirement:
    """Read a requirement of a distribution, which Python is not.

    Raises:
        VersionsError: as `requirement`, or it names Python.
    """
    read = requirement(text, place)
    if canonicalize_name(read.name) == "python":
        raise VersionsError(f"{place} {text}: the Python of a set is chosen with --python, and is the same at both ends")
    return read


def name_and_bounds(required: Requirement) -> str:
    """A requirement without extras and marker, which are read apart."""
    return f"{canonicalize_name(required.name)}{required.specifier}"
