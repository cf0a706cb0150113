"""Verdicts → cells of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Stage, StageResult, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.report_schema import ReportedCell, ReportedVariant, StageTime, shortened


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantRemedies:
    """The fields of a `ReportedVariant` about remedies."""

    remedy: str | None = None
    remedies: Sequence[str] = ()
    tried: Sequence[str] = ()
    unproven: Sequence[str] = ()
    unanswered: Sequence[str] = ()
    search_open: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedies:
    """The remedies of all cells, in words; all of them were run."""

    cells: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Cell → remedies of the cell as a whole."""
    with_remedy: frozenset[str] = frozenset()
    """Cells that work with a remedy; the remedies of other cells change a version on an axis, and so the cell."""
    variants: Mapping[tuple[str, Variant], VariantRemedies] = field(default_factory=dict)
    """(cell, variant) → what was run on that variant in that cell, and nothing that was run elsewhere."""


def reported(
    verdict: Verdict, inferred: Literal["works", "fails"] | None = None, remedies: Remedies | None = None
) -> ReportedCell:
    """The cell of the report for `verdict`."""
    remedies = remedies or Remedies()
    cell, lock, packages = verdict.cell, verdict.resolved.lock, verdict.resolved.packages
    return ReportedCell(
        id=cell.id,
        python=cell.python,
        pins=dict(cell.pins),
        environment=cell.setup,
        status=Status.WORKS_WITH_REMEDY if cell.id in remedies.with_remedy else verdict.status,
        lock=verdict.resolved.digest,
        resolved=dict(sorted(lock.versions.items())) if lock else {},
        remedies=list(remedies.cells.get(cell.id, ())),
        variants=[
            _variant(variant, remedies.variants.get((cell.id, variant.variant), VariantRemedies()))
            for variant in verdict.variants
        ],
        resolved_sides={side: dict(sorted(lock.versions.items())) for side, lock in verdict.resolved.sides.items()},
        inferred=inferred,
        packages=dict(sorted(packages.lock.versions.items())) if packages else {},
        program=str(packages.interpreter.version) if packages else None,
    )


def _variant(verdict: VariantVerdict, remedies: VariantRemedies) -> ReportedVariant:
    error = verdict.error
    data = {key: value for result in verdict.results for key, value in result.data.items()}
    elsewhere = {**verdict.opinions, **verdict.controls}
    by_stage = {result.stage: result for result in verdict.results}
    parity = by_stage.get(Stage.PARITY)
    return ReportedVariant(
        **{name: getattr(verdict.variant, name) for name in VARIANT_FIELDS},
        status=verdict.status,
        stage=verdict.stage,
        cause=None,
        error=shortened(error.message) if error else None,
        reason=verdict.reason,
        signature=verdict.signature,
        ir=data.get("ir"),
        max_abs_diff=parity.data.get("max_abs_diff") if parity else None,
        node=data.get("node"),
        opinions={name: opinion_text(result) for name, result in verdict.opinions.items()},
        findings=findings(verdict),
        peak_memory=max((result.data.get("peak_memory", 0) for result in verdict.results), default=0) or None,
        seconds=round(sum(result.seconds for result in verdict.results), 3),
        log=verdict.last.log,
        error_type=error.type if error else None,
        controls={name: opinion_text(result) for name, result in verdict.controls.items()},
        logs={name: result.log for name, result in elsewhere.items() if result.log},
        outcomes=list(verdict.outcomes),
        remedy=remedies.remedy,
        tried=list(remedies.tried),
        remedies=list(remedies.remedies),
        unproven=list(remedies.unproven),
        unanswered=list(remedies.unanswered),
        search_open=remedies.search_open,
        missing=verdict.missing_module,
        stages=[StageTime(stage=result.stage, seconds=round(result.seconds, 3)) for result in verdict.results],
    )


def opinion_text(result: StageResult) -> str:
    """The result of a cross-check in words: `works`, or `fails at STAGE: …`."""
    if result.ok:
        return "works"
    reason = result.error.message if result.error else result.data.get("reason", "")
    return f"{result.status.value} at {result.stage.value}: {shortened(reason)}"


def findings(verdict: VariantVerdict) -> list[str]:
    """What the lint of the graph and of its run notices, one sentence each."""
    found = [finding for result in verdict.results for finding in result.data.get("findings", ())]
    return list(dict.fromkeys(f"{finding['rule']}: {finding['message']}" for finding in found))
