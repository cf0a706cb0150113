"""The reports that come with the project: they were measured elsewhere and published. Only read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import report_locations
from harness.errors import ReportError, did_you_mean
from harness.model import Status
from harness.stack import RUNTIME
from harness.verdicts import exporter_operators as exporters_file
from harness.verdicts import numpy_interfaces as numpys_file
from harness.verdicts import package_names as names_file
from harness.verdicts import report_file
from harness.verdicts import runtime_kernels as kernels_file
from harness.verdicts import runtime_limits as limits_file
from harness.verdicts import runtime_misuse as misuse_file
from harness.verdicts.exporter_operators import ExporterOperators
from harness.verdicts.numpy_interfaces import NumpyInterface
from harness.verdicts.package_names import MeasuredNames
from harness.verdicts.report_schema import Report, ReportedCell, identity, versions_of
from harness.verdicts.runtime_kernels import Operators
from harness.verdicts.runtime_limits import RuntimeLimits
from harness.verdicts.runtime_misuse import MeasuredMisuse


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A report that somebody published."""

    name: str
    """`matrix`, `catalogue/onnx-7249-ml-dtypes`; for a file that a user has named, its path."""
    path: Path
    report: Report

    @property
    def source(self) -> str:
        """Where it was measured, and when: `published report matrix, Linux-…, 2026-11-29`."""
        day = (self.report.generated or "").partition("T")[0]
        return f"{self.name}, measured on {self.report.platform}, {day}"

    def observed(self, cell: str) -> ReportedCell | None:
        """The cell with this id, if the report knows something of it."""
        return next((held for held in self.report.cells if held.id == cell and held.status is not Status.NOT_RUN), None)


def every() -> Iterator[Published]:
    """All published reports, the one of the shipped matrix first."""
    return (read(path, name) for name, path in report_locations.reports().items())


def main() -> Published | None:
    """The report of the shipped matrix; None in a tree without reports."""
    path = report_locations.reports().get(report_locations.MAIN)
    return read(path, report_locations.MAIN) if path else None


def of_matrix(config: Path) -> Published | None:
    """The report of the matrix in `config`, if that is a shipped one with a report: of no other matrix it says anything."""
    name = report_locations.report_of(config)
    return read(report_locations.reports()[name], name) if name else None


def named(name: str) -> Published:
    """The report in a file or in a folder of reports, or the published one with this name; what a user has goes first.

    Raises:
        ReportError: there is none, or as `read`.
    """
    paths = report_locations.reports()
    own = Path(name)
    if name in paths and not (own.is_file() or report_locations.report_in(own)):
        return read(paths[name], name)
    if not os.path.exists(name):  # noqa: PTH110 -- False, too, for what no path can be
        raise ReportError(f"no published report is named {name!r}{did_you_mean(name, paths)}")
    return at(own)


def at(path: Path) -> Published:
    """The report in a file or in a folder of reports.

    Raises:
        ReportError: there is none, or as `read`.
    """
    file = report_locations.report_in(path) if path.is_dir() else path
    if file is None:
        raise ReportError(f"{path} has no matrix.json")
    return read(file)


def read(path: Path, name: str | None = None) -> Published:
    """The report in a file.

    Raises:
        ReportError: as `report_file.read`, and for a report that contradicts itself.
    """
    report = report_file.read(path)
    if contradiction := _contradiction(report):
        raise ReportError(f"{path} contradicts itself: {contradiction}")
    return Published(name=name or str(path), path=path, report=report)


def _contradiction(report: Report) -> str | None:
    """What its parts say against each other."""
    cells = {cell.id: cell for cell in report.cells}
    if len(cells) < len(report.cells):
        return "cells: an id is there twice"
    if len(set(map(versions_of, report.cells))) < len(cells):
        return "cells: two have the same versions and environment"
    if twice := next((cell.id for cell in report.cells if len(set(map(identity, cell.variants))) < len(cell.variants)), None):
        return f"cell {twice}: a variant is there twice"
    for runtime, name in report.newest_working.items():
        cell = cells.get(name)
        if cell is None or cell.status is not Status.WORKS:
            place = "recommended" if runtime.name == RUNTIME else f"recommended_elsewhere.{runtime.name}"
            return f"{place}.{runtime.version}: {name} is no cell that works"
    return None


def runtime_limits() -> dict[str, RuntimeLimits]:
    """Version of onnxruntime → what it was measured to read, the oldest first. Raises ReportError as `runtime_limits.read`."""
    return limits_file.read(report_locations.ROOT / "reports" / "runtimes.json")


def runtime_kernels() -> Operators:
    """The operators of which kernels were looked for in each onnxruntime. Raises ReportError as `runtime_kernels.read`."""
    return kernels_file.read(report_locations.ROOT / "reports" / "kernels.json")


def exporter_operators() -> ExporterOperators:
    """The operators that exporters of torch translate. Raises ReportError as `exporter_operators.read`."""
    return exporters_file.read(report_locations.ROOT / "reports" / "exporters.json")


def numpy_interfaces() -> dict[str, NumpyInterface]:
    """Release of numpy → its C interface, the oldest first. Raises ReportError as `numpy_interfaces.read`."""
    return numpys_file.read(report_locations.ROOT / "reports" / "numpy.json")


def runtime_misuse() -> MeasuredMisuse:
    """What each onnxruntime says of damaged files and wrong feeds. Raises ReportError as `runtime_misuse.read`."""
    return misuse_file.read(report_locations.ROOT / "reports" / "misuse.json")


def package_parameters() -> MeasuredNames:
    """The parameters of functions that releases do not share. Raises ReportError as `package_names.read`."""
    return names_file.read(report_locations.ROOT / "reports" / "parameters.json")


def package_names() -> MeasuredNames:
    """The names that releases define, as far as they differ. Raises ReportError as `package_names.read`."""
    return names_file.read(report_locations.ROOT / "reports" / "names.json")
