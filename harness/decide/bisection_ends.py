"""The two ends of a bisection as sets with the same distributions. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from packaging.version import Version

from harness.decide.experiments import Experiment
from harness.decide.version_sets import Versions
from harness.packaging_values import required_name, same_build


def completed(good: Experiment, bad: Experiment) -> tuple[Versions, Versions]:
    """The two sets, both with a version of every distribution that one of them names; the resolver chose the open ones."""
    names = {required_name(text) for end in (good, bad) for text in end.versions.open}
    names |= good.versions.exact.keys() ^ bad.versions.exact.keys()
    first, second = _exact(good, names), _exact(bad, names)
    second = {name: first[name] if same_build(first.get(name), version) else version for name, version in second.items()}
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
    return {**{name: Version(version).public for name, version in found.items()}, **end.versions.exact}


def _still_open(end: Experiment) -> tuple[str, ...]:
    return end.versions.open if end.verdict.resolved.lock is None else ()


def besides(moved: Versions, end: Versions) -> Iterable[str]:
    """What `end` has besides the releases of `moved`: pins that the resolver would move, builds, extras, bounds."""
    for name, version in end.exact.items():
        if not same_build(moved.exact.get(name), version):
            yield f"{name} {version} instead of {moved.exact.get(name, 'none')}"
    for name in sorted({*moved.extras, *end.extras}):
        own, others = (_with_extras(name, one.extras.get(name, frozenset())) for one in (end, moved))
        if own != others:
            yield f"{own} instead of {others}"
    own_bounds, other_bounds = ({*one.bounds, *one.open} for one in (end, moved))
    yield from sorted(own_bounds - other_bounds)
    yield from (f"no {text}" for text in sorted(other_bounds - own_bounds))
    if end.held - moved.held:
        yield f"{', '.join(sorted(end.held - moved.held))} against what the packages require"


def _with_extras(name: str, extras: Collection[str]) -> str:
    return f"{name}[{','.join(sorted(extras))}]" if extras else name


def not_run(*ends: Experiment) -> Iterable[str]:
    """What of the two sets was not installed, with the reason."""
    return dict.fromkeys(reason for end in ends for reason in end.versions.missing)
