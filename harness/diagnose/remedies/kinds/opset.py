"""Another opset."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnose.remedies.interface import Change, FieldKind, measured_limit, since
from harness.matrix.schema import Matrix
from harness.model import Cell, Stage
from harness.verdicts.judge import VariantVerdict

_NEARBY = 3
"""Number of opsets above the variant's own that are tried, and below it."""


class Opset(FieldKind):
    """A failed export may need a newer opset, and a failed run an older one: that direction goes first."""

    field = "opset"
    reach = since(Stage.EXPORT)

    def batches(self, failing: VariantVerdict, _cell: Cell, matrix: Matrix) -> Iterator[list[Change]]:
        """The largest that this runtime was measured to run; if nothing was measured, the matrix's and those nearby."""
        own, limit = failing.variant.opset, measured_limit(failing, "opset-above-runtime")
        if limit is not None:
            yield [self.change(limit)]
            return
        above, below = range(own + 1, own + 1 + _NEARBY), range(own - 1, own - 1 - _NEARBY, -1)
        of_matrix = [opset for opset in matrix.variants.opsets.get(failing.variant.exporter, ()) if opset != own]
        nearby = (above, below) if failing.stage in {Stage.EXPORT, Stage.CHECK} else (below, above)
        for opsets in (of_matrix, *nearby):
            yield [self.change(opset) for opset in opsets]


OPSET = Opset()
