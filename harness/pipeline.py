"""The main path, matrix.toml → cells → locks → tasks → results → verdicts → report. Read `run` first.

A library: it prints nothing, and takes no input but its arguments. A listener gets the events; decisions are returned.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import merge
from harness.environments.resolved import Resolved
from harness.environments.resolver import NOT_RESOLVED
from harness.errors import interruptible
from harness.execution import exported_again
from harness.execution.audit import audit
from harness.execution.cell_lists import selected
from harness.execution.cost import Cost
from harness.execution.events import Damage, Listener, Note, once
from harness.execution.preparation import opened
from harness.execution.session import Session
from harness.execution.settings import Settings
from harness.execution.steps import Step, invalidate
from harness.execution.work import Coverage, Origin
from harness.store.access import Access
from harness.store.store import Store
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.interface import Task
from harness.verdicts import report_file
from harness.verdicts.judge import NOT_REACHED, Verdict
from harness.verdicts.report_schema import Report

STEPS = (
    "harness.execution.steps:matrix_cells",
    "harness.execution.steps:exports_again",
    "harness.execution.steps:checks_elsewhere",
    "harness.diagnose.assembly:search_remedies",
    "harness.execution.steps:failures_once_more",
    "harness.diagnose.assembly:close_boundaries",
)
"""What a run does, in this order: functions `(session, verdicts) -> Work`.

By name, so that a step of a wing is an entry here, and no import (docs/design.md, "What may import what").
"""

_SEARCHES = {"harness.diagnose.assembly:search_remedies", "harness.diagnose.assembly:close_boundaries"}

CELL_STEPS = tuple(name for name in STEPS if name not in _SEARCHES)
"""What `cell` does for one cell: the searches are left out, because they rest on all cells."""

BEFORE_A_RUN = frozenset({NOT_REACHED, NOT_RESOLVED})
"""Reasons of what nobody has run yet."""

REPORT = "harness.diagnose.assembly:report"
"""`(session, verdicts) -> Report`: adds causes, rules and remedies to the verdicts."""


def run(settings: Settings, listen: Listener) -> tuple[Report, list[str]]:
    """Run the matrix; returns the report, and a sentence for each verdict that an audit contradicts.

    Raises:
        HarnessError: see errors.py; `Interrupted` carries no report; `known` then reports what was finished.
    """
    session = opened(settings, listen)  # matrix.toml → cells → locks → tasks
    with interruptible():
        verdicts = run_steps(session)
        # The environments of the session are gone; an audit makes its own.
        disputes = audit(session) if settings.audit else []
        return report(session, verdicts), disputes


def run_steps(session: Session, steps: Sequence[str] = STEPS) -> list[Verdict]:
    """Run the work of each step, until the step has none left. Each step begins with what is known by then."""
    with session:
        invalidate(session)
        for name in steps:
            step: Step = pkgutil.resolve_name(name)
            verdicts = session.verdicts()
            while work := step(session, verdicts):
                session.run(work)  # tasks → results
                # A step of another origin (of other cells, or of failures run again) remembers by itself what it has tried;
                # what it changes for the cells of the matrix counts from the next step on.
                if work.origin is Origin.MATRIX:
                    verdicts = session.verdicts()
        return session.verdicts()


def known(settings: Settings, listen: Listener) -> Report:
    """The report from what the store holds, running nothing."""
    session = opened(settings, listen, acts=False, access=Access.ADD)
    return report(session, session.verdicts())


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedWork:
    """What a run would do."""

    cells: tuple[tuple[Resolved, CellTasks | None], ...]
    """The cells that it takes up first, with their tasks; None for a cell without a lock."""
    pending: tuple[Task, ...]
    """The tasks of which something is not known."""
    cost: Cost | None
    """Of the pending tasks; None if there are none."""
    coverage: Coverage | None
    """What `--strategy pairwise` takes up first; None for other strategies."""


def planned(session: Session) -> PlannedWork:
    """What a run of `session` would do first; installs nothing. The session's strategy counts these cells as taken up."""
    chosen = session.strategy.next(session.cells, ())
    pending = session.pending(chosen)
    return PlannedWork(
        cells=tuple(chosen),
        pending=tuple(pending),
        cost=session.cost(pending) if pending else None,
        coverage=session.strategy.coverage(session.cells, chosen),
    )


def report(session: Session, verdicts: Sequence[Verdict]) -> Report:
    """The report on the matrix of `session`, as far as its store knows."""
    made: Report = pkgutil.resolve_name(REPORT)(session, verdicts)
    return made


def merged(sources: Sequence[Path], settings: Settings, listen: Listener) -> Report:
    """One report of several shards; runs nothing. `sources`: their stores, which are copied into this one, or their files.

    Raises:
        HarnessError: they cannot be merged, or, of files, not every cell is in one.
    """
    if not merge.are_stores(sources):
        reports = [(path, report_file.read(path)) for path in sources]
        return merge.join(reports, *selected(settings))
    listen = once(listen)
    store = Store.open(settings.store, note=lambda text: listen(Damage(text=text)))
    for text in merge.copy(sources, store):
        listen(Damage(text=text))
    session = opened(settings, listen, acts=False)
    # One store's first export may fail, and another's work: then the variant is flaky, whichever record was copied.
    exported_again.settle(session.tasks, session.records, working=True)
    found = report(session, session.verdicts())
    if count := sum(any(one.reason in BEFORE_A_RUN for one in cell.variants) for cell in found.cells):
        why = "their shard is missing or unfinished, or had another matrix, probe, platform or Python"
        listen(Note(text=f"cells whose results are not in these stores: {count} of {len(found.cells)}; {why}"))
    return found
