"""How the decoding loop hands over arrays."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnose.remedies.interface import Change, FieldKind, since
from harness.matrix.schema import Matrix
from harness.model import Cell, Stage
from harness.verdicts.judge import VariantVerdict


class Binding(FieldKind):
    """The decoding loop begins when the session is there."""

    field = "binding"
    reach = since(Stage.DECODE)
    keeps_artifact = True

    def batches(self, failing: VariantVerdict, _cell: Cell, _matrix: Matrix) -> Iterator[list[Change]]:
        """The other one."""
        yield [self.change("ortvalue" if failing.variant.binding == "numpy" else "numpy")]


BINDING = Binding()
