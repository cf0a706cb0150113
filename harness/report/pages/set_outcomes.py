"""How variants of a version set ended, in words and as data: what `check`, `bisect` and `pin` share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.decide.experiments import Experiment
from harness.decide.regressions import last_line, variant_text
from harness.decide.version_sets import VersionChange
from harness.report.page import Item, items
from harness.verdicts.judge import VariantVerdict
from harness.verdicts.report_schema import ReportedCell
from harness.verdicts.reporting import reported


def ending(variant: VariantVerdict) -> str:
    """How a variant ended, with the last line of its message."""
    return f"{variant_text(variant.variant)}: {variant.status.value} at {variant.last.stage.value}: {last_line(variant)}"


def endings(variants: Sequence[VariantVerdict], store: Path) -> Iterator[Item]:
    """How variants ended, those that ended alike in one entry, each with its log below `store`."""
    alike: dict[tuple[object, ...], list[VariantVerdict]] = {}
    for variant in variants:
        alike.setdefault((variant.status, variant.last.stage, last_line(variant), variant.last.log), []).append(variant)
    for group in alike.values():
        others = "".join(f"{variant_text(variant.variant)}, " for variant in group[:-1])
        log = group[0].last.log
        yield Item(text=f"{others}{ending(group[-1])}", blocks=[items(f"log: {store / log}")] if log else [])


def ending_data(variant: VariantVerdict) -> dict[str, Any]:
    """How a variant ended, for programs."""
    return {
        "variant": variant.variant.id,
        "status": variant.status,
        "stage": variant.last.stage,
        "message": last_line(variant),
        "log": variant.last.log,
    }


def cell_data(experiment: Experiment | None) -> ReportedCell | None:
    """A set and its verdict, as a cell of matrix.json."""
    return reported(experiment.verdict) if experiment else None


def version_set(experiment: Experiment) -> str:
    """`Python 3.11, torch 2.1.2, …, together`."""
    cell = experiment.verdict.cell
    return ", ".join([f"Python {cell.python}", *(f"{name} {version}" for name, version in cell.pins), cell.setup.value])


def listed(changes: Sequence[VersionChange]) -> str:
    """Changes in one line."""
    return ", ".join(map(str, changes))
