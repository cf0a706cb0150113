"""Which cell is the nearest, and how two cells differ, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import MERGED, PAIR, reported_cell, resolved, result

from harness.diagnose.nearest_cell import Neighbours, compared, difference, nearest_working
from harness.environments.resolved import Resolved
from harness.locked import Lock, LockedDistribution
from harness.model import Setup, Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.report_schema import ReportedCell

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


def holding(one: Resolved, **versions: str) -> Resolved:
    """`one` with these distributions on the run side."""
    assert one.run
    pinned = tuple(LockedDistribution(name=name.replace("_", "-"), version=version) for name, version in versions.items())
    return replace(one, run=Lock(distributions=(*one.run.distributions, *pinned)))


def judged(one: Resolved, *working: Variant) -> Verdict:
    variants = [
        VariantVerdict(
            variant=variant,
            status=Status.WORKS if variant in working else Status.FAILS,
            results=(result(Stage.PARITY, Status.WORKS if variant in working else Status.FAILS),),
        )
        for variant in (PAIR, MERGED)
    ]
    return Verdict(resolved=one, status=Status.WORKS if working else Status.FAILS, variants=tuple(variants))


def test_axes_are_told_from_what_they_bring():
    here, there = holding(resolved(), protobuf="5.1"), holding(resolved(onnx="1.17.0"), protobuf="4.2", sympy="1.0")
    told = difference(here, there)
    assert [str(one) for one in told.axes] == ["onnx 1.16.2 instead of 1.17.0"]
    assert [str(one) for one in told.others] == ["protobuf 5.1 instead of 4.2", "sympy absent instead of 1.0"]


def test_the_nearest_differs_on_the_fewest_axes_and_then_in_the_fewest_distributions():
    here = holding(resolved(), protobuf="5.1")
    far = judged(holding(resolved(onnx="1.17.0", torch="2.6.0"), protobuf="5.1"), PAIR)
    near = judged(holding(resolved(onnx="1.17.0"), protobuf="4.2"), PAIR)
    nearer = judged(holding(resolved(onnx="1.18.0"), protobuf="5.1"), PAIR)
    assert nearest_working(here, PAIR, [far, near, nearer, judged(here)]) is nearer
    assert nearest_working(here, PAIR, [far, near]) is near
    assert nearest_working(here, PAIR, [judged(here)]) is None


def test_a_cell_in_which_the_same_variant_works_is_nearer_than_any_other():
    other, same = judged(resolved(onnx="1.17.0"), PAIR), judged(resolved(onnx="1.17.0", torch="2.6.0"), MERGED)
    assert nearest_working(resolved(), MERGED, [other, same]) is same
    assert nearest_working(resolved(), MERGED, [other]) is other
