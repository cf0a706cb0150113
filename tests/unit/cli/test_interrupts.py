"""What a signal does to the command line, wherever it falls."""

from __future__ import annotations

import subprocess
import sys

_DROPPED = """
import os, signal, time, weakref
from harness.cli.interrupts import interrupt_once

class Anything: ...

interrupt_once()
anything = Anything()
reference = weakref.ref(anything, lambda _: (os.kill(os.getpid(), signal.SIGINT), time.sleep(0)))
try:
    del anything
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_within_a_callback_is_not_lost():
    ended = subprocess.run([sys.executable, "-c", _DROPPED], capture_output=True, text=True, timeout=50, check=False)
    assert (ended.stdout, ended.stderr) == ("interrupted\n", "")
