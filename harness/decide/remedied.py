"""Cells that work with a remedy only, as sets to choose among: what was run with it is told again by the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.decide.regressions import working
from harness.diagnose.remedies.found import MatrixRemedies
from harness.diagnose.remedies.interface import Remedy
from harness.execution.session import Session
from harness.matrix.plan import Planned
from harness.matrix.schema import Variants
from harness.model import Status
from harness.verdicts.judge import Verdict


def remedied(session: Session, verdicts: Sequence[Verdict], mended: MatrixRemedies) -> dict[str, Verdict]:
    """Cell → its verdict with its remedy, as far as the store knows; only of cells that one lock makes work."""
    asked = [
        planned
        for verdict in verdicts
        if (planned := _whole(verdict, mended.cells.get(verdict.cell.id, ()), session.matrix.variants))
    ]
    return {verdict.cell.id: verdict for verdict in session.ask(asked) if verdict.status is Status.WORKS}


def _whole(verdict: Verdict, remedies: Sequence[Remedy], wanted: Variants) -> Planned | None:
    """The cell with its remedies, and with what works there without; None if they are no single set of versions."""
    if not remedies or not all(one.keeps_cell for one in remedies):
        return None
    planned, *others = (one.planned for one in remedies)
    if any((other.bounds, other.added) != (planned.bounds, planned.added) for other in others):
        return None
    variants = [*(one.variant for one in remedies), *(one.variant for one in working(verdict, wanted))]
    return replace(planned, variants=tuple(dict.fromkeys(variants)))
