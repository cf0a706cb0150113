"""What failed in a composed environment, against the same in the undivided one: a fact, or due to the composition.

See tasks/undivided.py. A failure that repeats is confirmed. If it ends otherwise, works or fails in another way, the composed
process runs once more: if it fails as before, its environment is refuted, and what ended undivided counts for all variants of
the cell; if not, it was chance. An error or chance in the undivided environment proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.execution.process.repetition import compared
from harness.model import StageResult, Status
from harness.tasks.interface import Batch, ProbeOutput, Task, Workplace
from harness.tasks.records import Records, stages, unproven
from harness.tasks.undivided import Divided, Pair, Undivided
from harness.verdicts.signature import signature


def expect(task: Task, records: Records) -> None:
    """Have no failure repeated undivided that has repeated composed: the undivided process is its repetition."""
    for _, pair in _unrepeated(task, records):
        failed = next(result for result in stages(records.get(pair.key)) if not result.ok)
        if failed.error:
            records.repeated.steady.add((pair.place, failed.stage, signature(failed.stage, failed.error)))


def settle(task: Task, output: ProbeOutput, records: Records, workplace: Workplace, again: Callable[[Batch], Records]) -> None:
    """Confirm or refute what failed composed, now that the process of `output` has ended; `again` runs a batch apart."""
    if not isinstance(task, Divided):
        return
    otherwise: dict[Undivided, list[Pair]] = {}
    for whole, pair in _unrepeated(task, records):
        ended = task.repeated(whole, pair.undivided, records)
        if not ended or unproven(ended):
            continue
        if _alike(stages(records.get(pair.key)), ended):
            records.put(whole.confirmation(pair.key, output.distributions.get(None)), ended)
        else:
            otherwise.setdefault(whole, []).append(pair)
    for whole, pairs in otherwise.items():
        if batch := task.repetition({pair.key for pair in pairs}, records, workplace):
            _judge(task, whole, pairs, records, again(batch))


def _judge(task: Divided, whole: Undivided, pairs: Sequence[Pair], records: Records, again: Records) -> None:
    """Refute the composed environment of `pairs` if one of them failed as before in the records of `again`."""
    for pair in pairs:
        results = compared(stages(records.get(pair.key)), stages(again.get(pair.key)) or stages(again.get(task.key)))
        if results[-1].status is Status.FAILS:
            records.put(whole.refutation, task.repeated(whole, pair.undivided, records))
        else:
            records.put(pair.key, results)


def _alike(composed: Sequence[StageResult], undivided: Sequence[StageResult]) -> bool:
    """Whether both ended with one failure. The same stage is not enough: in the whole environment something else may fail."""
    ends = [next((result for result in results if not result.ok), None) for results in (composed, undivided)]
    kinds = [end and end.error and (end.status, end.stage, signature(end.stage, end.error)) for end in ends]
    return kinds[0] == kinds[1] and all(end is not None and end.status is Status.FAILS for end in ends)


def _unrepeated(task: Task, records: Records) -> Iterator[tuple[Undivided, Pair]]:
    if isinstance(task, Divided):
        refuted = task.refuted(records)
        for whole in task.undivided:
            for pair in task.unrepeated(whole, records) if whole not in refuted else ():
                yield whole, pair
