"""The choice among observed working sets. Pure functions of a report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness import invocation
from harness.decide.version_sets import Versions
from harness.errors import VersionsError, did_you_mean
from harness.matrix.plan import by_version
from harness.model import ABSENT, Status, Variant
from harness.packaging_values import same_version, within
from harness.stack import required_axes
from harness.verdicts.judge import Verdict
from harness.verdicts.report_schema import Report, ReportedCell, age, identity, newest_by_runtime, recommendation
from harness.verdicts.reporting import reported


def choose(
    report: Report, requires: Sequence[Requirement], prefer: str, like: Versions | None, remedied: Collection[str] = ()
) -> ReportedCell | None:
    """The best of the cells that were observed to work and satisfy `requires`, or None.

    A cell of `remedied` (ids), which work with a remedy only, is chosen if no other cell works.

    `prefer`: `newest`; `robust`, if neighbours (one step on one axis) work too; `smallest-change`, nearest to `like`.

    Raises:
        VersionsError: a requirement names a distribution that no cell has.
    """
    known = {"python", *(name for cell in report.cells for name in (*cell.pins, *cell.resolved))}
    for required in requires:
        if canonicalize_name(required.name) not in known:
            raise VersionsError(f"--require {required}: no cell has {required.name}{did_you_mean(required.name, known)}")
    satisfying = _satisfying(report, requires)
    able = [cell for cell in satisfying if cell.status is Status.WORKS] or [cell for cell in satisfying if cell.id in remedied]
    match prefer:
        case "robust":
            return max(able, key=lambda cell: (*robustness(report, cell), newness(cell)), default=None)
        case "smallest-change":
            assert like is not None
            like = like.with_bounds_as_entries(report.axes.keys() - required_axes(report.axes))
            return max(able, key=lambda cell: (*_kept(cell, like), newness(cell)), default=None)
        case _:
            return max(able, key=newness, default=None)


def newest(report: Report, requires: Sequence[Requirement]) -> Report:
    """`report` with the cells that satisfy `requires` alone, and the newest of them that works for each runtime."""
    cells = _satisfying(report, requires)
    best = newest_by_runtime(cell for cell in cells if cell.status is Status.WORKS)
    return replace(report, cells=cells, **recommendation(best))


def complete(report: Report, axes: Sequence[str], source: str) -> Report:
    """A report that was read from `source`, if each of its cells has a version on all of `axes`.

    Raises:
        VersionsError: a cell has no version on an axis, or one that the report's own axes do not name.
    """
    for cell in report.cells:
        for axis in axes:
            if cell.version(axis) == ABSENT:
                raise VersionsError(f"{source} cannot be pinned from: {cell.id} has no {axis}")
        for axis, versions in report.axes.items():
            if cell.version(axis) not in versions:
                raise VersionsError(
                    f"{source} cannot be pinned from: {cell.id} has {axis} {cell.version(axis)}, which its axes do not name"
                )
    return report


def newness(cell: ReportedCell) -> tuple[object, ...]:
    """The sort key by age; the runtime counts last, because its version is often given."""
    return (*age(cell), by_version(cell.runtime.version if cell.runtime else ABSENT))


def with_locks(report: Report, verdicts: Mapping[str, Verdict]) -> Report:
    """`report`, in which each cell of `verdicts` (ids) has the versions of that verdict: what a remedy moves counts."""
    locks = {id_: reported(verdict) for id_, verdict in verdicts.items()}
    own = [locks.get(cell.id, cell) for cell in report.cells]
    cells = [
        replace(cell, resolved=lock.resolved, resolved_sides=lock.resolved_sides)
        for cell, lock in zip(report.cells, own, strict=True)
    ]
    return replace(report, cells=cells)


def missed(verdict: Verdict, requires: Sequence[Requirement]) -> str:
    """The requirements that the lock of `verdict` does not satisfy; empty if it has none, which says more."""
    cell = reported(verdict)
    return ", ".join(str(required) for required in requires if cell.resolved and not satisfies(cell, required))


def working_cells(report: Report) -> list[ReportedCell]:
    """The cells that were observed to work by themselves."""
    return [cell for cell in report.cells if cell.status is Status.WORKS]


def satisfies(cell: ReportedCell, required: Requirement) -> bool:
    """Whether the cell has the distribution (or `python`), in all its environments in an admitted version."""
    versions = _versions(cell, required.name)
    return bool(versions) and all(within(version, required.specifier) for version in versions)


def _satisfying(report: Report, requires: Sequence[Requirement]) -> list[ReportedCell]:
    return [cell for cell in report.cells if all(satisfies(cell, required) for required in requires)]


def _versions(cell: ReportedCell, distribution: str) -> list[str]:
    """The versions of a distribution in the cell; the two sides of a handoff may differ if it is on no axis."""
    name = canonicalize_name(distribution)
    if name == "python" or name in cell.pins:
        return [cell.version(name)]
    environments = cell.resolved_sides.values() or [cell.resolved]
    return list(dict.fromkeys(versions[name] for versions in environments if name in versions))


def robustness(report: Report, cell: ReportedCell) -> tuple[float, int]:
    """(share, number) of the observed neighbours that work."""
    observed = [other for other in neighbours(report, cell) if other.status.is_fact]
    working = sum(other.status is Status.WORKS for other in observed)
    return (working / len(observed) if observed else 0.0, working)


def neighbours(report: Report, cell: ReportedCell) -> list[ReportedCell]:
    """The cells that are one step away on one axis and have the same version on all others."""
    found = []
    for other in report.cells:
        steps = [
            abs(versions.index(cell.version(axis)) - versions.index(other.version(axis)))
            for axis, versions in report.axes.items()
        ]
        if other.environment is cell.environment and sum(steps) == 1:
            found.append(other)
    return found


def _kept(cell: ReportedCell, like: Versions) -> tuple[int, int]:
    """How many versions of `like` stay: on axes, and others."""
    versions = {name: _versions(cell, name) for name in like.exact}
    same = [name for name in versions if versions[name] and all(same_version(like.exact[name], own) for own in versions[name])]
    axes = [name for name in same if name in cell.pins]
    return len(axes) + (cell.python == like.python), len(same) - len(axes)


def nearest(report: Report, requires: Sequence[Requirement]) -> list[str]:
    """What comes nearest if no working cell satisfies all of `requires`, in sentences."""
    sentences = []
    if satisfying := _satisfying(report, requires):
        counts = {status: sum(cell.status is status for cell in satisfying) for status in Status}
        statuses = ", ".join(f"{count} {status.value}" for status, count in counts.items() if count)
        remedied = [cell for cell in satisfying if cell.status is Status.WORKS_WITH_REMEDY]
        example = max(remedied or satisfying, key=newness)
        remedy = f", which works with {'; '.join(example.remedies)}" if remedied else ""
        sentences.append(f"cells that satisfy it: {statuses}; for example {example.id}{remedy}")
    able = working_cells(report)
    if not able:
        return [*sentences, f"no cell of this matrix was observed to work; `{invocation.command('run')}` runs it"]
    best = max(able, key=lambda cell: (sum(satisfies(cell, required) for required in requires), newness(cell)))
    missed = [
        f"{required.name} {' and '.join(_versions(best, required.name)) or ABSENT} instead of {required.specifier or 'any'}"
        for required in requires
        if not satisfies(best, required)
    ]
    return [*sentences, f"nearest that works: {best.id} with {', '.join(missed)}"]


def support(report: Report, verdict: Verdict) -> dict[Variant, int]:
    """Variant of a cell of the report → the number of neighbouring cells in which it works too."""
    near = [other for cell in report.cells if cell.id == verdict.cell.id for other in neighbours(report, cell)]
    working = [identity(variant) for cell in near for variant in cell.variants if variant.status is Status.WORKS]
    return {variant.variant: working.count(identity(variant.variant)) for variant in verdict.variants}
