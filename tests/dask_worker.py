"""What the tests' dask workers load first (`distributed.worker.preload`): the fake probe in place of the real one."""

from __future__ import annotations

from pathlib import Path

from harness.tasks import keys

keys.PROBE = Path(__file__).resolve().parent / "fake_probe" / "__main__.py"
