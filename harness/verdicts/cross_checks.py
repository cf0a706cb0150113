"""Second opinions on an artifact that an onnxruntime refuses or gets wrong: what is asked, and what was said.

- *Other runtimes*: ONNX's own reference evaluator and the newest other onnxruntime of the matrix run the same artifact.
  If they run it correctly, the fault is that onnxruntime's; if they fail too, it is the exporter's.
- *Another consumer*: the same artifact in the same onnxruntime, with the other feedback, the other binding, and both.
  If that works, the fault is the consumer's.

An artifact whose IR or opset is above what this onnxruntime was measured to run needs none. What is told is what is
asked, and that follows from the cells alone: what the store happens to know besides, from another matrix, a remedy that
was tried or another shard's cells, is not told, or the same cells would give another report on another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.version import Version

from harness.environments.layers import Closure
from harness.model import Stage, StageResult, Status, Variant
from harness.stack import RUNTIME
from harness.tasks.cell_tasks import CellTasks, merged
from harness.tasks.graph_run import Evaluate, Run
from harness.tasks.records import Records, stages

_RUNTIME_STAGES = {Stage.LOAD, Stage.DECODE, Stage.PARITY}

ABOVE = ("ir-above-runtime", "opset-above-runtime")
"""What the probe finds in a stamp that is above its onnxruntime (probe/runtimes/ort/supported_formats.py)."""

_OTHER = {"keep-cross": "feed-all", "feed-all": "keep-cross", "numpy": "ortvalue", "ortvalue": "numpy"}

Runtimes = Mapping[str, Sequence[Closure]]
"""Version of an interpreter → the run closures with the two newest onnxruntimes of the matrix for it; see `newest`."""

_Failed = tuple[Variant, str, Stage]
"""Variant, digest of its artifact, stage at which it failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossChecks:
    """What became of an artifact elsewhere: name → the stage that decided there."""

    runtimes: Mapping[str, StageResult] = field(default_factory=dict)
    consumers: Mapping[str, StageResult] = field(default_factory=dict)
    """By what was changed: `feedback keep-cross`, `binding numpy`."""


def newest(closures: Iterable[Closure]) -> Runtimes:
    """Of all `closures` those with the two newest onnxruntimes, each once, by the version of their interpreter."""
    found: dict[str, dict[Version, dict[str, Closure]]] = {}
    for one in closures:
        found.setdefault(one.interpreter.version, {}).setdefault(_runtime(one), {})[one.key] = one
    return {
        interpreter: [one for version in sorted(others, reverse=True)[:2] for one in others[version].values()]
        for interpreter, others in found.items()
    }


def wanted(cells: Sequence[CellTasks], facts: Records, runtimes: Runtimes) -> list[Evaluate | Run]:
    """The evaluations and runs that give an opinion on what has failed and is not explained, each once."""
    asked: list[Evaluate | Run] = []
    for cell in cells:
        failed = _failed(cell, facts)
        asked += _others(cell, [variant for variant, _, _ in failed], runtimes)
        changed = [other for _, _, others in failed for other in others.values()]
        asked += [replace(cell.run, variants=tuple(changed))] if changed else []
    return list(merged(asked).values())


def told(cell: CellTasks, facts: Records, runtimes: Runtimes) -> dict[Variant, CrossChecks]:
    """Variant that failed in this runtime and is not explained → what of `wanted` is known of it."""
    failed = _failed(cell, facts)
    others = list(_others(cell, [variant for variant, _, _ in failed], runtimes))
    return {
        variant: CrossChecks(
            runtimes=_known({one.runtime: one.variant_key(variant, artifact) for one in others}, facts),
            consumers=_known(_keys(cell.run, changed, artifact), facts),
        )
        for variant, artifact, changed in failed
    }


def unexplained(run: Run, facts: Records) -> list[_Failed]:
    """What this onnxruntime refuses or gets wrong although its stamps are not above it."""
    return [
        (variant, artifact, stage)
        for variant, artifact, stage in _failures(run, facts)
        if stage is not Stage.LOAD or not _is_above(stages(facts.get(run.variant_key(variant, artifact))))
    ]


def consumers(variant: Variant, stage: Stage) -> dict[str, Variant]:
    """What was changed → the variant with that change, for one that failed at `stage`; loading knows no consumer."""
    changes = [{"binding": _OTHER[variant.binding]}]
    if variant.feedback in _OTHER and variant.layout != "no-cache":
        feedback = {"feedback": _OTHER[variant.feedback]}
        changes = [feedback, *changes, feedback | changes[0]]
    if stage is Stage.LOAD:
        return {}
    return {", ".join(f"{name} {value}" for name, value in one.items()): _changed(variant, **one) for one in changes}


def _changed(variant: Variant, *, feedback: str | None = None, binding: str | None = None) -> Variant:
    return replace(variant, feedback=feedback or variant.feedback, binding=binding or variant.binding)


def _failed(cell: CellTasks, facts: Records) -> list[tuple[Variant, str, dict[str, Variant]]]:
    """(variant, digest of its artifact, consumers that are asked) of what is unexplained.

    Of the cell's own variants: its tasks may have those of other cells too. All other consumers are asked, unless one
    works that the cell has anyway, which is enough.
    """
    own = set(cell.resolved.planned.variants)
    found = []
    for variant, artifact, stage in unexplained(cell.run, facts):
        if variant in own:
            others = consumers(variant, stage)
            there = {name: other for name, other in others.items() if other in own}
            enough = any(result.ok for result in _known(_keys(cell.run, there, artifact), facts).values())
            found.append((variant, artifact, there if enough else others))
    return found


def _keys(run: Run, variants: Mapping[str, Variant], artifact: str) -> dict[str, str]:
    return {name: run.variant_key(variant, artifact) for name, variant in variants.items()}


def _failures(run: Run, facts: Records) -> list[_Failed]:
    return [
        (variant, artifact, result.stage)
        for variant, artifact in run.runnable(facts)
        for result in stages(facts.get(run.variant_key(variant, artifact)))
        if result.status is Status.FAILS and result.stage in _RUNTIME_STAGES
    ]


def _is_above(results: Sequence[StageResult]) -> bool:
    return any(finding["rule"] in ABOVE for result in results for finding in result.data.get("findings", ()))


def _known(keys: Mapping[str, str], facts: Records) -> dict[str, StageResult]:
    """Name → the stage that decided, of those of `keys` that have been run."""
    found = {name: stages(facts.get(key)) for name, key in keys.items()}
    return {name: next((one for one in results if not one.ok), results[-1]) for name, results in found.items() if results}


def _others(cell: CellTasks, failed: Sequence[Variant], runtimes: Runtimes) -> Iterator[Evaluate | Run]:
    """What else runs the artifacts of `cell`: the reference evaluator, and the newest other onnxruntime there is."""
    if not failed:
        return
    yield Evaluate(export=cell.export, closure=cell.export.closure, variants=tuple(failed))
    own = cell.run.closure
    others = [one for one in runtimes.get(own.interpreter.version, ()) if _runtime(one) != _runtime(own)]
    if others:
        # Of several the one nearest by numpy.
        numpy = own.lock.versions.get("numpy")
        other = max(others, key=lambda one: (_runtime(one), one.lock.versions.get("numpy") == numpy))
        yield Run(export=cell.export, closure=other, variants=tuple(failed))


def _runtime(one: Closure) -> Version:
    return Version(one.lock.versions[RUNTIME])
