"""A lower level of onnxruntime's graph optimisation."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnose.remedies.interface import Change, FieldKind, since
from harness.matrix.schema import Matrix
from harness.model import Cell, Stage
from harness.verdicts.judge import VariantVerdict


class Optimization(FieldKind):
    """A graph is optimised when its session is made."""

    field = "optimization"
    reach = since(Stage.LOAD)
    keeps_artifact = True

    def batches(self, failing: VariantVerdict, _cell: Cell, _matrix: Matrix) -> Iterator[list[Change]]:
        """All other levels, the highest first."""
        levels = ("extended", "basic", "disabled")
        yield [self.change(level) for level in levels if level != failing.variant.optimization]


OPTIMIZATION = Optimization()
