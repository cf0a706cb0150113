"""Which stages a variant passed, and whether a cell has tried all of its imports. Pure."""

from __future__ import annotations

from harness.model import Setup, Stage, Status
from harness.verdicts.judge import VariantVerdict
from harness.verdicts.report_schema import ReportedCell, ReportedVariant


def passed(variant: VariantVerdict | ReportedVariant, stage: Stage) -> bool:
    """Whether `variant` got beyond `stage`."""
    return passed_count(variant) > stage.number


def passed_count(variant: VariantVerdict | ReportedVariant) -> int:
    """How many stages `variant` got beyond: the first ones."""
    if variant.status is Status.WORKS or variant.status is Status.WORKS_WITH_REMEDY:
        return len(Stage)
    return variant.stage.number if variant.stage else 0


def imports_all(cell: ReportedCell) -> bool:
    """Whether `cell` has tried all of its imports, if it has got beyond them.

    A handoff cell's run side is tried only with what its export side has exported.
    """
    return cell.environment is not Setup.HANDOFF or any(
        passed(variant, Stage.CHECK) and variant.status is not Status.NOT_RUN for variant in cell.variants
    )
