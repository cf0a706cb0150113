"""Sets of versions as questions to a session: which cell a set is, which variants are asked, what the resolver must move."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.decide.version_sets import Versions
from harness.diagnose.remedies.interface import Remedy, RemedySearch
from harness.diagnose.remedies.kinds import KINDS
from harness.diagnose.remedies.trials import VariantSearch
from harness.environments import published_versions, resolver
from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.sources import Pythons
from harness.errors import UnpublishedError, VersionsError, did_you_mean
from harness.execution.executors import local
from harness.execution.questions import Pending, Questions
from harness.execution.session import Session
from harness.execution.work import Origin
from harness.matrix.plan import Planned, deciding, requirements, short_name, unique_ids
from harness.matrix.schema import BUILT_IN, Matrix, Variants
from harness.matrix.values import NAME
from harness.model import Cell, Interpreter, Lock, LockedDistribution, Variant, digest
from harness.packaging_values import quoted
from harness.stack import EXPORTS_WITH_RUNTIME, LARGE, REQUIRED_AXES
from harness.verdicts.judge import VariantVerdict, Verdict

_AT_ONCE = 8
"""Sets that are asked at once, at most: each has an environment on disk."""


class Unanswered(Exception):  # noqa: N818 -- an outcome: the answer is UNKNOWN
    """Nothing can be asked for now: the index does not answer, or there is no such Python on this machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """A set of versions and what became of it."""

    versions: Versions
    verdict: Verdict


def asked_variants(
    matrix: Matrix, exporters: Sequence[str], opset: int | None, layouts: Sequence[str]
) -> tuple[Matrix, tuple[Variant, ...]]:
    """(the matrix to ask by, the variants wanted): those of `[variants]`, with what is given here instead.

    The matrix keeps its own exporters beside those: what an exporter needs is part of every cell's lock.

    Raises:
        VersionsError: there is no such exporter or layout, or no opset for one.
    """
    own = matrix.variants
    if matrix.probe.module is None:
        for option, names, known in (("--exporter", exporters, "exporters"), ("--layout", layouts, "layouts")):
            for name in names:
                if name not in BUILT_IN[known]:
                    raise VersionsError(f"{option} {name}: unknown{did_you_mean(name, BUILT_IN[known])}")
    for option, names in (("--exporter", exporters), ("--layout", layouts)):
        for name in names:
            if not NAME.fullmatch(name):
                raise VersionsError(f"{option}: expected a name such as 'torchscript', not {quoted(name)}")
    wanted = list(exporters) or own.exporters
    opsets = {**Variants().opsets, **own.opsets}
    if opset is not None:
        opsets |= {name: [opset] for name in wanted}
    for name in wanted:
        if not opsets.get(name):
            raise VersionsError(f"no opset is known for the exporter {name}: give one with --opset")
    chosen = own.model_copy(update={"exporters": wanted, "opsets": opsets, "layouts": list(layouts) or own.layouts})
    every = list(dict.fromkeys([*own.exporters, *wanted]))
    by = chosen.model_copy(update={"exporters": every})
    return matrix.model_copy(update={"variants": by}), tuple(chosen.product())


class Experiments:
    """Asks a session about sets of versions."""

    def __init__(self, session: Session, variants: tuple[Variant, ...]) -> None:
        self.session = session
        self._variants = variants
        self._pythons = Pythons(session.uv)
        exports_itself = sorted(EXPORTS_WITH_RUNTIME) if any(one.exporter == "optimum" for one in variants) else []
        self.axes = [axis for axis in dict.fromkeys([*session.matrix.axes, *exports_itself]) if axis != "python"]
        """What is installed because a set has it; anything else in a set limits what these need."""

    @property
    def wanted(self) -> Variants:
        """What decides a cell."""
        return self.session.matrix.variants

    def at_once(self, name: str) -> int:
        """How many releases of `name` are worth asking about at once: as many as probes run, fewer if they are large."""
        jobs = local.jobs(self.session.settings.jobs or self.session.matrix.run.jobs)
        return min(jobs, LARGE.get(name, _AT_ONCE))

    def python(self, versions: Versions) -> Interpreter:
        """The interpreter of a set.

        Raises:
            Unanswered: this machine has none such.
        """
        found = self._pythons.find(str(versions.python))
        if found is None:
            raise Unanswered(f"no CPython {versions.python} on this machine; 'uv python install {versions.python}' gets one")
        return found

    def complete(self, versions: Versions) -> Versions:
        """The same with an exact version on every axis: what is open is what the resolver picks today.

        Raises:
            VersionsError: a distribution that every cell needs is not in it, or there is no solution.
            Unanswered: the resolver could not be asked.
        """
        if versions.python is None:
            there = ", ".join(self.session.matrix.axes["python"])
            raise VersionsError(f"{versions.source} says nothing of Python: give --python (the matrix has {there})")
        left: dict[str, str] = {canonicalize_name(Requirement(text).name): text for text in versions.open}
        needed = [axis for axis in REQUIRED_AXES if axis in self.axes]
        missing = [axis for axis in needed if axis not in versions.exact and axis not in left]
        if missing:
            there = ", ".join(axis for axis in needed if axis not in missing) or "none of what is needed"
            options = " ".join(f"--with {axis}==…" for axis in missing)
            raise VersionsError(f"{versions.source} has {there}; {', '.join(missing)} missing: name them with {options}")
        unsure = [axis for axis in self.axes if axis in left]
        if not unsure:
            return versions
        pinned = [f"{axis}=={versions.exact[axis]}" for axis in self.axes if axis in versions.exact]
        bounds = [*self._bounds(versions), *(text for name, text in left.items() if name not in unsure)]
        try:
            lock = self.session.uv.resolve([*pinned, *(left[axis] for axis in unsure)], self.python(versions), bounds)
        except ProviderFailure as failure:
            self._refuse(failure, f"{versions.source} has no solution")
        found = {axis: lock.versions[axis] for axis in unsure}
        return replace(
            versions,
            exact={**versions.exact, **{axis: str(Version(version).public) for axis, version in found.items()}},
            open=tuple(text for name, text in left.items() if name not in found),
            ignored=(*versions.ignored, *(f"{left[axis]}: it is {version} today" for axis, version in found.items())),
        )

    def newest(self, name: str, bounds: str, versions: Versions) -> str:
        """The newest published version of a distribution within `bounds`.

        Raises:
            VersionsError: there is none.
            Unanswered: the index could not be asked.
        """
        try:
            found = self.session.uv.newest(name, bounds, self.python(versions))
        except ProviderFailure as failure:
            if failure.unpublished:
                raise VersionsError(f"nobody publishes a distribution named {name!r} where uv looked") from None
            self._refuse(failure, f"{name}{bounds} cannot be looked up")
        if found is None:
            raise VersionsError(f"no published version of {name} satisfies {bounds!r} on Python {versions.python}")
        return Version(found).public

    def between(self, name: str, bounds: str, policy: str, versions: Versions) -> list[str]:
        """The published versions of `name` within `bounds` that `policy` keeps (values.POLICIES), oldest first."""
        try:
            found = published_versions.published(
                name, f"{bounds}; {policy}", self.session.answers, self.session.uv, self.python(versions)
            )
        except ProviderFailure as failure:
            self._refuse(failure, f"{name}{bounds} cannot be looked up")
        return list(dict.fromkeys(Version(version).public for version in found))

    def released(self, name: str, version: str, versions: Versions) -> dt.date | None:
        """The day on which a version was first published; None where the index does not say.

        Raises:
            Unanswered: the index could not be asked.
        """
        try:
            when = self.session.uv.released(name, version, self.python(versions))
        except ProviderFailure as failure:
            if failure.type is FailureType.INFRASTRUCTURE:
                raise Unanswered(f"{name} {version} cannot be looked up: {failure}") from None
            return None
        return when.date() if when else None

    def moved(self, versions: Versions, exact: Mapping[str, str]) -> Versions:
        """`versions` with `exact` in place of what they say of these distributions, and what is on no axis settled.

        Raises:
            Unanswered: the resolver could not be asked.
        """
        requested = [Requirement(f"{name}=={version}") for name, version in exact.items()]
        return self._settled(replace(versions.with_(requested), source="the target"), frozenset(exact))

    def _settled(self, versions: Versions, held: frozenset[str]) -> Versions:
        """The same with what is on no axis moved where the resolver must, and kept where a solution has room for it.

        What was asked for, `held`, is not for the resolver to move: a solution has it, or there is none.
        """
        others = {name: version for name, version in versions.exact.items() if name not in {*self.axes, *held}}
        if not others:
            return versions
        preferred = Lock(distributions=tuple(LockedDistribution(name=name, version=others[name]) for name in sorted(others)))
        asked = replace(versions, exact={name: version for name, version in versions.exact.items() if name not in others})
        found: dict[str, str] = {}
        try:
            for wanted in requirements(self._planned(asked), self.session.matrix, frozenset(self.wanted.exporters)):
                found |= resolver.lock_for(wanted, self.session.uv, self.python(versions), preferred).versions
        except ProviderFailure as failure:
            if failure.type is FailureType.INFRASTRUCTURE:
                raise Unanswered(str(failure)) from None
            return versions  # a fact about these versions, which the session will state
        kept = {name: Version(found[name]).public if name in found else version for name, version in others.items()}
        return replace(versions, exact={**versions.exact, **kept})

    def ask(self, sets: Sequence[Versions]) -> list[Experiment]:
        """What becomes of each set, in their order.

        Raises:
            VersionsError: one names a version that nobody publishes.
        """
        planned = [self._planned(one) for one in sets]
        names = unique_ids([(one.cell.id, [one.cell.python, one.cell.pins, one.bounds]) for one in planned])
        planned = [replace(one, cell=replace(one.cell, id=name)) for one, name in zip(planned, names, strict=True)]
        try:
            verdicts = self.session.ask(planned)
        except UnpublishedError as error:
            naming = [one.source for one in sets if one.exact.get(error.name) == error.version] or [one.source for one in sets]
            raise VersionsError(f"{', '.join(dict.fromkeys(naming))}: {error.summary} where uv looked") from None
        return [Experiment(versions=one, verdict=verdict) for one, verdict in zip(sets, verdicts, strict=True)]

    def remedy(self, planned: Planned, one: VariantVerdict, now: Verdict) -> Remedy | None:
        """What was changed about `planned` besides a version on an axis, and made that variant work; `now` is what one has.

        What decides must not be changed into what does not, nor where all must work into another way to export.
        """

        def admits(changed: Variant) -> bool:
            kept = self.wanted.require != "all" or changed.exporter == one.variant.exporter
            return kept and changed in deciding(self.wanted, planned.cell, (*planned.variants, changed))

        found = self._search(planned, one.variant, now, admits).remedy
        return found if found and found.keeps_cell else None

    def _search(self, planned: Planned, variant: Variant, now: Verdict, admits: Callable[[Variant], bool]) -> RemedySearch:
        single = replace(planned, variants=(variant,))
        while True:
            questions = Questions(self.session, origin=Origin.QUESTION)
            try:
                return VariantSearch(
                    questions=questions, planned=single, kinds=KINDS, near=[now], asks_index=False, admits=admits
                ).run()
            except Pending:
                self.session.run(questions.work())

    def judged(self, planned: Planned) -> Verdict:
        """What becomes of a set as it is planned."""
        (verdict,) = self.session.ask([planned], cross_checked=False)
        return verdict

    def _planned(self, versions: Versions) -> Planned:
        pins = tuple((axis, versions.exact[axis]) for axis in self.axes if axis in versions.exact)
        bounds = (*self._bounds(versions), *versions.open)
        names = "-".join(
            f"{short_name(name)}{version.replace('.', '')}" for name, version in (("python", str(versions.python)), *pins)
        )
        # Two sets may differ in nothing but their bounds.
        identifier = f"{names}-{digest(bounds)[:6]}" if bounds else names
        cell = Cell(id=identifier, python=str(versions.python), pins=pins, setup=self.session.matrix.setup[0])
        return Planned(cell=cell, variants=self._variants, bounds=bounds)

    def _bounds(self, versions: Versions) -> tuple[str, ...]:
        return tuple(f"{name}=={version}" for name, version in sorted(versions.exact.items()) if name not in self.axes)

    @staticmethod
    def _refuse(failure: ProviderFailure, what: str) -> NoReturn:
        if failure.type is FailureType.INFRASTRUCTURE:
            raise Unanswered(f"{what}: {failure}") from None
        raise VersionsError(f"{what}: {failure}") from None
