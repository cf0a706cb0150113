"""A version set as it can be run: with an exact version on every axis, and without what no index has, which is named."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NoReturn

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.decide.completeness import require_complete
from harness.decide.planned_sets import entry_without_wheel
from harness.decide.version_sets import Versions
from harness.environments import solve
from harness.environments.interface import DatedProvider, FailureType, ProviderFailure
from harness.errors import UnpublishedError, VersionsError, nobody_publishes
from harness.execution import extra_cells
from harness.execution.session import Session
from harness.locked import Lock, LockedDistribution
from harness.matrix.plan import Planned, requirements
from harness.model import Interpreter
from harness.packaging_values import required_name, same_build
from harness.stack import of_python, required_axes, tool_of


class Unanswered(Exception):  # noqa: N818 -- an outcome: the answer is UNKNOWN
    """The question cannot be answered now: an index does not answer, or this machine lacks the Python."""


class Completion:
    """Completes version sets in a session."""

    def __init__(self, session: Session, axes: Sequence[str], planned: Callable[[Versions], Planned]) -> None:
        """`planned` is the cell of a set."""
        self._session = session
        self._axes = axes
        self._planned = planned

    def python(self, versions: Versions) -> Interpreter:
        """The interpreter of a set.

        Raises:
            Unanswered: this machine does not have it.
        """
        found = self._session.interpreter(str(versions.python))
        if found is None:
            raise Unanswered(self._session.pythons.why_missing(str(versions.python)))
        return found

    def complete(self, versions: Versions) -> Versions:
        """The same with an exact version on every axis: an open requirement becomes what the resolver picks today.

        Raises:
            VersionsError: a distribution that every cell needs is not in it, or there is no solution.
            Unanswered: the resolver could not be asked.
        """
        # An axis that is only bounded is absent, unless every cell has it.
        versions = versions.with_bounds_as_entries([axis for axis in self._axes if axis not in required_axes(self._axes)])
        # A distribution may have several bounds, and a pin that they exclude.
        names = set(map(required_name, versions.open))
        require_complete(versions, names, self._axes, self._session.matrix)
        unpinned = [axis for axis in self._axes if axis in names and axis not in versions.exact]
        if not unpinned:
            return self._installable(versions)
        if apart := [axis for axis in unpinned if not of_python(axis)]:
            return self.complete(self._with_newest(versions, apart))
        versions, locked = self._picked(versions)
        found = {axis: locked[axis] for axis in unpinned}
        open_ = [(required_name(text), text) for text in versions.open]
        versions = replace(
            versions,
            exact={**versions.exact, **{axis: str(Version(version).public) for axis, version in found.items()}},
            open=tuple(text for name, text in open_ if name not in found),
            ignored=(*versions.ignored, *(f"{text}: it is {found[name]} today" for name, text in open_ if name in found)),
        )
        return self._installable(versions)

    def _with_newest(self, versions: Versions, names: Collection[str]) -> Versions:
        """The same with the newest versions that its requirements of packages of another kind admit: uv does not know them."""
        requirements_ = [Requirement(text) for text in versions.open]
        bounds = {name: ",".join(str(each.specifier) for each in requirements_ if each.name == name) for name in names}
        found = {name: self.newest(name, bound, versions) for name, bound in bounds.items()}
        return versions.with_(Requirement(f"{name}=={version}") for name, version in found.items())

    def newest(self, name: str, bounds: str, versions: Versions) -> str:
        """The newest published version of a distribution within `bounds`.

        Raises:
            VersionsError: there is none.
            Unanswered: the index could not be asked.
        """
        try:
            provider, asked_for = self.provider(name, versions)
            found = provider.newest(name, bounds, asked_for)
        except ProviderFailure as failure:
            if failure.unpublished:
                raise VersionsError(nobody_publishes(name, tool_of(name))) from None
            refuse(failure, f"{name}{bounds} cannot be looked up")
        if found is None:
            raise VersionsError(f"no published version of {name} satisfies {bounds!r} on Python {versions.python}")
        return found if "+" in bounds else Version(found).public

    def provider(self, name: str, versions: Versions) -> tuple[DatedProvider, Interpreter]:
        """What knows which versions of a distribution are published, and for what it is asked. Raises Unanswered."""
        return self._session.provider(name, self.python(versions))

    def _picked(self, versions: Versions) -> tuple[Versions, dict[str, str]]:
        """(`versions` without entries that no index has, name → the version that the resolver picks of what is open)."""
        while True:
            try:
                return versions, self.locked(versions)
            except ProviderFailure as failure:
                name, _, version = (failure.unpublished or "").partition("==")
                found = self._without(versions, name, version) or self._without_unbuilt(versions, str(failure))
                if found is None:
                    refuse(failure, f"{versions.source} has no solution")
                versions = found

    def locked(self, versions: Versions, preferred: Lock | None = None) -> dict[str, str]:
        """Name → version of what the resolver picks for a set. Raises ProviderFailure."""
        found: dict[str, str] = {}
        matrix = self._session.matrix
        for needed in requirements(self._planned(versions), matrix, frozenset(matrix.variants.exporters)):
            if needed.ecosystem is None:
                found |= solve.lock_for(needed, self._session.uv, self.python(versions), preferred).versions
        return found

    def _installable(self, versions: Versions) -> Versions:
        """`versions` without the entries besides the axes that cannot be installed here: they are named as missing.

        An index is asked by way of the lock, which is remembered.
        """
        builds = any(Version(version).local for version in versions.exact.values())
        while builds or versions.is_installed or self._planned(versions).added:
            try:
                (resolved,) = extra_cells.ExtraCells(self._session).resolved([self._planned(versions)])
            except UnpublishedError as error:
                found = self._without(versions, error.name, error.version)
            else:
                failure = resolved.result.error
                found = self._without_unbuilt(versions, failure.message) if failure else None
                if found is None and failure and failure.type == FailureType.UNSATISFIABLE:
                    found = self._as_it_stands(versions)
            if found is None:
                break
            versions = found
        return versions

    def _as_it_stands(self, versions: Versions) -> Versions | None:
        """`versions`, which have no solution, held against what they require; None if they are no installed ones.

        Only those are held that a resolver would have to move, unless the axes themselves do not go together.
        """
        everything = frozenset(versions.exact)
        if not versions.is_installed or versions.held == everything:
            return None
        others = {name: version for name, version in versions.exact.items() if name not in self._axes}
        preferred = Lock(distributions=tuple(LockedDistribution(name=name, version=others[name]) for name in sorted(others)))
        try:
            found = self.locked(versions.released(others), preferred)
        except ProviderFailure:
            return replace(versions, held=everything)
        moved = frozenset(name for name in others if not same_build(found.get(name), others[name]))
        return replace(versions, held=everything if versions.held or not moved else moved)

    def _without(self, versions: Versions, name: str, version: str) -> Versions | None:
        """`versions` without what no index has, or with another build on an axis; None if it is not in the way."""
        name = canonicalize_name(name)
        if name in self._axes:
            if (own := versions.exact.get(name)) is None or own != version or not Version(own).local:
                return None
            public = Version(own).public
            reason = f"{name} {own}: it is not published where uv looked, and {public} of another build was run in its place"
            return replace(versions, exact={**versions.exact, name: public}, missing=(*versions.missing, reason))
        if name not in versions.requirements or name in versions.limited:
            return None
        entry = f"{name} {version or versions.exact.get(name, '')}".strip()
        return versions.without_entry(name, f"{entry}: it is not published where uv looked, and was not installed")

    def _without_unbuilt(self, versions: Versions, message: str) -> Versions | None:
        name = entry_without_wheel(message, versions, self._axes)
        reason = f"{name}: no wheel of it fits, and nothing is built here ([uv] build), so it was not installed"
        return versions.without_entry(name, reason) if name else None


def refuse(failure: ProviderFailure, what: str) -> NoReturn:
    """Raise what a failure of the resolver means: Unanswered if it could not be asked, else VersionsError."""
    if failure.type is FailureType.INFRASTRUCTURE:
        raise Unanswered(f"{what}: {failure}") from None
    raise VersionsError(f"{what}: {failure}") from None
