"""The other way to hand arrays to the runtime."""

from __future__ import annotations

from harness.diagnose.remedies.interface import FieldKind, since
from harness.model import Stage

BINDING = FieldKind(
    "binding",
    since(Stage.DECODE),  # The decoding loop begins when the session is there.
    lambda failing: [("ortvalue" if failing.variant.binding == "numpy" else "numpy",)],
    keeps_artifact=True,
)
