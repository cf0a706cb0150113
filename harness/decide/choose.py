"""Which of the observed working sets is chosen: pure functions of a report."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.decide.version_sets import Versions
from harness.errors import VersionsError, did_you_mean
from harness.matrix.plan import by_version
from harness.model import ABSENT, Status, Variant
from harness.verdicts.judge import Verdict
from harness.verdicts.report_model import Report, ReportedCell, age, identity


def choose(
    report: Report, requires: Sequence[Requirement], prefer: str, like: Versions | None, remedied: Collection[str] = ()
) -> ReportedCell | None:
    """The best of the cells that were observed to work and satisfy `requires`, or None.

    One of `remedied` (ids), which work with a remedy only, is chosen where none works as it is.

    `prefer`: `newest`; `robust`, whose neighbours (one step on one axis) work too; `smallest-change`, nearest to `like`.

    Raises:
        VersionsError: a requirement names what is in no cell.
    """
    known = {"python", *(name for cell in report.cells for name in (*cell.pins, *cell.resolved))}
    for one in requires:
        if canonicalize_name(one.name) not in known:
            raise VersionsError(f"--require {one}: no cell has {one.name}{did_you_mean(one.name, known)}")
    meant = [cell for cell in report.cells if all(satisfies(cell, one) for one in requires)]
    able = [cell for cell in meant if cell.status is Status.WORKS] or [cell for cell in meant if cell.id in remedied]
    match prefer:
        case "robust":
            return max(able, key=lambda cell: (*robustness(report, cell), newness(cell)), default=None)
        case "smallest-change":
            assert like is not None
            return max(able, key=lambda cell: (*_kept(cell, like), newness(cell)), default=None)
        case _:
            return max(able, key=newness, default=None)


def complete(report: Report, axes: Sequence[str], source: str) -> Report:
    """The report, which came from elsewhere, if each of its cells has a version on all of `axes`.

    Raises:
        VersionsError: one has none, or one that the report's own axes do not name.
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
    """What orders cells by how new they are: onnxruntime, which others choose, counts last."""
    return (*age(cell), by_version(cell.version("onnxruntime")))


def working_cells(report: Report) -> list[ReportedCell]:
    """The cells that were observed to work as they are."""
    return [cell for cell in report.cells if cell.status is Status.WORKS]


def satisfies(cell: ReportedCell, one: Requirement) -> bool:
    """Whether the cell has the distribution (or `python`), and in no environment a version that the requirement refuses."""
    versions = _versions(cell, one.name)
    return bool(versions) and all(one.specifier.contains(version, prereleases=True) for version in versions)


def _versions(cell: ReportedCell, written: str) -> list[str]:
    """The versions of a distribution that the cell has: of what is transitive, the sides of a handoff may have one each."""
    name = canonicalize_name(written)
    if name == "python" or name in cell.pins:
        return [cell.version(name)]
    environments = cell.resolved_sides.values() or [cell.resolved]
    return list(dict.fromkeys(versions[name] for versions in environments if name in versions))


def robustness(report: Report, cell: ReportedCell) -> tuple[float, int]:
    """(share, number) of the observed neighbours that work."""
    seen = [one.status is Status.WORKS for one in neighbours(report, cell) if one.status in {Status.WORKS, Status.FAILS}]
    return (sum(seen) / len(seen) if seen else 0.0, sum(seen))


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
    """How much of `like` stays: axes, then other distributions."""
    same = [name for name, version in like.exact.items() if {_public(one) for one in _versions(cell, name)} == {version}]
    axes = [name for name in same if name in cell.pins]
    return len(axes) + (cell.python == like.python), len(same) - len(axes)


def _public(version: str) -> str:
    return Version(version).public


def nearest(report: Report, requires: Sequence[Requirement]) -> list[str]:
    """Where nothing satisfies all of `requires`: what comes nearest, a sentence each."""
    said = []
    meant = [cell for cell in report.cells if all(satisfies(cell, one) for one in requires)]
    if meant:
        counts = {status: sum(cell.status is status for cell in meant) for status in Status}
        told = ", ".join(f"{count} {status.value}" for status, count in counts.items() if count)
        mended = [cell for cell in meant if cell.status is Status.WORKS_WITH_REMEDY]
        example = max(mended or meant, key=newness)
        how = f", which works with {'; '.join(example.remedies)}" if mended else ""
        said.append(f"cells that satisfy it: {told}; for example {example.id}{how}")
    able = working_cells(report)
    if not able:
        said.append("no cell of this matrix was observed to work; `python -m harness run` runs it")
    else:
        best = max(able, key=lambda cell: (sum(satisfies(cell, one) for one in requires), newness(cell)))
        missed = [
            f"{one.name} {' and '.join(_versions(best, one.name)) or ABSENT} instead of {one.specifier or 'any'}"
            for one in requires
            if not satisfies(best, one)
        ]
        said.append(f"nearest that works: {best.id} with {', '.join(missed)}")
    return said


def support(report: Report, verdict: Verdict) -> dict[Variant, int]:
    """Variant of a cell of the report → in how many neighbouring cells it works too."""
    near = [other for cell in report.cells if cell.id == verdict.cell.id for other in neighbours(report, cell)]
    ways = [identity(one) for cell in near for one in cell.variants if one.status is Status.WORKS]
    return {one.variant: ways.count(identity(one.variant)) for one in verdict.variants}
