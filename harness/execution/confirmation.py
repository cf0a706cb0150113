"""Failures run once more, when everything else has run.

A package that fails twice by chance and then works would make a remedy, or a proof, of whatever was changed meanwhile. So one
failure of each signature and task is run again after all changes: what fails then was not mended by the time that passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.execution.process.repetition import compared
from harness.execution.session import Session
from harness.execution.work import Origin, Work
from harness.model import Stage, Status
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.interface import Task
from harness.tasks.pending import outstanding
from harness.tasks.records import Records, stages
from harness.tasks.repetitions import FailureKind
from harness.verdicts.judge import VariantVerdict, Verdict

_CONFIRMED = "confirmed"
"""In the data of a failure that was run once more; a later run does not do that again."""

_NOT_OF_THE_PROBE = {Stage.RESOLVE, Stage.INSTALL}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where a failure is stored, and the task that gives it."""

    key: str
    task: Task
    tasks: CellTasks


def outcomes(session: Session) -> bool:
    """Take over how the failures ended that were run once more; returns whether there were any."""
    run, records = dict(session.confirming), session.records
    session.confirming.clear()
    for key, earlier in run.items():
        again = records.get(key)
        results = compared(earlier.stages, again.stages) if again else []
        status = results[-1].status if results else Status.ERROR
        if again is None:
            # The budget was over, or its environment is gone.
            records.reveal(key)
        elif status is Status.ERROR:
            records.put(key, earlier.stages, artifact=earlier.artifact)
        elif status is Status.FAILS:
            marked = [result if result.ok else replace(result, data={**result.data, _CONFIRMED: True}) for result in results]
            records.put(key, marked, artifact=earlier.artifact)
        else:
            records.put(key, results)
    return bool(run)


def work(session: Session, verdicts: Iterable[tuple[CellTasks | None, Verdict]]) -> Work:
    """The failures among `verdicts` that are still to be run once more, hidden until they are."""
    groups: dict[tuple[str, FailureKind], list[_Place]] = {}
    confirmed, by_chance = set[tuple[str, FailureKind]](), set(session.records.repeated.chance)
    for tasks, cell in verdicts:
        for variant in cell.variants if tasks else ():
            kind = (variant.last.stage, variant.signature or "")
            if variant.status is Status.FLAKY:
                by_chance.add(kind)
            elif variant.status is Status.FAILS and kind[0] not in _NOT_OF_THE_PROBE:
                assert tasks is not None
                place = _place(tasks, variant, session.records)
                if place and variant.last.data.get(_CONFIRMED):
                    confirmed.add((place.task.key, kind))
                elif place:
                    groups.setdefault((place.task.key, kind), []).append(place)
    session.records.repeated.chance |= by_chance
    chosen = []
    for group, places in groups.items():
        _, kind = group
        if kind in by_chance:
            chosen += places
        elif group not in confirmed:
            chosen.append(places[0])
    chosen = [place for place in chosen if session.untried((_CONFIRMED, place.key))]
    for place in chosen:
        _hide(place.key, session)
    tasks_of = [task for place in chosen for task in (place.tasks.export, place.tasks.run)]
    return Work(tasks=tuple(outstanding(tasks_of, session.records)), origin=Origin.REPETITION)


def _hide(key: str, session: Session) -> None:
    if key not in session.confirming and (earlier := session.records.get(key)):
        session.confirming[key] = earlier
        session.records.hide(key)


def _place(tasks: CellTasks, variant: VariantVerdict, records: Records) -> _Place | None:
    """Where the result that decided on a variant is stored; None if another process has changed the store."""
    export, run, artifact = tasks.export, tasks.run, tasks.export.artifact(variant.variant, records)
    keys: dict[str, Task] = {export.key: export, export.variant_key(variant.variant): export, run.key: run}
    if tasks.together:
        keys[tasks.together.key] = export
    if artifact:
        keys[run.variant_key(variant.variant, artifact)] = run
    found = next((key for key in keys if variant.last in stages(records.get(key))), None)
    return _Place(key=found, task=keys[found], tasks=tasks) if found else None
