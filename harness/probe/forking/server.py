"""Kind "forkserver": a process that imports what many jobs import, and forks for each of them.

Importing torch and transformers takes seconds, a fork of a process that has them takes milliseconds. The fork is a process
that has imported just this and computed nothing, like a process that was started for the job a moment ago.

- Its environment may differ from the server's in what the server has not touched. Then it searches for modules there.
- Packages may remember the names of the server's working, home and temporary folder. Once the server is ready, these names lead
  every process to its own folders.
- A server may be a fork itself, of a server that has imported less.

The host sends wire.ForkRequest over a socket, the server's standard input, one JSON object a line. The server answers with
wire.ServerReady, ServerForked and ServerLeft. A server that may not be forked says so on stderr and ends. It also ends with the
socket.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import json
import os
import random
import select
import shutil
import signal
import site
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any, Iterator

from .. import dispatch
from ..confinement import restrict_files
from ..distributions import imported_distributions, uncompiled
from ..imports import import_module
from ..journal import Journal
from ..wire import ForkRequest, ForkServerJob, ServerForked, ServerLeft, ServerReady
from .fork_safety import ProcessState, loaded_unshared
from .import_recorder import ImportRecorder
from .process_control import adopt_orphans, children, die_with_the_parent, exit_code, leave_with

_LINE = 65536
_DESCRIPTOR = struct.Struct("i")
_INSTANT = 0.001
"""Seconds in which a process that is killed is usually gone."""
_HERE = "/proc/self/cwd"
"""A name that means the working folder of the process that uses it."""
_TEMPORARY = "temporary"
"""A link in it to the folder for temporary files."""

# A server that is a fork adds to what its parent has recorded here.
_RECORDER = ImportRecorder()
_STATE = ProcessState()


def run(job: ForkServerJob, journal: Journal) -> None:
    """Import what jobs of the kind `job["of"]` import, up to the first that `job["imports"]` does not name; then serve."""
    del journal
    with _channel() as channel:
        kind = importlib.import_module(dispatch.KINDS[job["of"]], dispatch.__package__)
        _STATE.record()
        with _RECORDER, _no_collection():
            for name in itertools.takewhile(lambda name: name in job["imports"], kind.packages(job)):
                import_module(name)
        if reason := _STATE.changed() or _RECORDER.unknown() or loaded_unshared(job["others"]):
            sys.exit(f"not fit to be forked: {reason}")
        left = _rename_folders()
        imported_distributions()  # reads metadata, which its forks need not read again
        sys.stdout.flush()
        sys.stderr.flush()
        _Server(channel, job["others"], left).serve()
    os._exit(0)  # there is nothing to report any more, and packages take a while to shut down


def _channel() -> socket.socket:
    """Take the socket from the standard input, where child processes would keep it open; leave nothing to read there."""
    channel = socket.socket(fileno=os.dup(0))
    _read_from(os.open(os.devnull, os.O_RDONLY))
    # The present object remembers that it could not seek.
    stdin: Any = open(0, encoding=sys.stdin.encoding, errors=sys.stdin.errors, closefd=False)  # noqa: SIM115
    stdin.buffer.raw.name = sys.stdin.name
    sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]
    return channel


def _read_from(descriptor: int) -> None:
    os.dup2(descriptor, 0)
    os.close(descriptor)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Import without garbage collection: there is hardly any garbage, and it takes a seventh of the time."""
    thresholds = gc.get_threshold()
    gc.set_threshold(0)
    yield
    if gc.get_threshold()[0] == 0:  # no package has set it
        gc.set_threshold(*thresholds)
    gc.freeze()  # nor collect it in every fork, which would copy every page that is looked at


def _rename_folders() -> dict[str, Path]:
    """Let the names of the working folder (with the home in it) and of the temporary folder mean each process' own.

    Returns variable → the folder that now holds what the imports have left there.
    """
    here, temporary = Path.cwd(), Path(os.environ["TMPDIR"])
    there = here.rename(here.with_name("folder-at-import"))
    here.symlink_to(_HERE)
    left = temporary.rename(temporary.with_name("at-import"))
    temporary.symlink_to(Path(_HERE) / _TEMPORARY)
    (there / _TEMPORARY).unlink()
    (there / _TEMPORARY).symlink_to(left)
    return {"HOME": there / Path(os.environ["HOME"]).name, "TMPDIR": left}


class _Server:
    """Forks on request, and reports how the forks end."""

    def __init__(self, channel: socket.socket, others: list[str], left: dict[str, Path]) -> None:
        """`others`: folders that a fork replaces. `left`: variable → folder with what the imports have left."""
        self._channel = channel
        self._others = others
        self._left = left
        self._at_child = signal.getsignal(signal.SIGCHLD)
        self._random = random.getstate()
        self._me = os.getpid()
        self._forks: dict[int, int] = {}
        """Process id, as this process sees it → number of the request."""
        self._received: list[int] = []
        """Descriptors that came with requests that are not handled yet."""

    def serve(self) -> None:
        """Serve until the host closes its end."""
        adopt_orphans()
        ended, wake = self._pipe = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._send(
            {
                "event": "ready",
                "uncompiled": uncompiled(),
                "sought": sorted(_RECORDER.sought),
                "tried": sorted(_RECORDER.tried),
                "versions": sorted(_RECORDER.versions),
                "groups": sorted(_RECORDER.groups),
            }
        )
        requests = b""
        while True:
            readable, _, _ = select.select([self._channel.fileno(), ended], [], [])
            if ended in readable:
                os.read(ended, _LINE)
                self._reap()
            if self._channel.fileno() in readable:
                received = self._receive()
                if not received:
                    return
                *lines, requests = (requests + received).split(b"\n")
                for line in lines:
                    self._fork(json.loads(line))

    def _receive(self) -> bytes:
        data, ancillary, *_ = self._channel.recvmsg(_LINE, socket.CMSG_SPACE(2 * _DESCRIPTOR.size))
        self._received += [number for *_, given in ancillary for (number,) in _DESCRIPTOR.iter_unpack(given)]
        return data

    def _fork(self, request: ForkRequest) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        given = [self._received.pop(0) for _ in range(2 if request["stdin"] else 1)]
        try:
            child = os.fork()
        except OSError as error:
            print(f"cannot fork: {error}", file=sys.stderr)  # noqa: T201 - it goes to the log
            child = None
        if child == 0:
            leave_with(self._become, request, *given)
        for descriptor in given:
            os.close(descriptor)
        if child is None:
            self._send({"event": "left", "number": request["number"], "code": 1})
        else:
            self._forks[child] = request["number"]

    def _become(self, request: ForkRequest, log: int, stdin: int | None = None) -> None:
        """Do what a process that was started for the job does."""
        os.setpgid(0, 0)
        die_with_the_parent()
        if os.getppid() != self._me:
            return  # the server was gone before the kernel was asked
        self._send({"event": "forked", "number": request["number"]})
        adopt_orphans()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, self._at_child)
        random.setstate(self._random)
        for descriptor in (self._channel.detach(), *self._pipe, *self._received):
            os.close(descriptor)
        if stdin is not None:
            _read_from(stdin)
        _follow(request["moved"])
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        os.environ.clear()
        os.environ.update({**request["environ"], **_STATE.added})
        os.chdir(request["folder"])
        for variable, folder in self._left.items():
            shutil.copytree(folder, os.environ[variable], symlinks=True, dirs_exist_ok=True)
        _move(request["python"], self._others, request["others"])
        if request["confinement"]:
            restrict_files(request["confinement"])
        dispatch.main(request["job"])

    def _reap(self) -> None:
        """Report the forks that have ended, when nothing is left of what they have started.

        The server has adopted that (living forks adopt their own), and adopts in turn what it leaves when it is killed.
        """
        ended: dict[int, int] = {}
        while True:
            child, status = self._ended()
            if child in self._forks:
                ended[self._forks.pop(child)] = exit_code(status)
            elif child == 0:
                strays = children() - self._forks.keys() if ended else set()
                if not strays:
                    break
                for stray in strays:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(stray, signal.SIGKILL)
                time.sleep(_INSTANT)
        for number, code in ended.items():
            self._send({"event": "left", "number": number, "code": code})

    @staticmethod
    def _ended() -> tuple[int, int]:
        """(id, status) of a child that has ended; (0, 0) if there is none."""
        try:
            return os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0, 0

    def _send(self, event: ServerReady | ServerForked | ServerLeft) -> None:
        self._channel.sendall(json.dumps(event).encode("ascii") + b"\n")


def _follow(moved: list[tuple[str, str]]) -> None:
    """Have the old names of moved folders lead to them here too: what holds these names may be another folder here."""
    for name, folder in moved:
        if not os.path.lexists(name):
            Path(name).symlink_to(folder)


def _move(python: str, replaced: list[str], replacing: list[str]) -> None:
    """Search for modules as a process of `python` does, with the folders `replacing` instead of `replaced`.

    Their .pth files are the same, and have been executed.
    """
    old, new = sys.prefix, str(Path(python).parent.parent)
    if new == old:
        return
    unshared = set(map(os.path.realpath, replaced))
    shared = [folder for folder in sys.path if os.path.realpath(folder) not in unshared]
    sys.path[:] = [new + folder[len(old) :] if folder.startswith(old + os.sep) else folder for folder in shared] + replacing
    sys.executable, sys.prefix, sys.exec_prefix = python, new, new
    site.PREFIXES[:] = [new, new]
    for name in {"sysconfig", "multiprocessing.spawn"}.intersection(sys.modules):
        importlib.reload(sys.modules[name])  # they remember what was just changed
    importlib.invalidate_caches()
