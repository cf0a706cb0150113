"""Cells that work with a remedy only, as candidates for `pin`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.decide.regressions import working
from harness.diagnose.remedies.found import MatrixRemedies
from harness.diagnose.remedies.interface import Remedy
from harness.execution import extra_cells
from harness.execution.session import Session
from harness.matrix.plan import Planned
from harness.matrix.schema import Variants
from harness.model import Status
from harness.verdicts.judge import Verdict


def remedied(session: Session, verdicts: Sequence[Verdict], remedies: MatrixRemedies) -> dict[str, Verdict]:
    """Cell id → its verdict with its remedy, as far as the store knows; only cells that work with a single lock."""
    cells = [
        planned
        for verdict in verdicts
        if (planned := _with_remedies(verdict, remedies.cells.get(verdict.cell.id, ()), session.matrix.variants))
    ]
    return {verdict.cell.id: verdict for verdict in extra_cells.run(session, cells) if verdict.status is Status.WORKS}


def _with_remedies(verdict: Verdict, remedies: Sequence[Remedy], rule: Variants) -> Planned | None:
    """The cell with its remedies, and the variants that work without; None if the remedies need several locks."""
    if not remedies or not all(remedy.keeps_cell for remedy in remedies):
        return None
    planned, *others = (remedy.planned for remedy in remedies)
    if any((other.bounds, other.added) != (planned.bounds, planned.added) for other in others):
        return None
    variants = [*(remedy.variant for remedy in remedies), *(variant.variant for variant in working(verdict, rule))]
    return replace(planned, variants=tuple(dict.fromkeys(variants)))
