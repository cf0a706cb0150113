"""What confines the probes of this machine: tried once, then applied to every probe process (probe/confinement.py).

docs/security.md says what a probe may do then, and what becomes of a failure that may come of it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import harness
from harness.errors import SandboxError
from harness.model import Limits
from harness.probe.confinement import SCOPE_ABI, TCP_ABI, TRUNCATE_ABI, landlock_abi
from harness.probe.wire import Confinement
from harness.store.store import BYTECODE, Store
from harness.subprocesses import chosen_environment, probe_environment
from harness.tasks import keys

OFF = "off"
"""What confines a probe without a sandbox, in words."""

PROCESSES = 4096
"""Processes and threads in a user namespace: a fork server and all its forks. onnxruntime starts a thread for each core."""

_PROGRAM = Path(harness.__file__).parent / "probe" / "confinement.py"
_READ_OF_STORE = ("envs", "artifacts", "models", BYTECODE)
_SECONDS = 300.0
"""A machine that is busy is no machine without a sandbox."""
_FIND_ITSELF = "open('/proc/self/stat').close()"
_NAMESPACES = (("user", "mount", "net", "ipc", "pid"), ("user", "mount", "net", "ipc"))
"""Without one of processes where a container hides parts of /proc: then the kernel refuses a new /proc."""
_COMMAND = [sys.executable, "-I", "-S", "-B", str(_PROGRAM)]


class Mode(StrEnum):
    """The values of `--sandbox`."""

    AUTO = "auto"
    """Confine probes as far as this machine can."""
    REQUIRE = "require"
    """Run nothing unless files and the network can be kept from probes."""
    OFF = "off"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """What this machine offers; applied to every probe of a session."""

    landlock: int = 0
    """The version of Landlock; 0 for none."""
    namespaces: tuple[str, ...] = ()
    """Namespaces that a process without privileges can have for itself."""
    reason: str = ""
    """Why there are no namespaces."""

    @property
    def is_complete(self) -> bool:
        """Whether probes can neither write outside their folders nor reach a network, by themselves or through other programs.

        Landlock keeps Unix sockets and the shared memory of others from no probe.
        """
        return self._mounts and "net" in self.namespaces

    @property
    def _mounts(self) -> bool:
        return "mount" in self.namespaces

    @property
    def words(self) -> str:
        """`Landlock 7, namespaces (user, mount, net, ipc, pid)`."""
        parts = [f"Landlock {self.landlock}"] if self.landlock else []
        parts += [f"namespaces ({', '.join(self.namespaces)})"] if self.namespaces else []
        return ", ".join(parts) or OFF

    @property
    def gaps(self) -> list[str]:
        """What it does not keep from a probe, in words."""
        own_network = "net" in self.namespaces
        network = own_network or self.landlock >= TCP_ABI
        found = {
            "files of others can be read": self.landlock > 0,
            "files can be written": self._mounts or self.landlock >= TRUNCATE_ABI,
            "shared memory of other programs can be read and written": self._mounts,
            "the network can be used": network,
            "UDP can be sent": own_network or not network,
            "Unix sockets of other programs can be connected to": self._mounts,
            "abstract Unix sockets can be connected to": own_network or self.landlock >= SCOPE_ABI,
            "permissions of files can be changed": self._mounts,
            "other processes can be seen": "pid" in self.namespaces,
            "other processes can be ended": "pid" in self.namespaces or self.landlock >= SCOPE_ABI,
        }
        return [gap for gap, closed in found.items() if not closed]


@functools.cache
def offered() -> Sandbox:
    """What this machine offers, by trying it; nothing where the system is not Linux."""
    if sys.platform != "linux":
        return Sandbox(reason="only Linux has them")
    landlock, reason = landlock_abi(), ""
    for namespaces in (*_NAMESPACES, ()):
        found = Sandbox(landlock=landlock, namespaces=namespaces, reason=reason)
        refused = _refusal(found)
        if not refused:
            return found
        reason = reason or refused
    return Sandbox(reason=reason)


def _refusal(tried: Sandbox) -> str:
    """Why a process cannot be confined like that; empty if it can."""
    python = [sys.prefix, sys.base_prefix]
    rights = Confinement(landlock=tried.landlock, namespaces=list(tried.namespaces), processes=0, read=python, write=[])
    command = [*confining_command(rights), sys.executable, "-I", "-S", "-c", _FIND_ITSELF]
    try:
        done = subprocess.run(command, env=chosen_environment(), check=False, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    said = done.stderr.splitlines() or [f"exit code {done.returncode}"]
    return said[-1] if done.returncode else ""


def of(mode: str) -> Sandbox | None:
    """What confines probes under `--sandbox MODE`; None if nothing does.

    Raises:
        SandboxError: it is required, and this machine does not offer enough.
    """
    if mode == Mode.OFF:
        return None
    found = offered()
    if mode == Mode.REQUIRE and not found.is_complete:
        why = f" ({found.reason})" if found.reason else ""
        raise SandboxError(
            f"--sandbox require: this machine offers {found.words}, and nothing that keeps both files and the network from "
            f"probes, which takes user namespaces{why}; --sandbox auto runs with what there is"
        )
    return found if found.words != OFF else None


def confinement(
    sandbox: Sandbox | None, python: Path, job: Mapping[str, Any], *, store: Store, writes: Sequence[Path]
) -> Confinement | None:
    """What a probe process with `job` may use: it reads environments and what the job names, and writes `writes`.

    None without a sandbox.
    """
    if sandbox is None:
        return None
    module, checkpoint = job["probe"]["path"], job["probe"]["options"].get("path")
    named = [Path(module).parent] if module else [Path(checkpoint)] if isinstance(checkpoint, str) else []
    return rights(sandbox, python, store=store, reads=[*named, *_of_runner(job.get("runner", ()))], writes=writes)


def _of_runner(command: Sequence[str]) -> list[Path]:
    """The folders that a runner is read from (`worker.runner`): those of its program, of its source, and of its packages.

    The packages of an environment that is made afresh lie elsewhere than those of the store.
    """
    if not command:
        return []
    program, source, *packages = map(Path, command)
    return list(dict.fromkeys([program.parent, program.resolve().parent, source.parent, *packages]))


def rights(
    sandbox: Sandbox, python: Path, *, store: Store, reads: Sequence[Path] = (), writes: Sequence[Path] = ()
) -> Confinement:
    """What a process of `python` may use: it reads the environments of `store`, the probe's source and `reads`."""
    libraries = filter(None, probe_environment().get("LD_LIBRARY_PATH", "").split(":"))
    folders = [
        *(store.root / name for name in _READ_OF_STORE),
        *_of_interpreter(python.resolve()),
        *([python.parents[1]] if (python.parents[1] / "pyvenv.cfg").exists() else []),
        *(keys.PROBE.parent, _PROGRAM.parent),
    ]
    return {
        "landlock": sandbox.landlock,
        "namespaces": list(sandbox.namespaces),
        "processes": PROCESSES,
        "read": list(dict.fromkeys([*(str(path) for path in (*folders, *reads) if not _holds_a_home(path)), *libraries])),
        "write": [str(path) for path in writes],
    }


def _of_interpreter(executable: Path) -> list[Path]:
    """What an interpreter reads. The folder above, which may be `~/.local` or `~`, holds other things of the user."""
    return [executable, *(executable.parents[1] / name for name in ("lib", "lib64", "include"))]


def _holds_a_home(path: Path) -> bool:
    """Whether it is the user's home, or has that in it."""
    return any(home.is_relative_to(path.resolve()) for home in _homes())


def _homes() -> list[Path]:
    """By the variable, and by the system's list of users, which may lack this one."""
    with contextlib.suppress(KeyError):
        return [Path.home().resolve(), Path(pwd.getpwuid(os.getuid()).pw_dir).resolve()]
    return [Path.home().resolve()]


def confining_command(confined: Confinement) -> list[str]:
    """The program that confines itself, and becomes the command that follows."""
    pairs = [("landlock", str(confined["landlock"])), ("namespaces", ",".join(confined["namespaces"]))]
    pairs += [("processes", str(confined["processes"]))]
    pairs += [("read", path) for path in confined["read"]] + [("write", path) for path in confined["write"]]
    return [*_COMMAND, *(word for pair in pairs for word in pair), "--"]


def file_size(limits: Limits) -> int:
    """Bytes of the largest file: twice what all files together may have, which the harness measures."""
    return 2 * limits.disk
