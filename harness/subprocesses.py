"""Child processes: chosen variables, a process group each, limits, and no survivors.

Variables of the calling shell can change a verdict (`PYTHONPATH`, `PYTHONDONTWRITEBYTECODE`, `PIP_*`), so children see only
those that are chosen here.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from harness import process_groups
from harness.machine import footprint

# LD_LIBRARY_PATH: a CPython that is a shared library (GitHub's, Nix's) does not start without it.
_PASSED = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT", "USERPROFILE",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip

PROBE = {
    # The caller's values could change a verdict: texts and sort order, times, programs that a package starts.
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    # Packages that ask for the user's name fail in containers, where a user id may have none.
    "USER": "probe",
    "LOGNAME": "probe",
    # One thread per probe: the harness runs as many probes as there are cores.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Models are built from configurations; a package must not wait for a hub.
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Verdicts are about the CPU; a GPU that happens to be there must not take part.
    "CUDA_VISIBLE_DEVICES": "",
}

LOG_LIMIT = 8 * 10**6
"""Bytes of output in the log of a child, beyond which the log is cut back; verdicts do not depend on it."""

_MARK = "EXPORT_MATRIX_CHILD"
"""A variable that marks the descendants of a child."""

PROCESSES = 512
"""Processes that a child may be at once."""

LOOK_SECONDS = 0.25
"""Interval at which memory, time and log of a child are checked; its end is noticed at once."""

_ADOPTION = process_groups.Adoption()
"""Wanted by each supervisor of this process."""

_LEADERS: set[int] = set()
"""The living children of all supervisors of this process."""

_STARTING = threading.Lock()
"""Held while a child starts, and while orphans are looked for: a child that is in no list yet would be taken for one."""

_PASSED_TO_PROBE = ("LD_LIBRARY_PATH",)
"""The caller's variables that a probe sees, because its Python may not start without them."""

_LIMITS = {"RLIMIT_AS": None, "RLIMIT_DATA": None, "RLIMIT_FSIZE": None, "RLIMIT_CPU": None, "RLIMIT_STACK": 8 * 2**20}
"""Limit (`ulimit`) that can make a package fail → its usual value in bytes or seconds; None for no limit."""


def probe_environment(**extra: str) -> dict[str, str]:
    """The variables of a probe: `PROBE`, the caller's that it needs, and `extra`."""
    return PROBE | {name: os.environ[name] for name in _PASSED_TO_PROBE if os.environ.get(name)} | extra


def temporary_in(folder: Path) -> dict[str, str]:
    """The variables that make programs put their temporary files into `folder`."""
    return dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))


def probe_surroundings() -> dict[str, str | int]:
    """The surroundings of this process that reach a probe, JSON-able: part of every key.

    These are variables, and limits with unusual values. All else is fixed: working folder, home, temporary folder and
    standard input by the harness, umask and core dumps by the probe (probe/__main__.py), Python's own variables by `-I`.
    """
    limits = {name: resource.getrlimit(getattr(resource, name))[0] for name in _LIMITS if hasattr(resource, name)}
    unusual = {name: soft for name, soft in limits.items() if soft != (_LIMITS[name] or resource.RLIM_INFINITY)}
    return {**probe_environment(), **unusual}


def chosen_environment(**extra: str) -> dict[str, str]:
    """The variables of a child that is no probe, and `extra`."""
    return {name: os.environ[name] for name in _PASSED if name in os.environ} | extra


class ExitReason(StrEnum):
    """Why a child is no longer running."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    PROCESSES = "processes"
    DISK = "disk"
    EVENTS = "events"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """The end of a child."""

    ending: ExitReason
    code: int
    """The exit code; negative for a signal, as in `subprocess`."""
    peak_memory: int
    """Largest resident memory of the whole group that was measured, bytes."""


class Process(Protocol):
    """A child, or a process of which another process reports the end; it leads a process group."""

    @property
    def pid(self) -> int:
        """The id of the process and of its group."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, as in `subprocess`. Raises subprocess.TimeoutExpired. Without a timeout it was killed before."""


Fork = Callable[[Mapping[str, str], Path, Path, int], Process | None]
"""Makes a process with these variables, folder, log and input without starting a command; None if it cannot."""


class Supervisor:
    """Starts children, and kills the living ones if the run is interrupted. Thread-safe."""

    def __init__(self) -> None:
        self._living: dict[int, tuple[str, float]] = {}
        """Leader of a group → (value of the variable that marks its descendants, Unix time of the start)."""
        self._lock = threading.Lock()
        self._stopped = False
        self._made = time.time()
        _ADOPTION.want()
        weakref.finalize(self, _ADOPTION.release).atexit = False

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        time_limit: float,
        memory_limit: int,
        last_sign: Callable[[], float] | None = None,
        excess: Callable[[], ExitReason | None] = lambda: None,
        fork: Fork | None = None,
        stdin: int = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
    ) -> Exit:
        """Run `command` to its end, its output appended to `log`. `stdin` and `pass_fds` are as in `subprocess`.

        `time_limit` (seconds) counts from `last_sign()`, the `time.time()` of the last progress, so that each stage of a
        child has the whole limit; without `last_sign` it counts from the start. `memory_limit` is bytes of resident memory
        of the whole process group, in which what its processes share counts once. `excess` says which other limit the child
        has passed. If `fork` makes a process, that runs in place of `command`.
        """
        child = self.start(command, env=env, cwd=cwd, log=log, stdin=stdin, fork=fork, pass_fds=pass_fds)
        started = time.time()
        peak = 0
        try:
            while True:
                try:
                    return Exit(ending=ExitReason.EXITED, code=child.wait(LOOK_SECONDS), peak_memory=peak)
                except subprocess.TimeoutExpired:
                    pass
                memory, processes = footprint(child.pid, memory_limit)
                peak = max(peak, memory)
                late = time.time() - max(started, last_sign() if last_sign else 0.0) > time_limit
                crowd = ExitReason.PROCESSES if processes > PROCESSES else None
                large = ExitReason.MEMORY if memory > memory_limit else None
                if reason := large or crowd or (ExitReason.TIMEOUT if late else excess()):
                    return Exit(ending=reason, code=self._kill(child), peak_memory=peak)
                cut_back(log)
        finally:
            self.end(child)
            cut_back(log)

    def stop(self) -> None:
        """Kill the groups of all living children, and start no more."""
        with self._lock:
            self._stopped = True
            living = list(self._living)
        for group in living:
            process_groups.kill_group(group)

    def check(self) -> None:
        """Raise InterruptedError if `stop` was called: a child that ended since was killed, and proves nothing."""
        if self._stopped:
            raise InterruptedError("the run was interrupted")

    def start(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        stdin: int = subprocess.DEVNULL,
        fork: Fork | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Process:
        """Start `command`, or let `fork` make a process in its place. It runs until `end` or `stop`."""
        token = uuid.uuid4().hex
        env = {**env, _MARK: token}
        if fork and (forked := fork(env, cwd, log, stdin)):
            with self._lock:
                self._living[forked.pid] = (token, time.time())
            return forked
        with self._lock, _STARTING, log.open("ab") as output:
            self.check()
            child = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
            )
            process_groups.mark(child.pid)
            _LEADERS.add(child.pid)
            self._living[child.pid] = (token, time.time())
            return child

    def end(self, child: Process) -> None:
        """Kill `child` and all that it started; return when they are gone.

        A process without the variable that marks it, in a session of its own, is found when no other child lives.
        """
        self._kill(child)
        process_groups.kill_strays(_MARK, *self._living[child.pid])
        with self._lock, _STARTING:
            del self._living[child.pid]
            _LEADERS.discard(child.pid)
            if not _LEADERS:
                process_groups.kill_orphans(self._made)

    @staticmethod
    def _kill(child: Process) -> int:
        # The group outlives its leader if a probe has left children.
        members = process_groups.members(child.pid)
        process_groups.kill_group(child.pid)
        code = child.wait()
        for member in members:
            with contextlib.suppress(ChildProcessError):  # it was adopted by a process of its own
                os.waitpid(member, 0)
        return code


def cut_back(log: Path) -> None:
    """Cut a log that is too long back to its start and its end, where a crash leaves its message."""
    # Safe while the child writes: its descriptor appends, so its next line comes behind what is kept.
    if log.stat().st_size > LOG_LIMIT:
        with log.open("r+b") as file:
            head = file.read(LOG_LIMIT // 8)
            file.seek(-LOG_LIMIT // 4, os.SEEK_END)
            end = file.read()
            file.seek(0)
            file.truncate()
            file.write(head + b"\n[the harness cut the output here: it had grown past its limit]\n" + end)
