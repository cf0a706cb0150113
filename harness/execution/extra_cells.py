"""Runs extra cells: cells outside of the matrix, of a search, a boundary, `check`, `bisect` or `pin`.

A search is written as if every cell were known already. A cell that is not known yet is collected, and ends the pass of the
search with `Pending`. When all collected cells have run, the same search starts anew and gets further. So independent
searches run side by side, and the result of a search follows from the store alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from harness.environments import published_versions
from harness.environments.lockfile import PublishedVersion
from harness.environments.published_versions import NotAnswered
from harness.environments.resolved import Resolved
from harness.environments.resolver import Resolver
from harness.errors import UnpublishedError, interruptible
from harness.execution import once_more
from harness.execution.session import Session
from harness.execution.work import CellWork, ExtraCell, Origin, Work
from harness.matrix.plan import Planned
from harness.packaging_values import required_name
from harness.stack import tool_of
from harness.tasks import cell_tasks
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.interface import Task
from harness.tasks.pending import outstanding, to_invalidate
from harness.verdicts import cross_checks
from harness.verdicts.judge import Verdict

T = TypeVar("T")


class Pending(Exception):  # noqa: N818 -- no error: the search goes on after the next round
    """A cell that a search needs is not known yet."""


def run(session: Session, planned: Sequence[Planned], *, cross_checked: bool = True) -> list[Verdict]:
    """The verdicts on extra cells, in their order; missing results are made, if `session` acts.

    Cells with the same id differ only in their variants.

    Raises:
        ConfigError: a version that nobody publishes.
        Interrupted: Ctrl-C; what was finished is stored.
    """
    while True:
        verdicts = complete(session, lambda cells: cells.verdicts(planned), cross_checked=cross_checked)
        work = ExtraCells(session).failures_once_more(planned, verdicts)
        if work:
            session.run(work)
            once_more.record_outcomes(session)
        elif work is not None:
            return verdicts
        session.extra_cells.verdicts.clear()


def complete(session: Session, search: Callable[[ExtraCells], T], *, cross_checked: bool = False) -> T:
    """The result of `search`, after as many passes and rounds as it takes. Raises as `run`."""
    while True:
        cells = ExtraCells(session, cross_checked=cross_checked, origin=Origin.EXTRA_CELL)
        try:
            return search(cells)
        except Pending:
            session.run(cells.work())


class ExtraCells:
    """The extra cells of one pass of a search, or of several, over a session."""

    def __init__(
        self, session: Session, *, acts: bool = True, cross_checked: bool = False, origin: Origin = Origin.TRIAL
    ) -> None:
        """Without `acts`, or if the session does not act, nothing is collected: missing cells are `not run yet`."""
        self.session = session
        self.acts = acts and session.acts
        self._cross_checked = cross_checked
        self._origin = origin
        self._unknown: dict[ExtraCell, None] = {}
        self.fresh: set[ExtraCell] = set()
        """Cells of this pass for which this session has run tasks."""

    def verdicts(self, planned: Sequence[Planned], *, exclude_newer: str | None = None) -> list[Verdict]:
        """The verdicts on `planned`, in their order. Cells with the same id differ only in their variants.

        Releases from the date `exclude_newer` on do not count; None for the matrix's own date.

        Raises:
            Pending: something has to run first.
            ConfigError: a version that nobody publishes.
        """
        cells = [ExtraCell(planned=item, exclude_newer=exclude_newer) for item in planned]
        known, names = self.session.extra_cells.verdicts, [(cell, self._cross_checked) for cell in cells]
        if all(name in known for name in names):
            verdicts = [known[name] for name in names]
        else:
            work = self._resolved(cells)
            if self.acts and (self._invalid(cells, work) or self._missing(cells, work)):
                self._unknown |= dict.fromkeys(cells)
                raise Pending
            verdicts = self.session.judge(work, cross_checked=self._cross_checked)
            if self.acts is self.session.acts:
                known |= dict(zip(names, verdicts, strict=True))
        self.fresh |= self.session.extra_cells.trials.intersection(cells)
        return verdicts

    def resolved(self, planned: Sequence[Planned]) -> list[Resolved]:
        """`planned` with their locks, or why they have none. Raises ConfigError as `verdicts`."""
        return [resolved for resolved, _ in self._resolved([ExtraCell(planned=item) for item in planned])]

    def work(self) -> Work:
        """What is to run before the next pass gets further: tasks of the cells, then the cross-checks of what failed."""
        if not self.acts:
            return Work()
        cells = list(self._unknown)
        work = self._resolved(cells)
        for key in self._invalid(cells, work):
            self.session.records.ignore(key)
        return self._missing(cells, work)

    def failures_once_more(self, planned: Sequence[Planned], verdicts: Sequence[Verdict]) -> Work | None:
        """Those of `verdicts`, on `planned`, that are still to be run once more; None if they are outdated (once_more.py)."""
        if not self.acts:
            return Work()
        work = self._resolved([ExtraCell(planned=item) for item in planned])
        return once_more.work(self.session, zip((tasks for _, tasks in work), verdicts, strict=True))

    def published(self, requirement: str, python: str) -> PublishedVersion | NotAnswered | None:
        """The newest version that satisfies `requirement` where uv looks, or None: the answer stands until a refresh."""
        session, interpreter = self.session, self.session.interpreter(python)
        if interpreter is None:
            return NotAnswered()
        unanswered = session.extra_cells.unanswered
        provider, asked_for = session.provider(required_name(requirement), interpreter)
        return published_versions.newest(requirement, session.answers, provider, asked_for, unanswered, ask=self.acts)

    def _invalid(self, cells: Sequence[ExtraCell], work: Sequence[CellWork]) -> set[str]:
        """Keys of stored results that the options want made again, of cells that no earlier round has run."""
        session = self.session
        if not session.settings.invalidates:
            return set()
        own = [
            task for cell, (_, tasks) in zip(cells, work, strict=True) if tasks and session.untried(cell) for task in tasks.all
        ]
        return to_invalidate(own, session.records, everything=session.settings.force, statuses=session.settings.retry)

    def _missing(self, cells: Sequence[ExtraCell], work: Sequence[CellWork]) -> Work:
        session = self.session
        incomplete: dict[ExtraCell, CellWork] = {}
        done: dict[ExtraCell, CellTasks] = {}
        for cell, (resolved, tasks) in zip(cells, work, strict=True):
            if tasks and session.untried(cell) and outstanding(tasks.all, session.records):
                incomplete[cell] = (resolved, tasks)
            elif tasks:
                done[cell] = tasks
        session.extra_cells.trials.update(incomplete)
        own = [task for _, tasks in incomplete.values() if tasks for task in tasks.all]
        # A trial that fails is no answer to anybody.
        again = session.confirming_tasks(list(done.values())) if self._origin is Origin.EXTRA_CELL else []
        checks: Sequence[Task] = ()
        if self._cross_checked and not again:
            untried = [tasks for cell, tasks in done.items() if session.untried((cell, "cross-checks"))]
            checks = cross_checks.needed(untried, session.records, session.runtimes)
            session.invalidate(checks)
        needed = tuple(outstanding([*own, *again, *checks], session.records))
        return Work(tasks=needed, cells=tuple(incomplete.values()), origin=self._origin)

    def _resolved(self, cells: Sequence[ExtraCell]) -> tuple[CellWork, ...]:
        """The cells with their tasks; those that share an export have one with the variants of all of them.

        Raises:
            ConfigError: a version that nobody publishes.
            Interrupted: Ctrl-C.
        """
        locks = self.session.extra_cells.locks
        with interruptible():
            for day in dict.fromkeys(cell.exclude_newer for cell in cells):
                part = [cell for cell in cells if cell.exclude_newer == day and (cell, self.acts) not in locks]
                if part:
                    solved = self._resolver(day).resolve([cell.planned for cell in part], lambda *_: None)
                    for resolved in solved:
                        if resolved.unpublished:
                            name, version = resolved.unpublished
                            file, tool = self.session.settings.config.name, tool_of(name)
                            raise UnpublishedError(file, name, version, resolved.cell.id, tool=tool)
                    locks |= {(cell, self.acts): resolved for cell, resolved in zip(part, solved, strict=True)}
        found = [locks[cell, self.acts] for cell in cells]
        return tuple(zip(found, cell_tasks.of_cells(found, self.session.matrix.probe), strict=True))

    def _resolver(self, exclude_newer: str | None) -> Resolver:
        session, resolvers = self.session, self.session.extra_cells.resolvers
        if (exclude_newer, self.acts) not in resolvers:
            uv = session.uv
            if exclude_newer is not None:
                uv = replace(uv, sources=uv.sources.model_copy(update={"exclude_newer": exclude_newer}))
            resolvers[exclude_newer, self.acts] = Resolver(
                session.matrix,
                session.answers,
                uv,
                session.pythons,
                file=session.settings.config.name,
                ask=self.acts,
                dated=exclude_newer is not None,
                packages=session.packages,
            )
        return resolvers[exclude_newer, self.acts]
