"""Another IR version in the stamp of the exported graphs."""

from __future__ import annotations

from harness.diagnose.remedies.interface import Failing, FieldKind, since
from harness.model import Stage


def _values(failing: Failing) -> list[list[int]]:
    """The largest that this runtime was measured to read; if nothing was measured, one below the stamp."""
    limit = failing.limit("ir-above-runtime")
    if limit is not None:
        return [[limit]]
    results = reversed(failing.verdict.results)
    return [[result.data["ir"] - 1] for result in results if result.data.get("ir")][:1]


IR_VERSION = FieldKind(
    "ir_version",
    since(Stage.CHECK, Stage.LOAD),  # The checker and the runtime read the stamp; nothing after them does.
    _values,
)
