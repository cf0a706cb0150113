"""Whether a recorded lock can be the answer to the requirements that its key names."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version

from harness.matrix.plan import Requirements
from harness.model import Interpreter, Lock
from harness.packaging_values import distribution_name, within


def contradiction(lock: Lock, requirements: Requirements, interpreter: Interpreter) -> str | None:
    """Why `lock` is no answer to `requirements`, as the end of a sentence about it; None if it is one."""
    versions, dropped = lock.versions, {name for name, _ in lock.dropped}
    if len(versions) < len(lock.distributions):
        return "has a distribution twice"
    if stray := sorted(dropped - set(requirements.optional)):
        return f"leaves out {stray[0]}, which was not optional"
    present = [text for text in requirements.optional if text not in dropped]
    needed = list(_applicable([*requirements.needed, *present], interpreter))
    roots = {distribution_name(requirement.name) for requirement in needed}
    if missing := sorted(roots - versions.keys()):
        return f"lacks {missing[0]}, which is required"
    for requirement in (*needed, *_applicable(requirements.bounds, interpreter)):
        name, version = requirement.name, versions.get(distribution_name(requirement.name))
        if version is not None and not _within(version, requirement):
            return f"has {name} {version}, and {name}{requirement.specifier} is required"
    if strangers := sorted(versions.keys() - lock.closure(frozenset(roots)).versions.keys()):
        return f"has {strangers[0]}, which no requirement needs"
    return None


def _applicable(requirements: Iterable[str], interpreter: Interpreter) -> Iterable[Requirement]:
    """The requirements with markers that hold for `interpreter`."""
    version = interpreter.version
    variables: dict[str, str] = {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": ".".join(version.split(".")[:2]),
        "python_full_version": version,
        "implementation_version": version,
    }
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(variables):
            yield requirement


def _within(version: str, requirement: Requirement) -> bool:
    """Whether `version`, with or without its local part, is within the bounds, as for uv."""
    return any(within(text, requirement.specifier) for text in (version, Version(version).public))
