"""A session of onnxruntime that does not plan its memory."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnose.remedies.interface import Change, FieldKind, since
from harness.matrix.schema import Matrix
from harness.model import Cell, Stage
from harness.verdicts.judge import VariantVerdict


class MemoryPattern(FieldKind):
    """A session plans its memory when it runs."""

    field = "memory_pattern"
    reach = since(Stage.DECODE)
    keeps_artifact = True

    def batches(self, failing: VariantVerdict, _cell: Cell, _matrix: Matrix) -> Iterator[list[Change]]:
        """Without it, unless the variant has none."""
        yield [self.change("disabled")] if failing.variant.memory_pattern != "disabled" else []


MEMORY_PATTERN = MemoryPattern()
