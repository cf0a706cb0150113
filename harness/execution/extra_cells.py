"""Cells outside of the matrix: of a search, a boundary, `check`, `bisect` or `pin`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.environments.index_answers import IndexAnswers
from harness.environments.resolver import Resolved, Resolver
from harness.environments.uv.client import Uv
from harness.errors import interruptible
from harness.execution.work import CellWork
from harness.matrix.plan import Planned
from harness.matrix.schema import Matrix
from harness.model import Interpreter
from harness.tasks import cell_tasks


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtraCell:
    """A cell that a search, a boundary or a command asks for: another one than the matrix has, or one of its cells changed."""

    planned: Planned
    exclude_newer: str | None = None
    """Releases from this date on do not count; None for the matrix's own date."""


class ExtraResolver:
    """Resolves extra cells. Their locks are fixed for a session."""

    def __init__(
        self,
        matrix: Matrix,
        answers: IndexAnswers,
        uv: Uv,
        interpreter: Callable[[str], Interpreter | None],
        *,
        file: str,
    ) -> None:
        """`file` is the name of the matrix, for messages."""
        self._matrix = matrix
        self._answers = answers
        self._uv = uv
        self._interpreter = interpreter
        self._file = file
        self._resolvers: dict[tuple[str | None, bool], Resolver] = {}
        self._solved: dict[tuple[ExtraCell, bool], Resolved] = {}
        """(cell, whether the index may be asked) → its locks."""

    def resolve(self, cells: Sequence[ExtraCell], *, ask: bool) -> tuple[CellWork, ...]:
        """The cells with their tasks; cells that share an export have one with the variants of all of them.

        Raises:
            ConfigError: a version that nobody publishes.
            Interrupted: Ctrl-C.
        """
        with interruptible():
            for day in dict.fromkeys(cell.exclude_newer for cell in cells):
                part = [cell for cell in cells if cell.exclude_newer == day and (cell, ask) not in self._solved]
                if part:
                    solved = self._resolver(day, ask=ask).resolve([cell.planned for cell in part], lambda *_: None)
                    self._solved |= {(cell, ask): resolved for cell, resolved in zip(part, solved, strict=True)}
        found = [self._solved[cell, ask] for cell in cells]
        return tuple(zip(found, cell_tasks.of_cells(found, self._matrix.probe), strict=True))

    def _resolver(self, exclude_newer: str | None, *, ask: bool) -> Resolver:
        if (exclude_newer, ask) not in self._resolvers:
            sources = self._uv.sources
            if exclude_newer is not None:
                sources = sources.model_copy(update={"exclude_newer": exclude_newer})
            uv = replace(self._uv, sources=sources)
            resolver = Resolver(self._matrix, self._answers, uv, self._interpreter, file=self._file, ask=ask)
            self._resolvers[exclude_newer, ask] = resolver
        return self._resolvers[exclude_newer, ask]
