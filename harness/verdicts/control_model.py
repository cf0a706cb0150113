"""The same cell with another model: asked where nothing works with this one.

What fails on every stack of the matrix may be due to the model, or to what all stacks have in common. If another model
passes the same cell, it is the former: the architecture where that is of another family, and this very model where a
checkpoint is asked about and its family, built from a configuration, passes. On each stack one cell is asked for each
distinct fault, the last of the matrix.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.environments.resolver import Resolved
from harness.matrix.schema import FAMILIES, Matrix, ProbeSection
from harness.model import Setup, Stage, Status, Variant
from harness.stack import RUNTIME
from harness.tasks import cell_tasks
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.interface import Task
from harness.tasks.records import Records
from harness.verdicts.cross_checks import ABOVE
from harness.verdicts.judge import VariantVerdict, Verdict, judge
from harness.verdicts.signature import signature

_BEFORE = {Stage.RESOLVE, Stage.INSTALL, Stage.IMPORT}
"""Where no model has been met yet."""

_RUNS = {Stage.LOAD, Stage.DECODE, Stage.PARITY}

Stack = tuple[object, ...]

MODEL = "model "
"""How a control begins that is about another model, and no other consumer."""

SAME_FAMILY = " of the same family"
"""How the name ends of a model that a checkpoint is compared with."""


def stack(stage: Stage | None, python: str, pins: Mapping[str, str], setup: Setup) -> Stack:
    """What a failure at `stage` was met with; what has not been loaded yet has met no onnxruntime."""
    return (python, setup, *(version for axis, version in pins.items() if axis != RUNTIME or stage in _RUNS))


def relative(model: ProbeSection) -> tuple[ProbeSection, str] | None:
    """The model to compare with, and its name; None where a module of one's own says what is exported."""
    if model.module is not None:
        return None
    if model.checkpoint and (family := _family(model.checkpoint)):
        return model.model_copy(update={"model": family}), f"{MODEL}{family}{SAME_FAMILY}"
    other = next(family for family in FAMILIES if family != model.model)
    return model.model_copy(update={"model": other}), f"{MODEL}{other}"


@functools.cache
def _family(checkpoint: str) -> str | None:
    """The family that a checkpoint says it is of, if it can be built from a configuration."""
    try:
        told = json.loads((Path(checkpoint) / "config.json").read_bytes())
        named = str(told["model_type"]).replace("_", "")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return named if named in FAMILIES else None


def wanted(verdicts: Sequence[Verdict], model: ProbeSection) -> list[Task]:
    """The exports and runs of the other model, in the cells that are asked for it."""
    found: list[Task] = []
    for _, _, cell in _asked(verdicts, model):
        found += [cell.export, cell.run]
    return found


def told(verdicts: Sequence[Verdict], facts: Records, matrix: Matrix) -> list[Verdict]:
    """`verdicts` with what became of the other model, where that is known."""
    answers: dict[tuple[str, Variant], VariantVerdict] = {}
    _, name = relative(matrix.probe) or (None, "")
    for place, resolved, cell in _asked(verdicts, matrix.probe):
        for one in judge(resolved, cell, facts, matrix.variants).variants:
            if one.status in {Status.WORKS, Status.FAILS}:
                answers[verdicts[place].cell.id, one.variant] = one

    def with_answer(cell: str, one: VariantVerdict) -> VariantVerdict:
        answer = answers.get((cell, one.variant))
        return replace(one, controls={**one.controls, name: answer.last}) if answer else one

    return [
        replace(verdict, variants=tuple(with_answer(verdict.cell.id, one) for one in verdict.variants)) for verdict in verdicts
    ]


def _asked(verdicts: Sequence[Verdict], model: ProbeSection) -> Iterator[tuple[int, Resolved, CellTasks]]:
    """(place, cell with the variants that are asked for, its tasks with the other model)."""
    other, _ = relative(model) or (None, "")
    if other is None or any(one.status is Status.WORKS for verdict in verdicts for one in verdict.variants):
        return
    last: dict[tuple[str, Stack], tuple[int, Variant]] = {}
    for place, verdict in enumerate(verdicts):
        cell = verdict.cell
        for failed in verdict.variants:
            if fault := _fault(failed):
                last[fault, stack(failed.last.stage, cell.python, dict(cell.pins), cell.setup)] = (place, failed.variant)
    chosen: dict[int, tuple[Variant, ...]] = {}
    for place, variant in last.values():
        chosen[place] = (*chosen.get(place, ()), variant)
    resolved = [
        replace(verdicts[place].resolved, planned=replace(verdicts[place].resolved.planned, variants=variants))
        for place, variants in sorted(chosen.items())
    ]
    for place, one, asked in zip(sorted(chosen), resolved, cell_tasks.of_cells(resolved, other), strict=True):
        if asked is not None:
            yield place, one, asked


def _fault(one: VariantVerdict) -> str | None:
    """What may be due to the model: equal for equal faults."""
    if one.status is not Status.FAILS or one.error is None or one.last.stage in _BEFORE:
        return None
    if one.last.stage is Stage.LOAD and any(finding["rule"] in ABOVE for finding in one.last.data.get("findings", ())):
        return None
    return signature(one.last.stage, one.error)
