"""A report as rows: a flat mapping for each variant, as pandas, csv and SQL take it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from harness.matrix.selection import VARIANT_FIELDS
from harness.model import ABSENT
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant

_CELL = ("cell", "setup", "cell_status", "lock")
_END = (
    "status", "stage", "cause", "certainty", "remedy", "error", "reason", "signature",
    "ir", "max_abs_diff", "peak_memory", "seconds", "log",
)  # fmt: skip


def columns(report: Report) -> list[str]:
    """The names of the columns: the cell, its axes, the fields of the variant, and how it ended; as in matrix.json."""
    cell, *others = _CELL
    return [cell, *report.axes, *others, *VARIANT_FIELDS, *_END]


def rows(report: Report) -> list[dict[str, Any]]:
    """A row for each variant of each cell, all with the same keys (`columns`), in the order of the report.

    Values are texts, numbers and None: None for an axis that a cell does not have, and for what is not known. `seconds` is
    the time of all stages of the variant, `peak_memory` is in bytes, `max_abs_diff` the largest difference of any logit.
    """
    names = columns(report)
    return [_row(names, report, cell, variant) for cell in report.cells for variant in cell.variants]


def _row(names: Sequence[str], report: Report, cell: ReportedCell, variant: ReportedVariant) -> dict[str, Any]:
    versions = {axis: None if (version := cell.version(axis)) == ABSENT else version for axis in report.axes}
    about = dict(zip(_CELL, (cell.id, cell.setup.value, cell.status.value, cell.lock), strict=True))
    values = about | versions | {name: _plain(getattr(variant, name)) for name in (*VARIANT_FIELDS, *_END)}
    return {name: values[name] for name in names}


def _plain(value: Any) -> Any:
    """The text of an enumeration; anything else as it is."""
    return value.value if isinstance(value, StrEnum) else value
