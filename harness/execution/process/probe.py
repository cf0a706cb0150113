"""One probe process: write its job, run it within limits, read its events, and say what a sudden end means.

The probe speaks through a file of events (see probe/journal.py), never through stdout. What it printed goes to a
log; a process that dies is judged by its last open `begin` and by how it ended.
"""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

from pydantic import ValidationError

from harness import regular_files
from harness.execution.process.probe_events import RESULT, event_in
from harness.model import Failure, Limits, Stage, StageResult, Status
from harness.store.store import BYTECODE
from harness.subprocesses import Exit, ExitReason, Fork, Supervisor, probe_environment, temporary_in
from harness.tasks import probe_source

CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}
"""Signals a package brings upon its own process; any other came from outside."""

JOB = "job.json"
"""What a process is asked, in the folder that it works in."""

TEMPORARY = "temporary"
"""A link in that folder to the one for temporary files (probe/forkserver.py follows it)."""

_TAIL_LINES = 20


@dataclass(kw_only=True, slots=True)
class ProbeOutput:
    """What a probe process told before it ended."""

    results: dict[str | None, list[StageResult]] = field(default_factory=dict)
    """Subject (None for the process as a whole) → its stages in order."""
    distributions: dict[str | None, dict[str, str]] = field(default_factory=dict)
    """What the process, and each fork of it for a subject, really imported; absent where it died before saying so."""
    peak_memory: int = 0

    def add(self, subject: str | None, result: StageResult) -> None:
        """Append a stage result."""
        self.results.setdefault(subject, []).append(result)


def run_probe(
    python: Path,
    job: Mapping[str, Any],
    *,
    folder: Path,
    temporary: Path,
    log: Path,
    store: Path,
    limits: Limits,
    children: Supervisor,
    on_stage: Callable[[str, str | None], None],
    fork: Fork | None = None,
    bytecode: Path | None = None,
) -> ProbeOutput:
    """Run `job` with `python` and return what it told; never raises for what the probe does.

    `folder` is scratch space, `temporary` the process' folder for temporary files. `log` becomes the output, once it is whole.
    `folder` and `log` lie in `store`, whose path is left out of every message, so that results mean the same elsewhere.
    `on_stage` hears (stage, subject) as each begins. `fork` may have a process that has imported what the job will import.
    `bytecode` is where Python keeps bytecode, instead of the store.

    Raises:
        InterruptedError: the run is being stopped, and the probe was killed.
    """
    events, output = folder / "events.jsonl", folder / "output.log"
    events.touch()
    watch = _Watch(events, on_stage)
    ended = children.run(
        **asked(python, {**job, "events": str(events)}, folder=folder, temporary=temporary, store=store, bytecode=bytecode),
        cwd=folder,
        log=output,
        time_limit=limits.seconds,
        memory_limit=limits.memory,
        last_sign=watch.last_sign,
        fork=fork,
    )
    children.check()
    output.replace(log)
    return read_events(watch.read_all(), ended, limits, log=log, store=store, problem=watch.problem)


def asked(
    python: Path, job: Mapping[str, Any], *, folder: Path, temporary: Path, store: Path, bytecode: Path | None = None
) -> _Request:
    """What a probe's process is started by: `job` is left in `folder`, where it is to work."""
    (folder / JOB).write_text(json.dumps(job), encoding="utf-8")
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (folder / TEMPORARY).symlink_to(temporary)
    prefix = bytecode or store / BYTECODE
    return {
        # Compiled once for all that import a layer, now and in later runs; an environment holds nothing but links.
        "command": [str(python), "-I", "-X", f"pycache_prefix={prefix}", str(probe_source.MAIN), str(folder / JOB)],
        # A home of its own: caches and settings of the user must not reach a verdict. And what it leaves is gone with it.
        "env": probe_environment(HOME=str(home), **temporary_in(temporary), **_caches(temporary)),
    }


def _caches(temporary: Path) -> dict[str, str]:
    """Where torch compiles to. It would set these itself at an import, to a folder of its process, which then is not forked."""
    return {"TORCHINDUCTOR_CACHE_DIR": str(temporary / "inductor"), "TRITON_CACHE_DIR": str(temporary / "triton")}


class _Request(TypedDict):
    command: list[str]
    env: dict[str, str]


class _Watch:
    """Follows the events file while the probe runs."""

    def __init__(self, path: Path, on_stage: Callable[[str, str | None], None]) -> None:
        self._path = path
        self._on_stage = on_stage
        self._lines: list[str] = []
        self._position = 0
        self._seen = 0.0
        self.problem: str | None = None

    def last_sign(self) -> float:
        """When the last event came (host time)."""
        self.read_all()
        return self._seen

    def read_all(self) -> list[str]:
        """Every complete line so far; `problem` says why there are no more, where the probe has spoilt the file."""
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
            self._lines.append(line)
            self._seen = time.time()
            with contextlib.suppress(ValueError, RecursionError):
                event = event_in(line)
                if event["event"] == "begin":
                    self._on_stage(event["stage"], event["subject"])
        return self._lines


_EVENTS_LIMIT = 256 * 2**20
"""Bytes of the longest file of events: a stage says some kilobytes."""


def read_events(
    lines: list[str], ended: Exit, limits: Limits, *, log: Path, store: Path, problem: str | None = None
) -> ProbeOutput:
    """Turn events into stage results; a process that died owes its open stage a verdict.

    `problem` is what is wrong with the file after these lines. Nothing is believed from the first line on that is no event.
    """
    told = ProbeOutput(peak_memory=ended.peak_memory)
    log_name = str(log.relative_to(store))
    open_stage: dict[str, Any] | None = None
    done = False
    for number, line in enumerate(lines, 1):
        try:
            event = event_in(line)
            result = _result(event, log_name, store) if event["event"] == "end" else None
        except (ValueError, RecursionError) as error:
            problem = f"line {number} of its events is none ({_first(error)})"
            break
        match event["event"]:
            case "begin":
                open_stage = event
            case "end" if result is not None:
                open_stage = None
                told.add(event["subject"], result)
            case "doing" if open_stage is not None:
                open_stage["doing"] = event["doing"]
            case "left" if open_stage is not None:
                forked = Exit(ending=ExitReason.EXITED, code=event["code"], peak_memory=0)
                told.add(open_stage["subject"], _cut_short(open_stage, forked, limits, log, log_name))
                open_stage = None
            case "done":
                done = event["subject"] is None
                told.distributions[event["subject"]] = event["distributions"]
                told.peak_memory = max(told.peak_memory, event["peak_rss"])
    if problem is not None:
        stage, subject = (open_stage["stage"], open_stage["subject"]) if open_stage else (Stage.IMPORT, None)
        failure = Failure(type="events", message=f"what the probe tells cannot be believed: {problem}")
        told.add(subject, StageResult(stage=stage, status=Status.ERROR, error=failure, log=log_name, finished=time.time()))
    elif open_stage is not None:
        told.add(open_stage["subject"], _cut_short(open_stage, ended, limits, log, log_name))
    elif not done:
        # Between stages only our own code runs.
        _, failure = sudden_end(ended, limits, "the probe's own code", tail(log))
        told.add(None, StageResult(stage=Stage.IMPORT, status=Status.ERROR, error=failure, log=log_name, finished=time.time()))
    for subject, results in told.results.items():
        told.results[subject] = [replace(one, data={**one.data, "peak_memory": told.peak_memory}) for one in results]
    return told


def _first(error: Exception) -> str:
    """What is wrong with a line, in short."""
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _cut_short(begun: Mapping[str, Any], ended: Exit, limits: Limits, log: Path, log_name: str) -> StageResult:
    """The stage in which a process, or a fork of it, came to its end."""
    where = ", ".join(filter(None, (begun["stage"], begun.get("doing"))))
    status, failure = sudden_end(ended, limits, where, tail(log))
    return StageResult(
        stage=Stage(begun["stage"]),
        status=status,
        seconds=round(time.time() - begun["time"], 3),
        error=failure,
        log=log_name,
        finished=time.time(),
    )


def sudden_end(ended: Exit, limits: Limits, where: str, output: str) -> tuple[Status, Failure]:
    """Whether a process that ended inside `where` states a fact about versions, and the sentence that says so."""
    match ended.ending:
        case ExitReason.TIMEOUT:
            kind, message, status = "timeout", f"no progress in {where} for {limits.seconds:g} s", Status.ERROR
        case ExitReason.MEMORY:
            kind, message, status = "memory", f"more than {limits.memory / 1e9:.1f} GB resident in {where}", Status.ERROR
        case ExitReason.EXITED if ended.code < 0:
            name = _signal_name(-ended.code)
            kind, message = "signal", f"killed by {name} in {where}"
            status = Status.FAILS if -ended.code in CRASHES else Status.ERROR
        case ExitReason.EXITED:
            kind, message, status = "exit", f"the process left with exit code {ended.code} in {where}", Status.FAILS
    return status, Failure(type=kind, message=message, traceback=output)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def tail(log: Path) -> str:
    """The last lines of a log, printable whatever was written to it."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 8192))
        text = file.read().decode("utf-8", errors="replace")
    printable = "".join(character if character.isprintable() or character in "\n\t" else "·" for character in text)
    return "\n".join(printable.splitlines()[-_TAIL_LINES:])


def _result(event: Mapping[str, Any], log_name: str, store: Path) -> StageResult:
    error = event["error"]

    def portable(text: str) -> str:
        return text.replace(f"{store}/", "<store>/")

    failure = error and {
        "type": error["type"],
        "message": portable(error["message"]),
        "traceback": portable(error["traceback"] or ""),
    }
    told = {name: event[name] for name in ("stage", "status", "seconds", "data")}
    return replace(RESULT.validate_python({**told, "error": failure}), log=log_name, finished=time.time())
