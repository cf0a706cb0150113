"""When a fork may replace a process that is started for its job, and which server makes the fork.

An export's process spends most of its time on importing torch and transformers. So a server imports them once, computes
nothing, and forks for each export. docs/design.md ("Probe processes and fork servers") has the conditions under which a
fork is like a process of its own. Otherwise a process is started for the job; every import failure comes from such a
process. `--audit` forks nothing, and the distributions of a fork are checked against its key like those of any process.

Remaining differences: the names of the server's home, temporary and working folder (they lead each fork to its own), one
seed of hashes for all forks of a server, the depth of the stack, and that imported objects are exempt from garbage
collection.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from packaging.utils import canonicalize_name

from harness.environments.environments import Environments
from harness.environments.layers import Closure, bases, layers
from harness.execution.process.bytecode_compiler import Compiler
from harness.execution.process.fork_server import ForkServer
from harness.execution.process.forked import Forked, ForkLostError
from harness.execution.process.probe_process import JOB
from harness.execution.process.sandbox import Sandbox, confinement
from harness.hashing import digest
from harness.model import Limits
from harness.probe.wire import Confinement
from harness.stack import FORKED_IMPORTS, RUNTIME, reads_presence_only
from harness.store.store import Store
from harness.subprocesses import Fork, Process, Supervisor
from harness.tasks.interface import ProbeRequest

_IDLE = {"export": 2, "run": 8}
"""Kind of job → idle servers that are kept at each level (torch alone, everything): 400 MB each with torch, 60 MB without."""

_PRESENT = "present"

_Base = tuple[Closure, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Serving:
    """A server, and what it has imported."""

    group: tuple[str, int]
    """Kind of job, and level: idle servers are counted by it."""
    server: ForkServer
    shared: _Base
    """The layers that its forks share."""
    answers: _Answers
    """What its imports looked up, and the answers in its environment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answers:
    """What imports learned of the layers beside the shared ones, and may remember."""

    modules: frozenset[str]
    """Those of the searched modules that exist."""
    versions: frozenset[tuple[str, str | None]]
    """Distributions that were looked up, with their version; None if absent."""
    entry_points: tuple[tuple[str, str, str], ...]
    """(group, name, value) of the groups that were read."""
    startup: frozenset[tuple[str, str]]
    """(name, content) of .pth files, which are executed before anything is imported."""


class Forks:
    """The fork servers of a worker. Used by many threads at once."""

    def __init__(
        self,
        *,
        environments: Environments,
        supervisor: Supervisor,
        store: Store,
        limits: Limits,
        sandbox: Sandbox | None,
        compiler: Compiler | None,
    ) -> None:
        """`limits` are those of a server's import."""
        self._environments = environments
        self._supervisor = supervisor
        self._store = store
        self._limits = limits
        self._sandbox = sandbox
        self._compiler = compiler
        self._servers: dict[str, _Serving | None] = {}
        """Digest of all that a server is chosen by → the server; None if no server can serve."""
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def launcher(self, python: Path, job: Mapping[str, Any], closure: Closure, writes: Sequence[Path]) -> Fork | None:
        """A function that forks a process for `job` in the environment of `closure`; None for a kind that is never forked.

        `writes` are the folders that the process writes to; `give_back` is to be called with them when it has ended. The
        function raises ForkLostError if they may hold something of a fork by then.
        """
        if job["kind"] not in FORKED_IMPORTS or job.get("runtime", RUNTIME) != RUNTIME or not sys.platform.startswith("linux"):
            return None  # the libraries of other systems may not survive a fork
        return self._fork(python, job, closure, bases(closure), writes)

    def _fork(
        self, python: Path, job: Mapping[str, Any], closure: Closure, shared: Sequence[_Base], writes: Sequence[Path]
    ) -> Fork:
        """Forks in the environment of `closure`, from a server that has imported from the last of the bases `shared`."""

        def fork(environ: Mapping[str, str], folder: Path, log: Path, stdin: int) -> Forked | None:
            serving = self._serving(python, job, closure, shared)
            if serving is None:
                return None
            return serving.server.fork(
                job=str(folder / JOB),
                log=log,
                stdin=stdin,
                folder=str(folder),
                environ=environ,
                python=str(python),
                others=self._sites(closure, shared[-1]),
                writes=writes,
                confined=self._confined(python, job, writes),
            )

        return fork

    def _confined(self, python: Path, job: Mapping[str, Any], writes: Sequence[Path]) -> Confinement | None:
        return confinement(self._sandbox, python, job, store=self._store, writes=writes)

    def give_back(self, made: Process, writes: Sequence[Path]) -> None:
        """The fork has ended: its folders are in their place again."""
        if isinstance(made, Forked):
            made.lent.give_back(writes)

    def release(self, closure: Closure) -> None:
        """The environment of `closure` is about to be removed: end the servers that use its files."""
        self._end([key for key, serving in self._servers.copy().items() if serving and closure in serving.shared])

    def close(self) -> None:
        """End all servers; nothing runs any more."""
        self._end(list(self._servers))

    def _serving(self, python: Path, job: Mapping[str, Any], closure: Closure, shared: Sequence[_Base]) -> _Serving | None:
        key = digest([job["kind"], job["probe"]["path"], closure.interpreter.version, [part.key for part in shared[-1]]])
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            serving = self._servers.get(key)
            if serving and not serving.server.alive:
                if not serving.server.retire():
                    return None  # it does not answer, and its forks still run
                self._forget(key, serving)
            if key not in self._servers:
                serving = self._started(python, job, closure, shared)
                self._servers[key] = serving
                if serving:
                    self._retire(serving.group)
        return serving if serving and serving.answers == self._answers(closure, shared[-1], serving.server) else None

    def _started(self, python: Path, job: Mapping[str, Any], closure: Closure, shared: Sequence[_Base]) -> _Serving | None:
        *before, base = shared
        server = ForkServer(supervisor=self._supervisor, store=self._store)
        server_job = {
            "kind": "forkserver",
            "of": job["kind"],
            "runtime": job.get("runtime"),
            "imports": [name for name in FORKED_IMPORTS[job["kind"]] if any(name in part.lock.versions for part in base)],
            "others": self._sites(closure, base),
            "probe": job["probe"],
        }
        fork = self._fork(python, job, closure, before, server.folders) if before else None
        server_job["confined"] = self._confined(python, server_job, server.folders)
        with self._asked(python, closure, base) if fork is None else contextlib.nullcontext() as asks:
            try:
                if not server.start(python, server_job, self._limits, fork, asks):
                    return None
            except ForkLostError:
                return None
        if self._compiler:
            self._compiler.add(closure.interpreter, python, server.uncompiled, beside=True)
        answers = self._answers(closure, base, server)
        if answers is None or server.attempted & self._modules(closure, base):
            # It tried to import one of these in vain, or it would not serve; in another environment the import may succeed.
            server.close(patient=True)
            return None
        return _Serving(group=(job["kind"], len(before)), server=server, shared=base, answers=answers)

    def _asked(self, python: Path, closure: Closure, base: _Base) -> contextlib.AbstractContextManager[int | None]:
        if self._compiler is None:
            return contextlib.nullcontext()
        folders = [self._environments.site(part).parents[2] for part in base]
        return self._compiler.asked(closure.interpreter, python, folders)

    def _answers(self, closure: Closure, base: _Base, server: ForkServer) -> _Answers | None:
        """The answers in the environment of `closure`; None if .pth files add folders, which differ in any case."""
        beside = self._entries(_others(closure, base))
        startup = {(path.name, path.read_text(errors="replace")) for path in beside if path.suffix == ".pth"}
        lines = (line for _, text in startup for line in text.splitlines() if line.strip())
        if not all(line.startswith(("import ", "import\t", "#")) for line in lines):
            return None
        versions = closure.lock.versions
        versions_read = [(canonicalize_name(name), reader) for name, reader in server.versions_read]
        distributions = importlib.metadata.distributions(path=self._sites(closure, base)) if server.groups else ()
        points = [
            point for distribution in distributions for point in distribution.entry_points if point.group in server.groups
        ]
        return _Answers(
            modules=self._modules(closure, base) & server.searched,
            versions=frozenset(
                (name, _PRESENT if name in versions and reads_presence_only(name, reader, versions) else versions.get(name))
                for name, reader in versions_read
            ),
            entry_points=tuple(sorted((point.group, point.name, point.value) for point in points)),
            startup=frozenset(startup),
        )

    def _sites(self, closure: Closure, base: _Base) -> list[str]:
        return [str(self._environments.site(part)) for part in _others(closure, base)]

    def _modules(self, closure: Closure, base: _Base) -> frozenset[str]:
        """Names of the top-level modules in the layers beside the base; every part of a namespace counts."""
        hidden = {path for path in self._entries(base) if not path.is_dir() or (path / "__init__.py").exists()}
        return frozenset(map(_module, self._entries(_others(closure, base)))).difference(map(_module, hidden))

    def _entries(self, parts: Iterable[Closure]) -> list[Path]:
        return [entry for part in parts for entry in self._environments.site(part).iterdir()]

    def _retire(self, group: tuple[str, int]) -> None:
        """End the servers of `group` that have been idle for the longest time, beyond the number that is kept."""
        servers = self._servers.copy().items()
        idle = [(key, serving) for key, serving in servers if serving and serving.group == group and serving.server.idle]
        for key, serving in sorted(idle, key=lambda item: item[1].server.used)[: -_IDLE[group[0]]]:
            if serving.server.retire():
                self._forget(key, serving)

    def _forget(self, key: str, ended: _Serving) -> None:
        with self._guard:
            if self._servers.get(key) is ended:
                del self._servers[key]

    def _end(self, keys: Sequence[str]) -> None:
        """End these servers, the youngest first: a server may be a fork of an older one."""
        with self._guard:
            ended = [self._servers.pop(key, None) for key in reversed(keys)]
        for serving in filter(None, ended):
            serving.server.close(patient=True)


class Launching:
    """The fork for one process, if there is one; what it was lent is given back at the end of the block."""

    def __init__(self, forks: Forks | None, request: ProbeRequest, writes: Sequence[Path]) -> None:
        self.made: Process | None = None
        self._forks = forks
        self._writes = writes
        self._launcher = forks.launcher(request.python, request.job, request.parts[0], writes) if forks else None

    @property
    def fork(self) -> Fork | None:
        """See subprocesses.Fork; None for what is never forked."""
        return self._fork if self._launcher else None

    def _fork(self, environ: Mapping[str, str], folder: Path, log: Path, stdin: int) -> Process | None:
        assert self._launcher is not None
        self.made = self._launcher(environ, folder, log, stdin)
        return self.made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Nothing of the process runs any more; may be called again."""
        if self._forks and self.made:
            self._forks.give_back(self.made, self._writes)


def _module(path: Path) -> str:
    return path.name.partition(".")[0]


def _others(closure: Closure, base: _Base) -> tuple[Closure, ...]:
    """The layers of `closure` beside `base`, which are its first."""
    return layers(closure)[len(base) :]
