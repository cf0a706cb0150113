"""What a run asks when it does not ask everything: rounds of cells, each chosen from what the ones before said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.execution.search import inference, strategy
from harness.execution.search.inference import Observed, Row
from harness.execution.settings import Settings
from harness.execution.work import BUDGET_OVER, CellWork, Coverage
from harness.matrix.schema import Matrix
from harness.model import ABSENT, Cell
from harness.verdicts.judge import Verdict
from harness.verdicts.report_model import newest_by_runtime

ROUNDS = 24
"""More are not begun: where nearly everything fails, the search would end up asking every cell, one after another."""

ATTEMPTS = 4
"""How often all pairs are made to meet, each time in other cells, before a matrix in which nothing works is left alone."""

LEFT_OUT = "left out by --strategy pairwise"


class CellSearch:
    """Under `full` one round with every cell; under `pairwise` the cells in which all pairs meet, then what they suggest.

    With a budget, and under `pairwise`, the cells with the most information come first.
    """

    def __init__(self, matrix: Matrix, settings: Settings) -> None:
        self._matrix = matrix
        self._pairwise = settings.strategy == "pairwise"
        self._asked: set[str] = set()
        self._rounds = 0

    def next(self, cells: Sequence[CellWork], verdicts: Sequence[Verdict]) -> Sequence[CellWork]:
        """The cells of the next round, in the order in which they are to be done; none when there is nothing more to ask."""
        self._rounds += 1
        chosen: Sequence[CellWork] = []
        if self._rounds == 1:
            chosen = self._first(cells)
        elif self._pairwise and self._rounds <= ROUNDS:
            chosen = self._later(cells, verdicts)
        self._asked.update(resolved.cell.id for resolved, _ in chosen)
        return chosen

    def left_out(self, cells: Sequence[CellWork], *, over: bool) -> dict[str, str]:
        """Cell → why it was not asked, or, where the budget is `over`, why it did not come to its end."""
        ids = [resolved.cell.id for resolved, _ in cells]
        if over:
            return dict.fromkeys(ids, BUDGET_OVER)
        return {cell: LEFT_OUT for cell in ids if cell not in self._asked}

    def coverage(self, cells: Sequence[CellWork], chosen: Sequence[CellWork]) -> Coverage | None:
        """How many pairs of versions meet in `chosen`; None where all cells are asked."""
        if not self._pairwise:
            return None
        rows = inference.rows([resolved.cell for resolved, cell in cells if cell])
        there = [rows[resolved.cell.id] for resolved, cell in chosen if cell]
        pairs, all_pairs = strategy.pairs(there), strategy.pairs(rows.values())
        return Coverage(cells=len(there), all_cells=len(rows), pairs=len(pairs), all_pairs=len(all_pairs))

    def _first(self, cells: Sequence[CellWork]) -> Sequence[CellWork]:
        """What has no lock is known without being asked, and comes along to be announced."""
        able = [(resolved, cell) for resolved, cell in cells if cell]
        rows = inference.rows([resolved.cell for resolved, _ in able])
        included = [resolved.cell.id for resolved, _ in able if _included(resolved.cell, self._matrix)]
        wanted = list(rows.values())
        if self._pairwise:
            wanted = strategy.pairwise(wanted, [rows[cell] for cell in included])
        exports = {rows[resolved.cell.id]: cell.export.key for resolved, cell in able}
        unable = [(resolved, cell) for resolved, cell in cells if not cell]
        return [*unable, *_cells(cells, rows, strategy.informative_first(wanted, exports))]

    def _later(self, cells: Sequence[CellWork], verdicts: Sequence[Verdict]) -> Sequence[CellWork]:
        observed = Observed.of(verdicts)
        every = list(observed.rows.values())
        asked = {observed.rows[cell] for cell in self._asked if cell in observed.rows}
        wanted = strategy.following(every, observed.seen, asked) or _promising(cells, observed)
        if not any(observed.seen.values()) and self._rounds <= ATTEMPTS:
            wanted = strategy.pairwise([row for row in every if row not in observed.seen and row not in asked])
        return _cells(cells, observed.rows, [row for row in wanted if row not in asked])


def _promising(cells: Sequence[CellWork], observed: Observed) -> list[Row]:
    """For each onnxruntime the newest cell that works or is inferred to: only what was observed is recommended."""
    known = {**inference.inferred(observed.rows.values(), observed.seen), **observed.seen}
    working = [resolved.cell for resolved, cell in cells if cell and known.get(observed.rows[resolved.cell.id])]
    newest = newest_by_runtime(working).values()
    return [row for cell in newest if (row := observed.rows[cell.id]) not in observed.seen]


def _cells(cells: Sequence[CellWork], rows: Mapping[str, Row], wanted: Sequence[Row]) -> list[CellWork]:
    there = {rows[resolved.cell.id]: (resolved, cell) for resolved, cell in cells if resolved.cell.id in rows}
    return [there[row] for row in wanted]


def _included(cell: Cell, matrix: Matrix) -> bool:
    """Whether an include rule names it: such a cell is always asked."""
    return any(
        all((cell.version(axis) or ABSENT) == version for axis, version in extra.versions.items()) for extra in matrix.include
    )
