"""Conflicts of versions that pip or uv names in a text, and which versions ran together in the published reports. Pure.

The text says itself what does not fit. What it does not say is what does: the versions with which the package that asks was
measured.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import and_

from packaging.specifiers import SpecifierSet

from harness.decide import message_forms
from harness.matrix.plan import by_version
from harness.model import Status
from harness.packaging_values import distribution_name, is_version, requirement, same_build
from harness.published_reports import Published
from harness.verdicts.report_schema import ReportedCell

PYTHON = "python"
_NAME, _VERSION = r"[A-Za-z0-9][\w.-]{0,100}", r"\d[\w.+!]{0,60}"
_SPECIFIERS = r"(?:(?:,| and )?\s?(?:[<>=!~]=?|===)\s?[\w.*+!]{1,60}){0,40}"
_PIP = re.compile(
    rf"(?<![\w.-])(?P<by>{_NAME}) (?P<version>{_VERSION}) depends on (?P<name>{_NAME})(?:\[[\w,-]*\])?(?P<bounds>{_SPECIFIERS})"
)
_PIP_INSTALLED = re.compile(
    rf"(?<![\w.-])(?P<by>{_NAME}) (?P<version>{_VERSION}) requires (?P<name>{_NAME})(?:\[[\w,-]*\])?(?P<bounds>{_SPECIFIERS})"
    rf", but you(?:'ll)? have (?P=name) (?P<found>{_VERSION}) which is incompatible"
)
_UV = re.compile(
    rf"(?<![\w.-])(?P<by>{_NAME})(?:\[[\w,-]*\])?==(?P<version>{_VERSION}) depends on "
    rf"(?P<name>{_NAME})(?:\[[\w,-]*\])?(?P<bounds>{_SPECIFIERS})"
)
_PATTERNS = (_PIP_INSTALLED, _PIP, _UV)
_GIVEN = re.compile(
    rf"(?:The user requested|you require|project depends on|Cannot install) "
    rf"(?P<name>{_NAME})(?:\[[\w,-]*\])?(?P<bounds>{_SPECIFIERS})"
)
_WHEELS = re.compile(
    rf"You're using CPython (?P<found>3\.\d{{1,2}}) \(cp\d+\), but (?P<by>{_NAME}) \(v(?P<version>{_VERSION})\) "
    r"only has wheels with the following Python (?:implementation|ABI) tags?: (?P<tags>(?:,? ?(?:and )?cp3\d{1,2}){1,20})"
)

_UNAVAILABLE = (
    re.compile(
        rf"that satisfies the requirement (?P<by>{_NAME})==(?P<version>{_VERSION}) "
        r"\(from versions: (?P<offered>[^()]{5,20000})\)"
    ),
    re.compile(rf"(?<![\w.-])(?P<by>{_NAME})==(?P<version>{_VERSION}) has no wheels (?:are available )?with a matching Python"),
)
_MORE = re.compile(r"\s*(?:or\b|;)")
"""Behind the bounds: other ones that would do, or a condition."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionConflict:
    """What one release asks for, and the text does not have."""

    package: str
    version: str
    needed: str
    """The distribution that it asks for, or `python`."""
    bounds: str
    """`>=3.20.2`; of Python, the versions that it has wheels for."""
    found: str
    """The version that the text has instead, or the bounds that it sets."""
    measured: dict[str, int]
    """Version of what is needed → the cells of published reports that work with it and this release, newest first."""
    instead: dict[str, int]
    """Other version of the package → the cells that work with it and with what was found, newest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelRefusal:
    """A release that has no wheel for the Python or the platform of a text."""

    package: str
    version: str
    offered: tuple[str, ...]
    """The releases that the index has for it, as the text says; empty if it does not."""
    pythons: dict[str, int]
    """Version of Python → the cells of published reports that work with it and this release, newest first."""
    working: dict[str, int]
    """Those of the `offered` releases that work in published cells, newest first."""


def wheel_refusals(text: str, reports: Sequence[Published]) -> list[WheelRefusal]:
    """The releases without a wheel that `text` names, each once."""
    clean = " ".join(message_forms.cleaned(text).split())
    found = [match.groupdict() for pattern in _UNAVAILABLE for match in pattern.finditer(clean)]
    named = {
        (distribution_name(own["by"]), own["version"]): own.get("offered") or "" for own in found if is_version(own["version"])
    }
    known = _Known(reports) if named else None
    return [
        known.wheel(package, version, tuple(filter(is_version, re.split(r", ?", offered))))
        for (package, version), offered in named.items()
        if known
    ]


def version_conflicts(text: str, reports: Sequence[Published]) -> list[VersionConflict]:
    """The conflicts that `text` names, each once."""
    clean = " ".join(message_forms.cleaned(text).split())
    named = dict.fromkeys([*_of_versions(clean), *_of_wheels(clean)])
    known = _Known(reports) if named else None
    return [known.conflict(*fields, limits=_limits(clean, fields[2])) for fields in named] if known else []


def _limits(text: str, name: str) -> SpecifierSet:
    """All bounds that the text has for a distribution."""
    found = (_bounds(match["name"], match["bounds"]) for pattern in _PATTERNS for match in pattern.finditer(text))
    return functools.reduce(and_, (bounds for own, bounds in filter(None, found) if own == name), SpecifierSet())


_Named = tuple[str, str, str, str, str]
"""As the fields of a conflict, without what was measured."""


def _of_versions(text: str) -> Iterator[_Named]:
    given = _given(text)
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if _MORE.match(text, match.end()):
                continue
            own = match.groupdict()
            needed = _bounds(own["name"], own["bounds"])
            if needed is None or not is_version(own["version"]):
                continue
            name, bounds = needed
            found = SpecifierSet(f"=={own['found']}") if is_version(own.get("found") or "") else given.get(name)
            if found is not None and (version := _against(bounds, found)):
                yield distribution_name(own["by"]), own["version"], name, str(bounds), version


def _given(text: str) -> dict[str, SpecifierSet]:
    """Distribution → the bounds that the text sets itself; not one with several."""
    found = set(filter(None, (_bounds(match["name"], match["bounds"]) for match in _GIVEN.finditer(text))))
    names = Counter(name for name, _ in found)
    return {name: bounds for name, bounds in found if names[name] == 1}


def _against(needed: SpecifierSet, found: SpecifierSet) -> str:
    """The version in `found`, if that is one and outside of `needed`; the bounds cannot be compared, and are none."""
    versions = [bound.version for bound in found if bound.operator == "=="]
    if len(versions) != 1 or not is_version(versions[0]) or needed.contains(versions[0], prereleases=True):
        return ""
    return versions[0]


def _of_wheels(text: str) -> Iterator[_Named]:
    for match in _WHEELS.finditer(text):
        pythons = [f"3.{minor}" for minor in re.findall(r"cp3(\d{1,2})", match["tags"])]
        if is_version(match["version"]) and match["found"] not in pythons:
            yield distribution_name(match["by"]), match["version"], PYTHON, ", ".join(pythons), match["found"]


def _bounds(name: str, bounds: str) -> tuple[str, SpecifierSet] | None:
    """A normalized name and its bounds; None if they are not those of a requirement."""
    try:
        found = requirement(name + ",".join(re.split(r",|\band\b", bounds.strip(" ,."))).replace(" ", ""))
        return distribution_name(found.name), found.specifier
    except ValueError:
        return None


class _Known:
    """The cells of published reports that work."""

    def __init__(self, reports: Sequence[Published]) -> None:
        self._cells = [cell for published in reports for cell in published.report.cells if cell.status is Status.WORKS]

    def conflict(
        self, package: str, version: str, needed: str, bounds: str, found: str, *, limits: SpecifierSet
    ) -> VersionConflict:
        """A conflict with what was measured of it, within all `limits` of what is needed."""
        pairs = [(having.get(package), having.get(needed)) for having in map(_versions, self._cells)]
        return VersionConflict(
            package=package,
            version=version,
            needed=needed,
            bounds=bounds,
            found=found,
            measured=_counted(
                own for by, own in pairs if own and same_build(by, version) and limits.contains(own, prereleases=True)
            ),
            instead=_counted(by for by, own in pairs if by and same_build(own, found)),
        )

    def wheel(self, package: str, version: str, offered: tuple[str, ...]) -> WheelRefusal:
        """A release without a wheel, with what was measured of it."""
        pairs = [(having.get(package), having[PYTHON]) for having in map(_versions, self._cells)]
        return WheelRefusal(
            package=package,
            version=version,
            offered=offered,
            pythons=_counted(python for by, python in pairs if by and same_build(by, version)),
            working=_counted(by for by, _ in pairs if by and by in offered),
        )


def _counted(versions: Iterable[str]) -> dict[str, int]:
    counts = Counter(versions)
    return {version: counts[version] for version in sorted(counts, key=by_version, reverse=True)}


def _versions(cell: ReportedCell) -> Mapping[str, str]:
    return {**cell.resolved, **cell.pins, PYTHON: cell.python}
