"""Outcomes counted by variant: for reports with more variants than a table entry has room for."""

from __future__ import annotations

from collections import Counter

from harness.model import Status
from harness.report.tables import GLYPHS, Facet
from harness.stack import RuntimeVersion
from harness.verdicts.report_schema import Report

_FIELDS = ("exporter", "opset", "layout", "feedback")


def by_variant(report: Report, facet: Facet) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of the outcomes in a facet by variant and runtime: `✓ 8 ✗ load 4 · 4`.

    A row counts all variants with its values, over all rows of the facet.
    """
    variants = [variant for cell in report.cells for variant in cell.variants]
    fields = [field for field in _FIELDS if len({getattr(variant, field) for variant in variants}) > 1]
    found: dict[tuple[str, ...], dict[RuntimeVersion, Counter[str]]] = {}
    for _, cells in facet.rows:
        for runtime, cell in zip(facet.columns, cells, strict=True):
            for variant in cell.variants if cell else ():
                values = tuple(str(getattr(variant, field)) for field in fields)
                stage = f" {variant.stage}" if variant.stage and variant.status is not Status.NOT_RUN else ""
                end = f"{GLYPHS[variant.status]}{stage}"
                found.setdefault(values, {}).setdefault(runtime, Counter())[end] += 1
    rows = [
        [*values, *(_counts(by_runtime.get(runtime, Counter())) for runtime in facet.columns)]
        for values, by_runtime in found.items()
    ]
    return [*fields, *map(str, facet.columns)], rows


def _counts(ends: Counter[str]) -> str:
    order = list(GLYPHS.values())
    return " ".join(f"{end} {ends[end]}" for end in sorted(ends, key=lambda end: (order.index(end[0]), end)))
