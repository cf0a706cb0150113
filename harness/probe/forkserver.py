"""Kind "forkserver": a process that imports what many jobs import, and forks for each of them.

Importing torch and transformers takes seconds, a fork of a process that has them milliseconds. The fork is a process
that has imported just this and computed nothing, as one that was started for the job is a moment later. Its environment
may differ from the server's in what the server has not touched: then it searches for modules where that one would.

Over the socket, one JSON object a line. To the host:

    {"event": "ready", "sought": [top-level modules], "asked": [[distribution, top-level module of who asked]]}
    {"event": "forked", "number": n, "pid": process and group}
    {"event": "left", "pid": pid, "code": exit code, negative for a signal}

From the host: {"number": n, "job": path, "log": path, "folder": path, "environ": {…}, "python": path, "site": path or null}.
A server that is not fit to be forked says so on stderr and ends, as it does where the socket ends.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.abc
import importlib.metadata
import itertools
import json
import os
import select
import signal
import site
import socket
import sys
from pathlib import Path
from typing import Any, Iterator

from .distributions import imported_distributions, loaded_files
from .forking import leave_with
from .imports import import_module
from .journal import Journal
from .orphans import die_with_the_parent

_LINE = 65536


def run(job: dict[str, Any], journal: Journal) -> None:
    """Import the packages of a `job["of"]`, up to the first that `job["imports"]` does not name; then serve."""
    del journal
    kind = importlib.import_module("." + job["of"], __package__)
    with _Curiosity() as curiosity, _no_collection():
        for name in itertools.takewhile(lambda name: name in job["imports"], kind.packages(job)):
            import_module(name)
    _require_fit(job)
    imported_distributions()  # what it reads for this, its forks need not read again
    with socket.socket(fileno=job["socket"]) as channel:
        _Server(channel, job["others"]).serve(curiosity)
    os._exit(0)  # nobody is to be told anything any more, and packages take a while to shut down


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Do not look for garbage among what is imported: there is hardly any, and that takes a seventh of the time."""
    thresholds = gc.get_threshold()
    gc.set_threshold(0)
    yield
    gc.set_threshold(*thresholds)
    gc.freeze()  # nor in every fork, which would copy all that it looks at


class _Curiosity(importlib.abc.MetaPathFinder):
    """What packages wanted to know of others while they were imported: they may remember the answer."""

    def __init__(self) -> None:
        self.sought: set[str] = set()
        """Top-level modules that were searched for, found or not."""
        self.asked: set[tuple[str, str]] = set()
        """Distributions whose metadata was looked up, and the top-level module of who did it."""

    def __enter__(self) -> _Curiosity:  # noqa: PYI034 - typing has no Self before 3.11
        self._from_name = importlib.metadata.Distribution.__dict__["from_name"]

        def from_name(cls: Any, name: str) -> Any:
            self.asked.add((name, _asker()))
            return self._from_name.__func__(cls, name)

        importlib.metadata.Distribution.from_name = classmethod(from_name)  # type: ignore[assignment, method-assign]
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)
        importlib.metadata.Distribution.from_name = self._from_name  # type: ignore[method-assign]

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """Note what is searched for and leave it to the others to find it."""
        del path, target
        self.sought.add(fullname.partition(".")[0])


def _asker() -> str:
    """Return the top-level module that a call into importlib.metadata comes from."""
    frame = sys._getframe(2)  # noqa: SLF001 - there is no other way to a caller
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("importlib"):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _require_fit(job: dict[str, Any]) -> None:
    """Leave where a fork would be another process than one that imports by itself."""
    others = tuple(os.path.realpath(folder) + os.sep for folder in job["others"])
    strangers = [file for file in loaded_files() if file.startswith(others)]
    if strangers:
        sys.exit("not fit to be forked: it has loaded what is not shared: " + ", ".join(strangers[:3]))
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        sys.exit("not fit to be forked: it has started threads, which a fork would lack")


class _Server:
    """Forks on request and tells how the forks end."""

    def __init__(self, channel: socket.socket, others: list[str]) -> None:
        """`others` are the folders that those of a fork's own environment take the place of."""
        self._channel = channel
        self._others = {os.path.realpath(folder) for folder in others}

    def serve(self, curiosity: _Curiosity) -> None:
        """Serve until the host closes its end."""
        ended, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._tell({"event": "ready", "sought": sorted(curiosity.sought), "asked": sorted(curiosity.asked)})
        requests = b""
        while True:
            readable, _, _ = select.select([self._channel.fileno(), ended], [], [])
            if ended in readable:
                os.read(ended, _LINE)
                self._reap()
            if self._channel.fileno() in readable:
                received = self._channel.recv(_LINE)
                if not received:
                    return
                *lines, requests = (requests + received).split(b"\n")
                for line in lines:
                    self._fork(json.loads(line))

    def _fork(self, request: dict[str, Any]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            leave_with(self._become, request)
        with contextlib.suppress(OSError):  # it was faster and has done so itself, or is gone already
            os.setpgid(child, child)
        self._tell({"event": "forked", "number": request["number"], "pid": child})

    def _become(self, request: dict[str, Any]) -> None:
        """Do what a process that was started for the job does."""
        os.setpgid(0, 0)
        die_with_the_parent()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._channel.close()
        log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.clear()
        os.environ.update(request["environ"])
        os.chdir(request["folder"])
        if request["site"] is not None:
            self._move(Path(request["python"]), request["site"])
        importlib.import_module(".dispatch", __package__).main(request["job"])

    def _move(self, python: Path, place: str) -> None:
        """Search for modules as the process of `python`, whose packages are in `place`, does."""
        sys.executable = str(python)
        sys.prefix = sys.exec_prefix = str(python.parent.parent)
        sys.path[:] = [folder for folder in sys.path if os.path.realpath(folder) not in self._others]
        site.addsitedir(place)
        importlib.invalidate_caches()

    def _reap(self) -> None:
        while True:
            try:
                child, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if child == 0:
                return
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            self._tell({"event": "left", "pid": child, "code": code})

    def _tell(self, event: dict[str, Any]) -> None:
        self._channel.sendall(json.dumps(event).encode("ascii") + b"\n")
