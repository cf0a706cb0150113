"""A run of a part of the cells: rounds, each chosen from the verdicts of the rounds before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.execution.search import inference, strategy
from harness.execution.search.inference import Observed, Row
from harness.execution.settings import Settings
from harness.execution.work import BUDGET_OVER, LEFT_OUT, CellWork, Coverage
from harness.matrix.schema import Matrix
from harness.model import ABSENT, Cell
from harness.verdicts.judge import Verdict
from harness.verdicts.report_schema import newest_by_runtime

ROUNDS = 24
"""Largest number of rounds: if nearly everything fails, the search would run all cells, one after another."""

ATTEMPTS = 4
"""Number of rounds with all pairs, each time in other cells, before the search of a matrix without a working cell ends."""


class CellSearch:
    """Under `full` one round with every cell; under `pairwise` cells that cover all pairs, then those that follow from them.

    With a budget, and under `pairwise`, the cells with the most information come first.
    """

    def __init__(self, matrix: Matrix, settings: Settings) -> None:
        self._matrix = matrix
        self._pairwise = settings.strategy == "pairwise"
        self._chosen: set[str] = set()
        self._rounds = 0

    def next(self, cells: Sequence[CellWork], verdicts: Sequence[Verdict]) -> Sequence[CellWork]:
        """The cells of the next round, in order; none at the end of the search."""
        self._rounds += 1
        chosen: Sequence[CellWork] = []
        if self._rounds == 1:
            chosen = self._first(cells)
        elif self._pairwise and self._rounds <= ROUNDS:
            chosen = self._later(cells, verdicts)
        self._chosen.update(resolved.cell.id for resolved, _ in chosen)
        return chosen

    def left_out(self, cells: Sequence[CellWork], *, over: bool) -> dict[str, str]:
        """Cell → why it was not run, or, if the budget is `over`, why it was not finished."""
        ids = [resolved.cell.id for resolved, _ in cells]
        if over:
            return dict.fromkeys(ids, BUDGET_OVER)
        return {cell: LEFT_OUT for cell in ids if cell not in self._chosen}

    def coverage(self, cells: Sequence[CellWork], chosen: Sequence[CellWork]) -> Coverage | None:
        """How many pairs of versions `chosen` covers; None if all cells are run."""
        if not self._pairwise:
            return None
        rows = inference.rows([resolved.cell for resolved, cell in cells if cell])
        covered = [rows[resolved.cell.id] for resolved, cell in chosen if cell]
        pairs, all_pairs = strategy.pairs(covered), strategy.pairs(rows.values())
        return Coverage(cells=len(covered), all_cells=len(rows), pairs=len(pairs), all_pairs=len(all_pairs))

    def _first(self, cells: Sequence[CellWork]) -> Sequence[CellWork]:
        """Cells without a lock are known without a run, and are only announced."""
        able = [(resolved, cell) for resolved, cell in cells if cell]
        rows = inference.rows([resolved.cell for resolved, _ in able])
        included = [resolved.cell.id for resolved, _ in able if _included(resolved.cell, self._matrix)]
        chosen = list(rows.values())
        if self._pairwise:
            chosen = strategy.pairwise(chosen, [rows[cell] for cell in included])
        exports = {rows[resolved.cell.id]: cell.export.key for resolved, cell in able}
        unable = [(resolved, cell) for resolved, cell in cells if not cell]
        return [*unable, *_cells(cells, rows, strategy.informative_first(chosen, exports))]

    def _later(self, cells: Sequence[CellWork], verdicts: Sequence[Verdict]) -> Sequence[CellWork]:
        observed = Observed.of(verdicts)
        every = list(observed.rows.values())
        before = {observed.rows[cell] for cell in self._chosen if cell in observed.rows}
        chosen = strategy.following(every, observed.seen, before) or _promising(cells, observed)
        if not any(observed.seen.values()) and self._rounds <= ATTEMPTS:
            chosen = strategy.pairwise([row for row in every if row not in observed.seen and row not in before])
        return _cells(cells, observed.rows, [row for row in chosen if row not in before])


def _promising(cells: Sequence[CellWork], observed: Observed) -> list[Row]:
    """For each onnxruntime the newest cell that works or is inferred to: only what was observed is recommended."""
    known = {**inference.inferred(observed.rows.values(), observed.seen), **observed.seen}
    working = [resolved.cell for resolved, cell in cells if cell and known.get(observed.rows[resolved.cell.id])]
    newest = newest_by_runtime(working).values()
    return [row for cell in newest if (row := observed.rows[cell.id]) not in observed.seen]


def _cells(cells: Sequence[CellWork], rows: Mapping[str, Row], chosen: Sequence[Row]) -> list[CellWork]:
    by_row = {rows[resolved.cell.id]: (resolved, cell) for resolved, cell in cells if resolved.cell.id in rows}
    return [by_row[row] for row in chosen]


def _included(cell: Cell, matrix: Matrix) -> bool:
    """Whether an include rule names it: such a cell is always run."""
    return any(
        all((cell.version(axis) or ABSENT) == version for axis, version in extra.axes.items()) for extra in matrix.include
    )
