"""The context of a command: a matrix and its cells, a store, uv, what is known, and who runs tasks.

A session that does not act asks no index and runs nothing: what the store does not know is `not run yet`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.environments.environments import Environments
from harness.environments.index_answers import IndexAnswers
from harness.environments.layers import Closure
from harness.environments.resolver import Resolved, Resolver
from harness.environments.sources import Pythons
from harness.environments.uv.client import Uv
from harness.errors import interruptible
from harness.execution import executors, given_environment
from harness.execution.events import Listener, Note
from harness.execution.executors.interface import RunContext, TaskExecutor
from harness.execution.round import Round
from harness.execution.settings import Settings
from harness.execution.work import CellWork, EveryCell, Origin, Strategy, Work
from harness.matrix.plan import Planned
from harness.matrix.schema import Matrix
from harness.model import Interpreter, Limits
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks import cell_tasks
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.interface import Task
from harness.tasks.memory import Memory
from harness.tasks.pending import outstanding, repeat, to_repeat
from harness.tasks.records import Records
from harness.verdicts import control_model, cross_checks
from harness.verdicts.judge import Verdict, judge


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A cell that no matrix lists."""

    planned: Planned
    exclude_newer: str | None = None
    """The date from which on releases do not count; None for what the matrix says."""


@dataclass(kw_only=True, slots=True)
class Session:
    """Resolves, runs and judges cells. Environments live until it is left: `with session: ...`."""

    settings: Settings
    matrix: Matrix
    axes: Mapping[str, Sequence[str]]
    """Axis → versions, selectors resolved."""
    cells: tuple[CellWork, ...]
    """The selected cells of the matrix, in its order; none where only other cells are asked about."""
    uv: Uv
    store: Store
    answers: IndexAnswers
    """What indexes answered, as far as this run believes it."""
    records: Records
    limits: Limits
    supervisor: Supervisor
    listen: Listener
    acts: bool
    """Whether it may ask indexes and run tasks."""
    strategy: Strategy = field(default_factory=EveryCell)
    runtimes: cross_checks.Runtimes = field(default_factory=dict)
    """The two newest onnxruntimes of the matrix, whatever is selected: they cross-check what another one fails."""
    deadline: float = math.inf
    """When no more tasks begin, by the monotonic clock."""
    given: Path | None = None
    """An environment that the caller made, for the tasks of the only cell."""
    asked: dict[str, None] = field(default_factory=dict)
    """Ids of the matrix's cells that were taken up so far, in this order."""
    over: bool = False
    """Whether the budget ended before everything began."""
    trials: set[Asked] = field(default_factory=set)
    """Cells outside of the matrix that this session has run tasks for."""
    _interpreters: dict[str, Interpreter] | None = None
    _pythons: Pythons = field(init=False)
    _rounds: int = 0
    _tried: dict[object, int] = field(default_factory=dict)
    """Question → the round that was first to answer it."""
    _notes: set[str] = field(default_factory=set)
    _executor: TaskExecutor | None = None
    _memory: Memory | None = None
    _resolvers: dict[tuple[str | None, bool], Resolver] = field(default_factory=dict)
    _solved: dict[tuple[Asked, bool], Resolved] = field(default_factory=dict)
    """Cell, and whether the index may be asked → its locks, which stand for this session."""
    _cross_checked: set[tuple[Closure, ...]] = field(default_factory=set)
    _answered: dict[tuple[Asked, bool], Verdict] = field(default_factory=dict)
    """Cell, and whether it was cross-checked → its verdict, which no further round changes."""
    silent: dict[str, str] = field(default_factory=dict)
    """Question to an index → why it gave no answer; it is not asked again."""
    searches: dict[object, object] = field(default_factory=dict)
    """What a search was asked → what it found: searches that came to their end are not made again in the next pass."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._executor is not None:
            executors.close(self._executor, self.listen, keep=self.settings.keep_envs)
            self._executor = None

    def with_matrix(self, matrix: Matrix) -> Session:
        """The same store and sources, asked as another matrix says."""
        return replace(self, matrix=matrix, _resolvers={}, _solved={}, _answered={}, _interpreters=None)

    @property
    def tasks(self) -> list[CellTasks]:
        """The tasks of every cell of the matrix that has a lock."""
        return [cell for _, cell in self.cells if cell]

    @property
    def left_out(self) -> Mapping[str, str]:
        """Cell of the matrix → why this run has not come to its end with it; empty without a run."""
        return self.strategy.left_out(self.cells, over=self.over) if self.asked or self.over else {}

    def note(self, text: str) -> None:
        """Show the user a line, once."""
        if text not in self._notes:
            self._notes.add(text)
            self.listen(Note(text=text))

    def verdicts(self) -> list[Verdict]:
        """What is known of every cell of the matrix now."""
        return control_model.told(self.judge(self.cells), self.records, self.matrix)

    def judge(self, cells: Iterable[CellWork], *, cross_checked: bool = True) -> list[Verdict]:
        """What is known of `cells` now; without what the control model gave, and on request without cross-checks."""
        runtimes = self.runtimes if cross_checked else None
        return [judge(*cell, self.records, self.matrix.variants, runtimes) for cell in cells]

    def pending(self, cells: Iterable[CellWork]) -> list[Task]:
        """The distinct tasks of `cells` without a stored result, with those that they need."""
        return outstanding((task for _, cell in cells if cell for task in cell.all), self.records)

    def repeat(self, tasks: Iterable[Task]) -> None:
        """Hide stored results of `tasks` that the options say to make again; each once."""
        repeat(tasks, self.records, everything=self.settings.force, statuses=self.settings.retry)

    def run(self, work: Work) -> None:
        """Run tasks and announce cells; results are in the records afterwards. Sets `over` if the budget ends first.

        Raises:
            Interrupted: Ctrl-C; what was finished is stored, and no process is left.
        """
        with interruptible():
            if self._executor is None:
                self._executor = executors.opened(self.context)
            if self._memory is None:
                self._memory = Memory(self.matrix.probe, self.records)
            this = Round(
                work=work,
                executor=self._executor,
                jobs=self.settings.jobs or self.matrix.run.jobs,
                records=self.records,
                variants=self.matrix.variants,
                memory=self._memory,
                listen=self.listen,
                deadline=self.deadline,
                keep=self.settings.keep_envs or work.origin is not Origin.MATRIX,
                announced=len(self.asked),
                cross_checked=self._cross_checked,
            )
            if work.origin is Origin.MATRIX:
                self.asked |= dict.fromkeys(resolved.cell.id for resolved, _ in work.cells)
            self._rounds += 1
            begun = this.run()
            if work.origin is Origin.MATRIX and work.cells:
                self.over = not begun

    def untried(self, question: object) -> bool:
        """Whether no earlier round was to answer `question`: what a round could not find out is not tried again."""
        return self._tried.setdefault(question, self._rounds) == self._rounds

    def ask(self, planned: Sequence[Planned], *, cross_checked: bool = True) -> list[Verdict]:
        """What becomes of cells that no matrix lists, in their order; what is not known is run, if this session acts.

        Cells with one id differ in nothing but their variants.

        Raises:
            ConfigError: a version that nobody publishes.
            Interrupted: Ctrl-C; what was finished is stored.
        """
        asked = [Asked(planned=one) for one in planned]
        while work := self.unknown(asked, cross_checked=cross_checked):
            self.run(replace(work, origin=Origin.QUESTION))
        return self.judge(self._resolved(asked), cross_checked=cross_checked)

    def known(self, asked: Sequence[Asked], *, cross_checked: bool = True, acts: bool = True) -> list[Verdict] | None:
        """What becomes of `asked`; None if something has to run first. Without `acts` nothing has to.

        Raises:
            ConfigError: a version that nobody publishes.
        """
        acts = acts and self.acts
        names = [(one, cross_checked) for one in asked]
        if all(name in self._answered for name in names):
            return [self._answered[name] for name in names]
        cells = self._resolved(asked, acts=acts)
        if acts and (self._repeated(asked, cells) or self._unknown(asked, cells, cross_checked=cross_checked)):
            return None
        verdicts = self.judge(cells, cross_checked=cross_checked)
        if acts is self.acts:
            self._answered |= dict(zip(names, verdicts, strict=True))
        return verdicts

    def unknown(self, asked: Sequence[Asked], *, cross_checked: bool = True) -> Work:
        """What to run to know what becomes of `asked`: their own tasks, then the cross-checks of what failed."""
        if not self.acts:
            return Work()
        cells = self._resolved(asked)
        for key in self._repeated(asked, cells):
            self.records.ignore(key)
        return self._unknown(asked, cells, cross_checked=cross_checked)

    def _repeated(self, asked: Sequence[Asked], cells: Sequence[CellWork]) -> set[str]:
        """Keys of stored results that the options say to make again, of what no earlier round was asked for."""
        if not self.settings.repeats:
            return set()
        own = [task for one, (_, cell) in zip(asked, cells, strict=True) if cell and self.untried(one) for task in cell.all]
        return to_repeat(own, self.records, everything=self.settings.force, statuses=self.settings.retry)

    def _unknown(self, asked: Sequence[Asked], cells: Sequence[CellWork], *, cross_checked: bool) -> Work:
        lacking: dict[Asked, CellWork] = {}
        complete: dict[Asked, CellTasks] = {}
        for one, (resolved, cell) in zip(asked, cells, strict=True):
            if cell and self.untried(one) and outstanding(cell.all, self.records):
                lacking[one] = (resolved, cell)
            elif cell:
                complete[one] = cell
        self.trials.update(lacking)
        own = [task for _, cell in lacking.values() if cell for task in cell.all]
        checked = [cell for one, cell in complete.items() if self.untried((one, "cross-checks"))] if cross_checked else []
        checks = cross_checks.wanted(checked, self.records, self.runtimes)
        self.repeat(checks)
        return Work(tasks=tuple(outstanding([*own, *checks], self.records)), cells=tuple(lacking.values()))

    def _resolved(self, asked: Sequence[Asked], *, acts: bool = True) -> tuple[CellWork, ...]:
        """Cells with their tasks; those that share an export have one with the variants of all."""
        acts = acts and self.acts
        with interruptible():
            for day in dict.fromkeys(one.exclude_newer for one in asked):
                part = [one for one in asked if one.exclude_newer == day and (one, acts) not in self._solved]
                if part:
                    solved = self._resolver(day, ask=acts).resolve([one.planned for one in part], lambda *_: None)
                    self._solved |= {(one, acts): resolved for one, resolved in zip(part, solved, strict=True)}
        cells = [self._solved[one, acts] for one in asked]
        return tuple(zip(cells, cell_tasks.of_cells(cells, self.matrix.probe), strict=True))

    def release_cross_checked(self) -> None:
        """Release the environments that were kept for cross-checks: those are done."""
        if self._executor is not None and not self.settings.keep_envs:
            for parts in self._cross_checked:
                self._executor.release(parts)
        self._cross_checked.clear()

    def interpreter(self, wanted: str) -> Interpreter | None:
        """A CPython of this machine; those of the matrix's cells are known, and looking for others takes a moment."""
        if self._interpreters is None:
            self._interpreters = {one.cell.python: one.interpreter for one, _ in self.cells if one.interpreter}
            self._pythons = Pythons(self.uv)
        return self._interpreters.get(wanted) or self._pythons.find(wanted)

    def _resolver(self, exclude_newer: str | None, *, ask: bool) -> Resolver:
        if (exclude_newer, ask) not in self._resolvers:
            sources = self.uv.sources
            if exclude_newer is not None:
                sources = sources.model_copy(update={"exclude_newer": exclude_newer})
            uv = replace(self.uv, sources=sources)
            file = self.settings.config.name
            resolver = Resolver(self.matrix, self.answers, uv, self.interpreter, file=file, ask=ask)
            self._resolvers[exclude_newer, ask] = resolver
        return self._resolvers[exclude_newer, ask]

    @property
    def context(self) -> RunContext:
        """See RunContext."""
        return RunContext(
            settings=self.settings,
            probe=self.matrix.probe,
            uv=self.uv,
            store=self.store,
            records=self.records,
            limits=self.limits,
            supervisor=self.supervisor,
            given=self._adopted if self.given and self.tasks else None,
        )

    def _adopted(self, made: Environments) -> Mapping[str, Path]:
        assert self.given is not None
        return given_environment.adopt(made, self.given, self.cells, self.records)
