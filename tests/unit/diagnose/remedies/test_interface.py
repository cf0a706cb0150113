"""Changes in words, and applied to a cell."""

from __future__ import annotations

from values import DYNAMO, PAIR, resolved

from harness.diagnose.remedies.interface import Change, apply, text
from harness.diagnose.remedies.kinds.axis_version import PATCH
from harness.diagnose.remedies.kinds.exporter import EXPORTER
from harness.diagnose.remedies.kinds.secondary_pin import SECONDARY_PIN


def test_changes_are_made_together():
    changes = (
        Change(kind=SECONDARY_PIN, bounds=("numpy<2",)),
        Change(kind=EXPORTER, variant=(("exporter", "dynamo"), ("opset", 18))),
        Change(kind=PATCH, pin=("onnxruntime", "1.16.0")),
    )
    planned, variant = apply(changes, resolved().planned, PAIR)
    assert text(changes) == "numpy<2, exporter dynamo, onnxruntime 1.16.0"
    assert variant == DYNAMO
    assert (planned.bounds, planned.variants) == (("numpy<2",), (DYNAMO,))
    assert planned.cell.version("onnxruntime") == "1.16.0"
    assert planned.cell.version("torch") == "2.1.2"
    assert planned.cell.id == f"{resolved().cell.id}+onnxruntime-1.16.0"
