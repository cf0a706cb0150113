"""The distinct pieces of work behind a matrix, and the keys their results are stored under.

Cells ask for far more than there is to do: cells that share what an export can import share the export, and runs of
the same artifact in the same closure are one run. A key is the digest of everything that could influence the result
and of nothing else; execution/process/probe.py's `ProbeOutput.distributions` is checked against it (execution/worker.py).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from harness.environments.layers import Closure, bases, closure, layers
from harness.environments.resolver import Resolved
from harness.matrix.schema import ProbeSection
from harness.model import Setup, Variant, digest
from harness.stack import EVALUATOR, HELPERS, LABELS, MODULES, RUNTIME
from harness.tasks.keys import asked, model_key, platform_id


@functools.cache
def _key(*parts: str | int | None) -> str:
    """The digest of `parts`: asked for again whenever somebody looks for the result of one variant."""
    return digest(list(parts))


@dataclass(frozen=True, kw_only=True)
class Install:
    """Build and verify the environment of one closure."""

    closure: Closure

    @property
    def label(self) -> str:
        """For the board."""
        return f"install {_named(self.closure)}"

    @functools.cached_property
    def key(self) -> str:
        """Where its result is stored."""
        return _key("install", self.closure.key, platform_id())


@dataclass(frozen=True, kw_only=True)
class Import:
    """Import all packages in one process, the export side's and then the run side's: what a `together` cell promises.

    No task of its own: the export's process forks for it, once it has imported its own (probe/beside.py).
    """

    parts: tuple[Closure, Closure]
    """The export's closure and the run's."""
    model: ProbeSection = field(hash=False)

    @functools.cached_property
    def key(self) -> str:
        """Where its result is stored."""
        return digest(["import", [part.key for part in self.parts], self.modules, asked("import", self.model)])

    @property
    def modules(self) -> list[str]:
        """What is imported, in this order; what a probe of one's own needs besides, it knows itself."""
        return [name for name in MODULES if any(name in part.lock.versions for part in self.parts)]


@dataclass(frozen=True, kw_only=True)
class Export:
    """Eager PyTorch, then every export variant of one closure, in one process; and imports beside it, in forks of that."""

    closure: Closure
    model: ProbeSection = field(hash=False)
    variants: tuple[Variant, ...]
    imports: tuple[Import, ...] = field(default=(), compare=False)
    """Those of the cells that are asked for; the export is the same whoever imports what beside it."""

    @property
    def label(self) -> str:
        """For the board."""
        return f"export {_named(self.closure)}"

    @functools.cached_property
    def key(self) -> str:
        """Where the reference (stages import and eager) is stored."""
        return digest(["eager", self.closure.key, model_key(self.model), asked("export", self.model)])

    def variant_key(self, variant: Variant) -> str:
        """Where one variant's export (stages export and check) is stored."""
        return _key(self.key, variant.exporter, variant.opset, variant.layout, variant.attention, variant.ir_version)


@dataclass(frozen=True, kw_only=True)
class Run:
    """Every variant of one export through one onnxruntime, in one process."""

    export: Export
    closure: Closure
    variants: tuple[Variant, ...]

    @property
    def label(self) -> str:
        """For the board."""
        return f"run {_named(self.closure)}"

    @functools.cached_property
    def key(self) -> str:
        """Where the run side's import is stored."""
        return digest(["run-import", self.closure.key, asked("run", self.export.model)])

    def variant_key(self, variant: Variant, artifact: str) -> str:
        """Where one variant's run (stages load, decode, parity) of the artifact with that digest is stored."""
        session = variant.session
        if session:
            return digest([self.key, artifact, variant.layout, variant.feedback, variant.binding, variant.strategy, session])
        return _key(self.key, artifact, variant.layout, variant.feedback, variant.binding, variant.strategy)

    @property
    def runtime(self) -> str:
        """What runs the artifact."""
        return f"{RUNTIME} {self.closure.lock.versions[RUNTIME]}"


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Variants of one export through ONNX's reference evaluator, in the export's own environment."""

    export: Export
    variants: tuple[Variant, ...]

    @property
    def closure(self) -> Closure:
        """Where it runs."""
        return self.export.closure

    @property
    def label(self) -> str:
        """For the board."""
        return f"evaluate {_named(self.closure)}"

    @functools.cached_property
    def key(self) -> str:
        """Where the evaluator's import is stored."""
        return digest(["evaluate-import", self.closure.key, asked("reference", self.export.model)])

    def variant_key(self, variant: Variant, artifact: str) -> str:
        """Where the evaluation (stages load, decode, parity) of the artifact with that digest is stored."""
        return _key(self.key, artifact, variant.layout, variant.feedback, variant.strategy)

    @property
    def runtime(self) -> str:
        """What runs the artifact."""
        return EVALUATOR


Task = Install | Export | Run | Evaluate

_Variants = TypeVar("_Variants", bound=Export | Run | Evaluate)
_Identity = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CellTasks:
    """The tasks one resolved cell rests on."""

    resolved: Resolved
    installs: tuple[Install, ...]
    together: Import | None
    export: Export
    run: Run

    @property
    def all(self) -> tuple[Task, ...]:
        """Every task, in the order a cell goes through them."""
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
    exports = {identity: replace(one, imports=()) for identity, one in merged(cell.export for cell in found if cell).items()}
    runs = {
        identity: replace(one, export=exports[_identity(one.export)])
        for identity, one in merged(cell.run for cell in found if cell).items()
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
    """`tasks` by where their results go, each once, with every variant that one of them has."""
    found: dict[_Identity, _Variants] = {}
    for task in tasks:
        earlier = found.setdefault(_identity(task), task)
        if not set(task.variants).issubset(earlier.variants):
            found[_identity(task)] = replace(earlier, variants=tuple(dict.fromkeys((*earlier.variants, *task.variants))))
    return found


def _identity(task: Export | Run | Evaluate) -> _Identity:
    return (task.key,) if isinstance(task, Export) else (task.key, task.export.key)


def needs(task: Task) -> tuple[Task, ...]:
    """The tasks that must have ended before `task` begins."""
    match task:
        case Install():
            return ()
        case Export():
            beside = dict.fromkeys(one.parts[1] for one in task.imports)
            return (Install(closure=task.closure), *(Install(closure=part) for part in beside))
        case Run() | Evaluate():
            return (task.export, Install(closure=task.closure))


def imported_alike(task: Task) -> frozenset[tuple[str, ...]]:
    """Names what the processes of several tasks import alike, the first of them for all (forks.py); empty for an install."""
    if isinstance(task, Install):
        return frozenset()
    return frozenset((type(task).__name__, *(part.key for part in base)) for base in bases(task.closure))


def environments(task: Task) -> tuple[tuple[Closure, ...], ...]:
    """The environments `task` works in, each as the closures it is made of."""
    beside = dict.fromkeys(one.parts[1] for one in task.imports) if isinstance(task, Export) else {}
    return (*with_layers(task.closure), *((part,) for part in beside))


def with_layers(whole: Closure) -> tuple[tuple[Closure, ...], ...]:
    """The environment of `whole` and those that it is made of."""
    return ((whole,), *((layer,) for layer in layers(whole) if layer != whole))


def _named(part: Closure) -> str:
    versions = part.lock.versions
    return " ".join(f"{LABELS[name]} {versions[name]}" for name in MODULES if name in versions)
