"""Version sets that are run by a session: the cell of a set, its variants, and what the resolver must move."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.version import Version

from harness.decide import planned_sets
from harness.decide.complete_sets import Completion, Unanswered, refuse
from harness.decide.version_sets import Versions
from harness.diagnose.remedies.interface import Remedy, RemedySearch
from harness.diagnose.remedies.kinds import KINDS
from harness.diagnose.remedies.trials import VariantSearch
from harness.environments import published_versions
from harness.environments.interface import FailureType, ProviderFailure
from harness.errors import UnpublishedError, VersionsError, did_you_mean
from harness.execution import extra_cells
from harness.execution.executors import local
from harness.execution.extra_cells import ExtraCells
from harness.execution.session import Session
from harness.locked import Lock, LockedDistribution
from harness.matrix.plan import Planned, unique_ids
from harness.matrix.schema import BUILT_IN, Matrix, Variants
from harness.matrix.values import NAME
from harness.matrix.variants import deciding, product
from harness.model import Variant
from harness.packaging_values import quoted, required_name
from harness.stack import EXPORTER_AXES, LARGE
from harness.verdicts.judge import VariantVerdict, Verdict

_AT_ONCE = 8
"""Sets that run at once, at most: each has an environment on disk."""


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
    return matrix.model_copy(update={"variants": rule}), tuple(product(chosen))


class Experiments:
    """Runs version sets in a session."""

    def __init__(self, session: Session, variants: tuple[Variant, ...]) -> None:
        """`variants` are run of each set."""
        self.session = session
        self._variants = variants
        exports_itself = sorted(frozenset().union(*(EXPORTER_AXES.get(variant.exporter, ()) for variant in variants)))
        self.axes = [axis for axis in dict.fromkeys([*session.matrix.axes, *exports_itself]) if axis != "python"]
        """Distributions with a version of their own in a cell; others of a set are installed beside them."""
        self._completion = Completion(session, self.axes, self._planned)

    @property
    def rule(self) -> Variants:
        """The `[variants]` section, whose `require` says which variants decide a cell."""
        return self.session.matrix.variants

    def at_once(self, name: str) -> int:
        """How many releases of `name` to run at once: as many as probes run, fewer if they are large."""
        jobs = local.jobs(self.session.settings.jobs or self.session.matrix.run.jobs)
        return min(jobs, LARGE.get(name, _AT_ONCE))

    def complete(self, versions: Versions) -> Versions:
        """See `Completion.complete`."""
        return self._completion.complete(versions)

    def newest(self, name: str, bounds: str, versions: Versions) -> str:
        """See `Completion.newest`."""
        return self._completion.newest(name, bounds, versions)

    def between(self, name: str, bounds: str, policy: str, versions: Versions) -> list[str]:
        """The published versions of `name` within `bounds` that `policy` keeps (values.POLICIES), oldest first."""
        try:
            provider, asked_for = self._completion.provider(name, versions)
            selector = f"{bounds}; {policy}"
            found = published_versions.published(name, selector, self.session.answers, provider, asked_for)
        except ProviderFailure as failure:
            refuse(failure, f"{name}{bounds} cannot be looked up")
        return list(dict.fromkeys(Version(version).public for version in found))

    def released(self, name: str, version: str, versions: Versions) -> dt.date | None:
        """The day on which a version was first published; None where the index does not say.

        Raises:
            Unanswered: the index could not be asked.
        """
        try:
            provider, asked_for = self._completion.provider(name, versions)
            when = provider.released(name, version, asked_for)
        except ProviderFailure as failure:
            if failure.type is FailureType.INFRASTRUCTURE:
                raise Unanswered(f"{name} {version} cannot be looked up: {failure}") from None
            return None
        return when.date() if when else None

    def moved(self, versions: Versions, exact: Mapping[str, str], *, adds: bool = False) -> Versions:
        """`versions` with other versions of some distributions, and with the distributions on no axis adapted to them.

        With `adds` one that is not in the set is installed.

        Raises:
            Unanswered: the resolver could not be asked.
        """
        builds = {name: self._same_build(versions, name, version) for name, version in exact.items()}
        requested = [Requirement(f"{name}=={version}") for name, version in builds.items()]
        target = versions.with_(requested, adds=adds)
        return self._settled(replace(target, source="the target"), frozenset(exact))

    def _same_build(self, versions: Versions, name: str, version: str) -> str:
        """`version` in the build (`+cpu`) that the set has of `name`, if that is published."""
        local = Version(versions.exact[name]).local if name in versions.exact else None
        if local is None or Version(version).local:
            return version
        try:
            return self.session.uv.newest(name, f"=={version}+{local}", self._completion.python(versions)) or version
        except ProviderFailure as failure:
            if failure.type is FailureType.INFRASTRUCTURE:
                raise Unanswered(f"{name} {version}+{local} cannot be looked up: {failure}") from None
            return version

    def _settled(self, versions: Versions, held: frozenset[str]) -> Versions:
        """The same with distributions on no axis moved if the resolver must move them, and else kept.

        The resolver does not move `held`, the requested ones: a solution has them, or there is none. Neither does it move
        a pin that a bound of the set excludes.
        """
        fixed = {*self.axes, *held, *versions.held, *map(required_name, versions.open)}
        others = {name: version for name, version in versions.exact.items() if name not in fixed}
        if not others:
            return versions
        preferred = Lock(distributions=tuple(LockedDistribution(name=name, version=others[name]) for name in sorted(others)))
        try:
            found = self._completion.locked(versions.released(others), preferred)
        except ProviderFailure as failure:
            if failure.type is FailureType.INFRASTRUCTURE:
                raise Unanswered(str(failure)) from None
            return versions  # these versions have no solution, which is what the session will find
        kept = {name: found.get(name, version) for name, version in others.items()}
        return replace(versions, exact={**versions.exact, **kept})

    def is_one_cell(self, first: Versions, second: Versions) -> bool:
        """Whether two sets are one cell, and one verdict."""
        return self._planned(first) == self._planned(second)

    def run(self, sets: Sequence[Versions]) -> list[Experiment]:
        """Run each set, and return them in their order.

        Raises:
            VersionsError: one names a version that nobody publishes.
        """
        planned = [self._planned(versions) for versions in sets]
        content = [[cell.cell.python, cell.cell.pins, cell.bounds, cell.added, cell.overrides] for cell in planned]
        names = unique_ids([(cell.cell.id, parts) for cell, parts in zip(planned, content, strict=True)])
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
        return planned_sets.planned(versions, self.axes, self._variants, self.session.matrix.setup)
