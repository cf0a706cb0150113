"""Cross-checks of an artifact that an onnxruntime refuses or gets wrong: which runs are needed, and their results.

- *Other runtimes*: ONNX's reference evaluator and the newest other onnxruntime of the matrix run the same artifact. If
  they run it correctly, the cause is this onnxruntime; if they fail too, it is the exporter. Another runtime of the same
  version, which has the same library, tells a fault of the binding from one of the library.
- *Another consumer*: the same artifact in the same onnxruntime, with the other feedback, the other binding, and both. If
  that works, the cause is the consumer.

An artifact with an IR or opset above the measured limits of this onnxruntime needs none. Only cross-checks that these cells
need are reported, so that a report does not depend on the store's history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from packaging.version import Version

from harness.environments.layers import Closure
from harness.model import Stage, StageResult, Status, Variant
from harness.stack import RUNTIME, RuntimeVersion
from harness.tasks.cell_tasks import CellTasks, merged
from harness.tasks.graph_run import Evaluate, Run
from harness.tasks.records import Records, is_above_limits, stages

_RUNTIME_STAGES = {Stage.LOAD, Stage.DECODE, Stage.PARITY}

_OTHER = {"keep-cross": "feed-all", "feed-all": "keep-cross", "numpy": "ortvalue", "ortvalue": "numpy"}


class RunSide(NamedTuple):
    """What runs graphs: a closure, and the packages of a runtime that is no distribution of Python."""

    closure: Closure
    packages: Closure | None = None

    @property
    def runtime(self) -> RuntimeVersion:
        """Name and version of the runtime."""
        name = (self.packages and self.packages.runtime) or RUNTIME
        return RuntimeVersion(name, (self.packages or self.closure).lock.versions[name])

    @property
    def version(self) -> Version:
        """The version of the runtime, in which runtimes of one library agree."""
        return Version(self.runtime.version)


Runtimes = Mapping[str, Sequence[RunSide]]
"""Version of an interpreter → the run sides of the matrix for it that may be asked: those with the two newest onnxruntimes,
and, where a version is there in several runtimes, all of these."""

_Failed = tuple[Variant, str, Stage]
"""Variant, digest of its artifact, stage at which it failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossChecks:
    """The cross-checks of one variant: name → the result of the stage that decided."""

    runtimes: Mapping[str, StageResult] = field(default_factory=dict)
    consumers: Mapping[str, StageResult] = field(default_factory=dict)
    """The names are changes: `feedback keep-cross`, `binding numpy`."""


def needed(cells: Sequence[CellTasks], records: Records, runtimes: Runtimes) -> list[Evaluate | Run]:
    """The evaluations and runs that cross-check the unexplained failures of `cells`, each once."""
    tasks: list[Evaluate | Run] = []
    for cell in (cell.counting(records) for cell in cells):
        failed = _failed(cell, records)
        tasks += _in_other_runtimes(cell, [variant for variant, _, _ in failed], runtimes)
        changed = [variant for _, _, consumers in failed for variant in consumers.values()]
        tasks += [replace(cell.run, variants=tuple(changed))] if changed else []
    return merged(tasks)


def known(cell: CellTasks, records: Records, runtimes: Runtimes) -> dict[Variant, CrossChecks]:
    """Variant with an unexplained failure → the cross-checks of it that have been run."""
    cell = cell.counting(records)
    failed = _failed(cell, records)
    elsewhere = list(_in_other_runtimes(cell, [variant for variant, _, _ in failed], runtimes))
    return {
        variant: CrossChecks(
            runtimes=_deciding({task.runtime: task.variant_key(variant, artifact) for task in elsewhere}, records),
            consumers=_deciding(_keys(cell.run, changed, artifact), records),
        )
        for variant, artifact, changed in failed
    }


def unexplained(run: Run, records: Records) -> list[_Failed]:
    """The artifacts that this onnxruntime refuses or gets wrong although their stamps are not above it."""
    return [
        (variant, artifact, result.stage) for variant, artifact, result in _failing(run, records) if not is_above_limits(result)
    ]


def consumers(variant: Variant, stage: Stage) -> dict[str, Variant]:
    """Change → the variant with that change, for a failure at `stage`; a failure to load has nothing to do with a consumer."""
    changes = [{"binding": _OTHER[variant.binding]}]
    if variant.feedback in _OTHER and variant.layout != "no-cache":
        feedback = {"feedback": _OTHER[variant.feedback]}
        changes = [feedback, *changes, feedback | changes[0]]
    if stage is Stage.LOAD:
        return {}
    return {", ".join(f"{name} {value}" for name, value in change.items()): _changed(variant, **change) for change in changes}


def _changed(variant: Variant, *, feedback: str | None = None, binding: str | None = None) -> Variant:
    return replace(variant, feedback=feedback or variant.feedback, binding=binding or variant.binding)


def _failed(cell: CellTasks, records: Records) -> list[tuple[Variant, str, dict[str, Variant]]]:
    """(variant, digest of its artifact, consumers to try) for each unexplained failure of the cell's own variants.

    Its tasks may have variants of other cells too. If another consumer works that the cell has anyway, no more are tried.
    """
    own = set(cell.resolved.planned.variants)
    failed = []
    for variant, artifact, stage in unexplained(cell.run, records):
        if variant in own:
            others = consumers(variant, stage)
            planned = {name: other for name, other in others.items() if other in own}
            enough = any(result.ok for result in _deciding(_keys(cell.run, planned, artifact), records).values())
            failed.append((variant, artifact, planned if enough else others))
    return failed


def _keys(run: Run, variants: Mapping[str, Variant], artifact: str) -> dict[str, str]:
    return {name: run.variant_key(variant, artifact) for name, variant in variants.items()}


def failures(run: Run, records: Records) -> list[_Failed]:
    """The artifacts that this onnxruntime refuses or gets wrong."""
    return [(variant, artifact, result.stage) for variant, artifact, result in _failing(run, records)]


def _failing(run: Run, records: Records) -> Iterator[tuple[Variant, str, StageResult]]:
    for variant, artifact in run.runnable(records):
        for result in stages(records.get(run.variant_key(variant, artifact))):
            if result.status is Status.FAILS and result.stage in _RUNTIME_STAGES:
                yield variant, artifact, result


def _deciding(keys: Mapping[str, str], records: Records) -> dict[str, StageResult]:
    """Name → the result of the stage that decided, for those of `keys` that have been run."""
    known = {name: stages(records.get(key)) for name, key in keys.items()}
    return {
        name: next((result for result in results if not result.ok), results[-1]) for name, results in known.items() if results
    }


def _in_other_runtimes(cell: CellTasks, failed: Sequence[Variant], runtimes: Runtimes) -> Iterator[Evaluate | Run]:
    """The tasks that run the artifacts of `cell` in the evaluator, the newest other onnxruntime, and another binding."""
    if not failed:
        return
    yield Evaluate(export=cell.export, closure=cell.export.closure, variants=tuple(failed))
    own = RunSide(cell.run.closure, cell.run.packages)
    known = runtimes.get(own.closure.interpreter.version, ())
    others = [other for other in known if other.version != own.version and other.runtime.name == RUNTIME]
    bindings = [other for other in known if other.version == own.version and other.runtime.name != own.runtime.name]
    numpy = own.closure.lock.versions.get("numpy")
    for able in filter(None, (others, bindings)):
        # Of several the newest, and of these the one with the same numpy.
        other = max(able, key=lambda other: (other.version, other.closure.lock.versions.get("numpy") == numpy))
        yield Run(export=cell.export, closure=other.closure, packages=other.packages, variants=tuple(failed))
