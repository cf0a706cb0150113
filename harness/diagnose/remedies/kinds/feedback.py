"""What the decoding loop feeds back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.diagnose.remedies.interface import Change, FieldKind, since
from harness.matrix.schema import BUILT_IN, Matrix
from harness.model import Cell, Stage, Variant
from harness.verdicts.judge import VariantVerdict

_DIAGNOSTIC = "feed-all"
"""Nobody is advised to do it."""


class Feedback(FieldKind):
    """The decoding loop begins when the session is there."""

    field = "feedback"
    reach = since(Stage.DECODE)
    keeps_artifact = True

    def batches(self, failing: VariantVerdict, _cell: Cell, matrix: Matrix) -> Iterator[list[Change]]:
        """The built-in probe's other ways, or those that a matrix with its own probe names; without a cache there is none."""
        known: Sequence[str] = matrix.variants.feedbacks if matrix.probe.module else BUILT_IN["feedbacks"]
        offered = known if failing.variant.layout != "no-cache" else ()
        yield [self.change(value) for value in offered if value not in {failing.variant.feedback, _DIAGNOSTIC}]

    def between_variants(self, failing: Variant, working: Variant) -> Change | None:
        """The change, but to the diagnostic."""
        return None if working.feedback == _DIAGNOSTIC else super().between_variants(failing, working)


FEEDBACK = Feedback()
