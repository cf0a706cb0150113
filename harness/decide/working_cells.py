"""The versions that ran together in the cells of published reports that work. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.matrix.plan import by_version
from harness.model import Status
from harness.published_reports import Published
from harness.verdicts.report_schema import ReportedCell

PYTHON = "python"
"""Stands beside the names of distributions."""


class WorkingCells:
    """The cells of published reports that work."""

    def __init__(self, reports: Sequence[Published]) -> None:
        cells = (cell for published in reports for cell in published.report.cells if cell.status is Status.WORKS)
        self._versions = list(map(_versions, cells))

    def pairs(self, first: str, second: str) -> list[tuple[str | None, str | None]]:
        """Of each cell, the versions of two distributions, or of Python; None for what it does not have."""
        return [(having.get(first), having.get(second)) for having in self._versions]


def counts(versions: Iterable[str]) -> dict[str, int]:
    """Version → how often it is there, newest first."""
    counted = Counter(versions)
    return {version: counted[version] for version in sorted(counted, key=by_version, reverse=True)}


def _versions(cell: ReportedCell) -> Mapping[str, str]:
    return {**cell.resolved, **cell.pins, PYTHON: cell.python}
