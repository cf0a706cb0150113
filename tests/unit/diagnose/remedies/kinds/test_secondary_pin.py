"""Which distributions are suspects, and how loosely they are held."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import resolved

from harness.diagnose.remedies.kinds.secondary_pin import LockSuspect, named, suspects
from harness.environments.resolved import Resolved
from harness.locked import Lock, LockedDistribution
from harness.model import Failure


def holding(one: Resolved, **versions: str) -> Resolved:
    """`one` with these distributions on the run side."""
    assert one.run
    pinned = tuple(LockedDistribution(name=name.replace("_", "-"), version=version) for name, version in versions.items())
    return replace(one, run=Lock(distributions=(*one.run.distributions, *pinned)))


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
        ("1!1.0", "2.0", "x==2.0", ["x<1!1", "x<1!1.0"]),
        ("1!1.0", "1!1.1", "x==1!1.1", ["x>=1!1.1"]),
    ],
)
def test_a_suspect_is_held_as_loosely_as_shuts_the_version_out(here, there, exactly, wider):
    suspect = LockSuspect(name="x", here=here, there=there)
    assert (suspect.exactly, suspect.wider) == (exactly, wider)
