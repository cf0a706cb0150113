"""The tasks of resolved cells; those that several cells share are one task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from harness.environments.layers import Closure, closure, layers, undivided
from harness.environments.resolved import Resolved
from harness.matrix.schema import ProbeSection
from harness.model import Setup, Variant
from harness.stack import HELPERS
from harness.tasks.export import Export
from harness.tasks.graph_run import Evaluate, Run
from harness.tasks.install import Install
from harness.tasks.interface import Task
from harness.tasks.joint_import import Import
from harness.tasks.records import Records
from harness.tasks.undivided_environment import Undivided

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
    run: dict[_Sides, dict[Variant, None]] = {}
    for resolved, own in zip(cells, sides, strict=True):
        if own is not None:
            usable = _usable(resolved)
            exported.setdefault(own.export, {}).update(
                dict.fromkeys({variant.export_id: variant for variant in usable}.values())
            )
            run.setdefault(own, {}).update(dict.fromkeys(usable))
    installs = {side: Install(closure=side) for own in run for side in own if side}
    exports = {side: Export(closure=side, model=model, variants=tuple(variants)) for side, variants in exported.items()}
    runs = {
        own: Run(export=exports[own.export], closure=own.run, packages=own.packages, variants=tuple(variants))
        for own, variants in run.items()
    }
    found: list[CellTasks | None] = []
    for resolved, own in zip(cells, sides, strict=True):
        if own is None:
            found.append(None)
            continue
        together = Import(parts=own[:2], model=model) if resolved.cell.setup is Setup.TOGETHER else None
        export = replace(exports[own.export], undivided=_undivided(resolved, own.export, together))
        found.append(
            CellTasks(
                resolved=resolved,
                installs=tuple(installs[side] for side in own if side),
                together=together,
                export=replace(export, imports=(together,) if together else ()),
                run=replace(runs[own], export=export, undivided=_undivided(resolved, own.run, together)),
            )
        )
    return found


class _Sides(NamedTuple):
    """The environments of a cell."""

    export: Closure
    run: Closure
    packages: Closure | None


def _sides(resolved: Resolved) -> _Sides | None:
    """The environments of a cell; None for one that did not resolve."""
    if resolved.interpreter is None or resolved.export is None or resolved.run is None:
        return None
    export, run = (closure(resolved.interpreter, side) for side in (resolved.export, resolved.run))
    return _Sides(export, run, resolved.packages)


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
