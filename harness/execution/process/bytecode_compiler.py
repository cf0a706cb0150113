"""Compiles what confined probes import: they may not write to the store's bytecode, which other probes execute.

The first process in an environment asks for each source that it finds no bytecode for (bytecode_client.py), so that none is
compiled twice, once for the process and once for the others. What it and later ones lack all the same they name at their end.
What is compiled is decided here: files of environments, of the interpreter and of the probe, each to the place that belongs to
it. The compiler (bytecode_service.py) reads them, executes nothing of them, and is confined itself.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.environments.bytecode import Bytecode
from harness.execution.process.sandbox import Sandbox, confining_command, rights
from harness.model import Interpreter, Limits
from harness.store.store import BYTECODE, Store
from harness.subprocesses import ExitReason, Supervisor, probe_environment

_HERE = Path(__file__).parent
_SERVICE = _HERE / "bytecode_service.py"
CLIENT = (_HERE / "bytecode_client.py").read_text(encoding="utf-8")
"""The program that a probe starts with which may ask: `python -c CLIENT CHANNEL PROGRAM ARGUMENT …`."""


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
        self._asking: set[Path] = set()
        """Environments whose first process has asked, or asks now."""
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

    @contextlib.contextmanager
    def asked(self, interpreter: Interpreter, python: Path, folders: Sequence[Path]) -> Iterator[int | None]:
        """A channel on which a process asks for bytecode if it is the first in one of the environments `folders`; else None.

        `python` is that of the process, and made with `interpreter`.
        """
        with self._lock:
            new = [folder for folder in folders if folder not in self._asking and self._bytecode.lacks(folder)]
            self._asking.update(new)
        if not new:
            yield None
            return
        ours, theirs = socket.socketpair()
        ended = threading.Event()
        with ours, theirs:
            serving = threading.Thread(target=self._serve, args=(interpreter, python, ours, ended), name="compiler")
            serving.start()
            try:
                yield theirs.fileno()
            finally:
                # It ends with its input, whoever holds the other end; what it still compiles then is wanted by nobody.
                _shut(ours)
                ended.set()
                serving.join()

    def close(self) -> None:
        """Finish what is compiled beside the probes."""
        self._thread.shutdown()

    def _serve(self, interpreter: Interpreter, python: Path, channel: socket.socket, ended: threading.Event) -> None:
        reads = rights(self._sandbox, python, store=self._store)["read"]
        try:
            compiled = self._run(interpreter, reads, channel.fileno(), ended)
            with self._lock:
                self._known |= {(interpreter.path, path) for path in compiled}
        except (InterruptedError, OSError):
            # The run is being stopped, or the disk is full: the process compiles for itself, and meets what there is to meet.
            pass
        finally:
            _shut(channel)  # or it would wait for an answer

    def _compile(self, interpreter: Interpreter, reads: Sequence[str], sources: Sequence[str]) -> None:
        with tempfile.TemporaryFile() as listed:
            listed.write(os.fsencode("".join(f"{path}\n" for path in sources)))
            listed.seek(0)
            self._run(interpreter, reads, listed.fileno())

    def _run(
        self, interpreter: Interpreter, reads: Sequence[str], sources: int, ended: threading.Event | None = None
    ) -> list[str]:
        """Compile what the descriptor `sources` names, and return what was compiled.

        With `ended` it has no time limit, but for the process that asks, and is killed when that has ended.
        """
        python, prefix = Path(interpreter.path), self._store.root / BYTECODE
        prefix.mkdir(exist_ok=True)
        with self._store.scratch() as folder:
            made = folder / "compiled"
            made.touch()
            own = [*map(Path, reads), _SERVICE.parent]
            confined = rights(self._sandbox, python, store=self._store, reads=own, writes=[folder, prefix])
            self._supervisor.run(
                [*confining_command(confined), str(python), *_options(prefix), str(_SERVICE), str(made), *reads],
                env=probe_environment(HOME=str(folder)),
                cwd=folder,
                log=folder / "log",
                time_limit=self._limits.seconds,
                memory_limit=self._limits.memory,
                last_sign=time.time if ended else None,
                excess=lambda: ExitReason.TIMEOUT if ended and ended.is_set() else None,
                stdin=sources,
            )
            compiled = [os.fsdecode(line) for line in made.read_bytes().split(b"\n")[:-1]]
        self._bytecode.compiled(compiled, interpreter)
        return compiled


def _options(prefix: Path) -> list[str]:
    return ["-I", "-S", "-X", f"pycache_prefix={prefix}"]


def _is_plain(path: str) -> bool:
    """Whether it is the name of a source by which its bytecode lies where it belongs."""
    return path.endswith(".py") and os.path.normpath(path) == path and path.isprintable() and Path(path).name != ".py"


def _shut(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)
