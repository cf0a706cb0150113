"""One fork server (the other end: probe/forkserver.py): started, asked for forks, told how they end."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.children import Children
from harness.processes import asked
from harness.store import Store


@dataclass(frozen=True, slots=True)
class Forked:
    """A fork; see children.Process."""

    pid: int
    code: Future[int] = field(default_factory=Future)

    def wait(self, timeout: float | None = None) -> int:
        """See children.Process."""
        try:
            return self.code.result(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0) from None


class ForkServer:
    """A process that has imported packages and forks; for many threads."""

    def __init__(self, *, children: Children, store: Store) -> None:
        self.sought: frozenset[str] = frozenset()
        """Top-level modules that somebody searched for, found or not, while it imported."""
        self.asked: frozenset[tuple[str, str]] = frozenset()
        """Distributions whose version somebody asked for, and the top-level module that did."""
        self.used = time.monotonic()
        """When it was last asked for a fork."""
        self._children = children
        self._resources = contextlib.ExitStack()
        self._folder = self._resources.enter_context(store.scratch())
        self._store = store
        self._log = self._folder / "output.log"
        self._channel: socket.socket | None = None
        self._ready: Future[Mapping[str, Any]] = Future()
        self._numbers = itertools.count()
        self._open: dict[int, Future[Forked]] = {}
        self._forks: dict[int, Forked] = {}
        self._lock = threading.Lock()

    def start(self, python: Path, job: Mapping[str, Any], seconds: float) -> bool:
        """Start it, and wait until it has imported what `job` says; False where it cannot serve, having been closed."""
        self._channel, theirs = socket.socketpair()
        job = {**job, "socket": theirs.fileno(), "events": str(self._folder / "events.jsonl")}
        how = asked(python, job, folder=self._folder, store=self._store.root)
        threading.Thread(target=self._listen, args=(self._channel,), name="fork server", daemon=True).start()
        try:
            with theirs:
                process = self._children.start(**how, cwd=self._folder, log=self._log, inherits=[theirs.fileno()])
            self._resources.callback(self._children.end, process)
            ready = self._ready.result(seconds)
        except (TimeoutError, EOFError):
            self.close()
            return False
        except BaseException:
            self.close()
            raise
        self.sought, self.asked = frozenset(ready["sought"]), frozenset((name, asker) for name, asker in ready["asked"])
        return True

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._channel is not None

    @property
    def idle(self) -> bool:
        """Whether it is there for nobody now."""
        with self._lock:
            return not self._forks and not self._open

    def fork(self, *, log: Path, **request: object) -> Forked | None:
        """A fork that does as the request says (probe/forkserver.py); None if the server is gone.

        `log` begins with what the server said: it belongs to the import.
        """
        number, answer = next(self._numbers), Future[Forked]()
        line = json.dumps({**request, "number": number, "log": str(log)}).encode() + b"\n"
        with self._lock:
            self.used = time.monotonic()
            if self._channel is None:
                return None
            self._open[number] = answer
            shutil.copyfile(self._log, log)
            with contextlib.suppress(OSError):
                self._channel.sendall(line)
        try:
            return answer.result()
        except EOFError:
            return None

    def close(self) -> None:
        """End it and whatever forks are left."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            # The reader sees the end, and closes it.
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)
        self._resources.close()

    def _listen(self, channel: socket.socket) -> None:
        with channel, channel.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                self._hear(json.loads(line))
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
                fork = Forked(event["pid"])
                with self._lock:
                    self._forks[fork.pid] = fork
                    answer = self._open.pop(event["number"])
                answer.set_result(fork)
            case "left":
                with self._lock:
                    fork = self._forks.pop(event["pid"])
                fork.code.set_result(event["code"])
