"""The distinct pieces of work behind a matrix, and the keys their results are stored under.

Cells ask for far more than there is to do: cells that share what an export can import share the export, and runs of
the same artifact in the same closure are one run. A key is the digest of everything that could influence the result
and of nothing else; processes.py's `Told.distributions` is checked against it (worker.py).
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from harness import children, processes
from harness.environments import Closure, closure, layers
from harness.facts import Facts, has_error, stages
from harness.locks import Resolved
from harness.matrix import Probe
from harness.model import Setup, Status, Variant, digest
from harness.store import file_digest, folder_digest

MODULES = ("torch", "transformers", "onnx", "onnxruntime")


@dataclass(frozen=True, kw_only=True, slots=True)
class Install:
    """Build and verify the environment of one closure."""

    closure: Closure

    @property
    def label(self) -> str:
        """For the board."""
        return f"install {_named(self.closure)}"

    @property
    def key(self) -> str:
        """Where its result is stored."""
        return digest(["install", self.closure.key, platform_id()])


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """Import all packages in one process of one environment: what a `together` cell promises."""

    parts: tuple[Closure, ...]
    model: Probe = field(hash=False)

    @property
    def label(self) -> str:
        """For the board."""
        return "import " + " · ".join(map(_named, self.parts))

    @property
    def key(self) -> str:
        """Where its result is stored."""
        return digest(["import", [part.key for part in self.parts], self.modules, _asked("import", self.model)])

    @property
    def modules(self) -> list[str]:
        """What is imported, in this order; what a probe of one's own needs besides, it knows itself."""
        return [name for name in MODULES if any(name in part.lock.versions for part in self.parts)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """Eager PyTorch, then every export variant of one closure, in one process."""

    closure: Closure
    model: Probe = field(hash=False)
    variants: tuple[Variant, ...]

    @property
    def label(self) -> str:
        """For the board."""
        return f"export {_named(self.closure)}"

    @property
    def key(self) -> str:
        """Where the reference (stages import and eager) is stored."""
        return digest(["eager", self.closure.key, _model_key(self.model), _asked("export", self.model)])

    def variant_key(self, variant: Variant) -> str:
        """Where one variant's export (stages export and check) is stored."""
        return digest([self.key, variant.exporter, variant.opset, variant.layout, variant.attention, variant.ir_version])


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Every variant of one export through one onnxruntime, in one process."""

    export: Export
    closure: Closure
    variants: tuple[Variant, ...]

    @property
    def label(self) -> str:
        """For the board."""
        return f"run {_named(self.closure)}"

    @property
    def key(self) -> str:
        """Where the run side's import is stored."""
        return digest(["run-import", self.closure.key, _asked("run", self.export.model)])

    def variant_key(self, variant: Variant, artifact: str) -> str:
        """Where one variant's run (stages load, decode, parity) of the artifact with that digest is stored."""
        return digest([self.key, artifact, variant.layout, variant.feedback, variant.binding, variant.strategy])

    @property
    def runtime(self) -> str:
        """What runs the artifact."""
        return f"onnxruntime {self.closure.lock.versions['onnxruntime']}"


@dataclass(frozen=True, kw_only=True, slots=True)
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

    @property
    def key(self) -> str:
        """Where the evaluator's import is stored."""
        return digest(["evaluate-import", self.closure.key, _asked("reference", self.export.model)])

    def variant_key(self, variant: Variant, artifact: str) -> str:
        """Where the evaluation (stages load, decode, parity) of the artifact with that digest is stored."""
        return digest([self.key, artifact, variant.layout, variant.feedback, variant.strategy])

    @property
    def runtime(self) -> str:
        """What runs the artifact."""
        return "onnx.reference"


Task = Install | Import | Export | Run | Evaluate

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
        return (*self.installs, *((self.together,) if self.together else ()), self.export, self.run)


def of_cell(resolved: Resolved, model: Probe) -> CellTasks | None:
    """The tasks of a cell; None for one that did not resolve."""
    if resolved.interpreter is None or resolved.export is None or resolved.run is None:
        return None
    export_side = closure(resolved.interpreter, resolved.export)
    run_side = closure(resolved.interpreter, resolved.run)
    dropped = {name for name, _ in resolved.dropped}
    usable = tuple(variant for variant in resolved.planned.variants if HELPERS.get(variant.exporter) not in dropped)
    exports = tuple({variant.export_id: variant for variant in usable}.values())
    export = Export(closure=export_side, model=model, variants=exports)
    together = resolved.cell.setup is Setup.TOGETHER
    return CellTasks(
        resolved=resolved,
        installs=(Install(closure=export_side), Install(closure=run_side)),
        together=Import(parts=(export_side, run_side), model=model) if together else None,
        export=export,
        run=Run(export=export, closure=run_side, variants=usable),
    )


def of_cells(cells: Sequence[Resolved], model: Probe) -> list[CellTasks | None]:
    """The tasks of every cell, those of one key made one task: it has the variants of all the cells that share it."""
    found = [of_cell(resolved, model) for resolved in cells]
    exports = merged(cell.export for cell in found if cell)
    runs = merged(replace(cell.run, export=exports[_identity(cell.export)]) for cell in found if cell)
    return [cell and replace(cell, export=exports[_identity(cell.export)], run=runs[_identity(cell.run)]) for cell in found]


def merged(tasks: Iterable[_Variants]) -> dict[_Identity, _Variants]:
    """`tasks` by where their results go, each once, with every variant that one of them has."""
    found: dict[_Identity, _Variants] = {}
    for task in tasks:
        identity = _identity(task)
        earlier = found[identity].variants if identity in found else ()
        found[identity] = replace(task, variants=tuple(dict.fromkeys((*earlier, *task.variants))))
    return found


def _identity(task: Export | Run | Evaluate) -> _Identity:
    return (task.key,) if isinstance(task, Export) else (task.key, task.export.key)


HELPERS = {"dynamo": "onnxscript"}
"""Exporter → the optional requirement it cannot do without (plan.requirements asks for it)."""


def needs(task: Task) -> tuple[Task, ...]:
    """The tasks that must have ended before `task` begins."""
    match task:
        case Install():
            return ()
        case Import():
            return tuple(Install(closure=part) for part in task.parts)
        case Export():
            return (Install(closure=task.closure),)
        case Run() | Evaluate():
            return (task.export, Install(closure=task.closure))


def environments(task: Task) -> tuple[tuple[Closure, ...], ...]:
    """The environments `task` works in or composes its own from, each as the closures it is made of."""
    match task:
        case Import():
            return (task.parts, *(one for part in task.parts for one in with_layers(part)))
        case Install() | Export() | Run() | Evaluate():
            return with_layers(task.closure)


def with_layers(whole: Closure) -> tuple[tuple[Closure, ...], ...]:
    """The environment of `whole` and those that it is made of."""
    return ((whole,), *((layer,) for layer in layers(whole) if layer != whole))


def runnable(run: Run | Evaluate, facts: Facts) -> list[tuple[Variant, str]]:
    """(variant, artifact digest) of every variant whose export has left something to run."""
    found = []
    for variant in run.variants:
        record = facts.get(run.export.variant_key(variant))
        if record and record.get("artifact") and all(result.ok for result in stages(record)):
            found.append((variant, record["artifact"]))
    return found


def missing(task: Task, facts: Facts) -> bool:
    """Whether `task` has something to do that the store does not know yet and that can be done."""
    installs = [need for need in needs(task) if isinstance(need, Install)]
    if any(result.status is Status.FAILS for need in installs for result in stages(facts.get(need.key))):
        return False
    match task:
        case Install() | Import():
            return facts.get(task.key) is None
        case Export():
            return bool(missing_exports(task, facts)) or facts.get(task.key) is None
        case Run() | Evaluate():
            return missing(task.export, facts) or bool(missing_runs(task, facts))


def forget_lost(run: Run | Evaluate, facts: Facts) -> None:
    """Make an export unknown whose files are gone or damaged and a run still needs them."""
    for variant, artifact in missing_runs(run, facts):
        if not facts.store.intact(artifact):
            facts.store.discard(artifact)
            facts.forget(run.export.variant_key(variant))


def missing_exports(task: Export, facts: Facts) -> list[Variant]:
    """Export variants without a result; none where eager PyTorch has failed already."""
    reference = stages(facts.get(task.key))
    if reference and not all(result.ok for result in reference):
        return []
    return [variant for variant in task.variants if facts.get(task.variant_key(variant)) is None]


def missing_runs(task: Run | Evaluate, facts: Facts) -> list[tuple[Variant, str]]:
    """Runnable variants without a result; none where the export side's process failed or the run side cannot be imported."""
    if not all(result.ok for key in (task.export.key, task.key) for result in stages(facts.get(key))):
        return []
    # By key: the evaluator knows no bindings, and what differs by them alone is one evaluation.
    wanted = {task.variant_key(*one): one for one in runnable(task, facts)}
    return [one for key, one in wanted.items() if facts.get(key) is None]


def repeat(tasks: Iterable[Task], facts: Facts, *, everything: bool, errors: bool) -> None:
    """Have what is known of `tasks` made again: `everything`, or only where it has `errors`."""
    if not (everything or errors):
        return
    # All keys first: once an export is ignored, nobody knows any more which runs rest on it.
    for key in {key for task in tasks for key in _keys(task, facts)}:
        if everything or has_error(stages(facts.get(key))):
            facts.ignore(key)


def concerned(task: Task, facts: Facts) -> set[str]:
    """Where everything is stored that `task` looks at or finds out."""
    return {key for one in (task, *needs(task)) for key in _keys(one, facts)}


def _keys(task: Task, facts: Facts) -> list[str]:
    """Where the results of `task` are stored, as far as that is known yet."""
    match task:
        case Install() | Import():
            return [task.key]
        case Export():
            return [task.key, *map(task.variant_key, task.variants)]
        case Run() | Evaluate():
            return [task.key, *itertools.starmap(task.variant_key, runnable(task, facts))]


_FOLDERS = {"import": set[str](), "export": {"export"}, "run": {"run"}, "reference": {"independent"}}
"""Kind of job → the folders of the probe that are its own; everything else there may be used by all."""


@functools.cache
def source(kind: str) -> str:
    """Digest of the probe's source as far as a job of `kind` can use it."""
    root = processes.PROBE_MAIN.parent
    left_out = {"export", "run", "independent"} - _FOLDERS[kind]
    sums = {}
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if left_out.isdisjoint(name.parts):
            sums[name.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digest(sums)


@functools.cache
def platform_id() -> str:
    """What a wheel is chosen by, besides the interpreter: `Linux-x86_64-glibc2.36`."""
    return "-".join(filter(None, (platform.system(), platform.machine(), "".join(platform.libc_ver()))))


def _asked(kind: str, model: Probe) -> list[object]:
    """What every process of `kind` has in common: where it runs, what it runs, and how the host judges it."""
    return [platform_id(), children.PROBE, processes.RULES, _source(kind, model)]


def _source(kind: str, model: Probe) -> str:
    """Digest of all source that a job of `kind` can use, one's own module included."""
    own = probe_files(model)
    return digest([source(kind), own]) if own else source(kind)


def probe_id(model: Probe) -> str:
    """Names what was asked of every cell."""
    return _source("export", model)


def probe_files(model: Probe) -> str | None:
    """Digest of one's own module and the files it needs, by relative name and content; None for the built-in probe."""
    return _files_digest(tuple(model.sources.items())) if model.module is not None else None


@functools.cache
def _files_digest(files: tuple[tuple[str, Path], ...]) -> str:
    return digest({name: file_digest(path) for name, path in files})


def _model_key(model: Probe) -> object:
    """A family by name, size and seed; a checkpoint by content, wherever it lies; one's own module by its options."""
    if model.module is not None:
        return [model.options, model.seed]
    if model.checkpoint is None:
        return {"model": model.model, "profile": model.profile, "seed": model.seed}
    # The seed draws the inputs, whatever the weights are.
    return [_checkpoint_digest(model.checkpoint), model.seed]


@functools.cache
def _checkpoint_digest(folder: str) -> str:
    return folder_digest(Path(folder))


def _named(part: Closure) -> str:
    versions = part.lock.versions
    short = {"torch": "torch", "transformers": "tf", "onnx": "onnx", "onnxruntime": "ort"}
    return " ".join(f"{short[name]} {versions[name]}" for name in MODULES if name in versions)
