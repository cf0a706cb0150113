"""One fork server, the host's side (the other side is probe/forking/server.py): start it, request forks, learn how they end."""

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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from harness import process_groups
from harness.execution.process import fork_channel, forked
from harness.execution.process.disk_use import DiskUse
from harness.execution.process.forked import Forked, ForkLostError
from harness.execution.process.lent_folders import LentFolders
from harness.execution.process.probe_events import server_event_in
from harness.execution.process.probe_process import command_for
from harness.machine import footprint
from harness.model import Limits
from harness.probe.wire import Confinement
from harness.store.store import Store
from harness.subprocesses import LOOK_SECONDS, PROCESSES, Fork, Process, Supervisor, cut_back

_LEAVING_SECONDS = 2.0
"""Seconds in which a sound server whose channel is closed has ended."""


class ForkServer:
    """A process that has imported packages, and forks. Used by many threads at once."""

    def __init__(self, *, supervisor: Supervisor, store: Store) -> None:
        self.searched: frozenset[str] = frozenset()
        """Top-level modules that its imports searched for, found or not."""
        self.attempted: frozenset[str] = frozenset()
        """Those among them that its imports tried to import."""
        self.versions_read: frozenset[tuple[str, str]] = frozenset()
        """(distribution, top-level module that read its version) while it imported."""
        self.groups: frozenset[str] = frozenset()
        """Groups of entry points that its imports read."""
        self.uncompiled: list[str] = []
        """Sources for which its imports found no bytecode."""
        self.used = time.monotonic()
        """When a fork was last requested."""
        self._supervisor = supervisor
        self._confined = False
        self._thread: threading.Thread | None = None
        self._unresponsive = False
        """Whether it has once not answered."""
        self._leaves = False
        """Whether it is given time to end by itself."""
        self._resources = contextlib.ExitStack()
        self._folder = self._resources.enter_context(store.scratch())
        self._temporary = self._resources.enter_context(store.temporary())
        self._store = store
        self.lent = LentFolders(self.folders)
        # Where it may not write: the harness reads and writes this file by its name.
        self._log = self._resources.enter_context(store.scratch()) / "output.log"
        self._channel: socket.socket | None = None
        self._process: Future[Process] = Future()
        self._ready: Future[Mapping[str, Any]] = Future()
        self._numbers = itertools.count()
        self._open: dict[int, Future[Forked | None]] = {}
        self._forks: dict[int, Forked] = {}
        """Number of the request → the fork."""
        self._lock = threading.Lock()

    @property
    def folders(self) -> tuple[Path, Path]:
        """What it writes to: its work, and temporary files."""
        return self._folder, self._temporary.parent

    def start(
        self, python: Path, job: Mapping[str, Any], limits: Limits, fork: Fork | None = None, asks: int | None = None
    ) -> bool:
        """Start it, and wait until it has imported what `job` names. False if it cannot serve; it is closed then.

        `fork` may have a process that has imported a part of it already. `asks` is a channel on which it asks for bytecode.
        """
        self._confined = job["confined"] is not None
        self._channel, theirs = fork_channel.pair()
        work = self._folder / "work"
        work.mkdir()
        job_with_events = {**job, "events": str(self._folder / "events.jsonl")}
        command = command_for(
            python, job_with_events, folder=work, temporary=self._temporary, store=self._store.root, asks=asks
        )
        launch = partial(self._supervisor.start, **command, cwd=work, log=self._log, stdin=theirs.fileno(), fork=fork)
        arguments = (self._channel, theirs, launch)
        self._thread = threading.Thread(target=self._serve, args=arguments, name="fork server", daemon=True)
        self._thread.start()
        try:
            ready = self._imported(limits)
        except BaseException:
            self.close()
            raise
        if ready is None:
            self.close()
            return False
        self.searched, self.attempted = frozenset(ready["sought"]), frozenset(ready["tried"])
        self.versions_read = frozenset((name, reader) for name, reader in ready["versions"])
        self.groups = frozenset(ready["groups"])
        self.uncompiled = ready["uncompiled"]
        self.used = time.monotonic()
        return True

    def _imported(self, limits: Limits) -> Mapping[str, Any] | None:
        """Its report when it has imported everything; None if it ends before, or passes a limit."""
        process = self._process.result()
        deadline = time.monotonic() + limits.seconds
        disk = DiskUse(self.folders, None, (), limits.disk)
        while time.monotonic() < deadline and _is_within(limits, process.pid) and not disk.exceeds():
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
        """Whether it takes requests."""
        return self._channel is not None and not self._unresponsive

    def fork(
        self, *, log: Path, stdin: int, writes: Sequence[Path], confined: Confinement | None, **request: object
    ) -> Forked | None:
        """A fork that does what the request says (probe/forking/server.py); None if the server is gone.

        `log` begins with the server's output, which belongs to the import. `stdin` is as in `subprocess`. Of a confined
        server the folders that the fork `writes` are lent to it, until `lent.give_back`.

        Raises:
            ForkLostError: the server did not give it.
        """
        number, answer = next(self._numbers), Future[Forked | None]()
        makes_servers = stdin != subprocess.DEVNULL
        with self._lock:
            self.used = time.monotonic()
            if self._channel is None or self._unresponsive:
                return None
            moved = self.lent.take(writes) if self._confined else []
            whole = {**request, "number": number, "stdin": makes_servers, "moved": moved, "confinement": confined}
            line = json.dumps(whole).encode() + b"\n"
            self._open[number] = answer
            shutil.copyfile(self._log, log)
            with log.open("ab") as output, contextlib.suppress(OSError):
                socket.send_fds(self._channel, [line[:1]], [output.fileno(), *([stdin] if makes_servers else [])])
                self._channel.sendall(line[1:])
        made = None
        with contextlib.suppress(EOFError):
            try:
                made = answer.result(forked.PATIENCE)
            except TimeoutError:
                self._give_up(number, makes_servers=makes_servers)
        if made is None:
            self.lent.give_back(writes)
            raise ForkLostError
        return made

    def _give_up(self, number: int, *, makes_servers: bool) -> None:
        """Send it no more requests, and end it, unless it `makes_servers`: such forks report on channels of their own."""
        with self._lock:
            self._unresponsive = True
            self._open.pop(number, None)
            needed = makes_servers and self._forks
        if not needed:
            self.close()

    @property
    def idle(self) -> bool:
        """Whether it has no forks and no open requests."""
        with self._lock:
            return not self._forks and not self._open

    def retire(self) -> bool:
        """Close it if it is idle; returns whether it is closed."""
        with self._lock:
            if self._forks or self._open:
                return False
            self._leaves = True
            self._disconnect()
        self._clear()
        return True

    def close(self, *, patient: bool = False) -> None:
        """End it and its remaining forks; `patient` if nothing is wrong with it."""
        with self._lock:
            self._leaves = patient
            self._disconnect()
        self._clear()

    def _clear(self) -> None:
        if self._thread is not None:
            self._thread.join()
        # All forks have ended with it, and their results are read from the old places.
        self.lent.give_back()
        self._resources.close()

    def _disconnect(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            # The reading thread sees the end of the stream, and closes it.
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)

    def _serve(self, channel: socket.socket, theirs: socket.socket, launch: Callable[[], Process]) -> None:
        """Start the process, read its events, and end it: it dies with the thread that has started it."""
        process = None
        try:
            with theirs:
                process = launch()
            self._process.set_result(process)
        except BaseException as error:  # noqa: BLE001 -- for the thread that waits
            self._process.set_exception(error)
        try:
            # A server is code under test: what is no event ends it, before anything of it is believed.
            with channel, contextlib.suppress(Exception):
                for sender, line in fork_channel.messages(channel):
                    self._on_event(server_event_in(line), sender)
        finally:
            self._on_end()
            if process:  # at once: the number of a fork that has ended may be given to another process
                # The CPU time of processes that are killed with their namespace is added to nobody's.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LEAVING_SECONDS if self._leaves else 0)
                self._supervisor.end(process)

    def _on_end(self) -> None:
        """It has ended: wake all threads that wait for it."""
        with self._lock:
            self._channel = None
            requests, forks = list(self._open.values()), list(self._forks.values())
            self._open.clear()
            self._forks.clear()
        if not self._ready.done():
            self._ready.set_exception(EOFError())
        for answer in requests:
            answer.set_exception(EOFError())
        for fork in forks:
            fork.code.set_result(-signal.SIGKILL)  # they end with it; any other cause of death is unknown

    def _on_event(self, event: Mapping[str, Any], sender: int) -> None:
        """Take in what the process `sender` has sent."""
        match event["event"]:
            case "ready":
                if not self._ready.done():
                    self._ready.set_result(event)
            case "forked" if self._is_descendant(sender):
                fork = Forked(sender, self.close, self.lent)
                with self._lock:
                    answer = self._open.pop(event["number"], None)
                    if answer:
                        self._forks[event["number"]] = fork
                if answer:
                    answer.set_result(fork)
                else:  # no thread waits for it any more
                    process_groups.kill_group(sender)
            case "left":
                with self._lock:
                    answer = self._open.pop(event["number"], None)
                    left = self._forks.pop(event["number"], None)
                if answer:
                    answer.set_result(None)
                if left:
                    left.code.set_result(event["code"])

    def _is_descendant(self, sender: int) -> bool:
        """Whether this server has started it; what is gone already is taken for a fork that had little to do."""
        return process_groups.descends(sender, self._process.result().pid) or not psutil.pid_exists(sender)


def _is_within(limits: Limits, pid: int) -> bool:
    memory, processes = footprint(pid, limits.memory)
    return memory <= limits.memory and processes <= PROCESSES
