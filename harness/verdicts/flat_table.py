"""Cells as rows: a flat mapping for each variant, as pandas, csv and SQL take it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from harness.matrix.selection import VARIANT_FIELDS
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant

_CELL = ("cell", "cell_status", "setup", "lock")
_RESULT = (
    "status", "stage", "cause", "certainty", "remedy", "error_type", "error", "reason", "signature", "ir", "max_abs_diff",
    "seconds", "peak_memory", "log",
)  # fmt: skip


def columns(cells: Sequence[ReportedCell]) -> dict[str, str]:
    """Column → where its value is: the cell, its axes, the fields of the variant, and how it ended; as in matrix.json.

    An axis that has the name of another column is `axis NAME`.
    """
    taken = {*_CELL, *VARIANT_FIELDS, *_RESULT}
    axes = dict.fromkeys(["python", *(name for cell in cells for name in cell.pins)])
    named = {f"axis {axis}" if axis in taken else axis: axis for axis in axes}
    return {name: name for name in _CELL} | named | {name: name for name in (*VARIANT_FIELDS, *_RESULT)}


def rows(report: Report) -> list[dict[str, Any]]:
    """A row for each variant of each cell, all with the same keys (`columns`), in the order of the report.

    Values are texts, numbers and None for what is not known; an axis that a cell does not have is `absent`. `seconds` is the
    time of all stages of the variant, `peak_memory` is in bytes, `max_abs_diff` the largest difference of any logit.
    """
    return rows_of(report.cells)


def rows_of(cells: Sequence[ReportedCell]) -> list[dict[str, Any]]:
    """The same of some cells."""
    names = columns(cells)
    return [_row(names, cell, variant) for cell in cells for variant in cell.variants]


def _row(names: dict[str, str], cell: ReportedCell, variant: ReportedVariant) -> dict[str, Any]:
    about = {"cell": cell.id, "cell_status": cell.status.value, "setup": cell.setup.value, "lock": cell.lock}
    own = {*VARIANT_FIELDS, *_RESULT}
    return about | {
        column: _plain(getattr(variant, column)) if column in own else cell.version(name)
        for column, name in names.items()
        if column not in about
    }


def _plain(value: Any) -> Any:
    """The text of an enumeration; anything else as it is."""
    return value.value if isinstance(value, StrEnum) else value
