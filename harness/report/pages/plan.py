"""A plan as a page: how much there is to do, how much is known, and which cells have no solution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.environments.resolved import Resolved
from harness.execution.work import Coverage
from harness.model import Stage, Status
from harness.pipeline import PlannedWork
from harness.report.cost import data, sentence
from harness.report.page import Block, Item, Page, Paragraph, Quote, Span, Table, items
from harness.report.tables import counted
from harness.tasks.cell_tasks import CellTasks

_KINDS = {"installs": "install", "exports": "export", "runs": "run"}


def page(plan: PlannedWork, *, ordered: bool) -> Page[PlannedWork]:
    """The page of a plan; `ordered` where a budget is spent on the first cells first."""
    cells, pending, cost = plan.cells, plan.pending, plan.cost
    distinct = {task for _, tasks in cells if tasks for task in tasks.all}
    left = Counter(task.kind for task in pending)
    work = {name: (sum(task.kind == kind for task in distinct), left[kind]) for name, kind in _KINDS.items()}
    variants = sum(len(resolved.planned.variants) for resolved, _ in cells)
    rows = [[name, str(whole), str(rest)] for name, (whole, rest) in work.items()]
    unsolved = [resolved for resolved, _ in cells if not resolved.result.ok]
    return Page(
        title=f"{counted(len(cells), 'cell')}, {counted(variants, 'variant')}",
        blocks=[
            *_coverage(plan.coverage),
            Table(header=["work", "distinct", "still to do"], rows=rows),
            *([items(*_unsolved(unsolved))] if unsolved else []),
            *([] if pending else [Paragraph(text="everything is known already" if distinct else "none of them can be run")]),
            *([Paragraph(text=sentence(cost))] if pending and cost else []),
            *(_order(cells) if ordered else ()),
        ],
        data={
            "cells": len(cells),
            "variants": variants,
            "work": {name: {"distinct": whole, "still_to_do": rest} for name, (whole, rest) in work.items()},
            "cost": data(cost),
            "unsolved": {resolved.cell.id: resolved.result.problem for resolved in unsolved},
        },
        source=plan,
    )


def _coverage(coverage: Coverage | None) -> Iterator[Block]:
    """What `--strategy pairwise` takes first."""
    if coverage:
        cells = f"{coverage.cells} of {counted(coverage.all_cells, 'cell')} that can be run"
        pairs = f"{coverage.pairs} of {counted(coverage.all_pairs, 'pair')} of versions"
        yield Paragraph(text=f"pairwise: first {cells}; in them meet {pairs}. Then cells between what works and what fails")


def _unsolved(cells: Sequence[Resolved]) -> Iterator[Item]:
    """An item for each reason."""
    alike: dict[tuple[Status, str], list[str]] = {}
    for resolved in cells:
        alike.setdefault((resolved.result.status, resolved.result.problem), []).append(resolved.cell.id)
    for (status, problem), ids in alike.items():
        more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
        title = Span(f"{ids[0]}{more}: {status.value} at {Stage.RESOLVE}", status=status)
        yield Item(text=title, blocks=[Quote(text=problem)])


def _order(cells: Sequence[tuple[Resolved, CellTasks | None]]) -> Iterator[Block]:
    able = [resolved.cell.id for resolved, tasks in cells if tasks]
    yield Paragraph(text=f"most telling first: {', '.join(able[:5])}{', …' if len(able) > 5 else ''}")
