"""In how many distributions two cells of a report differ, for reports that compare tens of thousands of pairs. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from harness.verdicts.report_schema import ReportedCell


class Distances:
    """The number of differences between cells of one report."""

    def __init__(self) -> None:
        self._bits = _Bits()
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
            self._locks[cell.id] = self._bits.of(lock), self._bits.of(lock.items())
        return self._locks[cell.id]


class _Bits(dict[object, int]):
    """Value → a number with one bit, its own."""

    def __missing__(self, value: object) -> int:
        bit = self[value] = 1 << len(self)
        return bit

    def of(self, values: Iterable[object]) -> int:
        """The bits of `values`, which differ."""
        return sum(map(self.__getitem__, values))
