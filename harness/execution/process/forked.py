"""A fork of a fork server, as the harness sees it: the server reports how it ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from harness.execution.process.lent_folders import LentFolders

PATIENCE = 30.0
"""Seconds in which a sound server has forked, or has reported that a fork has ended."""


class ForkLostError(Exception):
    """A fork was requested, and its server did not give it: it may have begun, and have left something."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A fork; see subprocesses.Process."""

    pid: int
    close_server: Callable[[], None]
    lent: LentFolders
    """The folders that its server was lent."""
    code: Future[int] = field(default_factory=Future)

    def wait(self, timeout: float | None = None) -> int:
        """See subprocesses.Process."""
        try:
            return self.code.result(PATIENCE if timeout is None else timeout)
        except TimeoutError:
            if timeout is not None:
                raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
        self.close_server()  # its forks end with it
        return self.code.result() if self.code.done() else -signal.SIGKILL
