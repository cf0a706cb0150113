"""The two ends of a bisection as sets with the same distributions. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from packaging.version import Version

from harness.decide.experiments import Experiment
from harness.decide.version_sets import Versions
from harness.packaging_values import required_name


def completed(good: Experiment, bad: Experiment) -> tuple[Versions, Versions]:
    """The two sets, both with a version of every distribution that one of them names; the resolver chose the open ones."""
    names = {required_name(text) for end in (good, bad) for text in end.versions.open}
    first, second = _exact(good, names), _exact(bad, names)
    # What only the other set has is not installed: a bound on it does no harm.
    limits = good.versions.limited | (second.keys() - first.keys()), bad.versions.limited | (first.keys() - second.keys())
    return (
        replace(good.versions, exact={**second, **first}, open=_still_open(good), limited=limits[0]),
        replace(bad.versions, exact={**first, **second}, open=_still_open(bad), limited=limits[1]),
    )


def only_in(end: Experiment, other: Experiment) -> set[str]:
    """The distributions that nothing requires, besides the axes, in one set and not in the other."""
    lock, others = end.verdict.resolved.lock, other.verdict.resolved.lock
    if lock is None or others is None:
        return set()
    own = end.versions.requirements.keys() - end.versions.limited - dict(end.verdict.cell.pins).keys()
    return {one.name for one in lock.distributions if not one.via and one.name in own and one.name not in others.versions}


def _exact(end: Experiment, names: set[str]) -> dict[str, str]:
    versions = end.verdict.resolved.versions
    found = {name: versions[name] for name in names if name in versions}
    return {**end.versions.exact, **{name: Version(version).public for name, version in found.items()}}


def _still_open(end: Experiment) -> tuple[str, ...]:
    return end.versions.open if end.verdict.resolved.lock is None else ()


def not_run(*ends: Experiment) -> Iterable[str]:
    """What of the two sets was not installed, with the reason."""
    return dict.fromkeys(reason for end in ends for reason in end.versions.missing)
