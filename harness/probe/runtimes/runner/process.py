"""The process of a runner: one request at a time, and a clear end whatever it does.

It dies with this process: by the kernel (Linux), by its closed input, and as a member of the same process group.
"""

from __future__ import annotations

import os
import select
import subprocess
import threading
from typing import Any, Mapping, Sequence

from ...forking.process_control import die_with_the_parent
from ...runtime import RunnerError
from ...signals import CRASHES, signal_name
from ...wire import FAILED_ITSELF
from .frames import HEAD, MAGIC, NoFrameError, frame, head_in, header_in

_CHUNK = 1 << 20
_ERROR_LIMIT = 1 << 20
"""Bytes of the longest message of an error."""
_STDERR_LIMIT = 1 << 20
"""Bytes of its stderr that go to the log."""
_SHOWN = 80
"""Bytes of garbage that a message quotes."""
_PATIENCE = 10.0
"""Seconds in which a process ends that has closed its output."""


class RunnerCrash(Exception):  # noqa: N818 - a finding about the runtime
    """The runtime has crashed in its runner."""


class RunnerProcess:
    """A runner that runs. What breaks the protocol kills it."""

    def __init__(self, command: Sequence[str]) -> None:
        """RunnerError if it does not start."""
        pipe = subprocess.PIPE
        try:
            # No thread runs beside this one: a runner before it has ended, and its stderr was read to the end.
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
        os.set_blocking(self._input, False)
        self._log = threading.Thread(target=_copy_stderr, args=(errors,), daemon=True)
        self._log.start()
        self._greeted = False
        self.alive = True
        """Whether it can be sent a request."""

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

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
        self.alive = False
        self._process.kill()
        self._process.wait()
        self._log.join(_PATIENCE)
        for stream in self._streams:
            stream.close()

    def _send(self, request: Mapping[str, Any], arrays: Sequence[Any], doing: str) -> None:
        for piece in frame(request, arrays):
            rest = piece
            while rest:
                answers, _, _ = select.select([self._output], [self._input], [])
                if answers:  # before it has the request: its end, or something that nobody asked for
                    raise self._unasked(os.read(self._output, _SHOWN), doing)
                try:
                    rest = rest[os.write(self._input, rest[:_CHUNK]) :]
                except BrokenPipeError:
                    raise self._ended(doing) from None

    def _read(self, length: int, doing: str, begins: bytes = b"") -> bytearray:
        """Return `length` bytes of its output, which begin with `begins`."""
        data = bytearray()
        while len(data) < length:
            chunk = os.read(self._output, min(_CHUNK, length - len(data)))
            if not chunk:
                raise self._ended(doing)
            data += chunk
            if not data.startswith(begins[: len(data)]):
                raise self._unasked(bytes(data), doing)
        return data

    def _unasked(self, data: bytes, doing: str) -> Exception:
        return self.broken(f"it wrote {data[:_SHOWN]!r} instead of an answer to {doing}") if data else self._ended(doing)

    def _ended(self, doing: str) -> Exception:
        """Return what its end proves: a crash of the runtime, or nothing. The host judges a probe process in the same way."""
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return self.broken(f"it closed its output in {doing}")
        self.close()
        if code < 0:
            message = f"the runner was killed by {signal_name(-code)} in {doing}"
            return RunnerCrash(message) if -code in CRASHES else RunnerError(message)
        if code == FAILED_ITSELF or not self._greeted:
            return RunnerError(f"the runner itself failed in {doing}, with exit code {code}: see the log")
        return RunnerCrash(f"the runner left with exit code {code} in {doing}")


def _copy_stderr(descriptor: int) -> None:
    """Copy what a runner writes to stderr to that of this process, which is its log: the start of it, and how much more."""
    room, left_out = _STDERR_LIMIT, 0
    while True:
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            break
        os.write(2, chunk[:room])
        left_out += max(0, len(chunk) - room)
        room = max(0, room - len(chunk))
    if left_out:
        os.write(2, f"\n[the runner wrote {left_out} bytes more]\n".encode("ascii"))
