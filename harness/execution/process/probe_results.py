"""The events of a probe process → its stage results. A process that dies is judged by its open stage and its exit."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness import quantities
from harness.execution.process.probe_events import RESULT, event_in
from harness.model import Failure, Limits, Stage, StageResult, Status
from harness.probe.outcome import tells_refusal
from harness.probe.signals import CRASHES, signal_name
from harness.probe.wire import FAILED_ITSELF
from harness.subprocesses import PROCESSES, Exit, ExitReason
from harness.tasks.interface import ProbeOutput, Subject

_TAIL_LINES = 20

REFUSED = "sandbox"
"""The type of the error of a confined process that was refused something."""


def read_events(
    lines: list[str],
    ended: Exit,
    limits: Limits,
    *,
    log: Path,
    store: Path,
    problem: str | None = None,
    confined: bool = False,
) -> ProbeOutput:
    """Turn events into stage results.

    `problem` is what is wrong with the file after these lines. From the first line that is no event, nothing is believed.
    What a `confined` process was refused is an error.
    """
    output = ProbeOutput(peak_memory=ended.peak_memory)
    reader = _EventReader(limits=limits, log=log, store=store, output=output, confined=confined)
    for number, line in enumerate(lines, 1):
        try:
            reader.read(event_in(line))
        except (ValueError, RecursionError) as error:
            problem = f"line {number} of its events is none ({_first(error)})"
            break
    reader.end(ended, problem)
    output.note(peak_memory=output.peak_memory)
    return output


@dataclass(kw_only=True, slots=True)
class _EventReader:
    """What the events have said so far."""

    limits: Limits
    log: Path
    store: Path
    output: ProbeOutput
    confined: bool
    open_stage: dict[str, Any] | None = field(default=None)
    """The `begin` of the stage that has no end yet."""
    done: bool = False

    def read(self, event: dict[str, Any]) -> None:
        """Take in one event.

        Raises:
            ValueError: its result is not one, or not the next one of its subject.
        """
        match event["event"]:
            case "begin":
                self.open_stage = event
            case "end":
                result, earlier = self._result(event), self.output.results.get(event["subject"], [])
                if any(one.stage.number >= result.stage.number for one in earlier):
                    raise ValueError(f"{result.stage} comes again")
                self.output.add(event["subject"], result)
                self.open_stage = None
            case "doing" if self.open_stage is not None:
                self.open_stage["doing"] = event["doing"]
            case "left" if self.open_stage is not None:
                self._cut_short(self.open_stage, Exit(ending=ExitReason.EXITED, code=event["code"], peak_memory=0))
                self.open_stage = None
            case "done":
                self.done = event["subject"] is None
                self.output.distributions[event["subject"]] = event["distributions"]
                self.output.uncompiled += event["uncompiled"]
                self.output.peak_memory = max(self.output.peak_memory, event["peak_rss"])

    def end(self, ended: Exit, problem: str | None) -> None:
        """Judge what the process has left open."""
        if problem is not None:
            stage, subject = (self.open_stage["stage"], self.open_stage["subject"]) if self.open_stage else (Stage.IMPORT, None)
            self._error(stage, subject, Failure(type="events", message=f"what the probe tells cannot be believed: {problem}"))
        elif self.open_stage is not None:
            self._cut_short(self.open_stage, ended)
        elif not self.done:
            # Between stages only the harness's own code runs.
            _, failure = classify_exit(ended, self.limits, "the probe's own code", tail(self.log))
            self._error(Stage.IMPORT, None, failure)

    def _error(self, stage: Stage, subject: str | None, failure: Failure) -> None:
        result = StageResult(stage=stage, status=Status.ERROR, error=failure, log=self._log_name, finished=time.time())
        self.output.add(subject, result)

    def _cut_short(self, begun: Mapping[str, Any], ended: Exit) -> None:
        """Add the result of the stage in which a process, or a fork of it, ended."""
        where = ", ".join(filter(None, (begun["stage"], begun.get("doing"))))
        status, failure = classify_exit(ended, self.limits, where, tail(self.log))
        if self.confined and status is Status.FAILS and tells_refusal(failure.traceback):
            status, failure = Status.ERROR, _refused(failure)
        result = StageResult(
            stage=Stage(begun["stage"]),
            status=status,
            seconds=round(time.time() - begun["time"], 3),
            error=failure,
            log=self._log_name,
            finished=time.time(),
        )
        self.output.add(begun["subject"], result)

    def _result(self, event: Mapping[str, Any]) -> StageResult:
        error = event["error"]
        failure = error and {
            "type": error["type"],
            "message": self._portable(error["message"]),
            "traceback": self._portable(error["traceback"] or ""),
            "raised_in": error["where"],
        }
        fields = {name: event[name] for name in ("stage", "status", "seconds", "data")}
        result = RESULT.validate_python({**fields, "error": failure})
        if result.error and error["refused"]:
            result = replace(result, status=Status.ERROR, error=_refused(result.error))
        return replace(result, log=self._log_name, finished=time.time())

    def _portable(self, text: str) -> str:
        return text.replace(f"{self.store}/", "<store>/")

    @property
    def _log_name(self) -> str:
        return str(self.log.relative_to(self.store))


def _refused(failure: Failure) -> Failure:
    """The error of a confined process that was refused something, or may have been."""
    message = f"{failure.message} ({failure.type}; the sandbox may have refused it: --sandbox off tries it without)"
    return replace(failure, type=REFUSED, message=message)


def refuse_large(output: ProbeOutput, large: Collection[Subject], limits: Limits) -> None:
    """Have the exports that are too `large` be errors; all results if the process has left too much besides (None)."""
    failure = Failure(type="disk", message=f"it left more than {quantities.text(limits.disk)} of files ([run] disk-limit)")
    for subject, results in output.results.items():
        if (None in large or subject in large) and results[-1].status in {Status.WORKS, Status.FAILS}:
            results[-1] = replace(results[-1], status=Status.ERROR, error=failure)


def _first(error: Exception) -> str:
    """What is wrong with a line."""
    if not isinstance(error, ValidationError):
        return str(error) if type(error) is ValueError else type(error).__name__
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def classify_exit(ended: Exit, limits: Limits, where: str, output: str) -> tuple[Status, Failure]:
    """Whether a process that ended inside `where` proves a failure of the versions, and the message."""
    match ended.ending:
        case ExitReason.TIMEOUT:
            kind, message, status = "timeout", f"no progress in {where} for {limits.seconds:g} s", Status.ERROR
        case ExitReason.MEMORY:
            kind, message, status = "memory", f"more than {limits.memory / 1e9:.1f} GB resident in {where}", Status.ERROR
        case ExitReason.PROCESSES:
            kind, message, status = "processes", f"more than {PROCESSES} processes in {where}", Status.ERROR
        case ExitReason.DISK:
            kind, status = "disk", Status.ERROR
            message = f"more than {quantities.text(limits.disk)} of files in {where} ([run] disk-limit)"
        case ExitReason.EVENTS:
            kind, message, status = "events", f"what the probe tells cannot be believed in {where}", Status.ERROR
        case ExitReason.EXITED if ended.code < 0:
            name = signal_name(-ended.code)
            kind, message = "signal", f"killed by {name} in {where}"
            status = Status.FAILS if -ended.code in CRASHES else Status.ERROR
        case ExitReason.EXITED if ended.code == FAILED_ITSELF:
            kind, message, status = "probe", f"the probe's own code failed in {where}", Status.ERROR
        case ExitReason.EXITED:
            kind, message, status = "exit", f"the process left with exit code {ended.code} in {where}", Status.FAILS
    return status, Failure(type=kind, message=message, traceback=output)


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
