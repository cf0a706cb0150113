"""Version sets that are run by a session: the cell of a set, its variants, and what the resolver must move."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from packaging.requirements import Requirement
from packaging.version import Version

from harness.decide.completeness import require_complete
from harness.decide.version_sets import Versions
from harness.diagnose.remedies.interface import Remedy, RemedySearch
from harness.diagnose.remedies.kinds import KINDS
from harness.diagnose.remedies.trials import VariantSearch
from harness.environments import published_versions, solve
from harness.environments.interface import FailureType, ProviderFailure
from harness.errors import UnpublishedError, VersionsError, did_you_mean, nobody_publishes
from harness.execution import extra_cells
from harness.execution.executors import local
from harness.execution.extra_cells import ExtraCells
from harness.execution.session import Session
from harness.hashing import digest
from harness.matrix.plan import Planned, deciding, requirements, runs_apart, short_name, unique_ids
from harness.matrix.schema import BUILT_IN, Matrix, Variants
from harness.matrix.values import NAME
from harness.model import Cell, Interpreter, Lock, LockedDistribution, Setup, Variant
from harness.packaging_values import quoted, required_name
from harness.stack import EXPORTS_WITH_RUNTIME, LARGE, of_python, required_axes, tool_of
from harness.verdicts.judge import VariantVerdict, Verdict

_AT_ONCE = 8
"""Sets that run at once, at most: each has an environment on disk."""


class Unanswered(Exception):  # noqa: N818 -- an outcome: the answer is UNKNOWN
    """The question cannot be answered now: an index does not answer, or this machine lacks the Python."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """A version set and the verdict on it."""

    versions: Versions
    verdict: Verdict


def requested_variants(
    matrix: Matrix, exporters: Sequence[str], opset: int | None, layouts: Sequence[str]
) -> tuple[Matrix, tuple[Variant, ...]]:
    """(matrix to run by, variants): those of `[variants]`, with the values that are given here instead.

    The matrix keeps its own exporters besides these, because what an exporter needs is part of the lock of every cell.

    Raises:
        VersionsError: there is no such exporter or layout, or no opset for one.
    """
    own = matrix.variants
    for option, names, known in (("--exporter", exporters, "exporters"), ("--layout", layouts, "layouts")):
        for name in names:
            if matrix.probe.module is None and name not in BUILT_IN[known]:
                raise VersionsError(f"{option} {name}: unknown{did_you_mean(name, BUILT_IN[known])}")
            if not NAME.fullmatch(name):
                raise VersionsError(f"{option}: expected a name such as 'torchscript', not {quoted(name)}")
    requested = list(exporters) or own.exporters
    opsets = {**Variants().opsets, **own.opsets}
    if opset is not None:
        opsets |= {name: [opset] for name in requested}
    for name in requested:
        if not opsets.get(name):
            raise VersionsError(f"no opset is known for the exporter {name}: give one with --opset")
    chosen = own.model_copy(update={"exporters": requested, "opsets": opsets, "layouts": list(layouts) or own.layouts})
    all_exporters = list(dict.fromkeys([*own.exporters, *requested]))
    rule = chosen.model_copy(update={"exporters": all_exporters})
    return matrix.model_copy(update={"variants": rule}), tuple(chosen.product())


class Experiments:
    """Runs version sets in a session."""

    def __init__(self, session: Session, variants: tuple[Variant, ...]) -> None:
        """`variants` are run of each set."""
        self.session = session
        self._variants = variants
        exports_itself = sorted(EXPORTS_WITH_RUNTIME) if any(variant.exporter == "optimum" for variant in variants) else []
        self.axes = [axis for axis in dict.fromkeys([*session.matrix.axes, *exports_itself]) if axis != "python"]
        """Distributions that are installed if a set has them; any other one in a set is only a bound."""

    @property
    def rule(self) -> Variants:
        """The `[variants]` section, whose `require` says which variants decide a cell."""
        return self.session.matrix.variants

    def at_once(self, name: str) -> int:
        """How many releases of `name` to run at once: as many as probes run, fewer if they are large."""
        jobs = local.jobs(self.session.settings.jobs or self.session.matrix.run.jobs)
        return min(jobs, LARGE.get(name, _AT_ONCE))

    def python(self, versions: Versions) -> Interpreter:
        """The interpreter of a set.

        Raises:
            Unanswered: this machine does not have it.
        """
        found = self.session.interpreter(str(versions.python))
        if found is None:
            raise Unanswered(self.session.pythons.why_missing(str(versions.python)))
        return found

    def complete(self, versions: Versions) -> Versions:
        """The same with an exact version on every axis: an open requirement becomes what the resolver picks today.

        Raises:
            VersionsError: a distribution that every cell needs is not in it, or there is no solution.
            Unanswered: the resolver could not be asked.
        """
        # An axis that is only bounded is absent, unless every cell has it.
        versions = versions.with_bounds_as_entries([axis for axis in self.axes if axis not in required_axes(self.axes)])
        # A distribution may have several bounds, and a pin that they exclude.
        open_ = [(required_name(text), text) for text in versions.open]
        names = {name for name, _ in open_}
        require_complete(versions, names, self.axes, self.session.matrix)
        unpinned = [axis for axis in self.axes if axis in names and axis not in versions.exact]
        if not unpinned:
            return versions
        if apart := [axis for axis in unpinned if not of_python(axis)]:
            return self.complete(self._with_newest(versions, apart))
        pinned = [f"{axis}=={versions.exact[axis]}" for axis in self.axes if axis in versions.exact and of_python(axis)]
        requested = [text for name, text in open_ if name in unpinned]
        bounds = [*self._bounds(versions), *(text for name, text in open_ if name not in unpinned)]
        try:
            lock = self.session.uv.resolve([*pinned, *requested], self.python(versions), bounds)
        except ProviderFailure as failure:
            self._refuse(failure, f"{versions.source} has no solution")
        found = {axis: lock.versions[axis] for axis in unpinned}
        return replace(
            versions,
            exact={**versions.exact, **{axis: str(Version(version).public) for axis, version in found.items()}},
            open=tuple(text for name, text in open_ if name not in found),
            ignored=(*versions.ignored, *(f"{text}: it is {found[name]} today" for name, text in open_ if name in found)),
        )

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
            provider, asked_for = self.session.provider(name, self.python(versions))
            found = provider.newest(name, bounds, asked_for)
        except ProviderFailure as failure:
            if failure.unpublished:
                raise VersionsError(nobody_publishes(name, tool_of(name))) from None
            self._refuse(failure, f"{name}{bounds} cannot be looked up")
        if found is None:
            raise VersionsError(f"no published version of {name} satisfies {bounds!r} on Python {versions.python}")
        return Version(found).public

    def between(self, name: str, bounds: str, policy: str, versions: Versions) -> list[str]:
        """The published versions of `name` within `bounds` that `policy` keeps (values.POLICIES), oldest first."""
        try:
            provider, asked_for = self.session.provider(name, self.python(versions))
            selector = f"{bounds}; {policy}"
            found = published_versions.published(name, selector, self.session.answers, provider, asked_for)
        except ProviderFailure as failure:
            self._refuse(failure, f"{name}{bounds} cannot be looked up")
        return list(dict.fromkeys(Version(version).public for version in found))

    def released(self, name: str, version: str, versions: Versions) -> dt.date | None:
        """The day on which a version was first published; None where the index does not say.

        Raises:
            Unanswered: the index could not be asked.
        """
        try:
            provider, asked_for = self.session.provider(name, self.python(versions))
            when = provider.released(name, version, asked_for)
        except ProviderFailure as failure:
            if failure.type is FailureType.INFRASTRUCTURE:
                raise Unanswered(f"{name} {version} cannot be looked up: {failure}") from None
            return None
        return when.date() if when else None

    def moved(self, versions: Versions, exact: Mapping[str, str]) -> Versions:
        """`versions` with other versions of some distributions, and with the distributions on no axis adapted to them.

        Raises:
            Unanswered: the resolver could not be asked.
        """
        requested = [Requirement(f"{name}=={version}") for name, version in exact.items()]
        return self._settled(replace(versions.with_(requested), source="the target"), frozenset(exact))

    def _settled(self, versions: Versions, held: frozenset[str]) -> Versions:
        """The same with distributions on no axis moved if the resolver must move them, and else kept.

        The resolver does not move `held`, the requested ones: a solution has them, or there is none. Neither does it move
        a pin that a bound of the set excludes.
        """
        fixed = {*self.axes, *held, *map(required_name, versions.open)}
        others = {name: version for name, version in versions.exact.items() if name not in fixed}
        if not others:
            return versions
        preferred = Lock(distributions=tuple(LockedDistribution(name=name, version=others[name]) for name in sorted(others)))
        without = replace(versions, exact={name: version for name, version in versions.exact.items() if name not in others})
        found: dict[str, str] = {}
        try:
            for needed in requirements(self._planned(without), self.session.matrix, frozenset(self.rule.exporters)):
                if needed.ecosystem is None:
                    found |= solve.lock_for(needed, self.session.uv, self.python(versions), preferred).versions
        except ProviderFailure as failure:
            if failure.type is FailureType.INFRASTRUCTURE:
                raise Unanswered(str(failure)) from None
            return versions  # these versions have no solution, which is what the session will find
        kept = {name: Version(found[name]).public if name in found else version for name, version in others.items()}
        return replace(versions, exact={**versions.exact, **kept})

    def run(self, sets: Sequence[Versions]) -> list[Experiment]:
        """Run each set, and return them in their order.

        Raises:
            VersionsError: one names a version that nobody publishes.
        """
        planned = [self._planned(versions) for versions in sets]
        names = unique_ids([(cell.cell.id, [cell.cell.python, cell.cell.pins, cell.bounds]) for cell in planned])
        planned = [replace(cell, cell=replace(cell.cell, id=name)) for cell, name in zip(planned, names, strict=True)]
        try:
            verdicts = extra_cells.run(self.session, planned)
        except UnpublishedError as error:
            sources = [versions.source for versions in sets if versions.exact.get(error.name) == error.version]
            named = ", ".join(dict.fromkeys(sources or [versions.source for versions in sets]))
            raise VersionsError(f"{named}: {error.summary}") from None
        return [Experiment(versions=versions, verdict=verdict) for versions, verdict in zip(sets, verdicts, strict=True)]

    def remedy(self, planned: Planned, variant: VariantVerdict, current: Verdict) -> Remedy | None:
        """A change of something else than a version on an axis that makes a variant of `planned` work, or None.

        The changed variant must be a deciding one; if all variants must work, it must keep its exporter.
        """

        def admits(changed: Variant) -> bool:
            kept = self.rule.require != "all" or changed.exporter == variant.variant.exporter
            return kept and changed in deciding(self.rule, planned.cell, (*planned.variants, changed))

        def search(extra: ExtraCells) -> RemedySearch:
            return VariantSearch(
                extra=extra,
                planned=replace(planned, variants=(variant.variant,)),
                kinds=KINDS,
                near=[current],
                asks_index=False,
                admits=admits,
            ).run()

        found = extra_cells.complete(self.session, search).remedy
        return found if found and found.keeps_cell else None

    def run_planned(self, planned: Planned) -> Verdict:
        """Run a set exactly as it is planned."""
        (verdict,) = extra_cells.run(self.session, [planned], cross_checked=False)
        return verdict

    def _planned(self, versions: Versions) -> Planned:
        pins = tuple((axis, versions.exact[axis]) for axis in self.axes if axis in versions.exact)
        bounds = (*self._bounds(versions), *versions.open)
        names = "-".join(
            f"{short_name(name)}{version.replace('.', '')}" for name, version in (("python", str(versions.python)), *pins)
        )
        # Two sets may differ only in their bounds.
        identifier = f"{names}-{digest(bounds)[:6]}" if bounds else names
        setup = Setup.HANDOFF if runs_apart(dict(pins)) else self.session.matrix.setup[0]
        cell = Cell(id=identifier, python=str(versions.python), pins=pins, setup=setup)
        return Planned(cell=cell, variants=self._variants, bounds=bounds)

    def _bounds(self, versions: Versions) -> tuple[str, ...]:
        pins = (f"{name}=={version}" for name, version in sorted(versions.exact.items()) if name not in self.axes)
        return (*pins, *versions.bounds)

    @staticmethod
    def _refuse(failure: ProviderFailure, what: str) -> NoReturn:
        if failure.type is FailureType.INFRASTRUCTURE:
            raise Unanswered(f"{what}: {failure}") from None
        raise VersionsError(f"{what}: {failure}") from None
