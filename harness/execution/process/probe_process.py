"""One probe process: write its job, run it within limits, read its events, and classify a sudden end.

The probe reports through a file of events (see probe/journal.py), never through stdout. Its output goes to a log. A
process that dies is judged by its last open `begin` and by its exit.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from harness import regular_files
from harness.execution.process.bytecode_compiler import CLIENT
from harness.execution.process.disk_use import DiskUse
from harness.execution.process.probe_events import event_in
from harness.execution.process.probe_results import read_events, refuse_large
from harness.execution.process.sandbox import confining_command, file_size
from harness.model import Failure, Limits
from harness.probe.wire import Confinement
from harness.store.digests import make_plain
from harness.store.removal import remove
from harness.store.store import BYTECODE
from harness.subprocesses import ExitReason, Fork, Supervisor, probe_environment, temporary_in
from harness.tasks import keys
from harness.tasks.interface import ProbeOutput

JOB = "job.json"
"""The job file, in the folder that the process works in."""

TEMPORARY = "temporary"
"""A link in that folder to the one for temporary files (probe/forking/server.py follows it)."""


def run_probe(
    python: Path,
    job: Mapping[str, Any],
    *,
    folder: Path,
    temporary: Path,
    output: Path,
    log: Path,
    store: Path,
    limits: Limits,
    supervisor: Supervisor,
    on_stage: Callable[[str, str | None], None],
    fork: Fork | None = None,
    on_end: Callable[[], None] = lambda: None,
    bytecode: Path | None = None,
    confined: Confinement | None = None,
    asks: int | None = None,
) -> ProbeOutput:
    """Run `job` with `python` and return what it reported; never raises for what the probe does.

    `folder` is scratch space, `temporary` is for temporary files, and `log` gets the complete output, which is in the file
    `output` meanwhile: the probe may not reach that by its name, or it could put a link in its place. All lie in `store`, whose
    path is removed from every message, so that results mean the same elsewhere. `on_stage` is called with (stage, subject) as
    each begins. `fork` may have a process with the job's imports. `on_end` is called when nothing of the process runs any
    more, before its files are read. `bytecode` is for Python's bytecode. `confined` is what the process may use, None if it is
    not confined. `asks` is a channel on which it asks for bytecode (bytecode_compiler.py), None for none.

    Raises:
        InterruptedError: the run is being stopped, and the probe was killed.
    """
    events = folder / "events.jsonl"
    watch = _Watch(events, on_stage)
    out = Path(job["out"]) if "out" in job else None
    use = DiskUse([folder, temporary], out, _exports(job), limits.disk)
    job = {**job, "events": str(events), "confined": confined, "file_size": file_size(limits)}
    ended = supervisor.run(
        **command_for(python, job, folder=folder, temporary=temporary, store=store, bytecode=bytecode, asks=asks),
        cwd=folder,
        log=output,
        time_limit=limits.seconds,
        memory_limit=limits.memory,
        last_sign=watch.last_sign,
        excess=lambda: ExitReason.EVENTS if watch.problem else ExitReason.DISK if use.exceeds() else None,
        fork=fork,
    )
    supervisor.check()
    on_end()
    large: list[str | None] = []
    if out:
        large = use.large()
        for name in filter(None, large):  # first: what lies too deep cannot be walked through
            remove(out / name)
        make_plain(out)
    output.replace(log)
    lines = watch.read_all()
    found = read_events(lines, ended, limits, log=log, store=store, problem=watch.problem, confined=confined is not None)
    refuse_large(found, list(dict.fromkeys([*large, *use.large()])), limits)
    _add_failures(log, found)
    return found


def _exports(job: Mapping[str, Any]) -> list[str]:
    """The names of the folders that a job leaves in `out`."""
    return ["reference", *(variant["id"] for variant in job.get("variants", ()))]


def _add_failures(log: Path, found: ProbeOutput) -> None:
    """Append the failures to the log, with their tracebacks: the probe catches exceptions and prints none."""
    texts = [
        f"\n--- {subject or 'all variants'}: {result.status} at {result.stage} ---\n{_whole(result.error)}\n"
        for subject, results in found.results.items()
        for result in results
        if result.error
    ]
    if texts:
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(texts)


def _whole(failure: Failure) -> str:
    """The message and the traceback, which ends with the message if it is one of Python."""
    message = f"{failure.type}: {failure.message}"
    return failure.traceback if failure.message in failure.traceback else f"{failure.traceback}\n{message}".lstrip()


def command_for(
    python: Path,
    job: Mapping[str, Any],
    *,
    folder: Path,
    temporary: Path,
    store: Path,
    bytecode: Path | None = None,
    asks: int | None = None,
) -> _Command:
    """The command and variables that start a probe process for `job`, which is written to `folder`, where it works.

    The command confines itself to what the job has as `confined`. `asks`: as for `run_probe`.
    """
    (folder / JOB).write_text(json.dumps(job), encoding="utf-8")
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (folder / TEMPORARY).symlink_to(temporary)
    prefix = bytecode or store / BYTECODE
    confining = confining_command(job["confined"]) if job["confined"] else []
    program = [*([] if asks is None else ["-c", CLIENT, str(asks)]), str(keys.PROBE)]
    return {
        # Bytecode of a layer is compiled once for all its users, now and in later runs; an environment holds only links.
        "command": [*confining, str(python), "-I", "-X", f"pycache_prefix={prefix}", *program, str(folder / JOB)],
        # A home of its own: caches and settings of the user must not reach a verdict, and its files are removed with it.
        "env": probe_environment(HOME=str(home), **temporary_in(temporary), **_caches(temporary), **_weights(job)),
        "pass_fds": [] if asks is None else [asks],
    }


def _caches(temporary: Path) -> dict[str, str]:
    """Where torch compiles to. Its import would set them to a folder of its own process, which then cannot be forked."""
    return {"TORCHINDUCTOR_CACHE_DIR": str(temporary / "inductor"), "TRITON_CACHE_DIR": str(temporary / "triton")}


def _weights(job: Mapping[str, Any]) -> dict[str, str]:
    """What has torch take nothing but tensors from a pickle, where the probe reads a checkpoint."""
    probe = job["probe"]
    reads_checkpoint = probe["path"] is None and "path" in probe["options"]
    return {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"} if reads_checkpoint else {}


class _Command(TypedDict):
    command: list[str]
    env: dict[str, str]
    pass_fds: list[int]


class _Watch:
    """Makes the events file, and follows it while the probe runs."""

    def __init__(self, path: Path, on_stage: Callable[[str, str | None], None]) -> None:
        path.touch()
        self._path = path
        self._on_stage = on_stage
        self._lines: list[str] = []
        self._position = 0
        self._seen = 0.0
        self.problem: str | None = None

    def last_sign(self) -> float:
        """When the last event was read (host time)."""
        self.read_all()
        return self._seen

    def read_all(self) -> list[str]:
        """Every complete line so far; `problem` says why there are no more if the file is damaged."""
        if self.problem is not None:
            return self._lines
        try:
            chunk = regular_files.read(self._path, limit=_EVENTS_LIMIT, start=self._position)
        except (OSError, regular_files.RefusedFileError) as problem:
            self.problem = f"its file of events {'is gone' if isinstance(problem, FileNotFoundError) else problem}"
            return self._lines
        complete = chunk[: chunk.rfind(b"\n") + 1]
        self._position += len(complete)
        for line in complete.decode("utf-8", errors="replace").splitlines():
            if len(self._lines) == _EVENTS:
                self.problem = f"it has more than {_EVENTS:,} events"
                break
            self._lines.append(line)
            self._seen = time.time()
            with contextlib.suppress(ValueError, RecursionError):
                event = event_in(line)
                if event["event"] == "begin":
                    self._on_stage(event["stage"], event["subject"])
        return self._lines


_EVENTS_LIMIT = 64 * 2**20
"""Bytes of the longest file of events: a stage writes some kilobytes."""

_EVENTS = 50_000
"""The most events: a variant has some twenty."""
