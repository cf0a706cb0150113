"""One fork server (the other end: probe/forkserver.py): started, asked for forks, told how they end."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from harness.execution.process.probe import asked
from harness.model import Limits
from harness.store.store import Store
from harness.subprocesses import LOOK_SECONDS, Fork, Process, Supervisor, cut_back, resident

_PATIENCE = 30.0
"""Seconds in which a server that is well has forked, or has told that a fork is gone."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A fork; see children.Process."""

    pid: int
    server: ForkServer
    code: Future[int] = field(default_factory=Future)

    def wait(self, timeout: float | None = None) -> int:
        """See children.Process."""
        try:
            return self.code.result(_PATIENCE if timeout is None else timeout)
        except TimeoutError:
            if timeout is not None:
                raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
        self.server.close()  # and so the fork goes
        return self.code.result()


class ForkServer:
    """A process that has imported packages and forks; for many threads."""

    def __init__(self, *, children: Supervisor, store: Store) -> None:
        self.sought: frozenset[str] = frozenset()
        """Top-level modules that somebody searched for, found or not, while it imported."""
        self.tried: frozenset[str] = frozenset()
        """Those among them that somebody wanted to import."""
        self.asked: frozenset[tuple[str, str]] = frozenset()
        """Distributions whose version somebody asked for, and the top-level module that did."""
        self.groups: frozenset[str] = frozenset()
        """Groups of entry points that somebody asked for."""
        self.used = time.monotonic()
        """When it was last asked for a fork."""
        self._children = children
        self._attention: threading.Thread | None = None
        self._deaf = False
        """Whether it has once not answered."""
        self._resources = contextlib.ExitStack()
        self._folder = self._resources.enter_context(store.scratch())
        self._temporary = self._resources.enter_context(store.temporary())
        self._store = store
        self._log = self._folder / "output.log"
        self._channel: socket.socket | None = None
        self._process: Future[Process] = Future()
        self._ready: Future[Mapping[str, Any]] = Future()
        self._numbers = itertools.count()
        self._open: dict[int, Future[Forked | None]] = {}
        self._forks: dict[int, Forked] = {}
        self._lock = threading.Lock()

    def start(self, python: Path, job: Mapping[str, Any], limits: Limits, fork: Fork | None = None) -> bool:
        """Start it, and wait until it has imported what `job` says; False where it cannot serve, having been closed.

        `fork` may have a process that has imported a part of it.
        """
        self._channel, theirs = socket.socketpair()
        work = self._folder / "work"
        work.mkdir()
        given = {**job, "events": str(self._folder / "events.jsonl")}
        how = asked(python, given, folder=work, temporary=self._temporary, store=self._store.root)
        launch = partial(self._children.start, **how, cwd=work, log=self._log, stdin=theirs.fileno(), fork=fork)
        attended = (self._channel, theirs, launch)
        self._attention = threading.Thread(target=self._attend, args=attended, name="fork server", daemon=True)
        self._attention.start()
        try:
            ready = self._imported(limits)
        except BaseException:
            self.close()
            raise
        if ready is None:
            self.close()
            return False
        self.sought, self.tried = frozenset(ready["sought"]), frozenset(ready["tried"])
        self.asked, self.groups = frozenset((name, asker) for name, asker in ready["versions"]), frozenset(ready["groups"])
        self.used = time.monotonic()
        return True

    def _imported(self, limits: Limits) -> Mapping[str, Any] | None:
        """What it tells when it has imported everything; None where it ends, or needs too much for that."""
        process = self._process.result()
        deadline = time.monotonic() + limits.seconds
        while time.monotonic() < deadline and resident(process.pid) <= limits.memory:
            try:
                return self._ready.result(LOOK_SECONDS)
            except EOFError:
                return None
            except TimeoutError:
                pass
            finally:
                cut_back(self._log)
        return None

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._channel is not None and not self._deaf

    def fork(self, *, log: Path, stdin: int, **request: object) -> Forked | None:
        """A fork that does as the request says (probe/forkserver.py); None if the server is gone, or does not answer.

        `log` begins with what the server said: it belongs to the import. `stdin` is as in `subprocess`.
        """
        number, answer = next(self._numbers), Future[Forked | None]()
        given = [] if stdin == subprocess.DEVNULL else [stdin]
        line = json.dumps({**request, "number": number, "log": str(log), "stdin": bool(given)}).encode() + b"\n"
        with self._lock:
            self.used = time.monotonic()
            if self._channel is None or self._deaf:
                return None
            self._open[number] = answer
            shutil.copyfile(self._log, log)
            with contextlib.suppress(OSError):
                socket.send_fds(self._channel, [line[:1]], given)
                self._channel.sendall(line[1:])
        try:
            return answer.result(_PATIENCE)
        except EOFError:
            return None
        except TimeoutError:
            self._ignore(number, others_speak=bool(given))
            return None

    def _ignore(self, number: int, *, others_speak: bool) -> None:
        """Ask it no more, and end it, unless `others_speak`: its forks are servers, which tell us by themselves."""
        with self._lock:
            self._deaf = True
            self._open.pop(number, None)
            needed = others_speak and self._forks
        if not needed:
            self.close()

    @property
    def idle(self) -> bool:
        """Whether it is there for nobody now."""
        with self._lock:
            return not self._forks and not self._open

    def retire(self) -> bool:
        """Close it unless it is there for somebody; whether it is closed."""
        with self._lock:
            if self._forks or self._open:
                return False
            self._hang_up()
        self._clear()
        return True

    def close(self) -> None:
        """End it and whatever forks are left."""
        with self._lock:
            self._hang_up()
        self._clear()

    def _clear(self) -> None:
        if self._attention is not None:
            self._attention.join()
        self._resources.close()

    def _hang_up(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            # The reader sees the end, and closes it.
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)

    def _attend(self, channel: socket.socket, theirs: socket.socket, launch: Callable[[], Process]) -> None:
        """Start the process, listen to it, and end it: it dies with the thread that has started it (probe/orphans.py)."""
        process = None
        try:
            with theirs:
                process = launch()
            self._process.set_result(process)
        except BaseException as error:  # noqa: BLE001 -- it is for who waits
            self._process.set_exception(error)
        try:
            # A line that is cut off is one of a server that has died.
            with channel, channel.makefile("rb") as lines, contextlib.suppress(OSError, json.JSONDecodeError):
                for line in lines:
                    self._hear(json.loads(line))
        finally:
            self._bereave()
            if process:  # at once: a fork that has ended has lost its number, and another process may get it
                self._children.end(process)

    def _bereave(self) -> None:
        """It has ended: tell all that wait for it."""
        with self._lock:
            self._channel = None
            asked, forks = list(self._open.values()), list(self._forks.values())
            self._open.clear()
            self._forks.clear()
        if not self._ready.done():
            self._ready.set_exception(EOFError())
        for answer in asked:
            answer.set_exception(EOFError())
        for fork in forks:
            fork.code.set_result(-signal.SIGKILL)  # they go with it, and of what else they died nobody knows

    def _hear(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "ready":
                self._ready.set_result(event)
            case "forked":
                fork = Forked(event["pid"], self) if event["pid"] is not None else None
                with self._lock:
                    answer = self._open.pop(event["number"], None)
                    if fork and answer:
                        self._forks[fork.pid] = fork
                if answer:
                    answer.set_result(fork)
                elif fork:  # nobody waits for it any more
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(fork.pid, signal.SIGKILL)
            case "left":
                with self._lock:
                    fork = self._forks.pop(event["pid"], None)
                if fork:
                    fork.code.set_result(event["code"])
