"""Kind "forkserver": a process that imports what many jobs import, and forks for each of them.

Importing torch and transformers takes seconds, a fork of a process that has them milliseconds. The fork is a process
that has imported just this and computed nothing, as one that was started for the job is a moment later. Its environment
may differ from the server's in what the server has not touched: then it searches for modules where that one would. The
server's working folder, home and temporary folder, which packages may remember, lead every process to its own once the server
is ready.
A server may be a fork itself, of one that has imported less.

Over a socket, its standard input, one JSON object a line. To the host:

    {"event": "ready", "sought": [top-level modules], "tried": [those to be imported],
     "asked": [[distribution, top-level module of who asked]], "groups": [of entry points]}
    {"event": "forked", "number": n, "pid": process and group, null where there is none}
    {"event": "left", "pid": pid, "code": exit code, negative for a signal}

From the host: {"number": n, "job": path, "log": path, "folder": path, "environ": {…}, "python": path, "others": [folders of
layers that are not the server's], "stdin": whether a descriptor comes along, to be the fork's input}.
A server that is not fit to be forked says so on stderr and ends, as it does where the socket ends.
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
from pathlib import Path
from typing import Any, Iterator

from .curiosity import Curiosity
from .distributions import imported_distributions
from .fitness import Surroundings, stranger
from .forking import leave_with
from .imports import import_module
from .journal import Journal
from .orphans import adopt_orphans, children, die_with_the_parent

_LINE = 65536
_DESCRIPTOR = struct.Struct("i")
_HERE = "/proc/self/cwd"
"""A name for the working folder of whoever uses it."""
_TEMPORARY = "temporary"
"""A link in it to the folder for temporary files."""

# A server that is a fork adds to what the one before it has left here.
_CURIOSITY = Curiosity()
_SURROUNDINGS = Surroundings()


def run(job: dict[str, Any], journal: Journal) -> None:
    """Import the packages of a `job["of"]`, up to the first that `job["imports"]` does not name; then serve."""
    del journal
    with _channel() as channel:
        kind = importlib.import_module("." + job["of"], __package__)
        _SURROUNDINGS.look()
        with _CURIOSITY, _no_collection():
            for name in itertools.takewhile(lambda name: name in job["imports"], kind.packages(job)):
                import_module(name)
        if unfit := _SURROUNDINGS.unlike() or _CURIOSITY.boundless() or stranger(job["others"]):
            sys.exit(f"not fit to be forked: {unfit}")
        left = _give_way()
        imported_distributions()  # what it reads for this, its forks need not read again
        sys.stdout.flush()
        sys.stderr.flush()
        _Server(channel, job["others"], left).serve()
    os._exit(0)  # nobody is to be told anything any more, and packages take a while to shut down


def _channel() -> socket.socket:
    """Take the socket from the standard input, where whatever is started would keep it open; there is nothing to read."""
    channel = socket.socket(fileno=os.dup(0))
    _read_from(os.open(os.devnull, os.O_RDONLY))
    # The one that there is remembers that it could not seek.
    stdin: Any = open(0, encoding=sys.stdin.encoding, errors=sys.stdin.errors, closefd=False)  # noqa: SIM115
    stdin.buffer.raw.name = sys.stdin.name
    sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]
    return channel


def _read_from(descriptor: int) -> None:
    os.dup2(descriptor, 0)
    os.close(descriptor)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Do not look for garbage among what is imported: there is hardly any, and that takes a seventh of the time."""
    thresholds = gc.get_threshold()
    gc.set_threshold(0)
    yield
    if gc.get_threshold()[0] == 0:  # nobody else has set it
        gc.set_threshold(*thresholds)
    gc.freeze()  # nor in every fork, which would copy all that it looks at


def _give_way() -> dict[str, Path]:
    """Let the names of the working folder, which the home lies in, and of the temporary folder mean each process' own.

    Returns variable → where what the imports have left in that folder is now.
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
    """Forks on request and tells how the forks end."""

    def __init__(self, channel: socket.socket, others: list[str], left: dict[str, Path]) -> None:
        """`others` are folders that those of a fork take the place of; `left`: variable → what the imports have left."""
        self._channel = channel
        self._others = others
        self._left = left
        self._at_child = signal.getsignal(signal.SIGCHLD)
        self._random = random.getstate()
        self._me = os.getpid()
        self._forks: set[int] = set()
        self._received: list[int] = []
        """Descriptors that came with the requests that are still to be met."""

    def serve(self) -> None:
        """Serve until the host closes its end."""
        adopt_orphans()
        ended, wake = self._pipe = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        told = {name: sorted(getattr(_CURIOSITY, name)) for name in ("sought", "tried", "asked", "groups")}
        self._tell({"event": "ready", **told})
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
        data, ancillary, *_ = self._channel.recvmsg(_LINE, socket.CMSG_SPACE(_DESCRIPTOR.size))
        self._received += [_DESCRIPTOR.unpack(descriptor)[0] for *_, descriptor in ancillary]
        return data

    def _fork(self, request: dict[str, Any]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        stdin = self._received.pop(0) if request["stdin"] else None
        try:
            child = os.fork()
        except OSError as error:
            print(f"cannot fork: {error}", file=sys.stderr)  # noqa: T201 - it goes to the log
            child = None
        if child == 0:
            leave_with(self._become, request, stdin)
        if stdin is not None:
            os.close(stdin)
        if child is not None:
            self._forks.add(child)
            with contextlib.suppress(OSError):  # it was faster and has done so itself, or is gone already
                os.setpgid(child, child)
        self._tell({"event": "forked", "number": request["number"], "pid": child})

    def _become(self, request: dict[str, Any], stdin: int | None) -> None:
        """Do what a process that was started for the job does."""
        os.setpgid(0, 0)
        die_with_the_parent()
        if os.getppid() != self._me:
            return  # it was gone before it was asked
        adopt_orphans()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, self._at_child)
        random.setstate(self._random)
        for descriptor in (self._channel.detach(), *self._pipe, *self._received):
            os.close(descriptor)
        if stdin is not None:
            _read_from(stdin)
        log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        os.environ.clear()
        os.environ.update({**request["environ"], **_SURROUNDINGS.added})
        os.chdir(request["folder"])
        for variable, folder in self._left.items():
            shutil.copytree(folder, os.environ[variable], symlinks=True, dirs_exist_ok=True)
        sys.argv[1:] = [request["job"]]
        _move(request["python"], self._others, request["others"])
        importlib.import_module(".dispatch", __package__).main(request["job"])

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                child, status = os.waitpid(-1, os.WNOHANG)
                if child == 0:
                    break
                if child in self._forks:
                    self._forks.remove(child)
                    self._strays()
                    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                    self._tell({"event": "left", "pid": child, "code": code})

    def _strays(self) -> None:
        """Kill what a fork has left: it is ours now, for living forks keep their own."""
        for stray in children() - self._forks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(stray, signal.SIGKILL)

    def _tell(self, event: dict[str, Any]) -> None:
        self._channel.sendall(json.dumps(event).encode("ascii") + b"\n")


def _move(python: str, ours: list[str], theirs: list[str]) -> None:
    """Search for modules as the process of `python` does, which has the folders `theirs` where this one has `ours`.

    What .pth files in them say has been done: it is the same in both.
    """
    old, new = sys.prefix, str(Path(python).parent.parent)
    if new == old:
        return
    unshared = set(map(os.path.realpath, ours))
    shared = [folder for folder in sys.path if os.path.realpath(folder) not in unshared]
    sys.path[:] = [new + folder[len(old) :] if folder.startswith(old + os.sep) else folder for folder in shared] + theirs
    sys.executable, sys.prefix, sys.exec_prefix = python, new, new
    site.PREFIXES[:] = [new, new]
    for name in {"sysconfig", "multiprocessing.spawn"}.intersection(sys.modules):
        importlib.reload(sys.modules[name])  # they have looked at what was just changed
    importlib.invalidate_caches()
