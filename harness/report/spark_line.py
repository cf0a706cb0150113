"""How many combinations worked, run by run, as a line: its places in a picture, and in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.report.page import RunCount

WIDTH, HEIGHT, MARGIN = 240, 48, 4
"""Of the picture, in its own units; nothing but the end of the line reaches into the margin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SparkLine:
    """Runs of a matrix as a picture."""

    runs: Sequence[RunCount]
    """The oldest first, two at least."""

    @property
    def works(self) -> Sequence[tuple[float, float]]:
        """The places of the cells that work."""
        return self._places(lambda run: run.works)

    @property
    def cells(self) -> Sequence[tuple[float, float]]:
        """The places of all cells, which are never below: a run of a smaller matrix has fewer."""
        return self._places(lambda run: run.cells)

    @property
    def text(self) -> str:
        """`78 of 96 on 2026-11-01, 80 of 96 on 2026-11-08`."""
        return ", ".join(f"{run.works} of {run.cells} on {day(run)}" for run in self.runs)

    @property
    def caption(self) -> str:
        """`80 of 96 now; 78 of 96 on 2026-11-01, 5 runs earlier`."""
        first, last, earlier = self.runs[0], self.runs[-1], len(self.runs) - 1
        count = f"{earlier} run{'s' * (earlier > 1)} earlier"
        return f"{last.works} of {last.cells} now; {first.works} of {first.cells} on {day(first)}, {count}"

    def _places(self, number: Callable[[RunCount], int]) -> Sequence[tuple[float, float]]:
        step = (WIDTH - 2 * MARGIN) / (len(self.runs) - 1)
        unit = (HEIGHT - 2 * MARGIN) / max(1, *(run.cells for run in self.runs))
        return [
            (round(MARGIN + n * step, 1), round(HEIGHT - MARGIN - number(run) * unit, 1)) for n, run in enumerate(self.runs)
        ]


def day(run: RunCount) -> str:
    """The date of a run."""
    return run.time.partition("T")[0]
