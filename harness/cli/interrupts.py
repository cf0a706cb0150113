"""Ctrl-C, SIGTERM and SIGHUP stop the run."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from harness.errors import Interrupted


def interrupt_once() -> None:
    """The first Ctrl-C (or SIGTERM, or a closed terminal) interrupts the run, the second is ignored, the third exits at once.

    Python drops exceptions that are raised in finalizers and callbacks of weak references; an interrupt that occurs there
    is raised again.
    """
    received = 0

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal received
        received += 1
        if received == 1:
            raise KeyboardInterrupt
        if received > 2:
            os._exit(Interrupted.exit_code)

    def again(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def dropped(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
        else:
            sys.__unraisablehook__(unraisable)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    # `nohup` ignores it.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, interrupt)
    signal.signal(signal.SIGALRM, again)
    sys.unraisablehook = dropped
