"""Compiles what confined probes have imported: they may not write to the store's bytecode, which other probes execute.

A probe says which sources it has found no bytecode for. What is compiled is decided here: files of environments, of the
interpreter and of the probe, each to the place that belongs to it. The compiler reads them, executes nothing of them, and
is confined itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.environments.bytecode import Bytecode
from harness.execution.process.sandbox import Sandbox, confining_command, rights
from harness.model import Interpreter, Limits
from harness.store.store import BYTECODE, Store
from harness.subprocesses import ExitReason, Supervisor, probe_environment

_COMPILE = """
import py_compile, sys
with open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as lines:
    for path in lines.read().splitlines():
        try:
            py_compile.compile(path, doraise=True)
        except Exception:
            pass
"""
"""Python 3.8 syntax."""


class Compiler:
    """Used by many threads at once."""

    def __init__(self, *, store: Store, bytecode: Bytecode, supervisor: Supervisor, sandbox: Sandbox, limits: Limits) -> None:
        self._store = store
        self._bytecode = bytecode
        self._supervisor = supervisor
        self._sandbox = sandbox
        self._limits = limits
        self._known: set[tuple[str, str]] = set()
        """(interpreter, source) of all that was compiled."""
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compiler")

    def add(self, interpreter: Interpreter, python: Path, sources: Sequence[str], *, beside: bool) -> None:
        """Compile `sources`, as far as they are files that many probes of the environment of `python` read; each once.

        That was made with `interpreter`, which compiles: it reads no file of the environment but these.

        What a fork server has imported is much, and is compiled `beside` the probes; all else at once, because the
        environment may be removed after its last process.
        """
        reads = rights(self._sandbox, python, store=self._store)["read"]
        roots = tuple(f"{path}{os.sep}" for path in reads)
        with self._lock:
            named = {(interpreter.path, path) for path in sources if _is_plain(path) and path.startswith(roots)}
            found = sorted(path for _, path in named - self._known)
            self._known |= named
        if found and beside:
            self._thread.submit(self._compile, interpreter, reads, found)
        elif found:
            self._compile(interpreter, reads, found)

    def close(self) -> None:
        """Finish what is compiled beside the probes."""
        self._thread.shutdown()

    def _compile(self, interpreter: Interpreter, reads: Sequence[str], sources: Sequence[str]) -> None:
        python, prefix = Path(interpreter.path), self._store.root / BYTECODE
        prefix.mkdir(exist_ok=True)
        with self._store.scratch() as folder:
            listed = folder / "sources"
            listed.write_text("\n".join(sources), encoding="utf-8", errors="surrogateescape")
            confined = rights(self._sandbox, python, store=self._store, reads=[*map(Path, reads)], writes=[folder, prefix])
            ended = self._supervisor.run(
                [*confining_command(confined), str(python), *_options(prefix), "-c", _COMPILE, str(listed)],
                env=probe_environment(HOME=str(folder)),
                cwd=folder,
                log=folder / "log",
                time_limit=self._limits.seconds,
                memory_limit=self._limits.memory,
            )
        if (ended.ending, ended.code) == (ExitReason.EXITED, 0):
            self._bytecode.compiled(sources, interpreter)


def _options(prefix: Path) -> list[str]:
    return ["-I", "-S", "-X", f"pycache_prefix={prefix}"]


def _is_plain(path: str) -> bool:
    """Whether it is the name of a source by which its bytecode lies where it belongs."""
    return path.endswith(".py") and os.path.normpath(path) == path and path.isprintable()
