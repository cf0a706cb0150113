"""The tasks of resolved cells; those that several cells share are one task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.environments.layers import closure
from harness.environments.resolver import Resolved
from harness.matrix.schema import ProbeSection
from harness.model import Setup
from harness.stack import HELPERS
from harness.tasks.export import Export, Import
from harness.tasks.graph_run import Evaluate, Run
from harness.tasks.install import Install
from harness.tasks.interface import Task

_Variants = TypeVar("_Variants", bound=Export | Run | Evaluate)
_Identity = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CellTasks:
    """The tasks that one resolved cell rests on."""

    resolved: Resolved
    installs: tuple[Install, ...]
    together: Import | None
    export: Export
    run: Run

    @property
    def all(self) -> tuple[Task, ...]:
        """Every task, in the order in which a cell goes through them."""
        return (*self.installs, self.export, self.run)


def of_cell(resolved: Resolved, model: ProbeSection) -> CellTasks | None:
    """The tasks of a cell; None for one that did not resolve."""
    if resolved.interpreter is None or resolved.export is None or resolved.run is None:
        return None
    export_side = closure(resolved.interpreter, resolved.export)
    run_side = closure(resolved.interpreter, resolved.run)
    dropped = {name for name, _ in resolved.dropped}
    usable = tuple(variant for variant in resolved.planned.variants if HELPERS.get(variant.exporter) not in dropped)
    exports = tuple({variant.export_id: variant for variant in usable}.values())
    together = Import(parts=(export_side, run_side), model=model) if resolved.cell.setup is Setup.TOGETHER else None
    export = Export(closure=export_side, model=model, variants=exports, imports=(together,) if together else ())
    return CellTasks(
        resolved=resolved,
        installs=(Install(closure=export_side), Install(closure=run_side)),
        together=together,
        export=export,
        run=Run(export=export, closure=run_side, variants=usable),
    )


def of_cells(cells: Sequence[Resolved], model: ProbeSection) -> list[CellTasks | None]:
    """The tasks of every cell, those of one key made one task: it has the variants of all the cells that share it."""
    found = [of_cell(resolved, model) for resolved in cells]
    exports = {
        identity: replace(export, imports=()) for identity, export in merged(cell.export for cell in found if cell).items()
    }
    runs = {
        identity: replace(run, export=exports[_identity(run.export)])
        for identity, run in merged(cell.run for cell in found if cell).items()
    }
    return [
        cell
        and replace(
            cell,
            export=replace(exports[_identity(cell.export)], imports=cell.export.imports),
            run=runs[_identity(cell.run)],
        )
        for cell in found
    ]


def merged(tasks: Iterable[_Variants]) -> dict[_Identity, _Variants]:
    """`tasks` by where their results are stored, each once, with the variants of all its equals."""
    found: dict[_Identity, _Variants] = {}
    for task in tasks:
        earlier = found.setdefault(_identity(task), task)
        if not set(task.variants).issubset(earlier.variants):
            found[_identity(task)] = replace(earlier, variants=tuple(dict.fromkeys((*earlier.variants, *task.variants))))
    return found


def _identity(task: Export | Run | Evaluate) -> _Identity:
    return (task.key,) if isinstance(task, Export) else (task.key, task.export.key)
