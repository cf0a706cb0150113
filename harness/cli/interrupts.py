"""Ctrl-C, SIGTERM and SIGHUP: one stops the run, and none is lost."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from harness.errors import Interrupted


def interrupt_once() -> None:
    """The first Ctrl-C (or SIGTERM, or a closed terminal) stops the run. A second does not stop the stopping, a third does.

    Python drops what is raised while it runs a finalizer or a weak reference's callback; an interrupt that falls there is
    raised once more.
    """
    heard = 0

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal heard
        heard += 1
        if heard == 1:
            raise KeyboardInterrupt
        if heard > 2:
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
    # `nohup` has it ignored.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, interrupt)
    signal.signal(signal.SIGALRM, again)
    sys.unraisablehook = dropped
