"""How two cells differ, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import reported_cell

from harness.diagnose.nearest_cell import Neighbours, compared
from harness.model import Setup
from harness.verdicts.report_model import ReportedCell

CUDA = [f"nvidia-{name}" for name in ("cublas", "cudnn", "cufft", "curand", "nccl")]


def locked(*, newer: bool = False, names: list[str] | None = None, **pins: str) -> ReportedCell:
    """A cell with transitive distributions, in one of two versions."""
    return replace(reported_cell(**pins), resolved=dict.fromkeys(names or [], "2" if newer else "1"))


@pytest.mark.parametrize(
    ("cell", "other", "text"),
    [
        (locked(), locked(), "the same versions"),
        (locked(), locked(torch="2.6.0"), "torch 2.6.0 instead of 2.1.2"),
        (
            locked(names=[*CUDA, "triton"]),
            locked(names=[*CUDA, "triton"], newer=True, torch="2.6.0"),
            "torch 2.6.0 instead of 2.1.2, and 6 distributions that no axis names",
        ),
        # No axis tells them apart: distributions of one family are one.
        (
            locked(names=["numpy", *CUDA, "triton"]),
            locked(names=["numpy", *CUDA, "triton"], newer=True),
            "numpy 2 instead of 1, 5 nvidia-* distributions in other versions, triton 2 instead of 1",
        ),
        (
            locked(names=["a", "b", "c", "d", "e"]),
            locked(names=["a", "b", "c", "d", "e"], newer=True),
            "a 2 instead of 1, b 2 instead of 1, c 2 instead of 1, and 2 more",
        ),
    ],
)
def test_two_cells_compared(cell, other, text):
    assert compared(cell, other) == text


def test_the_environment_is_an_axis_too():
    cell = reported_cell(onnxruntime="1.17.0")
    other = replace(reported_cell(torch="2.6.0"), environment=Setup.HANDOFF)
    assert Neighbours([cell, other]).steps(cell, other) == 3
    assert Neighbours([cell, other]).steps(cell, cell) == 0
