"""In how many distributions two cells differ."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import PINS, reported_cell

from harness.diagnose.distances import Distances
from harness.model import Setup

HERE = replace(reported_cell(), resolved={**PINS, "numpy": "1.26.4", "sympy": "1.13.1"})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 0),
        ({"id": "another"}, 0),
        ({"python": "3.12"}, 1),
        ({"environment": Setup.HANDOFF}, 1),
        ({"resolved": {**HERE.resolved, "numpy": "2.1.0"}}, 1),
        ({"resolved": {**HERE.resolved, "sympy": "1.26.4", "numpy": "1.13.1"}}, 2),
        ({"resolved": {**HERE.resolved, "mpmath": "1.3.0"}}, 1),
        ({"resolved": {**PINS, "mpmath": "1.3.0"}}, 3),
        ({"pins": {**PINS, "optimum": "1.23.3"}, "python": "3.12", "environment": Setup.HANDOFF}, 3),
    ],
)
def test_names_that_have_another_version_or_are_in_one_cell_alone(change, expected):
    other = replace(HERE, **{"id": "other", **change})
    distances = Distances()
    assert distances.between(HERE, other) == distances.between(other, HERE) == expected
    assert distances.between(HERE, replace(HERE, id="again", python="3.13", resolved={})) == 1 + len({"numpy", "sympy"})
