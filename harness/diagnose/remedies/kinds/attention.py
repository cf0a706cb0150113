"""Another implementation of attention in the exported model."""

from __future__ import annotations

from collections.abc import Iterable

from harness.diagnose.remedies.interface import Failing, FieldKind, since
from harness.model import Stage
from harness.probe.export.registry import MODEL_EXPORTERS


def _values(failing: Failing) -> list[Iterable[str]]:
    """Those of transformers, or those that a matrix with its own probe names; none for an exporter of whole models."""
    if failing.variant.exporter in MODEL_EXPORTERS:
        return []
    return [failing.matrix.variants.attentions if failing.matrix.probe.module else ("eager", "sdpa")]


ATTENTION = FieldKind("attention", since(Stage.EXPORT), _values)
