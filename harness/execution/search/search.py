"""What a run asks when it does not ask everything: rounds of cells, each chosen from what the ones before said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.environments.resolver import Resolved
from harness.execution.prepare import Prepared, Settings
from harness.execution.search import inference, strategy
from harness.execution.search.inference import Observed, Row
from harness.matrix.schema import Matrix
from harness.model import ABSENT, Cell
from harness.tasks.tasks import CellTasks
from harness.verdicts.report_model import newest_by_runtime

ROUNDS = 24
"""More are not begun: where nearly everything fails, the search would end up asking every cell, one after another."""

ATTEMPTS = 4
"""How often all pairs are made to meet, each time in other cells, before a matrix in which nothing works is left alone."""

LEFT_OUT = "left out by --strategy pairwise"
BUDGET_OVER = "the budget was over"

Chosen = Sequence[tuple[Resolved, CellTasks | None]]


class CellSearch:
    """Under `full` one round with every cell; under `pairwise` the cells in which all pairs meet, then what they suggest.

    With a budget, and under `pairwise`, the most informative cells come first.
    """

    def __init__(self, prepared: Prepared, settings: Settings) -> None:
        self._prepared = prepared
        self._pairwise = settings.strategy == "pairwise"
        self._ordered = self._pairwise or settings.budget is not None
        self._asked: set[str] = set()
        self._rounds = 0

    def next(self) -> Chosen:
        """The cells of the next round, in the order in which they are to be done; none when there is nothing more to ask."""
        self._rounds += 1
        chosen: Chosen = []
        if self._rounds == 1:
            chosen = self._first()
        elif self._pairwise and self._rounds <= ROUNDS:
            chosen = self._later()
        self._asked.update(resolved.cell.id for resolved, _ in chosen)
        return chosen

    def left_out(self, *, over: bool) -> dict[str, str]:
        """Cell → why it was not asked, or, where the budget is `over`, why it did not come to its end."""
        cells = [resolved.cell.id for resolved, _ in self._prepared.cells]
        if over:
            return dict.fromkeys(cells, BUDGET_OVER)
        return {cell: LEFT_OUT for cell in cells if cell not in self._asked}

    def _first(self) -> Chosen:
        """What has no lock is known without being asked, and comes along to be told."""
        if not self._ordered:
            return self._prepared.cells
        able = [(resolved, cell) for resolved, cell in self._prepared.cells if cell]
        rows = inference.rows([resolved.cell for resolved, _ in able])
        included = [resolved.cell.id for resolved, _ in able if _included(resolved.cell, self._prepared.matrix)]
        wanted = list(rows.values())
        if self._pairwise:
            wanted = strategy.pairwise(wanted, [rows[cell] for cell in included])
        exports = {rows[resolved.cell.id]: cell.export.key for resolved, cell in able}
        unable = [(resolved, cell) for resolved, cell in self._prepared.cells if not cell]
        return [*unable, *self._cells(rows, strategy.informative_first(wanted, exports))]

    def _later(self) -> Chosen:
        observed = Observed.of(self._prepared.verdicts())
        every = list(observed.rows.values())
        asked = {observed.rows[cell] for cell in self._asked if cell in observed.rows}
        wanted = strategy.following(every, observed.seen, asked) or self._promising(observed)
        if not any(observed.seen.values()) and self._rounds <= ATTEMPTS:
            wanted = strategy.pairwise([row for row in every if row not in observed.seen and row not in asked])
        return self._cells(observed.rows, [row for row in wanted if row not in asked])

    def _promising(self, observed: Observed) -> list[Row]:
        """For each onnxruntime the newest cell that works or is inferred to: only what was observed is recommended."""
        known = {**inference.inferred(observed.rows.values(), observed.seen), **observed.seen}
        working = [
            resolved.cell for resolved, cell in self._prepared.cells if cell and known.get(observed.rows[resolved.cell.id])
        ]
        newest = newest_by_runtime(working).values()
        return [row for cell in newest if (row := observed.rows[cell.id]) not in observed.seen]

    def _cells(self, rows: Mapping[str, Row], wanted: Sequence[Row]) -> list[tuple[Resolved, CellTasks | None]]:
        cells = {
            rows[resolved.cell.id]: (resolved, cell) for resolved, cell in self._prepared.cells if resolved.cell.id in rows
        }
        return [cells[row] for row in wanted]


def _included(cell: Cell, matrix: Matrix) -> bool:
    """Whether an include rule names it: such a cell is always asked."""
    return any(
        all((cell.version(axis) or ABSENT) == version for axis, version in extra.versions.items()) for extra in matrix.include
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How far a choice of cells reaches, of those that can be run."""

    cells: int
    all_cells: int
    pairs: int
    """Pairs of versions that meet in a chosen cell."""
    all_pairs: int


def coverage(cells: Chosen, chosen: Chosen) -> Coverage:
    """How far `chosen` reaches of `cells`."""
    rows = inference.rows([resolved.cell for resolved, cell in cells if cell])
    there = [rows[resolved.cell.id] for resolved, cell in chosen if cell]
    return Coverage(
        cells=len(there), all_cells=len(rows), pairs=len(strategy.pairs(there)), all_pairs=len(strategy.pairs(rows.values()))
    )
