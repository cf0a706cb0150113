"""In how many distributions two cells of a report differ, for reports that compare tens of thousands of pairs. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from harness.verdicts.report_schema import ReportedCell


class Distances:
    """The number of differences between cells of one report."""

    def __init__(self) -> None:
        self._bits: dict[object, int] = {}
        self._locks: dict[str, tuple[int, int]] = {}

    def between(self, cell: ReportedCell, other: ReportedCell) -> int:
        """How many of environment, python and distributions differ, those included that no axis names."""
        (names, versions), (other_names, other_versions) = self._lock(cell), self._lock(other)
        same = (versions & other_versions).bit_count()
        return (names | other_names).bit_count() - same + (cell.environment is not other.environment)

    def _lock(self, cell: ReportedCell) -> tuple[int, int]:
        """The names of what `cell` has, and these with their versions, as bits of two numbers."""
        if cell.id not in self._locks:
            lock = {"python": cell.python, **cell.pins, **cell.resolved}
            self._locks[cell.id] = self._number(lock), self._number(lock.items())
        return self._locks[cell.id]

    def _number(self, values: Iterable[object]) -> int:
        """A number with a bit for each of `values`, which differ."""
        return sum(1 << self._bits.setdefault(value, len(self._bits)) for value in values)
