"""What a runner writes to its stderr."""

from __future__ import annotations

import os

_CHUNK = 1 << 16
_LIMIT = 1 << 20
"""Bytes that go to the log."""
_KEPT = 1 << 13
"""Bytes that are kept for the last lines."""
_LINES = 20


class StderrCopy:
    """Copies it to that of this process, which is its log: the start of it, and how much more there was."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` does not block."""
        self.descriptors = [descriptor]
        """What to wait for before `copy`; nothing once it has ended."""
        self._room, self._left_out, self._last = _LIMIT, 0, b""

    def copy(self) -> bool:
        """Copy what was written by now; return whether there was something."""
        try:
            chunk = os.read(self.descriptors[0], _CHUNK) if self.descriptors else b""
        except BlockingIOError:
            return False
        if not chunk:
            self.descriptors = []
            return False
        if self._room:
            os.write(2, chunk[: self._room])
        self._left_out += max(0, len(chunk) - self._room)
        self._room = max(0, self._room - len(chunk))
        self._last = (self._last + chunk)[-_KEPT:]
        return True

    def end(self) -> None:
        """Copy what a process has left that is gone: a pipe holds no more than that of it."""
        for _ in range(_LIMIT // _CHUNK):
            if not self.copy():
                break
        self.descriptors = []
        if self._left_out:
            os.write(2, f"\n[the runner wrote {self._left_out} bytes more]\n".encode("ascii"))

    @property
    def last_lines(self) -> str:
        """Its last lines, whatever was written to it."""
        return "\n".join(self._last.decode("utf-8", errors="backslashreplace").splitlines()[-_LINES:])
