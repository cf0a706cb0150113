"""Another exporter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.diagnose.remedies.interface import Change, Failing, FieldKind, since
from harness.matrix.schema import Variants
from harness.model import Stage, Variant
from harness.stack import EXPORTER_AXES


class Exporter(FieldKind):
    """Each exporter has opsets of its own."""

    # Another exporter writes another graph, and a patch release the same.
    known_before = frozenset({"patch release"})

    def batches(self, failing: Failing) -> Iterator[list[Change]]:
        """Those of the matrix for which its locks have room, and TorchScript, which every torch has."""
        matrix = failing.matrix
        offered = [*matrix.variants.exporters, *([] if matrix.probe.module else ["torchscript"])]
        opsets = {**Variants().opsets, **matrix.variants.opsets}
        absent = {name for name, axes in EXPORTER_AXES.items() if axes.isdisjoint(dict(failing.cell.pins))}
        others = [name for name in dict.fromkeys(offered) if name in opsets and name not in absent]
        yield [self.change(name, opset=opsets[name][0]) for name in others if name != failing.variant.exporter]

    def follow(self, _working: Variant) -> Sequence[str]:
        """The opset."""
        return ("opset",)


# A lock may have no room for the distribution that an exporter needs.
EXPORTER = Exporter("exporter", since(Stage.EXPORT) | {Stage.RESOLVE})
