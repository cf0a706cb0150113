"""A cell with its tasks, an extra cell, what one round of a run does, and the strategy that chooses the cells of a round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from harness.environments.resolved import Resolved
from harness.matrix.plan import Planned
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.interface import Task
from harness.verdicts.judge import NOT_REACHED, Verdict

CellWork = tuple[Resolved, CellTasks | None]
"""A resolved cell and its tasks; None for a cell without a lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtraCell:
    """A cell that a search, a boundary or a command needs: another one than the matrix has, or one of its cells changed."""

    planned: Planned
    exclude_newer: str | None = None
    """Releases from this date on do not count; None for the matrix's own date."""


BUDGET_OVER = "the budget was over"
"""Why a cell was not run to its end."""
LEFT_OUT = "left out by --strategy pairwise"
"""Why a cell was not run at all."""
OPEN_REASONS = frozenset({NOT_REACHED, BUDGET_OVER, LEFT_OUT})
"""Why a variant was not run that a run would give a result of; every other reason is one for which it cannot exist."""


class Origin(Enum):
    """Why cells are run."""

    MATRIX = auto()
    """They are the matrix: the progress display counts them."""
    EXTRA_CELL = auto()
    """Extra cells of `check`, `bisect`, `pin` or a boundary: each is announced, and not counted."""
    TRIAL = auto()
    """Extra cells of a search for remedies: their tasks are shown, the cells are not."""
    ONCE_MORE = auto()
    """Failures that are run once more (once_more.py); no cell is announced again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What one round does. It is false when there is nothing to run and no cell to announce."""

    tasks: tuple[Task, ...] = ()
    """Distinct tasks, with those that they need."""
    cells: tuple[CellWork, ...] = ()
    """Cells to announce when their last task has ended, in the order in which they are to be finished."""
    origin: Origin = Origin.MATRIX

    def __bool__(self) -> bool:
        return bool(self.tasks or self.cells)


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How much of the cells that can be run a choice covers."""

    cells: int
    all_cells: int
    pairs: int
    """Pairs of versions that meet in a chosen cell."""
    all_pairs: int


class Strategy(Protocol):
    """Which cells of the matrix a run takes up, round by round."""

    def next(self, cells: Sequence[CellWork], verdicts: Sequence[Verdict]) -> Sequence[CellWork]:
        """Those of `cells` for the next round, in the order in which they are to be finished; none to end."""

    def left_out(self, cells: Sequence[CellWork], *, over: bool) -> Mapping[str, str]:
        """Cell → why it was not run; `over` says that the budget ended first."""

    def coverage(self, cells: Sequence[CellWork], chosen: Sequence[CellWork]) -> Coverage | None:
        """How much of `cells` the `chosen` ones cover; None if all are run."""


class EveryCell:
    """One round with every cell."""

    def __init__(self) -> None:
        self._begun = False

    def next(self, cells: Sequence[CellWork], verdicts: Sequence[Verdict]) -> Sequence[CellWork]:  # noqa: ARG002 -- as Strategy
        """All cells, once."""
        begun, self._begun = self._begun, True
        return [] if begun else cells

    def left_out(self, cells: Sequence[CellWork], *, over: bool) -> Mapping[str, str]:  # noqa: ARG002 -- as Strategy
        """None."""
        return {}

    def coverage(self, cells: Sequence[CellWork], chosen: Sequence[CellWork]) -> Coverage | None:  # noqa: ARG002 -- as Strategy
        """None: all cells are run."""
        return None
