"""Whether a recorded answer, or its lock, can be one to the requirements that its key names."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.version import Version

from harness.environments.lock_records import Solved
from harness.locked import Lock
from harness.matrix.plan import Requirements
from harness.model import Interpreter, Stage, Status
from harness.packaging_values import distribution_name, same_build, within


def contradiction_of(solved: Solved, requirements: Requirements, interpreter: Interpreter) -> str | None:
    """Why `solved` is no answer to `requirements`, as the end of a sentence about it; None if it is one."""
    end = Status.FAILS if solved.lock is None else Status.WORKS
    if solved.result.stage is not Stage.RESOLVE or solved.result.status is not end:
        return f"is no resolution: {solved.result.stage} {solved.result.status} {'with' if solved.lock else 'without'} a lock"
    return contradiction(solved.lock, requirements, interpreter) if solved.lock else None


def contradiction(lock: Lock, requirements: Requirements, interpreter: Interpreter) -> str | None:
    """Why `lock` is no answer to `requirements`, as the end of a sentence about it; None if it is one."""
    if requirements.ecosystem:
        return _contradiction_of_packages(lock, requirements)
    versions, dropped = lock.versions, {name for name, _ in lock.dropped}
    if len(versions) < len(lock.distributions):
        return "has a distribution twice"
    if stray := sorted(dropped - set(requirements.optional)):
        return f"leaves out {stray[0]}, which was not optional"
    present = [text for text in requirements.optional if text not in dropped]
    needed = _applicable([*requirements.needed, *present], interpreter)
    roots = {distribution_name(_requirement(text).name) for text in needed}
    if missing := sorted(roots - versions.keys()):
        return f"lacks {missing[0]}, which is required"
    for text in (*needed, *_applicable(requirements.bounds, interpreter)):
        requirement = _requirement(text)
        name, version = requirement.name, versions.get(distribution_name(requirement.name))
        if version is not None and not _within(version, text):
            return f"has {name} {version}, and {name}{requirement.specifier} is required"
    if strangers := sorted(versions.keys() - lock.reached(roots)):
        return f"has {strangers[0]}, which no requirement needs"
    return None


def _contradiction_of_packages(lock: Lock, requirements: Requirements) -> str | None:
    """As `contradiction`, of packages that are no distributions of Python: the names are theirs, and the versions are exact."""
    versions, roots = lock.versions, dict(text.split("==", 1) for text in requirements.needed)
    for name, version in roots.items():
        if not same_build(versions.get(name), version):
            return f"has {name} {versions.get(name, 'not at all')}, and {name}=={version} is required"
    if strangers := sorted(versions.keys() - lock.reached(roots)):
        return f"has {strangers[0]}, which no requirement needs"
    return None


# The locks of a matrix have few different requirements and versions, in ever new combinations.
_requirement = functools.cache(Requirement)


def _applicable(requirements: Iterable[str], interpreter: Interpreter) -> list[str]:
    """The requirements with markers that hold for `interpreter`."""
    return [text for text in requirements if _applies(text, interpreter.version)]


@functools.cache
def _applies(requirement: str, version: str) -> bool:
    """Whether the marker of `requirement` holds for CPython of that full version."""
    marker = _requirement(requirement).marker
    return marker is None or marker.evaluate(
        {
            "python_version": ".".join(version.split(".")[:2]),
            "python_full_version": version,
            "implementation_version": version,
        }
    )


@functools.cache
def _within(version: str, requirement: str) -> bool:
    """Whether `version`, with or without its local part, is within the bounds, as for uv."""
    bounds = _requirement(requirement).specifier
    return any(within(text, bounds) for text in (version, Version(version).public))
