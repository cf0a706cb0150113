"""Conflicts of versions that pip or uv names in a text, and which versions ran together in the published reports. Pure.

The text says itself what does not fit. What it does not say is what does: the versions with which the package that asks was
measured.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import and_

from packaging.specifiers import SpecifierSet

from harness.decide import message_forms
from harness.decide.resolver_words import NAME, VERSION
from harness.decide.working_cells import PYTHON, WorkingCells, counts
from harness.packaging_values import distribution_name, is_version, requirement, same_build
from harness.published_reports import Published

# No character is of an operator and of a version, so that a text can be read in one way alone.
_SPECIFIERS = r"(?:(?:,| and )?\s?(?:===|[<>=!~]=|[<>])\s?(?:\d{1,6}!)?[\w.*+]{1,60}){0,40}"
_PIP = re.compile(
    rf"(?<![\w.-])(?P<by>{NAME}) (?P<version>{VERSION}) depends on (?P<name>{NAME})(?:\[[\w,-]*\])?(?P<bounds>{_SPECIFIERS})"
)
_PIP_INSTALLED = re.compile(
    rf"(?<![\w.-])(?P<by>{NAME}) (?P<version>{VERSION}) requires (?P<name>{NAME})(?:\[[\w,-]*\])?(?P<bounds>{_SPECIFIERS})"
    rf", but you(?:'ll)? have (?P=name) (?P<found>{VERSION}) which is incompatible"
)
_UV = re.compile(
    rf"(?<![\w.-])(?P<by>{NAME})(?:\[[\w,-]*\])?==(?P<version>{VERSION}) depends on "
    rf"(?P<name>{NAME})(?:\[[\w,-]*\])?(?P<bounds>{_SPECIFIERS})"
)
_PATTERNS = (_PIP_INSTALLED, _PIP, _UV)
_GIVEN = re.compile(
    rf"(?:The user requested|you require|project depends on|Cannot install) "
    rf"(?P<name>{NAME})(?:\[[\w,-]*\])?(?P<bounds>{_SPECIFIERS})"
)
_WHEELS = re.compile(
    r"(?:You're using|You require) CPython (?P<found>3\.\d{1,2}) \(cp\d+\), but (?:we only found wheels for )?"
    rf"(?P<by>{NAME}) \(v(?P<version>{VERSION})\) (?:only has wheels )?with the following Python (?:implementation|ABI) tags?: "
    r"(?P<tags>(?:,? ?(?:and )?cp3\d{1,2}){1,20})"
)
_UNSOLVED = re.compile(r"No solution found|ResolutionImpossible|conflicting dependencies|The conflict is caused by")
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
    """The version that the text has instead; empty if it does not name one."""
    measured: dict[str, int]
    """Version of what is needed → the cells of published reports that work with it and this release, newest first."""
    instead: dict[str, int]
    """Other version of the package → the cells that work with it and with what was found, newest first."""


_Named = tuple[str, str, str, str, str]
"""As the fields of a conflict, without what was measured."""


def version_conflicts(text: str, reports: Sequence[Published]) -> list[VersionConflict]:
    """The conflicts that `text` names, each once."""
    clean = " ".join(message_forms.cleaned(text).split())
    named = dict.fromkeys([*_of_versions(clean), *_of_wheels(clean)]) or dict.fromkeys(_unsolved(clean))
    working = WorkingCells(reports) if named else None
    return [_measured(fields, _limits(clean, fields), working) for fields in named] if working else []


def _measured(named: _Named, limits: SpecifierSet, working: WorkingCells) -> VersionConflict:
    """A conflict with what was measured of it, within all `limits` of what is needed."""
    package, version, needed, bounds, found = named
    pairs = working.pairs(package, needed)
    return VersionConflict(
        package=package,
        version=version,
        needed=needed,
        bounds=bounds,
        found=found,
        measured=counts(own for by, own in pairs if own and same_build(by, version) and limits.contains(own, prereleases=True)),
        instead=counts(by for by, own in pairs if by and found and same_build(own, found)),
    )


def _limits(text: str, named: _Named) -> SpecifierSet:
    """All bounds that the text has for what is needed; those of the one release where they may exclude each other."""
    _, _, name, own_bounds, found_version = named
    if not found_version:
        return SpecifierSet(own_bounds)
    found = (_bounds(match["name"], match["bounds"]) for pattern in _PATTERNS for match in pattern.finditer(text))
    return functools.reduce(and_, (bounds for own, bounds in filter(None, found) if own == name), SpecifierSet())


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


def _unsolved(text: str) -> Iterator[_Named]:
    """What releases ask for of a distribution, where two sentences of a text without a solution exclude each other."""
    if not _UNSOLVED.search(text):
        return
    asked = [match for pattern in _PATTERNS for match in pattern.finditer(text) if not _MORE.match(text, match.end())]
    bounds = {match: _bounds(match["name"], match["bounds"]) for match in asked}
    stated = [*filter(None, bounds.values()), *_given(text).items()]
    for match, needed in bounds.items():
        if needed and is_version(match["version"]):
            others = [other for name, other in stated if name == needed[0]]
            if any(_exclude(needed[1], other) for other in others):
                yield distribution_name(match["by"]), match["version"], needed[0], str(needed[1]), ""


def _exclude(one: SpecifierSet, other: SpecifierSet) -> bool:
    """Whether no version is in both: of those that they name, what comes right after each, the first and the last."""
    named = [bound.version.removesuffix(".*") for bound in (*one, *other)]
    tried = [*named, *(f"{version}.1" for version in named), "0", "99999"]
    return not any((one & other).contains(version, prereleases=True) for version in filter(is_version, tried))


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
