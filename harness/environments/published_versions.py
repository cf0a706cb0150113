"""Selectors on an axis → the exact versions that are published; recorded, so that a matrix means the same cells tomorrow.

uv has no command that lists versions. So it is asked for the newest version below a bound, again and again, which honours
every index, mirror, credential and cut-off date that a resolution would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

from packaging.version import Version
from pydantic import Field, TypeAdapter

from harness import invocation
from harness.environments.index_answers import IndexAnswers
from harness.environments.interface import ANY, Provider, ProviderFailure
from harness.environments.lockfile import PublishedVersion
from harness.environments.providers import Packages, provider_of
from harness.errors import ConfigError, nobody_publishes
from harness.hashing import digest
from harness.matrix.schema import Matrix
from harness.matrix.values import version_key
from harness.model import Interpreter
from harness.packaging_values import ExactVersion, after, release_text, required_name
from harness.stack import tool_of
from harness.store.envelope import RecordKind


def recorded(
    matrix: Matrix,
    answers: IndexAnswers,
    provider: Provider,
    pythons: Sequence[Interpreter],
    *,
    file: str | None = None,
    packages: Packages = MappingProxyType({}),
) -> dict[str, list[str]]:
    """Axis → exact versions, without asking an index: those in the matrix, and those of selectors that have a record.

    Raises:
        ConfigError: `file`, the name of the matrix, is given, and one of its selectors has no record.
    """
    versions = {}
    for axis, values in matrix.axes.items():
        own = provider_of(axis, packages)
        found = [_record(axis, value, answers, own or provider, [ANY] if own else pythons) for value in values]
        if file and None in found and not (own and own.why_missing()):
            index = found.index(None)
            problem = f"the selector {values[index]!r} has not been resolved yet; `{invocation.command('plan')}` does that"
            raise ConfigError(file, f"axes.{axis}[{index}]", problem)
        versions[axis] = _unique(axis, (version for known in found for version in known or ()))
    return versions


def resolve(
    matrix: Matrix,
    answers: IndexAnswers,
    provider: Provider,
    pythons: Sequence[Interpreter],
    *,
    file: str,
    packages: Packages = MappingProxyType({}),
) -> dict[str, list[str]]:
    """Axis → exact versions, ascending within a selector; asks indexes about selectors that have no record.

    `packages` has the providers besides `provider`. If this machine lacks what one of them needs, the selectors of its axes
    that have no record stand for no version (`left_out`).

    Raises:
        ConfigError: a selector admits no version, or no index has the distribution.
        ProviderFailure: the index could not be asked.
    """
    resolved = {}
    for axis, values in matrix.axes.items():
        versions: list[str] = []
        own = provider_of(axis, packages)
        if own and own.why_missing():
            resolved[axis] = recorded(matrix, answers, provider, pythons, packages=packages)[axis]
            continue
        for index, value in enumerate(values):
            try:
                versions += _record_or_ask(axis, value, answers, own or provider, [ANY] if own else pythons)
            except LookupError as problem:
                raise ConfigError(file, f"axes.{axis}[{index}]", str(problem)) from None
        resolved[axis] = _unique(axis, versions)
    return resolved


def left_out(matrix: Matrix, axes: Mapping[str, Sequence[str]], packages: Packages) -> Iterator[tuple[str, str]]:
    """(axis, why) of selectors that stand for no version among `axes`, because this machine cannot ask what is published."""
    for axis, values in matrix.axes.items():
        own = provider_of(axis, packages)
        if own and (why := own.why_missing()) and len(axes[axis]) < len(values):
            yield axis, why


def between(
    axis: str, ends: tuple[str, str], policy: str, *, answers: IndexAnswers, provider: Provider, python: Interpreter, ask: bool
) -> list[str] | None:
    """The published versions between two (the older first) that `policy` keeps, oldest first; None if there is no record.

    With `ask` an index is asked if there is no record.

    Raises:
        ProviderFailure: the index could not be asked.
    """
    older, newer = ends
    spec = f"{after(older)},<{newer}"
    # A selector of the same words has a record of its own.
    key = digest(["between", _key(axis, f"{spec}; {policy}", answers, provider, [python])])
    known = answers.get(BETWEEN, key, ask=ask)
    if known is None and ask:
        known = sorted(_published(provider, axis, python, spec, policy), key=Version)
        answers.put(BETWEEN, key, known)
    return known


def published(name: str, selector: str, answers: IndexAnswers, provider: Provider, python: Interpreter) -> list[str]:
    """The published versions of a distribution that `selector` keeps, oldest first; recorded as those of an axis are.

    Raises:
        ProviderFailure: the index could not be asked.
    """
    try:
        return _record_or_ask(name, selector, answers, provider, [python])
    except LookupError:
        return []


class NotAnswered:
    """The index gave no answer, or was not asked. It says nothing about what is published."""


def newest(
    requirement: str, answers: IndexAnswers, provider: Provider, python: Interpreter, unanswered: set[str], *, ask: bool
) -> PublishedVersion | NotAnswered | None:
    """The newest version that satisfies `requirement`, recorded: the answer stands until a refresh. None if there is none.

    `unanswered` has distributions for which an index gave no answer, and takes up further ones: with `ask` an index is
    asked about the others.
    """
    key = digest(["published", requirement, python.version, provider.identity(answers.store.root)])
    known = answers.get(PUBLISHED, key, ask=ask)
    if known is not None:
        return known[0]
    name = required_name(requirement)
    if not ask or answers.provisional or name in unanswered:
        return NotAnswered()
    try:
        found = provider.published(requirement, python)
    except ProviderFailure:
        unanswered.add(name)
        return NotAnswered()
    answers.put(PUBLISHED, key, (found,))
    return found


def _record_or_ask(
    axis: str, value: str, answers: IndexAnswers, provider: Provider, pythons: Sequence[Interpreter]
) -> list[str]:
    """The published versions that `value` keeps, recorded. Raises as `_ask`."""
    known = _record(axis, value, answers, provider, pythons, ask=True)
    if known is None:
        known = _ask(axis, value, provider, pythons)
        answers.put(VERSIONS, _key(axis, value, answers, provider, pythons), known)
    return known


def _ask(axis: str, value: str, provider: Provider, pythons: Sequence[Interpreter]) -> list[str]:
    """The published versions that the selector `value` keeps, for any of `pythons`; LookupError if there are none."""
    if not pythons:
        raise LookupError(f"the selector {value!r} cannot be resolved: no interpreter of the python axis is installed")
    spec, _, policy = value.partition("; ")
    found: set[str] = set()
    for python in pythons:
        try:
            found.update(_published(provider, axis, python, spec, policy))
        except ProviderFailure as failure:
            if failure.unpublished:
                raise LookupError(nobody_publishes(axis, tool_of(axis))) from None
            raise
    if not found:
        raise LookupError(f"no published version of {axis} satisfies {spec!r} on this Python")
    return sorted(found, key=Version)


def _published(provider: Provider, axis: str, python: Interpreter, spec: str, policy: str) -> Iterator[str]:
    """The versions within `spec` that `policy` keeps, newest first."""
    if policy == "oldest":
        yield from filter(None, [provider.oldest(axis, spec, python)])
        return
    bound = spec
    while (version := provider.newest(axis, bound, python)) is not None:
        yield version
        found = Version(version)
        match policy:
            case "latest":
                return
            case "latest-per-major":
                below = f"{release_text(found.epoch, found.release[:1])}.dev0"
            case "latest-per-minor":
                below = f"{release_text(found.epoch, (*found.release, 0)[:2])}.dev0"
            case _:
                below = version
        bound = f"{spec},<{below}" if spec else f"<{below}"


def _record(
    axis: str, value: str, answers: IndexAnswers, provider: Provider, pythons: Sequence[Interpreter], *, ask: bool = False
) -> list[str] | None:
    if ";" not in value:
        return [value]
    return answers.get(VERSIONS, _key(axis, value, answers, provider, pythons), ask=ask)


VERSIONS = RecordKind(name="versions", adapter=TypeAdapter(Annotated[list[ExactVersion], Field(min_length=1)]))
"""The versions that a selector keeps."""

PUBLISHED = RecordKind(name="published", adapter=TypeAdapter(tuple[PublishedVersion | None]))
"""The newest version that satisfies a requirement; None in it where there is none."""

BETWEEN = RecordKind(name="versions-between", adapter=TypeAdapter(list[ExactVersion]))
"""The versions between two others; possibly none."""


def _key(axis: str, value: str, answers: IndexAnswers, provider: Provider, pythons: Sequence[Interpreter]) -> str:
    """The key of a look-up. It has `pythons`, because a version without a wheel for any of them is not offered."""
    return digest(["axis", axis, value, sorted({python.version for python in pythons}), provider.identity(answers.store.root)])


def _unique(axis: str, versions: Iterable[str]) -> list[str]:
    unique: dict[object, str] = {}
    for version in versions:
        unique.setdefault(version_key(axis, version), version)
    return list(unique.values())
