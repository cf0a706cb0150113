"""Second opinions on a decoding that failed: the same artifact and inputs through other runtimes.

Where onnxruntime fails in `decode` or `parity`, ONNX's own reference evaluator and the newest onnxruntime of the matrix
run the same artifact. If they run it correctly, the fault is that onnxruntime's; if they fail alike, it is the
exporter's or the decoding loop's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from packaging.version import Version

from harness.environments import Closure
from harness.facts import Facts, stages
from harness.model import Stage, StageResult, Status, Variant
from harness.tasks import CellTasks, Evaluate, Run, merged
from harness.todo import runnable

_RUNTIME_STAGES = {Stage.DECODE, Stage.PARITY}

Runtimes = Mapping[str, Sequence[Closure]]
"""Version of an interpreter → the run closures with the newest onnxruntime of the matrix for it; see `newest`."""


def newest(closures: Iterable[Closure]) -> Runtimes:
    """Of all `closures` those with the newest onnxruntime, each once, by the version of their interpreter."""
    found: dict[str, dict[str, Closure]] = {}
    for one in closures:
        others = found.setdefault(one.interpreter.version, {})
        if others and _runtime(one) > _runtime(next(iter(others.values()))):
            others.clear()
        if not others or _runtime(one) == _runtime(next(iter(others.values()))):
            others[one.key] = one
    return {interpreter: list(others.values()) for interpreter, others in found.items()}


def wanted(cells: Sequence[CellTasks], facts: Facts, runtimes: Runtimes) -> list[Evaluate | Run]:
    """The evaluations and runs that give a second opinion on what has failed, each once."""
    return list(merged(other for cell in cells for other in _others(cell, failures(cell.run, facts), runtimes)).values())


def told(cell: CellTasks, facts: Facts, runtimes: Runtimes) -> dict[Variant, dict[str, StageResult]]:
    """Variant that failed in this runtime → name of another one → the stage that decided there."""
    opinions: dict[Variant, dict[str, StageResult]] = {}
    failed = failures(cell.run, facts)
    for other in _others(cell, failed, runtimes):
        for variant, artifact in failed:
            results = stages(facts.get(other.variant_key(variant, artifact)))
            if results:
                decided = next((result for result in results if not result.ok), results[-1])
                opinions.setdefault(variant, {})[other.runtime] = decided
    return opinions


def failures(run: Run, facts: Facts) -> list[tuple[Variant, str]]:
    """(variant, artifact) of what this onnxruntime loads and then gets wrong."""
    return [
        (variant, artifact)
        for variant, artifact in runnable(run, facts)
        if any(
            result.status is Status.FAILS and result.stage in _RUNTIME_STAGES
            for result in stages(facts.get(run.variant_key(variant, artifact)))
        )
    ]


def _others(cell: CellTasks, failed: Sequence[tuple[Variant, str]], runtimes: Runtimes) -> Iterator[Evaluate | Run]:
    """What else runs the artifacts of `cell`: the reference evaluator, and the newest other onnxruntime there is."""
    if not failed:
        return
    variants = tuple(variant for variant, _ in failed)
    yield Evaluate(export=cell.export, variants=variants)
    own = cell.run.closure
    candidates = runtimes.get(own.interpreter.version, ())
    if candidates and all(one.key != own.key for one in candidates):
        # Of several the one nearest by numpy.
        other = max(candidates, key=lambda one: one.lock.versions.get("numpy") == own.lock.versions.get("numpy"))
        yield Run(export=cell.export, closure=other, variants=variants)


def _runtime(one: Closure) -> Version:
    return Version(one.lock.versions["onnxruntime"])
