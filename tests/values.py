"""Values for unit tests: cells, locks, results and reports with everything defaulted that a test does not speak of."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from harness.environments.resolved import Resolved
from harness.locked import Lock, LockedDistribution
from harness.matrix.plan import Planned
from harness.model import Cell, Failure, Interpreter, Setup, Stage, StageResult, Status, Variant
from harness.report.formats import format_named
from harness.report.pages import matrix
from harness.tasks.cell_tasks import CellTasks, of_cell
from harness.verdicts.report_schema import Report, ReportedCell, ReportedProbe, ReportedVariant

PINS = {"torch": "2.1.2", "transformers": "4.46.3", "onnx": "1.16.2", "onnxruntime": "1.16.3"}
PYTHON = Interpreter(version="3.11.7", path="/usr/bin/python3.11")
PAIR = Variant(exporter="torchscript", opset=17, layout="pair")
MERGED = Variant(exporter="torchscript", opset=17, layout="merged")
DYNAMO = Variant(exporter="dynamo", opset=18, layout="pair")


def result(stage: Stage, status: Status = Status.WORKS, message: str | None = None, **data: Any) -> StageResult:
    error = Failure(type="RuntimeError", message=message or "no") if status in {Status.FAILS, Status.ERROR} else None
    return StageResult(stage=stage, status=status, seconds=1.0, error=error, data=data, finished=1_700_000_000.0)


def resolved(
    *variants: Variant, setup: Setup = Setup.TOGETHER, dropped: tuple[tuple[str, str], ...] = (), **pins: str
) -> Resolved:
    """A cell that has been resolved: onnxruntime and numpy on the run side, the rest on the export side."""
    versions = {**PINS, **pins}
    cell = Cell(id="-".join(versions.values()), python="3.11", pins=tuple(versions.items()), setup=setup)
    numpy = LockedDistribution(name="numpy", version="1.26.4")
    export = [LockedDistribution(name=name, version=version) for name, version in versions.items() if name != "onnxruntime"]
    run = [LockedDistribution(name="onnxruntime", version=versions["onnxruntime"]), numpy]
    return Resolved(
        planned=Planned(cell=cell, variants=variants or (PAIR,)),
        interpreter=PYTHON,
        result=result(Stage.RESOLVE),
        export=Lock(distributions=(*export, numpy)),
        run=Lock(distributions=tuple(run)),
        dropped=dropped,
    )


def tasks_of(one: Resolved) -> CellTasks:
    from harness.matrix.schema import ProbeSection

    tasks = of_cell(one, ProbeSection())
    assert tasks
    return tasks


def reported_variant(status: Status = Status.WORKS, stage: Stage | None = None, **given: Any) -> ReportedVariant:
    """A variant of which only what it was asked for is known; every other field is None."""
    values: dict[str, Any] = {field.name: None for field in fields(ReportedVariant)}
    values |= {"opinions": {}, "controls": {}, "logs": {}, "findings": [], "evidence": []}
    asked = {"exporter": "torchscript", "opset": 17, "layout": "pair", "feedback": "keep-cross", "binding": "numpy"}
    asked |= {"optimization": "default", "memory_pattern": "default"}
    asked |= {"tried": [], "remedies": [], "unproven": [], "search_open": False, "stages": []}
    return ReportedVariant(**{**values, **asked, "seconds": 1.0, "status": status, "stage": stage, **given})


def reported_cell(
    *variants: ReportedVariant, status: Status = Status.WORKS, python: str = "3.11", **pins: str | None
) -> ReportedCell:
    """With `None` for an axis that the cell does not have."""
    versions = {name: version for name, version in {**PINS, **pins}.items() if version}
    return ReportedCell(
        id="-".join([python, *versions.values()]),
        python=python,
        pins=versions,
        environment=Setup.TOGETHER,
        status=status,
        lock=None,
        resolved={},
        remedies=[],
        variants=list(variants or [reported_variant()]),
    )


def report(*cells: ReportedCell, recommended: dict[str, str] | None = None) -> Report:
    names = dict.fromkeys(["python", *(axis for cell in cells for axis in cell.pins)])
    axes = {axis: [cell.version(axis) for cell in cells] for axis in names}
    return Report(
        schema=1,
        generated="2026-01-01T00:00:00+00:00",
        platform="Linux-x86_64-glibc2.36",
        torch="cpu",
        probe=ReportedProbe(id="f" * 16, model="marian", profile="tiny", seed=0),
        axes={axis: list(dict.fromkeys(versions)) for axis, versions in axes.items()},
        cells=list(cells),
        rules=[],
        recommended=recommended or {},
    )


def rendered(made: Report, format_name: str = "markdown") -> str:
    """The page of a report in a format."""
    text = format_named(format_name).render(matrix.page(made))
    assert isinstance(text, str)
    return text
