"""Another implementation of attention in the exported model."""

from __future__ import annotations

from collections.abc import Iterable

from harness.diagnose.remedies.interface import Failing, FieldKind, since
from harness.model import Stage


def _values(failing: Failing) -> list[Iterable[str]]:
    """Those of transformers, or those that a matrix with its own probe names. The exporter optimum chooses by itself."""
    if failing.variant.exporter == "optimum":
        return []
    return [failing.matrix.variants.attentions if failing.matrix.probe.module else ("eager", "sdpa")]


ATTENTION = FieldKind("attention", since(Stage.EXPORT), _values)
