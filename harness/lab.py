"""Questions about cells that no matrix lists: a changed version, a bound on something transitive, another variant.

Sources, probe and limits are those of a prepared matrix, and so is the store: what a question found out is known to the
next run, report and question. Diagnosis and decisions ask here; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from harness import tasks
from harness.errors import Interrupted
from harness.events import Listener
from harness.executors import Crew
from harness.locks import Resolver
from harness.perform import Rounds, hire
from harness.plan import Planned
from harness.prepare import Prepared, Settings
from harness.schedule import outstanding
from harness.sources import Pythons
from harness.verdict import Verdict


class Lab:
    """Resolves, runs and judges the cells it is asked about; its environments live until it is left.

    `with Lab(prepared, settings, listen, act=True) as lab: lab.ask([replace(planned, bounds=("numpy<2",))])`
    """

    def __init__(self, prepared: Prepared, settings: Settings, listen: Listener, *, act: bool, refresh: bool = False) -> None:
        """Without `act` nothing is resolved or run: what the store does not know yet is `not-run`, and open.

        With `refresh` every lock is solved anew: the question is about what is published today.
        """
        self._prepared = prepared
        # A question is put once: what is known of it stands, and environments serve the next question too.
        self._settings = replace(
            settings, force=False, retry_errors=False, refresh=False, keep_envs=True, strategy="full", budget=None, audit=0.0
        )
        self._keep = settings.keep_envs
        self._listen = listen
        self._act = act
        self._refresh = refresh
        self._crew: Crew | None = None
        self.asked = 0
        """Cells that there was something left to do for."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._crew is not None:
            self._crew.close(keep=self._keep)
            self._crew = None

    def ask(self, planned: Sequence[Planned], *, exclude_newer: str | None = None) -> list[Verdict]:
        """What becomes of `planned`, in their order; `exclude_newer` (a date) instead of the matrix's.

        Raises:
            ConfigError: a version that nobody publishes.
            Interrupted: Ctrl-C; what was finished is stored.
        """
        prepared = self._prepared
        sources = prepared.uv.sources
        if exclude_newer is not None:
            sources = sources.model_copy(update={"exclude_newer": exclude_newer})
        uv = replace(prepared.uv, sources=sources)
        resolver = Resolver(
            prepared.matrix,
            prepared.store,
            uv,
            Pythons(uv).find,
            file=self._settings.config.name,
            refresh=self._refresh,
            ask=self._act,
        )
        try:
            resolved = resolver.resolve(planned, lambda _done, _total: None)
            cells = tuple(zip(resolved, tasks.of_cells(resolved, prepared.matrix.probe), strict=True))
            trial = replace(prepared, cells=cells)
            if self._act:
                self._do(trial)
        except (KeyboardInterrupt, InterruptedError):
            raise Interrupted("interrupted; what was finished is kept, and the same command goes on from there") from None
        return trial.verdicts()

    def _do(self, trial: Prepared) -> None:
        todo = trial.todo(trial.cells)
        second = outstanding(trial.opinions(), trial.facts)
        if not todo and not second:
            return
        if self._crew is None:
            self._crew = hire(self._prepared, self._settings, None)
        self.asked += sum(bool(cell and set(todo).intersection(cell.all)) for _, cell in trial.cells)
        rounds = Rounds(trial, self._crew, self._settings, self._listen)
        rounds.take(trial.cells, todo)
        rounds.do(todo)
        rounds.do(outstanding(trial.opinions(), trial.facts))
