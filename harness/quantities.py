"""Durations and sizes as people write them."""

from __future__ import annotations

import re

from harness.packaging_values import quoted

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(s|m|h)")
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(MB|GB)")
_LONGEST = 1e9
"""Seconds of the longest duration: thirty years."""
_LARGEST = 10**18
"""Bytes of the largest size."""


def seconds(text: str | float) -> float:
    """`"90s"`, `"5m"`, `"1h"` or a number of seconds → seconds."""
    value: object = text
    if isinstance(text, str) and (match := _DURATION.fullmatch(text)):
        value = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= _LONGEST:
        raise ValueError(f"expected a duration such as '90s', '5m' or '1h', not {quoted(text)}")
    return float(value)


def size(text: str | int) -> int:
    """`"800MB"`, `"6GB"` (decimal units) or a number of bytes → bytes."""
    value: object = text
    if isinstance(text, str) and (match := _SIZE.fullmatch(text)):
        value = int(float(match[1]) * {"MB": 10**6, "GB": 10**9}[match[2]])
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST:
        raise ValueError(f"expected a size such as '800MB' or '6GB', not {quoted(text)}")
    return value


def text(size: float) -> str:
    """Bytes as people read them: `5.0 GB`, `120 MB`, `12 kB`."""
    if size >= 10**9:
        return f"{size / 10**9:.1f} GB"
    return f"{size / 10**6:.0f} MB" if size >= 10**6 else f"{size / 1000:.0f} kB"
