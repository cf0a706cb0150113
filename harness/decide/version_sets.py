"""A version set: what somebody has installed or plans to install; and requirements of the command line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.errors import VersionsError
from harness.packaging_values import exact_version, index_requirement, quoted, required_name, same_version


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """A version set."""

    source: str
    """Its name in messages."""
    python: str | None
    """As on an axis (`3.11`, `3.11.7`); None if the source does not say."""
    exact: Mapping[str, str]
    """Name → version. A local part (`+cu121`) is left out: it names a build of the same version."""
    open: tuple[str, ...] = ()
    """Requirements such as `torch>=2` that leave the version to the resolver."""
    bounds: tuple[str, ...] = ()
    """Requirements that limit versions and require nothing: those of a constraints file."""
    ignored: tuple[str, ...] = ()
    """Entries that were read and are not used, with the reason."""

    @property
    def requirements(self) -> dict[str, str]:
        """Name → its requirement, for all distributions in the set."""
        exact = {name: f"{name}=={version}" for name, version in self.exact.items()}
        return {**{required_name(text): text for text in (*self.bounds, *self.open)}, **exact}

    def with_(self, requirements: Iterable[Requirement]) -> Versions:
        """The same with `requirements` in place of its own entries for these distributions."""
        requested = list(requirements)
        kept = self.without({canonicalize_name(required.name) for required in requested})
        exact, open_ = dict(kept.exact), list(kept.open)
        for required in requested:
            if (version := exactly(required)) is not None:
                exact[canonicalize_name(required.name)] = version
            else:
                open_.append(name_and_bounds(required))
        return replace(self, exact=exact, open=tuple(open_))

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
        return replace(self.with_(map(Requirement, taken)), bounds=kept)


def together(sets: Sequence[Versions]) -> Versions:
    """One set of the entries of several, which have the same Python.

    Raises:
        VersionsError: two of them have different versions of a distribution.
    """
    first, *others = sets
    for other in others:
        for name in first.exact.keys() & other.exact.keys():
            if not same_version(first.exact[name], other.exact[name]):
                found = f"{first.exact[name]} and {other.exact[name]}"
                raise VersionsError(f"{first.source} and {other.source} have two versions of {name}: {found}")
        exact = {**other.exact, **first.exact}
        open_ = dict.fromkeys(text for text in (*first.open, *other.open) if required_name(text) not in exact)
        bounds = tuple(dict.fromkeys((*first.bounds, *other.bounds)))
        first = replace(first, exact=exact, open=tuple(open_), bounds=bounds, ignored=(*first.ignored, *other.ignored))
    return first


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
        return Version(exact_version(parts[0].version)).public
    return None


def is_requirement(text: str) -> bool:
    """Whether `text` is a requirement."""
    try:
        index_requirement(text)
    except ValueError:
        return False
    return True


def requirement(text: str, place: str) -> Requirement:
    """Read a requirement of the command line; `place` is the option.

    Raises:
        VersionsError: it is not a requirement, or has more than a name and versions.
    """
    try:
        read = index_requirement(text)
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
    """A requirement without extras and marker: what an extra requires is installed anyway, or not at all."""
    return f"{canonicalize_name(required.name)}{required.specifier}"
