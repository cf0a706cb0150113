"""Locks that do not answer the question under whose key they were found."""

from __future__ import annotations

import pytest

from harness.environments.lock_check import contradiction
from harness.locked import Lock, LockedDistribution
from harness.matrix.plan import Requirements
from harness.model import Interpreter

PYTHON = Interpreter(version="3.11.7", path="/python")
WANTED = Requirements(
    needed=("torch==2.1.0", "numpy", "optimum[onnxruntime]>=1.16", "tomli<2 ; python_version < '3.11'"),
    optional=("onnxscript",),
    bounds=("numpy<2", "sympy<1.14", "rich<1", "mpmath>9 ; python_version > '3.11'"),
)
SOUND = {
    "torch": ("2.1.0+cpu",),
    "sympy": ("1.13.1", "torch"),
    "mpmath": ("1.3.0", "sympy"),
    "numpy": ("1.26.4", "torch"),
    "optimum": ("1.17.0",),
    "onnxscript": ("0.1.0",),
}


def lock(changes: dict[str, tuple[str, ...] | None], dropped: tuple[tuple[str, str], ...] = ()) -> Lock:
    """`SOUND` (version, then what requires it) with changes; None leaves one out."""
    entries = {**SOUND, **changes}.items()
    distributions = [LockedDistribution(name=name, version=entry[0], via=entry[1:]) for name, entry in entries if entry]
    return Lock(distributions=tuple(distributions), dropped=dropped)


@pytest.mark.parametrize(
    ("changes", "dropped"),
    [({}, ()), ({"onnxscript": None}, (("onnxscript", "no room"),)), ({"numpy": ("1.26.4",)}, ()), ({"torch": ("2.1.0",)}, ())],
)
def test_a_lock_that_answers(changes, dropped):
    assert contradiction(lock(changes, dropped), WANTED, PYTHON) is None


@pytest.mark.parametrize(
    ("changes", "dropped", "problem"),
    [
        ({"torch": ("9.9.9",)}, (), "has torch 9.9.9, and torch==2.1.0 is required"),
        ({"optimum": ("1.15.0",)}, (), "has optimum 1.15.0, and optimum>=1.16 is required"),
        ({"numpy": ("2.0.0", "torch")}, (), "has numpy 2.0.0, and numpy<2 is required"),
        ({"sympy": ("1.14.0", "torch")}, (), "has sympy 1.14.0, and sympy<1.14 is required"),
        ({"numpy": None}, (), "lacks numpy, which is required"),
        ({"onnxscript": None}, (), "lacks onnxscript, which is required"),
        ({"numpy": None}, (("numpy", "no room"),), "leaves out numpy, which was not optional"),
        ({"evil": ("6.6.6",)}, (), "has evil, which no requirement needs"),
        ({"evil": ("6.6.6", "evil")}, (), "has evil, which no requirement needs"),
        ({"tomli": ("1.0",)}, (), "has tomli, which no requirement needs"),
    ],
)
def test_a_lock_that_does_not_answer(changes, dropped, problem):
    assert contradiction(lock(changes, dropped), WANTED, PYTHON) == problem


def test_a_distribution_that_is_there_twice():
    twice = Lock(distributions=(*lock({}).distributions, LockedDistribution(name="numpy", version="1.0")))
    assert contradiction(twice, WANTED, PYTHON) == "has a distribution twice"
