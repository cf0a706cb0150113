"""Starts a probe that asks for the bytecode which it does not find, instead of compiling for itself alone.

    python -c SOURCE CHANNEL PROGRAM ARGUMENT …

SOURCE is this file. CHANNEL is the number of a socket to bytecode_service.py. Only this process asks: its forks compile what
they lack in memory, as it does itself without an answer. Python 3.8.
"""

from __future__ import annotations

import _thread
import os
import sys
from importlib.machinery import SourceFileLoader


def ask_for_bytecode(channel: int) -> None:
    """Have the import system ask on `channel` before it compiles a source."""
    asking, lock = os.getpid(), _thread.allocate_lock()
    read = SourceFileLoader.get_data

    def get_data(self: SourceFileLoader, path: str) -> bytes:
        try:
            return read(self, path)
        except OSError:
            if not path.endswith(".pyc") or os.getpid() != asking or not is_made(str(self.path)):
                raise
        return read(self, path)

    def is_made(source: str) -> bool:
        try:
            with lock:
                os.write(channel, os.fsencode(source) + b"\n")
                return os.read(channel, 1) == b"1"
        except OSError:
            return False

    SourceFileLoader.get_data = get_data  # type: ignore[method-assign,assignment]


ask_for_bytecode(int(sys.argv[1]))
del sys.argv[:2]
__file__ = sys.argv[0]
with open(__file__, "rb") as _file:  # noqa: PTH123 - the probe may not find pathlib imported
    _program = compile(_file.read(), __file__, "exec", dont_inherit=True)
exec(_program)  # noqa: S102 - it is the probe
