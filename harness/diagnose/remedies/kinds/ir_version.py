"""The IR version that is stamped into the exported graphs."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnose.remedies.interface import Change, FieldKind, measured_limit, since
from harness.matrix.schema import Matrix
from harness.model import Cell, Stage
from harness.verdicts.judge import VariantVerdict


class IrVersion(FieldKind):
    """The checker and the runtime read the stamp; once both have accepted it, another one changes nothing."""

    field = "ir_version"
    reach = since(Stage.CHECK, Stage.LOAD)

    def batches(self, failing: VariantVerdict, _cell: Cell, _matrix: Matrix) -> Iterator[list[Change]]:
        """The largest that this runtime was measured to read; if nothing was measured, one below the stamp."""
        limit = measured_limit(failing, "ir-above-runtime")
        stamped = next((result.data["ir"] for result in reversed(failing.results) if result.data.get("ir")), None)
        if limit is not None:
            yield [self.change(limit)]
        elif stamped is not None:
            yield [self.change(stamped - 1)]


IR_VERSION = IrVersion()
