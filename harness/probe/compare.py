"""Comparison of outputs: one rule for PyTorch against itself, and for a runtime against PyTorch."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np

# float32 through two decoder layers differs by about 1e-6; a wrong mask, position or bias by 1e-2 and more.
TOLERANCE = {"absolute": 1e-4, "relative": 1e-4}


def difference(actual: Any, expected: Any, ignored: Any = None) -> float | None:
    """Return the largest absolute difference of two arrays of one shape; None if either holds nan or inf.

    `ignored` (bool, of the same shape, or None) is true where the two may differ.
    """
    gap = _compared(np.abs(actual.astype(np.float64) - expected.astype(np.float64)), ignored)
    largest = float(gap.max()) if gap.size else 0.0
    return largest if np.isfinite(largest) else None


def mismatch(actual: Any, expected: Any, tolerance: Mapping[str, float], ignored: Any = None) -> str | None:
    """Return in words how `actual` differs from `expected`; None if they are equal.

    Equal: the same shape and dtype and, except where `ignored`, no nan or inf in either, and
    |actual - expected| ≤ absolute + relative·|expected|.
    """
    if actual.shape != expected.shape:
        return f"shape {actual.shape} instead of {expected.shape}"
    if actual.dtype != expected.dtype:
        return f"dtype {actual.dtype} instead of {expected.dtype}"
    here, there = _compared(actual, ignored), _compared(expected, ignored)
    for values, name in ((here, "values"), (there, "expected values")):
        unreal = int(np.size(values) - np.count_nonzero(np.isfinite(values)))
        if unreal:
            return f"{unreal} of {np.size(values)} {name} are nan or inf"
    gap = np.abs(here.astype(np.float64) - there.astype(np.float64))
    wrong = gap > tolerance["absolute"] + tolerance["relative"] * np.abs(there)
    if wrong.any():
        return f"{int(wrong.sum())} of {np.size(here)} values differ, by up to {float(gap.max()):.3g}"
    return None


def constant_offset(pairs: Sequence[tuple[Any, Any]], tolerance: Mapping[str, float]) -> bool:
    """Whether all (actual, expected) differ by the same vector along their last axis, other than zero.

    This happens if a bias that is added at the end was dropped. False with fewer than two rows, which cannot show it.
    """
    if not pairs or any(actual.shape != expected.shape or not actual.ndim for actual, expected in pairs):
        return False
    gaps = [
        (actual.astype(np.float64) - expected.astype(np.float64)).reshape(-1, actual.shape[-1]) for actual, expected in pairs
    ]
    if len({gap.shape[1] for gap in gaps}) > 1:
        return False
    rows = np.concatenate(gaps)
    if len(rows) < 2 or not np.isfinite(rows).all():
        return False
    limit = 2 * tolerance["absolute"]
    return bool(np.ptp(rows, axis=0).max() <= limit and np.abs(rows).max() > limit)


def greedy(logits: Any) -> list[int]:
    """Return the token that greedy decoding takes after the last position, for each row of the batch."""
    tokens: list[int] = logits[:, -1].argmax(axis=-1).tolist()
    return tokens


def _compared(array: Any, ignored: Any) -> Any:
    return array if ignored is None else array[~ignored]
