"""Is it sound to share results? A sample of cells, done again from scratch, must come to the same verdicts.

From scratch means: nothing that is known, no layers, nothing shared with another cell, and no variant before another one in a
process. The whole lock is installed into one environment of its own (for a handoff: one for each side), as somebody would do by
hand for this cell alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

from harness.environments.environments import Environments
from harness.environments.layers import closure
from harness.environments.resolved import Resolved
from harness.errors import HarnessError
from harness.execution import exported_again
from harness.execution.events import Listener, Note
from harness.execution.executors import close
from harness.execution.session import Session
from harness.execution.worker import Worker
from harness.model import Setup, Status
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.interface import Task
from harness.tasks.pending import outstanding
from harness.tasks.records import Records
from harness.verdicts.judge import VariantVerdict, Verdict, judge


class AuditError(HarnessError):
    """A cell that was done again from scratch came to another verdict: something is shared that must not be."""


def audit(session: Session) -> list[str]:
    """Do a random share of the cells with verdicts again; returns a sentence for each variant that differs."""
    known = [
        (resolved, cell)
        for resolved, cell in session.cells
        if cell and _judged(session, resolved, cell, session.records).status.is_fact
    ]
    sample = random.sample(known, min(len(known), math.ceil(session.settings.audit * len(known))))
    disputes = []
    for number, (resolved, cell) in enumerate(sample, start=1):
        again = from_scratch(session, resolved, cell, session.listen)
        found = differences(_judged(session, resolved, cell, session.records), again)
        outcome = "; ".join(found) or "the same from scratch"
        session.listen(Note(text=f"audit {number}/{len(sample)}: {resolved.cell.id}: {outcome}"))
        disputes += [f"{resolved.cell.id}: {difference}" for difference in found]
    return disputes


def from_scratch(session: Session, resolved: Resolved, cell: CellTasks, listen: Listener) -> Verdict:
    """The verdict on a cell when its whole lock is installed into a fresh environment and everything is done anew."""
    records = Records(store=session.store, limits=session.limits, apart=True)
    made = Environments(session.store, session.uv, session.packages)
    try:
        with session.store.scratch() as folder:
            worker = Worker(
                store=session.store,
                records=records,
                environments=made,
                supervisor=session.supervisor,
                limits=session.limits,
                sandbox=session.sandbox,
                given=_whole(resolved, cell, made=made, folder=folder, records=records),
                # Who uses a cell runs one variant, and no other one before it.
                batches=False,
            )
            for task in _probes(cell):
                worker.perform(task, lambda _stage: None)
            _export_again(cell, records, worker)
            return _judged(session, resolved, cell, records)
    finally:
        close(made, listen, keep=False)


def _whole(resolved: Resolved, cell: CellTasks, *, made: Environments, folder: Path, records: Records) -> dict[str, Path]:
    """Closure key → python of an environment that holds all that the process could see, made at `folder`."""
    if resolved.interpreter is None or resolved.lock is None:
        return {}
    sides = [(install, install.closure) for install in cell.installs]
    if resolved.cell.setup is Setup.TOGETHER:
        whole = closure(resolved.interpreter, resolved.lock)
        sides = [(install, whole) for install in cell.installs]
    given: dict[str, Path] = {}
    for install, side in sides:
        place = folder / side.key[:16]
        python, result = made.build(place, side)
        records.put(install.key, [result])
        if python is not None:
            given[install.closure.key] = python
    return given


def _probes(cell: CellTasks) -> Sequence[Task]:
    return [task for task in cell.all if task not in cell.installs]


def _export_again(cell: CellTasks, records: Records, worker: Worker) -> None:
    """Do what failed with further exports, as a run does: one may have failed by chance."""
    done: set[object] = set()

    def untried(name: object) -> bool:
        new = name not in done
        done.add(name)
        return new

    while tasks := outstanding(exported_again.needed([cell], records, untried), records):
        for task in tasks:
            if not task.installs:
                worker.perform(task, lambda _stage: None)
        exported_again.settle([cell], records)


def _judged(session: Session, resolved: Resolved, cell: CellTasks, records: Records) -> Verdict:
    return judge(resolved, cell, records, session.matrix.variants)


def differences(before: Verdict, again: Verdict) -> list[str]:
    """What the same variants came to, where it is not the same; a second error and a flaky result prove nothing."""
    pairs = zip(before.variants, again.variants, strict=True)
    return [
        f"{old.variant.id} was {_end(old)}, and is {_end(new)} from scratch"
        for old, new in pairs
        if new.status is not Status.ERROR and Status.FLAKY not in {old.status, new.status} and _end(old) != _end(new)
    ]


def _end(verdict: VariantVerdict) -> str:
    return " ".join(filter(None, (verdict.status.value, verdict.stage and verdict.stage.value)))
