"""The process of a runner: one request at a time, and a clear end whatever it does.

It dies with this process: by the kernel (Linux), by its closed input, and as a member of the same process group. Its end is
that of the process, not of its pipes, which a helper process of it may still hold.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from typing import Any, Mapping, Sequence

from ...forking.process_control import die_with_the_parent
from ...outcome import RunnerCrash
from ...runtime import RunnerError
from ...signals import CRASHES, signal_name
from ...wire import FAILED_ITSELF
from .frames import HEAD, MAGIC, NoFrameError, frame, head_in, header_in
from .stderr import StderrCopy

_CHUNK = 1 << 20
_ERROR_LIMIT = 1 << 20
"""Bytes of the longest message of an error."""
_SHOWN = 80
"""Bytes of garbage that a message quotes."""
_PATIENCE = 10.0
"""Seconds in which a process ends that has closed its output."""
_LOOK_SECONDS = 0.25
"""Interval at which a process that says nothing is looked at."""


class RunnerProcess:
    """A runner that runs. What breaks the protocol kills it."""

    def __init__(self, command: Sequence[str]) -> None:
        """RunnerError if it does not start."""
        pipe = subprocess.PIPE
        try:
            # No thread runs beside this one.
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                preexec_fn=die_with_the_parent,  # noqa: PLW1509
            )
        except OSError as exc:
            message = f"the runner does not start: {exc}"
            raise RunnerError(message) from exc
        self._streams = [stream for stream in (self._process.stdin, self._process.stdout, self._process.stderr) if stream]
        self._input, self._output, errors = [stream.fileno() for stream in self._streams]
        for descriptor in (self._input, self._output, errors):
            os.set_blocking(descriptor, False)
        self._log = StderrCopy(errors)
        self._greeted = False
        self.alive = True
        """Whether it can be sent a request, as far as it was noticed."""

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it can be sent a request; unlike `alive`, it notices an end between two requests, and forgets it."""
        if self.alive and self._process.poll() is not None:
            self.close()
        return self.alive

    def ask(self, request: Mapping[str, Any], arrays: Sequence[Any] = (), body: int = 0) -> tuple[dict[str, Any], bytearray]:
        """Return header and body of the answer, which has `body` bytes, or is an error with a message.

        RunnerCrash if the runtime crashes meanwhile; RunnerError if the runner breaks the protocol, or is ended.
        """
        doing = str(request["do"])
        if not self.alive:
            message = f"the runner has ended before {doing}"
            raise RunnerError(message)
        self._send(request, arrays, doing)
        try:
            head = head_in(self._read(HEAD.size, doing, MAGIC))
            header = header_in(self._read(head.header, doing))
            most = _ERROR_LIMIT if "error" in header else body
            if head.body > most or ("error" not in header and head.body != body):
                message = f"{head.body} bytes instead of {most} follow its answer to {doing}"
                raise self.broken(message)
            content = self._read(head.body, doing)
        except NoFrameError:
            raise self.broken(f"its answer to {doing} is no frame of the protocol") from None
        self._greeted = True
        return header, content

    def broken(self, problem: str) -> RunnerError:
        """Kill it; return the error that says what it did."""
        self.close()
        return RunnerError(f"the runner broke the protocol: {problem}")

    def close(self) -> None:
        """Kill it, and wait until it is gone. It may be closed already."""
        if not self.alive:
            return
        self.alive = False
        self._process.kill()
        self._process.wait()
        self._log.end()
        for stream in self._streams:
            stream.close()

    def _send(self, request: Mapping[str, Any], arrays: Sequence[Any], doing: str) -> None:
        for piece in frame(request, arrays):
            rest = piece
            while rest:
                if self._speaks(before_writing=True):  # before it has the request: its end, or what nobody asked for
                    raise self._unasked(self._spoken(_SHOWN), doing)
                try:
                    rest = rest[os.write(self._input, rest[:_CHUNK]) :]
                except BrokenPipeError:
                    raise self._ended(doing) from None

    def _read(self, length: int, doing: str, begins: bytes = b"") -> bytearray:
        """Return `length` bytes of its output, which begin with `begins`."""
        data = bytearray()
        while len(data) < length:
            self._speaks()
            chunk = self._spoken(min(_CHUNK, length - len(data)))
            if not chunk:
                raise self._ended(doing)
            data += chunk
            if not data.startswith(begins[: len(data)]):
                raise self._unasked(bytes(data), doing)
        return data

    def _speaks(self, *, before_writing: bool = False) -> bool:
        """Wait until it has written or ended (True), or, `before_writing`, can be written to; copy its stderr meanwhile."""
        while True:
            reading = [self._output, *self._log.descriptors]
            readable, writable, _ = select.select(reading, [self._input] if before_writing else [], [], _LOOK_SECONDS)
            if self._output in readable:
                return True
            if readable:
                self._log.copy()
            if writable:
                return False
            if self._process.poll() is not None:
                return True

    def _spoken(self, length: int) -> bytes:
        """Return what it has written, at most `length` bytes; nothing if it has ended."""
        try:
            return os.read(self._output, length)
        except BlockingIOError:
            return b""

    def _unasked(self, data: bytes, doing: str) -> Exception:
        return self.broken(f"it wrote {data[:_SHOWN]!r} instead of an answer to {doing}") if data else self._ended(doing)

    def _ended(self, doing: str) -> Exception:
        """Return what its end proves: a crash of the runtime, or nothing. The host judges a probe process in the same way."""
        deadline = time.monotonic() + _PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            self._log.copy()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LOOK_SECONDS)
        code = self._process.poll()
        if code is None:
            return self.broken(f"it closed its output in {doing}")
        self.close()
        if code == FAILED_ITSELF or not self._greeted:
            how = f"with exit code {code}" if code >= 0 else f"killed by {signal_name(-code)}"
            return RunnerError(f"the runner itself failed in {doing}, {how}: see the log")
        if code >= 0:
            return RunnerCrash(f"the runner left with exit code {code} in {doing}", self._log.last_lines)
        message = f"the runner was killed by {signal_name(-code)} in {doing}"
        return RunnerCrash(message, self._log.last_lines) if -code in CRASHES else RunnerError(message)
