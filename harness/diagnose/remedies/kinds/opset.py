"""Another opset."""

from __future__ import annotations

from collections.abc import Iterable

from harness.diagnose.remedies.interface import Failing, FieldKind, since
from harness.model import Stage

_NEARBY = 3
"""Number of opsets above the variant's own that are tried, and below it."""


def _values(failing: Failing) -> list[Iterable[int]]:
    """The largest that this runtime was measured to run; if nothing was measured, the matrix's and those nearby.

    A failed export may need a newer opset, and a failed run an older one: that direction goes first.
    """
    limit = failing.limit("opset-above-runtime")
    if limit is not None:
        return [[limit]]
    own, of_matrix = failing.variant.opset, failing.matrix.variants.opsets.get(failing.variant.exporter, ())
    above, below = range(own + 1, own + 1 + _NEARBY), range(own - 1, own - 1 - _NEARBY, -1)
    return [of_matrix, *((above, below) if failing.verdict.stage in {Stage.EXPORT, Stage.CHECK} else (below, above))]


OPSET = FieldKind("opset", since(Stage.EXPORT), _values)
