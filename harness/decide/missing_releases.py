"""Releases that pip or uv does not find for the environment of a text, and with what they ran in published reports. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from harness.decide import message_forms
from harness.decide.resolver_words import NAME, VERSION
from harness.decide.working_cells import PYTHON, WorkingCells, counts
from harness.packaging_values import distribution_name, is_version, same_build, same_version
from harness.published_reports import Published

_UNFIT = r"ha(?:s|ve) no wheels (?:are available )?with a matching (?:Python|platform)"
_UNFOUND = re.compile(
    rf"that satisfies the requirement (?P<name>{NAME})(?:\[[\w,-]*\])?(?:==(?P<version>{VERSION}))? "
    r"(?:\(from [^()]{1,300}\) )?\(from versions: (?P<offered>[^()]{4,20000})\)"
)
_UNREACHED = re.compile(r"\bRetrying \(|\b\w*ConnectionError\b|\bProxyError\b|\bSSLError\b|\bReadTimeout|\bname resolution\b")
"""Where pip did not reach its index, it finds nothing there."""
_CUTOFF = re.compile(r"\bexclude-newer\b")
_WITHOUT_WHEEL = (
    re.compile(rf"(?<![\w.-])(?P<name>{NAME})==(?P<version>{VERSION}) {_UNFIT}"),
    re.compile(
        rf"You're on [^()]{{1,100}} \([\w.]{{1,100}}\), but (?P<name>{NAME}) \(v(?P<version>{VERSION})\) "
        "only has wheels for the following platforms?:"
    ),
    re.compile(rf"\ball versions of (?P<name>{NAME}) {_UNFIT}"),
)
_WITHOUT_DISTRIBUTION = re.compile(
    rf"have no matching distributions available for your environment:[ \t]*\n(?P<names>(?:[ \t]*{NAME}[ \t]*(?:\n|\Z)){{1,40}})"
)
"""Of the text with its lines: pip lists one name in each."""
_ABSENT = re.compile(
    rf"there (?:is|are) no versions? of (?P<name>{NAME})(?:\[[\w,-]*\])?(?:\{{[^{{}}]{{1,300}}\}})?=="
    rf"(?P<version>{VERSION})(?![\w.]*\*|\w)"
)


class MissingReason(StrEnum):
    """What the text says of a release."""

    NO_WHEEL = "no wheel"
    """It has no wheel for this Python or platform."""
    ABSENT = "absent"
    """The index does not have it, or hides it."""
    NOT_FOUND = "not found"
    """One of both."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingRelease:
    """A release that the resolver of a text does not find, or not for its Python and platform."""

    package: str
    version: str | None
    """None for all releases."""
    reason: MissingReason
    cutoff: bool
    """Whether the text speaks of a date after which releases do not count."""
    offered: tuple[str, ...]
    """The releases that it finds instead, as the text says; empty if it does not, or if there are none."""
    pythons: dict[str, int]
    """Version of Python → the cells of published reports that work with it and this release, newest first."""
    working: dict[str, int]
    """Those of the `offered` releases, in any build, that work in published cells, newest first."""


def missing_releases(text: str, reports: Sequence[Published]) -> list[MissingRelease]:
    """The releases that `text` says are missing, each once."""
    clean = message_forms.cleaned(text)
    named: dict[_Release, tuple[str, ...]] = {}
    for release, offered in _named(clean):
        named[release] = named.get(release) or offered
    working = WorkingCells(reports) if named else None
    cutoff = bool(_CUTOFF.search(clean))
    return [_measured(release, offered, working, cutoff=cutoff) for release, offered in named.items()] if working else []


class _Release(NamedTuple):
    """A release, as a text names it."""

    name: str
    version: str | None
    reason: MissingReason


def _named(text: str) -> Iterator[tuple[_Release, tuple[str, ...]]]:
    """Each missing release, and what is offered instead."""
    joined = " ".join(text.split())
    for match in _UNFOUND.finditer(joined):
        offered = tuple(filter(is_version, re.split(r", ?", match["offered"])))
        if offered or not _UNREACHED.search(joined):
            yield from _release(match["name"], match["version"], MissingReason.NOT_FOUND, offered)
    for pattern in _WITHOUT_WHEEL:
        for match in pattern.finditer(joined):
            yield from _release(match["name"], match.groupdict().get("version"), MissingReason.NO_WHEEL)
    for match in _WITHOUT_DISTRIBUTION.finditer(text):
        for name in match["names"].split():
            yield from _release(name, None, MissingReason.NOT_FOUND)
    for match in _ABSENT.finditer(joined):
        yield from _release(match["name"], match["version"].rstrip("."), MissingReason.ABSENT)


def _release(
    name: str, version: str | None, reason: MissingReason, offered: tuple[str, ...] = ()
) -> Iterator[tuple[_Release, tuple[str, ...]]]:
    """None if this is no release."""
    if version is None or is_version(version):
        yield _Release(distribution_name(name), version, reason), offered


def _measured(release: _Release, offered: tuple[str, ...], working: WorkingCells, *, cutoff: bool) -> MissingRelease:
    """A missing release with what was measured of it."""
    name, version, reason = release
    pairs = [(by, python) for by, python in working.pairs(name, PYTHON) if by and python]
    return MissingRelease(
        package=name,
        version=version,
        reason=reason,
        cutoff=cutoff,
        offered=offered,
        pythons=counts(python for by, python in pairs if version is None or _is_it(by, version)),
        working=counts(by for by, _ in pairs if any(same_version(by, other) for other in offered)),
    )


def _is_it(measured: str, version: str) -> bool:
    """Whether a measured version is the one of a text, in any build if the text names none."""
    return same_build(measured, version) if "+" in version else same_version(measured, version)
