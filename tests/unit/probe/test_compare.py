"""What counts as equal, and in which words two arrays differ."""

from __future__ import annotations

import numpy as np
import pytest

from harness.probe.compare import TOLERANCE, constant_offset, difference, greedy, mismatch

EXACT = {"absolute": 0.5, "relative": 0.25}
"""Powers of two, so that what lies on the border does so exactly."""


def floats(*values, dtype=np.float32):
    return np.array(values, dtype)


@pytest.mark.parametrize(
    ("actual", "expected", "gap"),
    [
        (floats(1, 2), floats(1, 2), 0.0),
        (floats(1, 2.5), floats(1, 2), 0.5),
        (floats(1, -2), floats(1, 2), 4.0),
        (floats(1, np.nan), floats(1, 2), None),
        (floats(1, 2), floats(np.nan, 2), None),
        (floats(1, np.inf), floats(1, 2), None),
        (floats(np.inf), floats(np.inf), None),
        (floats(), floats(), 0.0),
        (np.array([2**62], np.int64), np.array([2**62 - 2**20], np.int64), 2.0**20),
        (floats(1.0, dtype=np.float16), floats(0.0, dtype=np.float16), 1.0),
        (np.array([True]), np.array([False]), 1.0),
    ],
)
def test_the_largest_difference(actual, expected, gap):
    with np.errstate(invalid="ignore"):
        assert difference(actual, expected) == gap


def test_what_is_ignored_is_no_difference():
    ignored = np.array([False, True])
    assert difference(floats(1, np.nan), floats(1.5, 2), ignored) == 0.5
    assert mismatch(floats(2, np.nan), floats(2, 2), EXACT, ignored) is None
    assert difference(floats(1), floats(9), np.array([True])) == 0.0


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (floats(4), floats(4), None),
        (floats(4 + 1.5), floats(4), None),  # 0.5 + 0.25 * 4
        (floats(4 - 1.5), floats(4), None),
        (floats(-4 - 1.5), floats(-4), None),
        (floats(4 + 1.75), floats(4), "1 of 1 values differ, by up to 1.75"),
        (floats(1, 4, 9), floats(0, 4, 4), "2 of 3 values differ, by up to 5"),
        (floats(1, 2), floats(1), "shape (2,) instead of (1,)"),
        (floats(1), np.array([[1]], np.float32), "shape (1,) instead of (1, 1)"),
        (floats(1, dtype=np.float64), floats(1), "dtype float64 instead of float32"),
        (np.array([1], np.int64), floats(1), "dtype int64 instead of float32"),
        (floats(1, np.nan, np.inf), floats(1, 2, 3), "2 of 3 values are nan or inf"),
        (floats(np.inf), floats(np.inf), "1 of 1 values are nan or inf"),
        (floats(1, 2), floats(np.nan, np.inf), "2 of 2 expected values are nan or inf"),
        (floats(), floats(), None),
        (np.array([3], np.int64), np.array([9], np.int64), "1 of 1 values differ, by up to 6"),
    ],
)
def test_a_mismatch_in_words(actual, expected, words):
    assert mismatch(actual, expected, EXACT) == words


def test_shapes_come_before_dtypes_and_both_before_values():
    assert mismatch(floats(np.nan, 1, dtype=np.float64), floats(1), EXACT) == "shape (2,) instead of (1,)"
    assert mismatch(floats(np.nan, dtype=np.float64), floats(1), EXACT) == "dtype float64 instead of float32"


def test_two_decoder_layers_of_float32_are_within_the_tolerance_and_a_wrong_bias_is_not():
    logits = np.linspace(-8, 8, 65, dtype=np.float32)
    assert mismatch(logits + np.float32(5e-6), logits, TOLERANCE) is None
    assert mismatch(logits + np.float32(1e-2), logits, TOLERANCE) is not None


BIAS = floats(0.5, -1.0, 0.0)
ROWS = np.arange(12, dtype=np.float32).reshape(2, 2, 3)


@pytest.mark.parametrize(
    ("pairs", "constant"),
    [
        ([(ROWS + BIAS, ROWS)], True),
        ([(ROWS[:1, :1] + BIAS, ROWS[:1, :1]), (ROWS + BIAS, ROWS)], True),
        ([(ROWS, ROWS)], False),
        ([(ROWS + BIAS, ROWS), (ROWS - BIAS, ROWS)], False),
        ([(ROWS * 2, ROWS)], False),
        ([(ROWS[:1, :1] + BIAS, ROWS[:1, :1])], False),  # one row
        ([(ROWS + BIAS, ROWS[:1])], False),
        ([(ROWS + BIAS, ROWS), (ROWS[..., :2] + BIAS[:2], ROWS[..., :2])], False),
        ([(ROWS + floats(np.nan, 0, 0), ROWS)], False),
        ([(ROWS + np.float32(1e-4), ROWS)], False),  # within what differs anyway
        ([(np.float32(2.0).reshape(()), np.float32(1.0).reshape(()))], False),
        ([], False),
    ],
)
def test_a_bias_that_was_dropped_is_a_constant_offset(pairs, constant):
    assert constant_offset(pairs, TOLERANCE) is constant


def test_an_offset_may_vary_by_what_differs_anyway():
    noise = np.zeros_like(ROWS)
    noise[0, 0, 0] = 1.5e-4
    assert constant_offset([(ROWS + BIAS + noise, ROWS)], TOLERANCE)
    assert not constant_offset([(ROWS + BIAS + 4 * noise, ROWS)], TOLERANCE)


def test_greedy_takes_the_largest_logit_of_the_last_position_and_of_equal_ones_the_first():
    logits = np.array([[[9, 0, 0], [0, 1, 2]], [[9, 0, 0], [5, 5, 1]]], np.float32)
    assert greedy(logits) == [2, 0]
