"""The report on all cells: verdicts, and the causes, remedies and rules that follow from all of them together.

Pure: the same verdicts give the same report, byte for byte. `generated` is when the newest result was obtained, not
when the file was written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from harness.diagnose.causes.causes import diagnosed
from harness.diagnose.remedies import matrix
from harness.diagnose.remedies.found import MatrixRemedies
from harness.diagnose.remedies.kinds import KINDS
from harness.diagnose.rules import boundaries, rules
from harness.execution.extra_cells import ExtraCells
from harness.execution.search.inference import Observed, inferred
from harness.execution.session import Session
from harness.execution.work import Origin, Work
from harness.matrix.plan import by_version
from harness.matrix.schema import ProbeSection
from harness.model import StageResult, Status
from harness.tasks.keys import platform_id, probe_id
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.report_schema import Report, ReportedCell, ReportedProbe, newest_by_runtime, recommendation
from harness.verdicts.reporting import Remedies, reported


def report(session: Session, verdicts: Sequence[Verdict]) -> Report:
    """The report on the matrix: `verdicts` with remedies, causes, rules and their boundaries, as far as they are known."""
    return boundaries.known(_open(session, verdicts), session)


def search_remedies(session: Session, verdicts: Sequence[Verdict]) -> Work:
    """A step of the pipeline: the trials that have to run before all searches for remedies have come to their end."""
    if not session.settings.searches_remedies:
        return Work()
    extra = ExtraCells(session)
    matrix.mend(extra, verdicts, KINDS)
    return extra.work()


def remedies(session: Session, verdicts: Sequence[Verdict]) -> MatrixRemedies:
    """The remedies, as far as they were run."""
    if not session.settings.reports_remedies:
        return MatrixRemedies()
    return matrix.mend(ExtraCells(session, acts=False), verdicts, KINDS)


def close_boundaries(session: Session, verdicts: Sequence[Verdict]) -> Work:
    """A step of the pipeline: the cells that close the boundaries of rules, if the options ask for that."""
    if session.settings.close_boundaries is None:
        return Work()
    extra = ExtraCells(session, cross_checked=True, origin=Origin.EXTRA_CELL)
    boundaries.close(_open(session, verdicts), extra)
    return extra.work()


def _open(session: Session, verdicts: Sequence[Verdict]) -> Report:
    """The report with boundaries as the matrix shows them."""
    reasons = session.left_out
    verdicts = [
        verdict.with_reason(reasons[verdict.cell.id]) if verdict.cell.id in reasons else verdict for verdict in verdicts
    ]
    known = remedies(session, verdicts).reported(KINDS)
    return build(verdicts, list(session.axes), session.matrix.probe, session.uv.torch_backend, known)


def build(
    verdicts: Sequence[Verdict],
    axes: Sequence[str],
    probe: ProbeSection,
    torch_backend: str | None,
    known: Remedies | None = None,
) -> Report:
    """The report on `verdicts`, in their order, with the remedies of those that fail."""
    variants = [variant for verdict in verdicts for variant in verdict.variants]
    newest = max((result.finished for result in _results(variants)), default=0.0)
    return assemble(
        _cells(verdicts, known or Remedies()),
        axes,
        generated=dt.datetime.fromtimestamp(newest, dt.UTC).isoformat(timespec="seconds") if newest else None,
        platform=platform_id(),
        torch=torch_backend or "default index",
        probe=ReportedProbe(
            id=probe_id(probe)[:16],
            model=probe.name,
            profile="own" if probe.module else probe.profile,
            seed=probe.seed,
            requires=list(probe.requires),
        ),
        sandbox=sorted({words for result in _results(variants) if (words := result.data.get("sandbox"))}),
    )


def _results(variants: Iterable[VariantVerdict]) -> Iterator[StageResult]:
    return (result for variant in variants for result in variant.results)


def assemble(
    cells: Sequence[ReportedCell],
    axes: Sequence[str],
    *,
    generated: str | None,
    platform: str,
    torch: str,
    probe: ReportedProbe,
    sandbox: Sequence[str] = (),
) -> Report:
    """The report on `cells`, in their order, with causes and rules."""
    cells = diagnosed(cells, requires=probe.requires)
    found, unexplained = rules.find(cells, axes)
    return Report(
        schema=1,
        generated=generated,
        platform=platform,
        torch=torch,
        probe=probe,
        axes={axis: _present(axis, cells) for axis in axes},
        cells=cells,
        rules=found,
        unexplained=unexplained,
        sandbox=list(sandbox),
        **recommendation(newest_by_runtime(cell for cell in cells if cell.status is Status.WORKS)),
    )


def _present(axis: str, cells: Sequence[ReportedCell]) -> list[str]:
    """The versions on an axis that cells have, also those of `[[include]]`, oldest first."""
    return sorted({cell.version(axis) for cell in cells}, key=by_version)


def _cells(verdicts: Sequence[Verdict], known: Remedies) -> list[ReportedCell]:
    observed = Observed.of(verdicts)
    guesses = inferred(observed.rows.values(), observed.seen)
    cells = []
    for verdict in verdicts:
        guess = guesses.get(observed.rows[verdict.cell.id]) if verdict.open else None
        cells.append(reported(verdict, {True: "works", False: "fails", None: None}[guess], known))
    return cells
