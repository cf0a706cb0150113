"""What the tests' dask workers load first (`distributed.worker.preload`): the fake probe in place of the real one."""

from __future__ import annotations

from pathlib import Path

import noted

from harness.execution.process import sandbox
from harness.tasks import keys

keys.PROBE = Path(__file__).resolve().parent / "fake_probe" / "__main__.py"
sandbox.rights = noted.allowing()
