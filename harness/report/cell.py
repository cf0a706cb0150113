"""One cell, or one plan, told on a terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.environments.resolver import Resolved
from harness.execution.work import Coverage
from harness.model import Stage, Status
from harness.report.formats.text import STYLES
from harness.report.tables import counted
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.interface import Task
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.report_model import ReportedCell, ReportedVariant
from harness.verdicts.reporting import findings, opinion_text


def show_cell(
    verdict: Verdict, reported: ReportedCell, out: Console, *, store: Path, environments: Sequence[Path] = ()
) -> None:
    """A cell's stages, variant by variant, with what was found out about each, as `reported` says; logs lie in `store`."""
    cell = verdict.cell
    out.print(Text(f"{cell.id}  {verdict.status.value}", style=STYLES[verdict.status]))
    out.print(
        f"Python {cell.python}, " + ", ".join(f"{name} {version}" for name, version in cell.pins) + f", {cell.setup.value}"
    )
    table = Table(header_style="bold")
    table.add_column("variant")
    for stage in Stage:
        table.add_column(stage.value, justify="right")
    for one in verdict.variants:
        told = {result.stage: result for result in one.results}
        entries = []
        for stage in Stage:
            result = told.get(stage)
            text = "" if result is None else f"{result.seconds:.1f} s" if result.ok else result.status.value
            entries.append(Text(text, style=STYLES[result.status] if result else ""))
        table.add_row(one.variant.id, *entries)
    out.print(table)
    for one, told_of in zip(verdict.variants, reported.variants, strict=True):
        _show_variant(one, out, store)
        show_cause(told_of, out)
    for folder in environments:
        out.print(f"environment: {folder} (enter it with: source {folder}/bin/activate)")


def _show_variant(one: VariantVerdict, out: Console, store: Path) -> None:
    """How it ended, and everything that was found out about it."""
    if one.status is Status.WORKS:
        difference = one.last.data.get("max_abs_diff")
        found = "" if difference is None else f", largest difference from PyTorch {difference:.1e}"
        out.print(f"{one.variant.id}: works{found}")
    else:
        out.print(Text(f"{one.variant.id}: {one.status.value} at {one.last.stage.value}", style=STYLES[one.status]))
    peak = max((result.data.get("peak_memory", 0) for result in one.results), default=0)
    for detail in filter(None, [*details(one), *([f"peak memory: {peak / 10**6:.0f} MB"] if peak else [])]):
        out.print(Text(textwrap.indent(detail, "    ")))
    if one.error and one.error.traceback:
        out.print(Text(textwrap.indent(one.error.traceback.rstrip(), "    "), style="dim"))
    if one.last.log and one.status is not Status.WORKS:
        log = store / one.last.log
        elsewhere = "" if log.exists() else " (on the machine that ran it)"
        out.print(Text(f"    log: {log}{elsewhere}", style="dim"), soft_wrap=True)


def show_cause(one: ReportedVariant, out: Console) -> None:
    """Whose fault it is, and what that rests on."""
    if one.status is Status.FAILS:
        out.print(Text(f"    cause: {f'{one.cause}, {one.certainty}' if one.cause else 'open'}", style="bold"))
        for sentence in one.evidence:
            out.print(Text(f"      - {sentence}"))


def details(one: VariantVerdict) -> list[str]:
    """Why it did not work, first in its own words (empty where there are none), and what was found out about it."""
    data = {name: value for result in one.results for name, value in result.data.items()}
    return [
        one.reason or (one.error.message if one.error else ""),
        *(f"{when}: {end}" for when, end in zip(("first", "repeated"), one.outcomes, strict=False)),
        *([f"node: {_listed(data['node'])}"] if data.get("node") else []),
        *(f"finding: {sentence}" for sentence in findings(one)),
        *(f"the same artifact in {name}: {opinion_text(result)}" for name, result in one.opinions.items()),
    ]


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def show_choice(coverage: Coverage, out: Console) -> None:
    """What `--strategy pairwise` takes first."""
    out.print(
        f"pairwise: first {coverage.cells} of {counted(coverage.all_cells, 'cell')} that can be run; in them meet "
        f"{coverage.pairs} of {counted(coverage.all_pairs, 'pair')} of versions. Then cells between what works and what fails"
    )


def show_order(cells: Sequence[tuple[Resolved, CellTasks | None]], out: Console) -> None:
    """Which cells a budget is spent on first."""
    able = [resolved.cell.id for resolved, cell in cells if cell]
    out.print(f"most telling first: {', '.join(able[:5])}{', …' if len(able) > 5 else ''}")


def show_plan(cells: Sequence[tuple[Resolved, CellTasks | None]], todo: Sequence[Task], out: Console) -> None:
    """How much there is to do, how much is known, and which cells have no solution."""
    distinct = {task for _, cell in cells if cell for task in cell.all}
    kinds = {"installs": "install", "exports": "export", "runs": "run"}
    variants = sum(len(resolved.planned.variants) for resolved, _ in cells)
    out.print(f"{counted(len(cells), 'cell')}, {counted(variants, 'variant')}")
    table = Table(header_style="bold")
    for name in ("work", "distinct", "still to do"):
        table.add_column(name, justify="left" if name == "work" else "right")
    counts = Counter(task.kind for task in todo)
    for name, kind in kinds.items():
        table.add_row(name, str(sum(task.kind == kind for task in distinct)), str(counts[kind]))
    out.print(table)
    for resolved, _ in cells:
        if not resolved.result.ok:
            result = resolved.result
            reason = result.data.get("reason") or (result.error.message if result.error else "")
            out.print(Text(f"{resolved.cell.id}: {result.status.value} at {Stage.RESOLVE}", style=STYLES[result.status]))
            out.print(Text(f"    {reason}"))
    if not todo:
        out.print("everything is known already")
