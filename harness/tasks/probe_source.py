"""Which program the probe is, and how its events are read: part of every key."""

from __future__ import annotations

from pathlib import Path

import harness

MAIN = Path(harness.__file__).parent / "probe" / "__main__.py"

RULES = 2
"""Part of every key: to be raised when a probe's events or end come to mean something else, here or in execution/worker.py."""
