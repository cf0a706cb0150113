"""What each way of exporting and decoding gave: for reports of more variants than a cell has room to show."""

from __future__ import annotations

from collections import Counter

from harness.model import Status
from harness.report.tables import GLYPHS, Facet
from harness.verdicts.report_model import Report

_WAY = ("exporter", "opset", "layout", "feedback")


def ways(report: Report, facet: Facet) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of what each way of exporting and decoding gave in the facet, by onnxruntime: `✓ 8 ✗ load 4 · 4`.

    Counted are the variants that differ in nothing else the table shows, over all rows of the facet.
    """
    every = [variant for cell in report.cells for variant in cell.variants]
    fields = [field for field in _WAY if len({getattr(variant, field) for variant in every}) > 1]
    found: dict[tuple[str, ...], dict[str, Counter[str]]] = {}
    for _, cells in facet.rows:
        for runtime, cell in zip(facet.columns, cells, strict=True):
            for variant in cell.variants if cell else ():
                way = tuple(str(getattr(variant, field)) for field in fields)
                stage = f" {variant.stage}" if variant.stage and variant.status is not Status.NOT_RUN else ""
                end = f"{GLYPHS[variant.status]}{stage}"
                found.setdefault(way, {}).setdefault(runtime, Counter())[end] += 1
    rows = [
        [*way, *(_counts(by_runtime.get(runtime, Counter())) for runtime in facet.columns)] for way, by_runtime in found.items()
    ]
    return [*fields, *(f"onnxruntime {version}" for version in facet.columns)], rows


def _counts(ends: Counter[str]) -> str:
    order = list(GLYPHS.values())
    return " ".join(f"{end} {ends[end]}" for end in sorted(ends, key=lambda end: (order.index(end[0]), end)))
