"""What is different where it works, and whom to suspect."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import MERGED, PAIR, resolved, result

from harness.diagnose.remedies.lock_diff import LockSuspect, difference, named, nearest, suspects
from harness.environments.resolver import Resolved
from harness.model import Failure, Lock, LockedDistribution, Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict


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
    assert nearest(here, PAIR, [far, near, nearer, judged(here)]) is nearer
    assert nearest(here, PAIR, [far, near]) is near
    assert nearest(here, PAIR, [judged(here)]) is None


def test_a_cell_in_which_the_same_variant_works_is_nearer_than_any_other():
    other, same = judged(resolved(onnx="1.17.0"), PAIR), judged(resolved(onnx="1.17.0", torch="2.6.0"), MERGED)
    assert nearest(resolved(), MERGED, [other, same]) is same
    assert nearest(resolved(), MERGED, [other]) is other


def test_suspects_are_what_differs_and_is_spoken_of_then_what_differs_then_what_is_spoken_of():
    here = holding(resolved(), protobuf="5.1", sympy="1.2", flatbuffers="24", coloredlogs="15")
    there = holding(resolved(onnx="1.17.0"), protobuf="4.2", sympy="1.0", coloredlogs="15")
    failure = Failure(type="ImportError", message="sympy", traceback='File "…/flatbuffers/__init__.py"\nimport torch, onnx')
    assert [(one.name, one.there) for one in suspects(here, there, failure)] == [
        ("sympy", "1.0"),
        ("protobuf", "4.2"),
        ("flatbuffers", None),
    ]


def test_who_is_spoken_of_last_comes_first_and_a_part_of_a_word_is_nobody():
    failure = Failure(type="E", message="numpydoc; see onnx_ir.passes, then NumPy 2.1.0", traceback="import protobuf")
    assert named(failure, ["protobuf", "onnx-ir", "numpy", "doc", "ml-dtypes"]) == ["numpy", "onnx-ir", "protobuf"]
    assert named(None, ["numpy"]) == []


@pytest.mark.parametrize(
    ("here", "there", "exactly", "wider"),
    [
        ("2.1.0", "1.26.4", "x==1.26.4", ["x<2", "x<2.1"]),
        ("2.3.0", "2.1.0", "x==2.1.0", ["x<2.3"]),
        ("1.26.4", "2.1.0", "x==2.1.0", ["x>=2", "x>=2.1"]),
        ("2.1.1", "2.1.0", "x==2.1.0", []),
        ("2.1.0", None, None, ["x<2", "x<2.1"]),
    ],
)
def test_a_suspect_is_held_as_loosely_as_shuts_the_version_out(here, there, exactly, wider):
    suspect = LockSuspect(name="x", here=here, there=there)
    assert (suspect.exactly, suspect.wider) == (exactly, wider)
