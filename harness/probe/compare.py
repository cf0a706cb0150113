"""What counts as equal: one rule for cached against uncached PyTorch and for onnxruntime against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

# float32 through two decoder layers differs by about 1e-6; a wrong mask, position or bias by 1e-2 and more.
TOLERANCE = {"absolute": 1e-4, "relative": 1e-4}


def difference(actual: Any, expected: Any) -> float | None:
    """Return the largest absolute difference of two arrays of one shape; None where either holds nan or inf."""
    gap = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    largest = float(gap.max()) if gap.size else 0.0
    return largest if np.isfinite(largest) else None


def mismatch(actual: Any, expected: Any, tolerance: dict[str, float]) -> str | None:
    """Return in words how `actual` differs from `expected`, None where it does not.

    Equal means the same shape, the same dtype, no nan or inf, and |actual - expected| ≤ absolute + relative·|expected|.
    """
    if actual.shape != expected.shape:
        return f"shape {actual.shape} instead of {expected.shape}"
    if actual.dtype != expected.dtype:
        return f"dtype {actual.dtype} instead of {expected.dtype}"
    unreal = int(np.size(actual) - np.count_nonzero(np.isfinite(actual)))
    if unreal:
        return f"{unreal} of {np.size(actual)} values are nan or inf"
    gap = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    wrong = gap > tolerance["absolute"] + tolerance["relative"] * np.abs(expected)
    if wrong.any():
        return f"{int(wrong.sum())} of {np.size(actual)} values differ, by up to {float(gap.max()):.3g}"
    return None


def greedy(logits: Any) -> list[int]:
    """Return the token that greedy decoding takes after the last position, for each row of the batch."""
    tokens: list[int] = logits[:, -1].argmax(axis=-1).tolist()
    return tokens
