"""Questions about cells that no matrix lists: a changed version, a bound on something transitive, another variant.

Sources, probe and limits are those of a prepared matrix, and so is the store: what a question found out is known to the
next run, report and question. Diagnosis and decisions ask here; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import TypeAdapter

from harness.environments.lockfile import Published
from harness.environments.resolver import Resolver
from harness.environments.sources import Pythons
from harness.environments.uv.errors import UvFailure
from harness.errors import interruptible
from harness.execution.events import Answered, Event, Judged, Listener, Working
from harness.execution.executors import Crew
from harness.execution.prepare import Prepared, Settings
from harness.execution.rounds import Rounds, close, hire
from harness.execution.scheduler import outstanding
from harness.matrix.plan import Planned
from harness.matrix.schema import Matrix
from harness.model import Interpreter, digest
from harness.store.envelope import RecordKind
from harness.tasks import tasks
from harness.tasks.pending import repeat
from harness.verdicts.judge import Verdict

PUBLISHED = RecordKind(name="published", adapter=TypeAdapter(tuple[Published | None]))
"""The newest version that satisfies a requirement; None in it where there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoSuchVersion:
    """An answer of the index: it has no version that satisfies the requirement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NotAnswered:
    """No answer: the index is in trouble, or was not asked. It says nothing about what is published."""

    why: str


class Lab:
    """Resolves, runs and judges the cells it is asked about; its environments live until it is left.

    `with Lab(prepared, settings, listen, act=True) as lab: lab.ask([replace(planned, bounds=("numpy<2",))])`
    """

    def __init__(self, prepared: Prepared, settings: Settings, listen: Listener, *, act: bool) -> None:
        """Without `act` nothing is resolved or run: what the store does not know yet is `not-run`, and open."""
        self._prepared = prepared
        # Environments serve the next question too.
        self._settings = replace(settings, refresh=False, keep_envs=True, strategy="full", budget=None, audit=0.0)
        self._keep = settings.keep_envs
        self._listen = listen
        self._act = act
        self._silent: dict[str, str] = {}
        """Distribution → why the index gave no answer; it is not asked about again."""
        self._crew: Crew | None = None
        self._resolvers: dict[str | None, Resolver] = {}
        self._known = {resolved.cell.python: resolved.interpreter for resolved, _ in prepared.cells if resolved.interpreter}
        self._pythons = Pythons(prepared.uv)
        self.asked = 0
        """Cells that there was something left to do for."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._crew is not None:
            close(self._crew, self._listen, keep=self._keep)
            self._crew = None

    @property
    def matrix(self) -> Matrix:
        """What is asked about, and how."""
        return self._prepared.matrix

    @property
    def acts(self) -> bool:
        """Whether it finds out what is not known."""
        return self._act

    def published(self, requirement: str, python: str) -> Published | NoSuchVersion | NotAnswered:
        """The newest version that satisfies `requirement` where uv looks, recorded: today's answer stands until a refresh."""
        interpreter = self._interpreter(python)
        if interpreter is None:
            return NotAnswered(why=f"no CPython {python} on this machine")
        uv, answers = self._prepared.uv, self._prepared.answers
        key = digest(["published", requirement, interpreter.version, uv.identity(answers.store.root)])
        known = answers.get(PUBLISHED, key, ask=self._act)
        if known is not None:
            return known[0] or NoSuchVersion()
        name = canonicalize_name(Requirement(requirement).name)
        if not self._act or answers.provisional or name in self._silent:
            return NotAnswered(why=self._silent.get(name) or "it was not asked")
        try:
            found = uv.published(requirement, interpreter)
        except UvFailure as failure:
            self._silent[name] = str(failure)
            return NotAnswered(why=str(failure))
        answers.put(PUBLISHED, key, (found,))
        return found or NoSuchVersion()

    def ask(self, planned: Sequence[Planned], *, exclude_newer: str | None = None, opinions: bool = True) -> list[Verdict]:
        """What becomes of `planned`, in their order; `exclude_newer` (a date) instead of the matrix's.

        Cells of one name differ in nothing but their variants. Without `opinions` no other runtime is asked where one fails.

        Raises:
            ConfigError: a version that nobody publishes.
            Interrupted: Ctrl-C; what was finished is stored.
        """
        prepared = self._prepared
        with interruptible():
            resolved = self._resolver(exclude_newer).resolve(planned, lambda _done, _total: None)
            cells = tuple(zip(resolved, tasks.of_cells(resolved, prepared.matrix.probe), strict=True))
            trial = replace(prepared, cells=cells)
            if self._act:
                self._do(trial, opinions=opinions)
        return trial.judged(opinions=opinions)

    def _resolver(self, exclude_newer: str | None) -> Resolver:
        if exclude_newer not in self._resolvers:
            prepared = self._prepared
            sources = prepared.uv.sources
            if exclude_newer is not None:
                sources = sources.model_copy(update={"exclude_newer": exclude_newer})
            self._resolvers[exclude_newer] = Resolver(
                prepared.matrix,
                prepared.answers,
                replace(prepared.uv, sources=sources),
                self._interpreter,
                file=self._settings.config.name,
                ask=self._act,
            )
        return self._resolvers[exclude_newer]

    def _interpreter(self, wanted: str) -> Interpreter | None:
        """The matrix's own are known; looking for others takes a moment."""
        return self._known.get(wanted) or self._pythons.find(wanted)

    def _do(self, trial: Prepared, *, opinions: bool) -> None:
        again = [*(task for cell in trial.tasks for task in cell.all), *(trial.opinions() if opinions else ())]
        repeat(again, trial.facts, everything=self._settings.force, statuses=self._settings.retry)
        todo = trial.todo(trial.cells)
        second = outstanding(trial.opinions(), trial.facts) if opinions else []
        if not todo and not second:
            return
        if self._crew is None:
            self._crew = hire(self._prepared, self._settings, None)
        self.asked += sum(bool(cell and set(todo).intersection(cell.all)) for _, cell in trial.cells)
        rounds = Rounds(trial, self._crew, self._settings, self._hear)
        rounds.take(trial.cells, todo)
        rounds.do(todo)
        if opinions:
            rounds.do(outstanding(trial.opinions(), trial.facts))

    def _hear(self, event: Event) -> None:
        """Its cells are not the matrix's, and not to be counted with those."""
        match event:
            case Judged():
                self._listen(Answered(verdict=event.verdict))
            case Working():
                self._listen(replace(event, cells=0))
            case _:
                self._listen(event)
