"""What failed in a composed environment, against the same in the undivided one: a fact, or due to the composition.

See tasks/undivided_environment.py. A failure that repeats is confirmed. If it ends otherwise, works or fails in another way,
the composed process runs once more: if it fails as before, its environment is refuted, and what ended undivided counts for all
variants of the cell; if not, it was chance. What composed is an error, and undivided is none, refutes that environment at once.
An error or chance in the undivided environment proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.execution.process.repetition import compared
from harness.model import StageResult, Status
from harness.tasks.interface import Batch, Task, Workplace
from harness.tasks.records import Records, stages, unproven
from harness.tasks.undivided_environment import Divided, Pair, Undivided, raised
from harness.verdicts.signature import failure_kind, first_failure


def expect(task: Task, records: Records) -> None:
    """Have no failure repeated undivided that has repeated composed: the undivided process is its repetition."""
    for _, pair in _unrepeated(task, records):
        known = first_failure(stages(records.get(pair.key)))
        if known.error and known.status is Status.FAILS:
            records.repeated.note(pair.place, failure_kind(known), known)


def settle(task: Task, records: Records, workplace: Workplace, again: Callable[[Batch], Records]) -> None:
    """Confirm or refute what failed composed and is known undivided too; `again` runs a batch apart."""
    if not isinstance(task, Divided):
        return
    otherwise: dict[Undivided, list[Pair]] = {}
    for whole, pair in _unrepeated(task, records):
        ended = task.repeated(whole, pair.undivided, records)
        if not ended or unproven(ended):
            continue
        known = stages(records.get(pair.key))
        if raised(known):
            records.put(whole.refutation, ended)
        elif _alike(known, ended):
            records.put(whole.confirmation(pair.key), ended)
        else:
            otherwise.setdefault(whole, []).append(pair)
    for whole, found in otherwise.items():
        pairs: Sequence[Pair] = found
        # Those again that a process did not reach, until one refutes their environment.
        while pairs and (batch := task.repetition({pair.key for pair in pairs}, records, workplace)):
            left = _judge(task, whole, pairs, records, again(batch))
            pairs = left if len(left) < len(pairs) else []


def _judge(task: Divided, whole: Undivided, pairs: Sequence[Pair], records: Records, again: Records) -> list[Pair]:
    """Refute the composed environment of `pairs` if one of them failed as before in the records of `again`.

    Returns those that the process did not reach, because it ended in another one; none if the environment is refuted.
    """
    left, refuted = list[Pair](), False
    for pair in pairs:
        known = stages(records.get(pair.key))
        end = stages(again.get(pair.key)) or [result for result in stages(again.get(task.key)) if not result.ok]
        results = compared(known, end) if end else known
        if not end:
            left.append(pair)
        elif results[-1].status is Status.FAILS:
            records.put(whole.refutation, task.repeated(whole, pair.undivided, records))
            refuted = True
        else:
            if results[-1].status is Status.FLAKY:
                records.repeated.chance.add(failure_kind(first_failure(known)))
            records.put(pair.key, results)
    return [] if refuted else left


def _alike(composed: Sequence[StageResult], undivided: Sequence[StageResult]) -> bool:
    """Whether both ended with one failure. The same stage is not enough: in the whole environment something else may fail."""
    ends = [next((result for result in results if not result.ok), None) for results in (composed, undivided)]
    one, other = ends
    if one is None or other is None or one.error is None or other.error is None:
        return False
    if not (one.status is other.status is Status.FAILS and one.stage is other.stage):
        return False
    # Words that vary from process to process vary here too.
    vary = one.error.shared or other.error.shared
    return bool(vary) or failure_kind(one) == failure_kind(other)


def _unrepeated(task: Task, records: Records) -> Iterator[tuple[Undivided, Pair]]:
    if isinstance(task, Divided):
        refuted = task.refuted(records)
        for whole in task.undivided:
            for pair in task.unrepeated(whole, records) if whole not in refuted else ():
                yield whole, pair
