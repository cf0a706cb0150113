"""Another exporter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.diagnose.remedies.interface import Change, FieldKind, since
from harness.matrix.schema import Matrix, Variants
from harness.model import Cell, Stage, Variant
from harness.stack import EXPORTS_WITH_RUNTIME
from harness.verdicts.judge import VariantVerdict


class Exporter(FieldKind):
    """Each exporter has opsets of its own."""

    field = "exporter"
    # A lock may have no room for the distribution that an exporter needs.
    reach = since(Stage.EXPORT) | {Stage.RESOLVE}
    # Another exporter writes another graph, and a patch release the same.
    known_before = frozenset({"patch release"})

    def batches(self, failing: VariantVerdict, cell: Cell, matrix: Matrix) -> Iterator[list[Change]]:
        """Those of the matrix for which its locks have room, and TorchScript, which every torch has."""
        offered = [*matrix.variants.exporters, *([] if matrix.probe.module else ["torchscript"])]
        opsets = {**Variants().opsets, **matrix.variants.opsets}
        absent = {"optimum"} if EXPORTS_WITH_RUNTIME.isdisjoint(dict(cell.pins)) else set()
        yield [
            self.change(exporter, opset=opsets[exporter][0])
            for exporter in dict.fromkeys(offered)
            if exporter != failing.variant.exporter and exporter in opsets and exporter not in absent
        ]

    def follow(self, _working: Variant) -> Sequence[str]:
        """The opset."""
        return ("opset",)


EXPORTER = Exporter()
