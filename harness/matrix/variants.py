"""`[variants]` of a matrix.toml → the variants of every cell, and those that decide whether a cell works. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from harness.matrix.schema import Variants
from harness.matrix.selection import parse
from harness.model import Cell, Variant
from harness.probe.export.registry import MODEL_EXPORTERS


def product(rule: Variants) -> list[Variant]:
    """Every combination of the lists that can exist.

    Without a cache there is nothing to feed back or to mix, and the exporter optimum chooses the attention itself.
    """
    exports = (
        combination
        for exporter in rule.exporters
        for combination in itertools.product(
            [exporter], rule.layouts, rule.attentions if exporter not in MODEL_EXPORTERS else ["default"], rule.ir_versions
        )
    )
    return [
        Variant(
            exporter=exporter,
            opset=opset,
            layout=layout,
            feedback=feedback,
            binding=binding,
            strategy=strategy,
            attention=attention,
            ir_version=None if ir_version == "stamped" else ir_version,
            optimization=optimization,
            memory_pattern=memory_pattern,
        )
        for exporter, layout, attention, ir_version in exports
        for opset in rule.opsets[exporter]
        for feedback in (rule.feedbacks if layout != "no-cache" else rule.feedbacks[:1])
        for binding in rule.bindings
        for strategy in (rule.strategies if layout != "no-cache" else ["cached"])
        for optimization in rule.optimizations
        for memory_pattern in rule.memory_patterns
    ]


def deciding(variants: Variants, cell: Cell, selected: Sequence[Variant]) -> list[Variant]:
    """The variants of `selected` that decide the status of the cell: those that `[variants] require` names.

    `feed-all` is a diagnostic and never decides. If `require` names none of `selected`, all others decide.
    """
    able = [variant for variant in selected if variant.feedback != "feed-all"]
    if variants.require in {"any", "all"}:
        return able
    expression = parse(variants.require)
    return [variant for variant in able if expression.admits(cell, variant)] or able
