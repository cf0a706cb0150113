"""The cells that differ from another one on the fewest axes, found without a look at all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from harness.verdicts.report_schema import ReportedCell


class ByAxes:
    """Cells, found by the axes on which they differ from another one."""

    def __init__(self, cells: Sequence[ReportedCell], chosen: Mapping[str, tuple[str | None, ...]]) -> None:
        """`chosen` has what each cell, and each that is compared with them, has on the axes."""
        self._cells = cells
        self._chosen = chosen
        self._places = {cell.id: place for place, cell in enumerate(cells)}
        self._alike: dict[tuple[int, ...], dict[tuple[str | None, ...], list[ReportedCell]]] = {}

    def closest(self, cell: ReportedCell) -> list[ReportedCell]:
        """The cells that differ from `cell` on the fewest axes, in their order; without `cell` itself."""
        mine = self._chosen[cell.id]
        for count in range(len(mine), -1, -1):
            found = [
                other
                for places in combinations(range(len(mine)), count)
                for other in self._with(places).get(tuple(mine[place] for place in places), ())
                if other.id != cell.id
            ]
            if found:
                return sorted(found, key=lambda other: self._places[other.id])
        return []

    def _with(self, places: tuple[int, ...]) -> dict[tuple[str | None, ...], list[ReportedCell]]:
        """What they have in `places` → the cells."""
        if places not in self._alike:
            alike = self._alike[places] = {}
            for cell in self._cells:
                chosen = self._chosen[cell.id]
                alike.setdefault(tuple(chosen[place] for place in places), []).append(cell)
        return self._alike[places]
