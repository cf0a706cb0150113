"""Second opinions on a decoding that failed: the same artifact and inputs through other runtimes.

Where onnxruntime fails in `decode` or `parity`, ONNX's own reference evaluator and the newest onnxruntime of the matrix
run the same artifact. If they run it correctly, the fault is that onnxruntime's; if they fail alike, it is the
exporter's or the decoding loop's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from packaging.version import Version

from harness.environments import Closure
from harness.facts import Facts, stages
from harness.model import Stage, StageResult, Status, Variant
from harness.tasks import CellTasks, Evaluate, Run, Task

_RUNTIME_STAGES = {Stage.DECODE, Stage.PARITY}


def wanted(cells: Sequence[CellTasks], facts: Facts) -> list[Task]:
    """The evaluations and runs that give a second opinion on what has failed, each once."""
    tasks: dict[Task, None] = {}
    for cell in cells:
        failed = failures(cell.run, facts)
        if failed:
            for other in others(cell, failed, cells):
                tasks[other] = None
    return list(tasks)


def failures(run: Run, facts: Facts) -> tuple[Variant, ...]:
    """The variants of `run` that this onnxruntime loads and then gets wrong."""
    found = []
    for variant in run.variants:
        artifact = (facts.get(run.export.variant_key(variant)) or {}).get("artifact")
        results = stages(facts.get(run.variant_key(variant, artifact))) if artifact else []
        if any(result.status is Status.FAILS and result.stage in _RUNTIME_STAGES for result in results):
            found.append(variant)
    return tuple(found)


def others(cell: CellTasks, failed: tuple[Variant, ...], cells: Iterable[CellTasks]) -> Iterator[Evaluate | Run]:
    """What else runs the artifacts of `cell`: the reference evaluator, and the newest other onnxruntime there is."""
    yield Evaluate(export=cell.export, variants=failed)
    newest = _newest_runtime(cell, cells)
    if newest.key != cell.run.closure.key:
        yield Run(export=cell.export, closure=newest, variants=failed)


def told(cell: CellTasks, variant: Variant, cells: Iterable[CellTasks], facts: Facts) -> dict[str, StageResult]:
    """Name of the other runtime → the stage that decided there, for a variant that failed in this one."""
    artifact = (facts.get(cell.run.export.variant_key(variant)) or {}).get("artifact")
    if artifact is None or variant not in failures(cell.run, facts):
        return {}
    opinions = {}
    for other in others(cell, (variant,), cells):
        results = stages(facts.get(other.variant_key(variant, artifact)))
        if results:
            opinions[other.runtime] = next((result for result in results if not result.ok), results[-1])
    return opinions


def _newest_runtime(cell: CellTasks, cells: Iterable[CellTasks]) -> Closure:
    """The run closure with the newest onnxruntime for the same interpreter; of several the one nearest by numpy."""
    interpreter = cell.run.closure.interpreter
    numpy = cell.run.closure.lock.versions.get("numpy")
    candidates = [other.run.closure for other in cells if other.run.closure.interpreter == interpreter]
    return max(candidates, key=lambda one: (Version(one.lock.versions["onnxruntime"]), one.lock.versions.get("numpy") == numpy))
