"""Child processes: a chosen environment, a group of their own, limits, and no survivors.

The environment of the calling shell can change a verdict (`PYTHONPATH`, `PYTHONDONTWRITEBYTECODE`, `PIP_*`), so
children get one that is put together here, variable by variable.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import psutil

# LD_LIBRARY_PATH: a CPython that is a shared library (GitHub's, Nix's) does not start without it.
_PASSED = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT", "USERPROFILE",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip

PROBE = {
    # What the caller has would reach a verdict: texts and sort order, times, programs that a package starts.
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    # A user id without a name, as containers have it, fails where packages ask for the name.
    "USER": "probe",
    "LOGNAME": "probe",
    # One thread per probe: the harness runs as many probes as there are cores.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # The probe builds its models from a config; a hub that is asked all the same must not be waited for.
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Verdicts are about the CPU; a GPU that happens to be there must not take part.
    "CUDA_VISIBLE_DEVICES": "",
}

LOG_LIMIT = 8 * 10**6
"""Bytes of output a child may leave in its log before the log is cut back; its verdict is not affected."""

_MARK = "EXPORT_MATRIX_CHILD"
"""A variable by which a process is known to descend from a child."""

LOOK_SECONDS = 0.25
"""How often a running child's memory, time and log are looked at; its end is noticed sooner."""


_PASSED_TO_PROBE = ("LD_LIBRARY_PATH",)
"""What a probe has of the caller's variables, because its Python may not start without it."""

_LIMITS = {"RLIMIT_AS": None, "RLIMIT_DATA": None, "RLIMIT_FSIZE": None, "RLIMIT_CPU": None, "RLIMIT_STACK": 8 * 2**20}
"""Limits of the caller (`ulimit`) that can make a package fail → the usual value in bytes or seconds; None for no limit."""


def probe_environment(**extra: str) -> dict[str, str]:
    """The variables of a probe: `PROBE`, what is passed to it, and `extra`."""
    return PROBE | {name: os.environ[name] for name in _PASSED_TO_PROBE if os.environ.get(name)} | extra


def temporary_in(folder: Path) -> dict[str, str]:
    """The variables by which programs put their temporary files into `folder`."""
    return dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))


def probe_surroundings() -> dict[str, str | int]:
    """All of this process' surroundings that reach a probe, JSON-able: part of every key.

    These are variables, and limits that are not the usual ones. All else is fixed: working folder, home, temporary folder and
    standard input by the harness, umask and core dumps by the probe (probe/__main__.py), Python's own variables by `-I`.
    """
    limits = {name: resource.getrlimit(getattr(resource, name))[0] for name in _LIMITS if hasattr(resource, name)}
    unusual = {name: soft for name, soft in limits.items() if soft != (_LIMITS[name] or resource.RLIM_INFINITY)}
    return {**probe_environment(), **unusual}


def chosen_environment(**extra: str) -> dict[str, str]:
    """The variables that uv may see, and `extra`."""
    return {name: os.environ[name] for name in _PASSED if name in os.environ} | extra


class ExitReason(StrEnum):
    """Why a child is no longer running."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    MEMORY = "memory"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """How a child ended."""

    ending: ExitReason
    code: int
    """Exit code; negative for a signal, as in `subprocess`."""
    peak_memory: int
    """Largest resident set of the whole group that was seen, bytes."""


class Process(Protocol):
    """A child of ours, or of somebody who tells us how it ends; it leads a group."""

    @property
    def pid(self) -> int:
        """Of the process and of its group."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, as in `subprocess`, whose TimeoutExpired this raises; without a timeout it was killed."""


Fork = Callable[[Mapping[str, str], Path, Path, int], Process | None]
"""Has a process with these variables, folder, log and input, in another way than by a command; None where it cannot."""


class Supervisor:
    """Starts children and knows the living ones, so that an interrupted run leaves none behind."""

    def __init__(self) -> None:
        self._living: dict[int, tuple[str, float]] = {}
        """Leader of a group → what the variable that marks its descendants is, and since when it is."""
        self._lock = threading.Lock()
        self._stopped = False

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
        fork: Fork | None = None,
    ) -> Exit:
        """Run `command` to its end, its output appended to `log`.

        `time_limit` (seconds) counts from the last sign of progress, a `time.time()` that `last_sign` tells, so that a
        child with several stages has the limit for each; without one it counts from the start. `memory_limit` is bytes
        of resident memory over the whole process group. What `fork` has is taken for a process of `command`.
        """
        child = self.start(command, env=env, cwd=cwd, log=log, fork=fork)
        started = time.time()
        peak = 0
        try:
            while True:
                try:
                    return Exit(ending=ExitReason.EXITED, code=child.wait(LOOK_SECONDS), peak_memory=peak)
                except subprocess.TimeoutExpired:
                    pass
                peak = max(peak, memory := resident(child.pid))
                if memory > memory_limit:
                    return Exit(ending=ExitReason.MEMORY, code=self._kill(child), peak_memory=peak)
                since = max(started, last_sign() if last_sign else 0.0)
                if time.time() - since > time_limit:
                    return Exit(ending=ExitReason.TIMEOUT, code=self._kill(child), peak_memory=peak)
                cut_back(log)
        finally:
            self.end(child)
            cut_back(log)

    def stop(self) -> None:
        """Kill every living child's group and start no more."""
        with self._lock:
            self._stopped = True
            living = list(self._living)
        for group in living:
            _kill_group(group)

    def check(self) -> None:
        """Raise InterruptedError where `stop` was called: a child that ended just now was killed and proves nothing."""
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
    ) -> Process:
        """Start `command` and leave it running: until `end`, or until `stop`; what `fork` has is taken for it."""
        token = uuid.uuid4().hex
        env = {**env, _MARK: token}
        if fork and (forked := fork(env, cwd, log, stdin)):
            with self._lock:
                self._living[forked.pid] = (token, time.time())
            return forked
        with self._lock, log.open("ab") as output:
            self.check()
            child = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=stdin, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            self._living[child.pid] = (token, time.time())
            return child

    def end(self, child: Process) -> None:
        """Kill what is left of `child` and of what it started; returns when it is gone."""
        self._kill(child)
        with self._lock:
            token, started = self._living.pop(child.pid)
        _kill_strays(token, started)

    @staticmethod
    def _kill(child: Process) -> int:
        # The group outlives its leader where a probe left children of its own.
        _kill_group(child.pid)
        return child.wait()


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _kill_strays(token: str, since: float) -> None:
    """Kill what a child started in a session of its own: it has left the group, but inherited the token."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            # A second of grace: creation times are rounded to clock ticks.
            if process.create_time() >= since - 1 and process.environ().get(_MARK) == token:
                process.kill()


def resident(pid: int) -> int:
    """Resident bytes of a process and everything it started; 0 once it is gone."""
    total = 0
    with contextlib.suppress(psutil.Error):
        leader = psutil.Process(pid)
        for process in [leader, *leader.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def cut_back(log: Path) -> None:
    """Keep how the output began and, because that is where a crash speaks, how it ends."""
    # Safe while the child writes: its descriptor appends, so its next line lands behind what is kept.
    if log.stat().st_size > LOG_LIMIT:
        with log.open("r+b") as file:
            head = file.read(LOG_LIMIT // 8)
            file.seek(-LOG_LIMIT // 4, os.SEEK_END)
            end = file.read()
            file.seek(0)
            file.truncate()
            file.write(head + b"\n[the harness cut the output here: it had grown past its limit]\n" + end)
