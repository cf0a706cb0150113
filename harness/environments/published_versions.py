"""Selectors on an axis → exact versions, as published; recorded, so that the same matrix means the same cells tomorrow.

uv has no command that lists versions. Asking it for the newest version below a bound, again and again, gives the same
answer and honours every index, mirror, credential and cut-off date that a resolution would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated

from packaging.version import Version
from pydantic import Field, TypeAdapter

from harness.environments.index_answers import IndexAnswers
from harness.environments.uv.client import Uv
from harness.environments.uv.errors import UvFailure, unpublished
from harness.errors import ConfigError
from harness.matrix.schema import Matrix
from harness.matrix.values import version_key
from harness.model import Interpreter, digest
from harness.packaging_types import ExactVersion
from harness.store.envelope import RecordKind


def recorded(
    matrix: Matrix, answers: IndexAnswers, uv: Uv, pythons: Sequence[Interpreter], *, file: str | None = None
) -> dict[str, list[str]]:
    """Axis → exact versions as far as known without asking: exact ones, and selectors that an earlier run resolved.

    Raises:
        ConfigError: `file` is given, and a selector on an axis of it has no record.
    """
    for axis, values in matrix.axes.items() if file else ():
        for place, value in enumerate(values):
            if file and _record(axis, value, answers, uv, pythons) is None:
                problem = f"the selector {value!r} has not been resolved yet; `python -m harness plan` does that"
                raise ConfigError(file, f"axes.{axis}[{place}]", problem)
    return {
        axis: _unique(axis, (version for value in values for version in (_record(axis, value, answers, uv, pythons) or ())))
        for axis, values in matrix.axes.items()
    }


def resolve(
    matrix: Matrix, answers: IndexAnswers, uv: Uv, pythons: Sequence[Interpreter], *, file: str
) -> dict[str, list[str]]:
    """Axis → exact versions, oldest first within a selector; asks the index for selectors that have no record.

    Raises:
        ConfigError: a selector admits nothing, or nobody publishes the distribution.
        UvFailure: the index could not be asked.
    """
    resolved = {}
    for axis, values in matrix.axes.items():
        versions: list[str] = []
        for place, value in enumerate(values):
            known = _record(axis, value, answers, uv, pythons, ask=True)
            if known is None:
                try:
                    known = _ask(axis, value, uv, pythons)
                except LookupError as problem:
                    raise ConfigError(file, f"axes.{axis}[{place}]", str(problem)) from None
                answers.put(VERSIONS, _key(axis, value, answers, uv, pythons), known)
            versions += known
        resolved[axis] = _unique(axis, versions)
    return resolved


def between(
    axis: str, ends: tuple[str, str], policy: str, *, answers: IndexAnswers, uv: Uv, python: Interpreter, ask: bool
) -> list[str] | None:
    """The published versions between two (the older first) that `policy` keeps, oldest first; None where that is not known.

    Raises:
        UvFailure: the index could not be asked.
    """
    older, newer = ends
    spec = f">{older},<{newer}"
    key = _key(axis, f"{spec}; {policy}", answers, uv, [python])
    known = answers.get(BETWEEN, key, ask=ask)
    if known is None and ask:
        known = sorted(_published(lambda bound: uv.newest(axis, bound, python), spec, policy), key=Version)
        answers.put(BETWEEN, key, known)
    return known


def published(name: str, selector: str, answers: IndexAnswers, uv: Uv, python: Interpreter) -> list[str]:
    """The published versions of any distribution that `selector` keeps, oldest first; recorded as those of an axis are.

    Raises:
        UvFailure: the index could not be asked.
    """
    known = _record(name, selector, answers, uv, [python], ask=True)
    if known is None:
        try:
            known = _ask(name, selector, uv, [python])
        except LookupError:
            return []
        answers.put(VERSIONS, _key(name, selector, answers, uv, [python]), known)
    return known


def _ask(axis: str, value: str, uv: Uv, pythons: Sequence[Interpreter]) -> list[str]:
    """The published versions that the selector `value` keeps, for any of `pythons`; LookupError where there are none."""
    if not pythons:
        raise LookupError(f"the selector {value!r} cannot be resolved: no interpreter of the python axis is installed")
    spec, _, policy = value.partition("; ")
    found: set[str] = set()
    for python in pythons:

        def newest(bound: str, python: Interpreter = python) -> str | None:
            return uv.newest(axis, bound, python)

        try:
            found.update(_published(newest, spec, policy))
        except UvFailure as failure:
            if unpublished(str(failure), [axis]):
                raise LookupError(f"nobody publishes a distribution named {axis!r} where uv looked") from None
            raise
    if not found:
        raise LookupError(f"no published version of {axis} satisfies {spec!r} on this Python")
    return sorted(found, key=Version)


def _published(newest: Callable[[str], str | None], spec: str, policy: str) -> Iterator[str]:
    """Versions within `spec` that `policy` keeps, newest first; `newest` answers a specifier with the newest version in it."""
    bound = spec
    while (version := newest(bound)) is not None:
        yield version
        release = Version(version).release
        match policy:
            case "latest":
                return
            case "latest-per-major":
                below = f"{release[0]}.dev0"
            case "latest-per-minor":
                below = f"{release[0]}.{release[1] if len(release) > 1 else 0}.dev0"
            case _:
                below = version
        bound = f"{spec},<{below}" if spec else f"<{below}"


def _record(
    axis: str, value: str, answers: IndexAnswers, uv: Uv, pythons: Sequence[Interpreter], *, ask: bool = False
) -> list[str] | None:
    if ";" not in value:
        return [value]
    return answers.get(VERSIONS, _key(axis, value, answers, uv, pythons), ask=ask)


VERSIONS = RecordKind(name="versions", adapter=TypeAdapter(Annotated[list[ExactVersion], Field(min_length=1)]))
"""The versions that a selector keeps."""

BETWEEN = RecordKind(name="versions-between", adapter=TypeAdapter(list[ExactVersion]))
"""The versions between two others; there may be none."""


def _key(axis: str, value: str, answers: IndexAnswers, uv: Uv, pythons: Sequence[Interpreter]) -> str:
    """A version that has no wheel for any of `pythons` is not offered, so what is offered depends on them."""
    return digest(["axis", axis, value, sorted({python.version for python in pythons}), uv.identity(answers.store.root)])


def _unique(axis: str, versions: Iterable[str]) -> list[str]:
    there: dict[object, str] = {}
    for version in versions:
        there.setdefault(version_key(axis, version), version)
    return list(there.values())
