"""The control model: the same cells with another model, run if nothing works with this one.

What fails on every stack of the matrix is due to the model, or to what all stacks have in common. If another model works in
the same cells, it is due to the model: to its architecture if the other is of another family, to this checkpoint if the
other is of its own family, built from a configuration. For each distinct fault the last cell of each stack runs.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.environments.resolved import Resolved
from harness.matrix.schema import FAMILIES, Matrix, ProbeSection
from harness.model import Setup, Stage, Status, Variant
from harness.probe.decoders.export.models import families
from harness.stack import RUNTIMES
from harness.tasks import cell_tasks
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.interface import Task
from harness.tasks.records import Records, is_above_limits
from harness.verdicts.judge import VariantVerdict, Verdict, judge

_BEFORE = {Stage.RESOLVE, Stage.INSTALL, Stage.IMPORT}
"""Stages that have nothing to do with the model."""

_RUNS = {Stage.LOAD, Stage.DECODE, Stage.PARITY}

Stack = tuple[object, ...]

MODEL = "model "
"""Prefix of the name of a control with another model, and not with another consumer."""

SAME_FAMILY = " of the same family"
"""Suffix of the name of the family that a checkpoint is compared with."""


def stack(stage: Stage | None, python: str, pins: Mapping[str, str], setup: Setup) -> Stack:
    """The python, setup and versions that a failure at `stage` depends on; before `load` that is without a runtime."""
    return (python, setup, *(version for axis, version in pins.items() if axis not in RUNTIMES or stage in _RUNS))


def control_of(model: ProbeSection) -> tuple[ProbeSection, str] | None:
    """(the model to compare with, name of the control); None for a probe module of one's own."""
    if model.module is not None:
        return None
    if model.checkpoint and (family := _family(model.checkpoint)):
        return model.model_copy(update={"model": family}), f"{MODEL}{family}{SAME_FAMILY}"
    other = next(family for family in FAMILIES if family != model.model)
    return model.model_copy(update={"model": other}), f"{MODEL}{other}"


@functools.cache
def _family(checkpoint: str) -> str | None:
    """The family of a checkpoint by its configuration; None if the project does not have it."""
    try:
        configuration = json.loads((Path(checkpoint) / "config.json").read_bytes())
        model_type = configuration["model_type"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return next((name for name, family in families.FAMILIES.items() if family.model_type == model_type), None)


def needed(verdicts: Sequence[Verdict], model: ProbeSection) -> list[Task]:
    """The exports and runs of the control model."""
    return [task for _, tasks in _cells(verdicts, model) for task in (tasks.export, tasks.run)]


def with_answers(verdicts: Sequence[Verdict], records: Records, matrix: Matrix) -> list[Verdict]:
    """`verdicts` with the results of the control model, as far as they are known."""
    answers: dict[tuple[str, Variant], VariantVerdict] = {}
    _, name = control_of(matrix.probe) or (None, "")
    for resolved, tasks in _cells(verdicts, matrix.probe):
        for answer in judge(resolved, tasks, records, matrix.variants).variants:
            if answer.status.is_fact:
                answers[resolved.cell.id, answer.variant] = answer
    if not answers:
        return list(verdicts)

    def with_answer(cell: str, verdict: VariantVerdict) -> VariantVerdict:
        answer = answers.get((cell, verdict.variant))
        return replace(verdict, controls={**verdict.controls, name: answer.last}) if answer else verdict

    return [
        replace(verdict, variants=tuple(with_answer(verdict.cell.id, variant) for variant in verdict.variants))
        for verdict in verdicts
    ]


def _cells(verdicts: Sequence[Verdict], model: ProbeSection) -> Iterator[tuple[Resolved, CellTasks]]:
    """(cell with the variants to compare, its tasks with the control model), in the order of `verdicts`."""
    control, _ = control_of(model) or (None, "")
    if control is None or any(variant.status is Status.WORKS for verdict in verdicts for variant in verdict.variants):
        return
    last: dict[tuple[str, Stack], tuple[int, Variant]] = {}
    for index, verdict in enumerate(verdicts):
        cell = verdict.cell
        for failed in verdict.variants:
            if fault := _fault(failed):
                last[fault, stack(failed.last.stage, cell.python, dict(cell.pins), cell.setup)] = (index, failed.variant)
    chosen: dict[int, tuple[Variant, ...]] = {}
    for index, variant in last.values():
        chosen[index] = (*chosen.get(index, ()), variant)
    resolved = [
        replace(verdicts[index].resolved, planned=replace(verdicts[index].resolved.planned, variants=variants))
        for index, variants in sorted(chosen.items())
    ]
    for with_variants, tasks in zip(resolved, cell_tasks.of_cells(resolved, control), strict=True):
        if tasks is not None:
            yield with_variants, tasks


def _fault(verdict: VariantVerdict) -> str | None:
    """The signature of a failure that may be due to the model; None for all else."""
    if verdict.status is not Status.FAILS or verdict.last.stage in _BEFORE:
        return None
    return None if is_above_limits(verdict.last) else verdict.signature
