"""When a fork may stand for a process that was started for its job, and which server forks it.

An export's process spends most of its time on importing torch and transformers, which many exports import alike, from the
same files. So a server has imported them, in the environment of the first of these exports, and computed nothing; for each
export it forks, and the fork goes on in that export's own environment. Such a server is itself a fork, where it can be, of
one that has imported numpy and torch alone. Runs are forked likewise, from a server that has imported their onnxruntime.

Nobody is to be able to tell such a fork from a process of its own. So there is one only if the server imported everything
without a complaint, all of it from layers that both environments share, and started no thread or process, left no file open
and no variable changed; and if what packages wanted to know of others in the meantime, and may remember, has the same answer
in both: which modules are there, which versions, which entry points, and what .pth files say. Else a process is started for
the job, and so every failure to import is one of such a process. `--audit` forks nothing, and what a fork has loaded is
checked against its key like anybody's.

What is left to tell one by: the names of the server's home, temporary and working folder (they lead each fork to its own),
the same seed of hashes as its siblings', how deep its stack is, and that nothing of what was imported is looked at by the
garbage collector.
"""

from __future__ import annotations

import importlib.metadata
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from harness.environments.environments import Environments
from harness.environments.layers import Closure, bases, layers
from harness.execution.process.fork_server import Forked, ForkServer
from harness.execution.process.probe import JOB
from harness.model import Limits, digest
from harness.stack import EVALUATOR, FORKED_IMPORTS, asks_for_presence
from harness.store.store import Store
from harness.subprocesses import Fork, Supervisor

_IDLE = {"export": 2, "run": 8}
"""Kind of job → servers that are kept while they have no fork, with torch alone or with all that is imported alike: some
400 MB each with torch, 60 MB without."""

_THERE = "there"

_Base = tuple[Closure, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Serving:
    """A server, and what is in its memory."""

    of: tuple[str, int]
    """Kind of job, and number of the base."""
    server: ForkServer
    shared: _Base
    """The layers that its forks have as well."""
    answers: _ForkFitness
    """To what was asked while it imported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _ForkFitness:
    """What packages were told of the layers beside the base while they were imported, and may remember."""

    modules: frozenset[str]
    """Of the modules that somebody searched for, those that are there."""
    versions: frozenset[tuple[str, str | None]]
    """Distributions that were asked for, with their version, if they are there."""
    entry_points: tuple[tuple[str, str, str], ...]
    """Of the groups that were asked for: group, name, value."""
    startup: frozenset[tuple[str, str]]
    """What .pth files say, which are executed before anything is imported."""


class Forks:
    """The servers of a worker; for many threads."""

    def __init__(self, *, environments: Environments, children: Supervisor, store: Store, limits: Limits) -> None:
        """`limits` are those of a server's import."""
        self._environments = environments
        self._children = children
        self._store = store
        self._limits = limits
        self._servers: dict[str, _Serving | None] = {}
        """By all that a server is chosen by; None where it turned out that none is fit."""
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def of(self, python: Path, job: Mapping[str, Any], closure: Closure) -> Fork | None:
        """Has `job` done by a fork in the environment of `closure`, where one may be; None for a kind of which none is."""
        if job["kind"] not in FORKED_IMPORTS or job.get("runtime") == EVALUATOR or not sys.platform.startswith("linux"):
            return None  # elsewhere a system's libraries may not survive a fork

        return self._fork(python, job, closure, bases(closure))

    def _fork(self, python: Path, job: Mapping[str, Any], closure: Closure, shared: Sequence[_Base]) -> Fork:
        """Has a fork in the environment of `closure`, of a server that has imported from the last of these bases."""

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
            )

        return fork

    def release(self, closure: Closure) -> None:
        """The environment of `closure` is to go, and so the servers that have files of it."""
        self._end([key for key, one in self._servers.copy().items() if one and closure in one.shared])

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
                    return None  # it is deaf, and there for others yet
                self._forget(key, serving)
            if key not in self._servers:
                serving = self._started(python, job, closure, shared)
                self._servers[key] = serving
                if serving:
                    self._retire(serving.of)
        return serving if serving and serving.answers == self._answers(closure, shared[-1], serving.server) else None

    def _started(self, python: Path, job: Mapping[str, Any], closure: Closure, shared: Sequence[_Base]) -> _Serving | None:
        *before, base = shared
        server = ForkServer(children=self._children, store=self._store)
        asked = {
            "kind": "forkserver",
            "of": job["kind"],
            "runtime": job.get("runtime"),
            "imports": [name for name in FORKED_IMPORTS[job["kind"]] if any(name in part.lock.versions for part in base)],
            "others": self._sites(closure, base),
            "probe": job["probe"],
        }
        if not server.start(python, asked, self._limits, self._fork(python, job, closure, before) if before else None):
            return None
        answers = self._answers(closure, base, server)
        if answers is None or server.tried & self._modules(closure, base):
            # Of these something was loaded in vain, or else it would not serve; elsewhere it may load.
            server.close()
            return None
        return _Serving(of=(job["kind"], len(before)), server=server, shared=base, answers=answers)

    def _answers(self, closure: Closure, base: _Base, server: ForkServer) -> _ForkFitness | None:
        """To what was asked while the server imported; None where .pth files add folders, which differ in any case."""
        beside = self._entries(_others(closure, base))
        startup = {(path.name, path.read_text(errors="replace")) for path in beside if path.suffix == ".pth"}
        lines = (line for _, text in startup for line in text.splitlines() if line.strip())
        if not all(line.startswith(("import ", "import\t", "#")) for line in lines):
            return None
        versions = closure.lock.versions
        asked = [(canonicalize_name(name), asker) for name, asker in server.asked]
        distributions = importlib.metadata.distributions(path=self._sites(closure, base)) if server.groups else ()
        points = [
            point for distribution in distributions for point in distribution.entry_points if point.group in server.groups
        ]
        return _ForkFitness(
            modules=self._modules(closure, base) & server.sought,
            versions=frozenset(
                (name, _THERE if name in versions and asks_for_presence(name, asker) else versions.get(name))
                for name, asker in asked
            ),
            entry_points=tuple(sorted((point.group, point.name, point.value) for point in points)),
            startup=frozenset(startup),
        )

    def _sites(self, closure: Closure, base: _Base) -> list[str]:
        return [str(self._environments.site(part)) for part in _others(closure, base)]

    def _modules(self, closure: Closure, base: _Base) -> frozenset[str]:
        """Names of the top-level modules that layers beside the base bring in; of namespaces every part counts."""
        hidden = {path for path in self._entries(base) if not path.is_dir() or (path / "__init__.py").exists()}
        return frozenset(map(_module, self._entries(_others(closure, base)))).difference(map(_module, hidden))

    def _entries(self, parts: Iterable[Closure]) -> list[Path]:
        return [entry for part in parts for entry in self._environments.site(part).iterdir()]

    def _retire(self, of: tuple[str, int]) -> None:
        """End what has had no fork for the longest time, beyond the number that is kept."""
        alike = {key: one for key, one in self._servers.copy().items() if one and one.of == of and one.server.idle}
        for key, one in sorted(alike.items(), key=lambda item: item[1].server.used)[: -_IDLE[of[0]]]:
            if one.server.retire():
                self._forget(key, one)

    def _forget(self, key: str, gone: _Serving) -> None:
        with self._guard:
            if self._servers.get(key) is gone:
                del self._servers[key]

    def _end(self, keys: Sequence[str]) -> None:
        """End these: a server is older than those that are forks of it, and ends after them."""
        with self._guard:
            gone = [self._servers.pop(key, None) for key in reversed(keys)]
        for one in gone:
            if one is not None:
                one.server.close()


def _module(path: Path) -> str:
    return path.name.partition(".")[0]


def _others(closure: Closure, base: _Base) -> tuple[Closure, ...]:
    """The layers of `closure` beside `base`, which are its first."""
    return layers(closure)[len(base) :]
