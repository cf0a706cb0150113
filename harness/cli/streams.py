"""stdout and stderr that are closed, full, or without a reader: no command ends because of that, or loses its exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any


class Guarded:
    """A stream that goes quiet where it cannot be written; all else is that of the stream."""

    def __init__(self, stream: Any, problems: list[OSError] | None = None) -> None:
        self._stream = stream
        self.problems = [] if problems is None else problems
        """Why it has gone quiet; a reader who has read enough is none."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def buffer(self) -> Guarded:
        """The stream of bytes below."""
        return Guarded(self._stream.buffer, self.problems)

    def write(self, content: Any) -> int:
        """Write text, or the bytes of a stream of bytes; returns their length."""
        self._attempt(self._stream.write, content)
        return len(content)

    def flush(self) -> None:
        """Flush the stream."""
        self._attempt(self._stream.flush)

    def _attempt(self, action: Callable[..., object], *arguments: object) -> None:
        try:
            action(*arguments)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.problems.append(error)
            # What its buffers hold goes there too, and so Python's own flush at the end succeeds.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def guarded() -> Iterator[Guarded]:
    """Guard stdout and stderr in the block; gives stdout."""
    # In this order: a file gets the lowest number that is free, and a file of the store must not become 1 or 2.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 -- open to the end
    out, err = Guarded(sys.stdout), Guarded(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out
        out.flush()
        err.flush()
