"""The kinds of remedies. A new one is a module with an instance of `RemedyKind` (../interface.py), and a line in `KINDS`."""

from __future__ import annotations

from harness.diagnose.remedies.interface import RemedyKind
from harness.diagnose.remedies.kinds.addition import ADDITION
from harness.diagnose.remedies.kinds.attention import ATTENTION
from harness.diagnose.remedies.kinds.axis_version import MAJOR, MINOR, PATCH
from harness.diagnose.remedies.kinds.binding import BINDING
from harness.diagnose.remedies.kinds.exporter import EXPORTER
from harness.diagnose.remedies.kinds.feedback import FEEDBACK
from harness.diagnose.remedies.kinds.ir_version import IR_VERSION
from harness.diagnose.remedies.kinds.layout import LAYOUT
from harness.diagnose.remedies.kinds.memory_pattern import MEMORY_PATTERN
from harness.diagnose.remedies.kinds.opset import OPSET
from harness.diagnose.remedies.kinds.optimization import OPTIMIZATION
from harness.diagnose.remedies.kinds.secondary_pin import SECONDARY_PIN

KINDS: tuple[RemedyKind, ...] = (
    OPTIMIZATION,
    MEMORY_PATTERN,
    FEEDBACK,
    BINDING,
    IR_VERSION,
    OPSET,
    ATTENTION,
    LAYOUT,
    EXPORTER,
    ADDITION,
    SECONDARY_PIN,
    PATCH,
    MINOR,
    MAJOR,
)
"""The cheapest first: an option of a session, the decoding loop, the export, the environment, another cell."""
