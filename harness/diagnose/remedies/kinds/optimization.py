"""Another level of onnxruntime's graph optimisation."""

from __future__ import annotations

from harness.diagnose.remedies.interface import FieldKind, since
from harness.model import Stage

OPTIMIZATION = FieldKind(
    "optimization",
    since(Stage.LOAD),  # A graph is optimised when its session is made.
    lambda _failing: [("extended", "basic", "disabled")],
    keeps_artifact=True,
)
