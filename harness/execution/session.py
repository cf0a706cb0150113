"""The context of a command: a matrix and its cells, a store, uv, what is known, and who runs tasks.

A session that does not act asks no index and runs nothing: what the store does not know is `not run yet`.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.environments.environments import Environments
from harness.environments.index_answers import IndexAnswers
from harness.environments.interface import ANY, DatedProvider, ProviderFailure
from harness.environments.layers import Closure
from harness.environments.providers import Packages, provider_of
from harness.environments.resolved import Resolved
from harness.environments.resolver import Resolver
from harness.environments.sources import Pythons
from harness.environments.uv.client import Uv
from harness.errors import interruptible
from harness.execution import cost, executors, exported_again, given_environment
from harness.execution.cost import Cost
from harness.execution.events import Estimated, Listener, Note
from harness.execution.executors import local
from harness.execution.executors.interface import RunContext, TaskExecutor
from harness.execution.process.sandbox import Sandbox
from harness.execution.round import Round
from harness.execution.settings import Settings
from harness.execution.work import CellWork, EveryCell, ExtraCell, Origin, Strategy, Work
from harness.matrix.schema import Matrix
from harness.model import Interpreter, Limits
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.graph_run import Run
from harness.tasks.interface import Task
from harness.tasks.memory_need import Memory
from harness.tasks.pending import invalidate, outstanding
from harness.tasks.records import Records
from harness.verdicts import control_model, cross_checks
from harness.verdicts.judge import Verdict, judge


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtraCellState:
    """What is known of the extra cells of a session (extra_cells.py), besides its records; it ends with the session."""

    resolvers: dict[tuple[str | None, bool], Resolver] = field(default_factory=dict)
    """(date of the newest release, whether the index may be asked) → a resolver."""
    locks: dict[tuple[ExtraCell, bool], Resolved] = field(default_factory=dict)
    """(cell, whether the index may be asked) → its locks, which are fixed for the session."""
    verdicts: dict[tuple[ExtraCell, bool], Verdict] = field(default_factory=dict)
    """(cell, whether it was cross-checked) → its final verdict."""
    trials: set[ExtraCell] = field(default_factory=set)
    """Cells for which this session has run tasks."""
    unanswered: set[str] = field(default_factory=set)
    """Distributions, and look-ups in words, for which an index gave no answer; it is not asked again."""
    searches: dict[object, object] = field(default_factory=dict)
    """Arguments of a search → its result: a search that has ended does not run again in the next pass."""


@dataclass(kw_only=True, slots=True)
class Session:
    """Resolves, runs and judges cells. Environments live until it is left: `with session: ...`."""

    settings: Settings
    matrix: Matrix
    axes: Mapping[str, Sequence[str]]
    """Axis → versions, selectors resolved."""
    cells: tuple[CellWork, ...]
    """The selected cells of the matrix, in its order; none in a session for extra cells alone."""
    uv: Uv
    packages: Packages
    """The providers of packages that are no distributions of Python."""
    pythons: Pythons
    store: Store
    answers: IndexAnswers
    """What indexes answered, as far as this run believes it."""
    records: Records
    limits: Limits
    supervisor: Supervisor
    sandbox: Sandbox | None
    """What confines the probes of this machine; None if nothing does, or nothing runs."""
    listen: Listener
    acts: bool
    """Whether it may ask indexes and run tasks."""
    strategy: Strategy = field(default_factory=EveryCell)
    runtimes: cross_checks.Runtimes = field(default_factory=dict)
    """The two newest onnxruntimes of the matrix, and what has the version of another runtime: they cross-check failures."""
    deadline: float = math.inf
    """When no more tasks begin, by the monotonic clock."""
    given: Path | None = None
    """An environment that the caller made, for the tasks of the only cell."""
    begun: dict[str, None] = field(default_factory=dict)
    """Ids of the matrix's cells that were taken up so far, in this order."""
    over: bool = False
    """Whether the budget ended before everything began."""
    extra_cells: ExtraCellState = field(default_factory=ExtraCellState)
    _rounds: int = 0
    _tried: dict[object, int] = field(default_factory=dict)
    """Work → the first round that ran it."""
    _notes: set[str] = field(default_factory=set)
    _executor: TaskExecutor | None = None
    _memory: Memory | None = None
    _kept: set[tuple[Closure, ...]] = field(default_factory=set)
    _claims: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release_claims()
        if self._executor is not None:
            executors.close(self._executor, self.listen, keep=self.settings.keep_envs)
            self._executor = None

    @property
    def tasks(self) -> list[CellTasks]:
        """The tasks of every cell of the matrix that has a lock."""
        return [cell for _, cell in self.cells if cell]

    @property
    def left_out(self) -> Mapping[str, str]:
        """Cell of the matrix → why this run did not finish it; empty without a run."""
        return self.strategy.left_out(self.cells, over=self.over) if self.begun or self.over else {}

    def note(self, text: str) -> None:
        """Show the user a line, once."""
        if text not in self._notes:
            self._notes.add(text)
            self.listen(Note(text=text))

    def verdicts(self) -> list[Verdict]:
        """What is known of every cell of the matrix now; judged again after a record has changed."""
        return list(self.records.derived(self._judged))

    def _judged(self, records: Records) -> list[Verdict]:
        return control_model.with_answers(self.judge(self.cells), records, self.matrix)

    def judge(self, cells: Iterable[CellWork], *, cross_checked: bool = True) -> list[Verdict]:
        """What is known of `cells` now; without what the control model gave, and on request without cross-checks."""
        runtimes = self.runtimes if cross_checked else None
        return [judge(*cell, self.records, self.matrix.variants, runtimes) for cell in cells]

    def pending(self, cells: Iterable[CellWork]) -> list[Task]:
        """The distinct tasks of `cells` without a stored result, with those that they need."""
        return outstanding((task for _, cell in cells if cell for task in cell.all), self.records)

    def invalidate(self, tasks: Iterable[Task]) -> None:
        """Hide the stored results of `tasks` that the options want made again; each once."""
        invalidate(tasks, self.records, everything=self.settings.force, statuses=self.settings.retry)

    def invalidate_runs(self, runs: Iterable[Run]) -> None:
        """The same of runs and of the exports that they alone need."""
        self.invalidate(itertools.chain.from_iterable((run.export, run) for run in runs))

    def confirming_tasks(self, cells: Sequence[CellTasks]) -> list[Task]:
        """The tasks that are still to confirm failures of `cells` with further exports; records what is known of them."""
        if self.settings.invalidates:
            self.invalidate_runs(exported_again.known(cells, self.records))
        exported_again.settle(cells, self.records)
        return outstanding(exported_again.needed(cells, self.records, self.untried), self.records)

    def run(self, work: Work) -> None:
        """Run tasks and announce cells; results are in the records afterwards. Sets `over` if the budget ends first.

        Raises:
            Interrupted: Ctrl-C; what was finished is stored, and no process is left.
        """
        with interruptible():
            self._estimate(work)
            if self._executor is None:
                self._executor = executors.opened(self.context)
            if self._memory is None:
                self._memory = Memory(self.matrix.probe, self.records)
            this = Round(
                work=work,
                executor=self._executor,
                jobs=self._jobs,
                records=self.records,
                variants=self.matrix.variants,
                memory=self._memory,
                listen=self.listen,
                deadline=self.deadline,
                keep_all=self.settings.keep_envs or work.origin is not Origin.MATRIX,
                announced=len(self.begun),
                kept=self._kept,
            )
            if work.origin is Origin.MATRIX:
                self.begun |= dict.fromkeys(resolved.cell.id for resolved, _ in work.cells)
            self._rounds += 1
            begun = this.run()
            if work.origin is Origin.MATRIX:
                self.over = self.over or not begun

    def cost(self, tasks: Sequence[Task], *, if_fetched: bool = False) -> Cost | None:
        """About what `tasks` cost before anything of them is fetched; None if they run on other machines.

        None with `if_fetched`, too, if nothing is.
        """
        if ":" in self.settings.executor:
            return None
        try:
            probes = local.jobs(self._jobs)
            return cost.estimate(tasks, self.uv, self.store.root, probes=probes, if_fetched=if_fetched)
        except ProviderFailure as failure:
            raise failure.as_error() from None

    @property
    def _jobs(self) -> int | str:
        return self.settings.jobs or self.matrix.run.jobs

    def _estimate(self, work: Work) -> None:
        """Announce what a round costs: the first one, and each that fetches something. Raises NoRoomError."""
        if work.tasks and (found := self.cost(work.tasks, if_fetched=self._rounds > 0)):
            self.listen(Estimated(cost=found))
            if self.settings.disk_check:
                found.require_room()

    def untried(self, name: object) -> bool:
        """Whether no earlier round has run the work of that name: what a round could not finish does not run again."""
        return self._tried.setdefault(name, self._rounds) == self._rounds

    def claim(self, key: str) -> None:
        """Keep the claim on `key`, which this session does not have, until `release_claims`. Raises Interrupted."""
        with interruptible():
            self._claims.enter_context(self.store.claim(key, self.supervisor.check))

    def release_claims(self) -> None:
        """Other runs may do now what this one has left."""
        self._claims.close()

    def release_kept(self) -> None:
        """Release the environments that were kept for cross-checks, which are done."""
        if self._executor is not None and not self.settings.keep_envs:
            for parts in self._kept:
                self._executor.release(parts)
        self._kept.clear()

    def provider(self, name: str, python: Interpreter) -> tuple[DatedProvider, Interpreter]:
        """What knows which versions of a distribution, or of a runtime's package, are published; and for what it is asked."""
        own = provider_of(name, self.packages)
        return (own, ANY) if own else (self.uv, python)

    def interpreter(self, version: str) -> Interpreter | None:
        """The CPython of that version on this machine, installed by uv if it may."""
        return self.pythons.find(version)

    @property
    def context(self) -> RunContext:
        """See RunContext."""
        return RunContext(
            settings=self.settings,
            probe=self.matrix.probe,
            uv=self.uv,
            packages=self.packages,
            store=self.store,
            records=self.records,
            limits=self.limits,
            supervisor=self.supervisor,
            sandbox=self.sandbox,
            given=self._adopted if self.given and self.tasks else None,
        )

    def _adopted(self, made: Environments) -> Mapping[str, Path]:
        assert self.given is not None
        return given_environment.adopt(made, self.given, self.cells, self.records)
