"""A session of onnxruntime that does not plan its memory."""

from __future__ import annotations

from harness.diagnose.remedies.interface import FieldKind, since
from harness.model import Stage

MEMORY_PATTERN = FieldKind(
    "memory_pattern",
    since(Stage.DECODE),  # A session plans its memory when it runs.
    lambda _failing: [("disabled",)],
    keeps_artifact=True,
)
