"""Another implementation of attention in the exported model."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnose.remedies.interface import Change, FieldKind, since
from harness.matrix.schema import Matrix
from harness.model import Cell, Stage
from harness.verdicts.judge import VariantVerdict


class Attention(FieldKind):
    """The exporter optimum chooses it by itself."""

    field = "attention"
    reach = since(Stage.EXPORT)

    def batches(self, failing: VariantVerdict, _cell: Cell, matrix: Matrix) -> Iterator[list[Change]]:
        """Those of transformers, or those that a matrix with its own probe names."""
        known = matrix.variants.attentions if matrix.probe.module else ["eager", "sdpa"]
        offered = known if failing.variant.exporter != "optimum" else []
        yield [self.change(value) for value in offered if value != failing.variant.attention]


ATTENTION = Attention()
