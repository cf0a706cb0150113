"""The steps that every run takes: the cells of the matrix, and what makes sure of their failures.

A step is a function `(session, verdicts) -> Work`: what is still to run before it is done. The pipeline runs that, and calls
the step again, until nothing is left. What a step records itself, such as that a failure is chance, counts for the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.execution import exported_again, once_more
from harness.execution.session import Session
from harness.execution.work import Work
from harness.model import Status
from harness.tasks.interface import Task
from harness.tasks.pending import outstanding
from harness.verdicts import control_model, cross_checks
from harness.verdicts.judge import Verdict

Step = Callable[[Session, Sequence[Verdict]], Work]


def invalidate(session: Session) -> None:
    """Invalidate the stored results of the matrix's cells that the options want made again."""
    if session.settings.invalidates:
        own = [task for cell in session.tasks for task in cell.all]
        session.invalidate([*own, *_elsewhere(session, session.verdicts())])


def matrix_cells(session: Session, verdicts: Sequence[Verdict]) -> Work:
    """The cells of the matrix, as the strategy takes them up, until the budget is over."""
    if session.over:
        return Work()
    cells = tuple(session.strategy.next(session.cells, verdicts))
    return Work(tasks=tuple(session.pending(cells)), cells=cells)


def exports_again(session: Session, verdicts: Sequence[Verdict]) -> Work:  # noqa: ARG001 -- as Step
    """What failed from `load` on, with what another process exports: no proof may rest on a graph that comes by chance."""
    return Work() if session.over else Work(tasks=tuple(session.confirming_tasks(session.tasks)))


def checks_elsewhere(session: Session, verdicts: Sequence[Verdict]) -> Work:
    """What failed, in other runtimes and by other consumers; and where nothing works, the same cells with another model."""
    if session.over:
        session.note("the budget is over; what is left was not begun")
    elif session.untried("checks elsewhere"):
        checks = _elsewhere(session, verdicts)
        session.invalidate(checks)
        if tasks := outstanding(checks, session.records):
            return Work(tasks=tuple(tasks))
    session.release_kept()
    return Work()


def failures_once_more(session: Session, verdicts: Sequence[Verdict]) -> Work:
    """What failed before everything else ran, once more: a failure by chance must not prove what was changed meanwhile."""
    if once_more.record_outcomes(session):
        exported_again.settle(session.tasks, session.records)
        verdicts = session.verdicts()
    if session.over:
        return Work()
    tasks = [tasks for _, tasks in session.cells]
    while (work := once_more.work(session, zip(tasks, verdicts, strict=True))) is None:
        verdicts = session.verdicts()
    return work


def _elsewhere(session: Session, verdicts: Sequence[Verdict]) -> list[Task]:
    failed = [
        tasks
        for (_, tasks), verdict in zip(session.cells, verdicts, strict=True)
        if tasks and any(variant.status is not Status.WORKS for variant in verdict.variants)
    ]
    checks = cross_checks.needed(failed, session.records, session.runtimes)
    return [*checks, *control_model.needed(verdicts, session.matrix.probe)]
