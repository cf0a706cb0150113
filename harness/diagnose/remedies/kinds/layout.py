"""Another layout of the graphs: taken from the matrix alone, since a program has to be written for it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.diagnose.remedies.interface import FieldKind, since
from harness.model import Stage, Variant


class Layout(FieldKind):
    """Without a cache there is nothing to feed back, or to mix."""

    def follow(self, working: Variant) -> Sequence[str]:
        """The fields that have no meaning without a cache."""
        return ("feedback", "strategy") if working.layout == "no-cache" else ()


LAYOUT = Layout("layout", since(Stage.EXPORT))
