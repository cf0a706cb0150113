"""Whether a lock that was recorded answers its question: its key names the question, and whoever wrote the record the lock."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version

from harness.matrix.plan import Requirements
from harness.model import Interpreter, Lock
from harness.packaging_values import distribution_name


def contradiction(lock: Lock, wanted: Requirements, interpreter: Interpreter) -> str | None:
    """What in `lock` is no answer to `wanted`, as the end of a sentence about it."""
    versions, dropped = lock.versions, {name for name, _ in lock.dropped}
    if len(versions) < len(lock.distributions):
        return "has a distribution twice"
    if stray := sorted(dropped - set(wanted.optional)):
        return f"leaves out {stray[0]}, which was not optional"
    needed = list(_holding([*wanted.needed, *(one for one in wanted.optional if one not in dropped)], interpreter))
    roots = {distribution_name(one.name) for one in needed}
    if missing := sorted(roots - versions.keys()):
        return f"lacks {missing[0]}, which was asked for"
    for one in (*needed, *_holding(wanted.bounds, interpreter)):
        version = versions.get(distribution_name(one.name))
        if version is not None and not _within(version, one):
            return f"has {one.name} {version}, and {one.name}{one.specifier} was asked for"
    if strangers := sorted(versions.keys() - lock.closure(frozenset(roots)).versions.keys()):
        return f"has {strangers[0]}, which nothing that was asked for requires"
    return None


def _holding(requirements: Iterable[str], interpreter: Interpreter) -> Iterable[Requirement]:
    """Those whose markers hold for `interpreter`."""
    version = interpreter.version
    here: dict[str, str] = {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": ".".join(version.split(".")[:2]),
        "python_full_version": version,
        "implementation_version": version,
    }
    for text in requirements:
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate(here):
            yield one


def _within(version: str, one: Requirement) -> bool:
    """A version with a local part is within what its public part is within, as uv has it."""
    return any(one.specifier.contains(text, prereleases=True) for text in (version, Version(version).public))
