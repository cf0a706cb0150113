"""The tasks of resolved cells; those that several cells share are one task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.environments.layers import Closure, closure, layers, undivided
from harness.environments.resolver import Resolved
from harness.matrix.schema import ProbeSection
from harness.model import Setup, Variant
from harness.stack import HELPERS
from harness.tasks.export import Export
from harness.tasks.graph_run import Evaluate, Run
from harness.tasks.install import Install
from harness.tasks.interface import Task
from harness.tasks.joint_import import Import
from harness.tasks.records import Records
from harness.tasks.undivided import Undivided

_Variants = TypeVar("_Variants", bound=Run | Evaluate)


@dataclass(frozen=True, kw_only=True, slots=True)
class CellTasks:
    """The tasks that one resolved cell rests on."""

    resolved: Resolved
    installs: tuple[Install, ...]
    together: Import | None
    export: Export
    run: Run

    def counting(self, records: Records) -> CellTasks:
        """With the export and the run whose results count for the cell."""
        (export,), (run,) = self.export.counting(records), self.run.counting(records)
        if export is self.export and run is self.run:
            return self
        return replace(self, export=export, run=replace(run, export=export))

    @property
    def all(self) -> tuple[Task, ...]:
        """Every task, in the order in which a cell goes through them."""
        return (*self.installs, self.export, self.run)


def of_cell(resolved: Resolved, model: ProbeSection) -> CellTasks | None:
    """The tasks of a cell; None for one that did not resolve."""
    (tasks,) = of_cells([resolved], model)
    return tasks


def of_cells(cells: Sequence[Resolved], model: ProbeSection) -> list[CellTasks | None]:
    """The tasks of every cell, those of one key made one task: it has the variants of all the cells that share it."""
    sides = [_sides(resolved) for resolved in cells]
    exported: dict[Closure, dict[Variant, None]] = {}
    run: dict[tuple[Closure, Closure], dict[Variant, None]] = {}
    for resolved, both in zip(cells, sides, strict=True):
        if both is not None:
            usable = _usable(resolved)
            exported.setdefault(both[0], {}).update(dict.fromkeys({variant.export_id: variant for variant in usable}.values()))
            run.setdefault(both, {}).update(dict.fromkeys(usable))
    installs = {side: Install(closure=side) for both in run for side in both}
    exports = {side: Export(closure=side, model=model, variants=tuple(variants)) for side, variants in exported.items()}
    runs = {both: Run(export=exports[both[0]], closure=both[1], variants=tuple(variants)) for both, variants in run.items()}
    found: list[CellTasks | None] = []
    for resolved, both in zip(cells, sides, strict=True):
        if both is None:
            found.append(None)
            continue
        together = Import(parts=both, model=model) if resolved.cell.setup is Setup.TOGETHER else None
        export = replace(exports[both[0]], undivided=_undivided(resolved, both[0], together))
        found.append(
            CellTasks(
                resolved=resolved,
                installs=(installs[both[0]], installs[both[1]]),
                together=together,
                export=replace(export, imports=(together,) if together else ()),
                run=replace(runs[both], export=export, undivided=_undivided(resolved, both[1], together)),
            )
        )
    return found


def _sides(resolved: Resolved) -> tuple[Closure, Closure] | None:
    """The closures of the export and of the run; None for a cell that did not resolve."""
    if resolved.interpreter is None or resolved.export is None or resolved.run is None:
        return None
    return closure(resolved.interpreter, resolved.export), closure(resolved.interpreter, resolved.run)


def _undivided(resolved: Resolved, side: Closure, together: Import | None) -> tuple[Undivided, ...]:
    """What holds the whole closure of a side, or of a `together` cell the whole lock, if `side` is not installed so anyway."""
    lock = resolved.lock if together else side.lock
    if lock is None or (lock.digest == side.lock.digest and layers(side) == (side,)):
        return ()
    return (Undivided(composed=side, whole=undivided(side.interpreter, lock), beside=together),)


def _usable(resolved: Resolved) -> list[Variant]:
    """The variants with exporters that have what they need."""
    dropped = {name for name, _ in resolved.dropped}
    return [variant for variant in resolved.planned.variants if HELPERS.get(variant.exporter) not in dropped]


def merged(tasks: Iterable[_Variants]) -> list[_Variants]:
    """`tasks`, those whose results are stored in one place made one task, with the variants and environments of all of them."""
    found: dict[tuple[str, str], _Variants] = {}
    for task in tasks:
        place = (task.key, task.export.key)
        earlier = found.setdefault(place, task)
        if not (set(task.variants) <= set(earlier.variants) and set(task.undivided) <= set(earlier.undivided)):
            found[place] = replace(
                earlier,
                variants=tuple(dict.fromkeys((*earlier.variants, *task.variants))),
                undivided=tuple(dict.fromkeys((*earlier.undivided, *task.undivided))),
            )
    return list(found.values())
