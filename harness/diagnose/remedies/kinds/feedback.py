"""Another way to feed back the cache."""

from __future__ import annotations

from collections.abc import Iterable

from harness.diagnose.remedies.interface import Change, Failing, FieldKind, since
from harness.matrix.schema import BUILT_IN
from harness.model import Stage, Variant

_DIAGNOSTIC = "feed-all"
"""Nobody is advised to do it."""


class Feedback(FieldKind):
    """All but the diagnostic."""

    def between_variants(self, failing: Variant, working: Variant) -> Change | None:
        """The change, but to the diagnostic."""
        return None if working.feedback == _DIAGNOSTIC else super().between_variants(failing, working)


def _values(failing: Failing) -> list[str]:
    """Those of the built-in probe, or those that a matrix with its own probe names; without a cache there are none."""
    matrix = failing.matrix
    known: Iterable[str] = matrix.variants.feedbacks if matrix.probe.module else BUILT_IN["feedbacks"]
    return [value for value in known if value != _DIAGNOSTIC] if failing.variant.layout != "no-cache" else []


FEEDBACK = Feedback("feedback", since(Stage.DECODE), lambda failing: [_values(failing)], keeps_artifact=True)
