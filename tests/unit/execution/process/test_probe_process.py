"""What a probe's events and its end mean together."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from harness.execution.process.probe_process import _Watch
from harness.execution.process.probe_results import classify_exit, read_events, tail
from harness.model import Limits, Stage, Status
from harness.probe.wire import FAILED_ITSELF
from harness.subprocesses import Exit, ExitReason

LIMITS = Limits(seconds=90, memory=6_000_000_000)


def exited(code: int) -> Exit:
    return Exit(ending=ExitReason.EXITED, code=code, peak_memory=0)


def killed(ending: ExitReason) -> Exit:
    return Exit(ending=ending, code=-9, peak_memory=0)


@pytest.mark.parametrize(
    ("ended", "status", "kind", "message"),
    [
        (exited(-11), Status.FAILS, "signal", "killed by SIGSEGV in load"),
        (exited(-6), Status.FAILS, "signal", "killed by SIGABRT in load"),
        (exited(-4), Status.FAILS, "signal", "killed by SIGILL in load"),
        (exited(-5), Status.FAILS, "signal", "killed by SIGTRAP in load"),
        (exited(-9), Status.ERROR, "signal", "killed by SIGKILL in load"),
        (exited(-15), Status.ERROR, "signal", "killed by SIGTERM in load"),
        (exited(0), Status.FAILS, "exit", "the process left with exit code 0 in load"),
        (exited(3), Status.FAILS, "exit", "the process left with exit code 3 in load"),
        (exited(FAILED_ITSELF), Status.ERROR, "probe", "the probe's own code failed in load"),
        (killed(ExitReason.TIMEOUT), Status.ERROR, "timeout", "no progress in load for 90 s"),
        (killed(ExitReason.MEMORY), Status.ERROR, "memory", "more than 6.0 GB resident in load"),
        (killed(ExitReason.PROCESSES), Status.ERROR, "processes", "more than 512 processes in load"),
        (killed(ExitReason.DISK), Status.ERROR, "disk", "more than 2.0 GB of files in load ([run] disk-limit)"),
    ],
)
def test_a_classify_exit_is_a_fact_only_where_the_process_did_it_to_itself(ended, status, kind, message):
    told, failure = classify_exit(ended, LIMITS, "load", "last words")
    assert (told, failure.type, failure.message, failure.traceback) == (status, kind, message, "last words")


def test_a_real_time_signal_has_a_sentence_too():
    status, failure = classify_exit(exited(-40), LIMITS, "load", "")
    assert status is Status.ERROR
    assert "40" in failure.message or "SIG" in failure.message


def begin(stage: str, subject: str | None = None) -> dict[str, Any]:
    return {"event": "begin", "stage": stage, "subject": subject, "time": 1.0}


def end(stage: str, subject: str | None = None, status: str = "works") -> dict[str, Any]:
    return {
        "event": "end",
        "stage": stage,
        "subject": subject,
        "status": status,
        "seconds": 0.5,
        "error": None,
        "data": {"ir": 8},
    }


DONE = {"event": "done", "subject": None, "distributions": {"torch": "2.1.2"}, "peak_rss": 7, "uncompiled": []}


def told(tmp_path: Path, *events: dict[str, Any], ended: Exit):
    return read_events([json.dumps(event) for event in events], ended, LIMITS, log=tmp_path / "logs" / "x.log", store=tmp_path)


def test_stages_are_told_by_subject(tmp_path):
    result = told(tmp_path, begin("import"), end("import"), begin("export", "v"), end("export", "v"), DONE, ended=exited(0))
    assert {subject: [one.stage for one in results] for subject, results in result.results.items()} == {
        None: [Stage.IMPORT],
        "v": [Stage.EXPORT],
    }
    assert result.distributions == {None: {"torch": "2.1.2"}}
    assert result.results["v"][0].data["ir"] == 8
    assert result.results["v"][0].log == "logs/x.log"


def test_a_process_that_dies_owes_its_open_stage(tmp_path):
    result = told(tmp_path, begin("import"), end("import"), begin("export", "v"), ended=exited(-11))
    (open_stage,) = result.results["v"]
    assert (open_stage.stage, open_stage.status) == (Stage.EXPORT, Status.FAILS)
    assert result.distributions == {}


@pytest.mark.parametrize(("refused", "status"), [(True, Status.ERROR), (False, Status.FAILS)])
def test_what_a_confined_process_was_refused_is_an_error(tmp_path, refused, status):
    message = "onnxruntime-node does not load: EACCES: permission denied, open '/x/package.json'"
    error = {"type": "RuntimeFault", "message": message, "traceback": "", "where": "package", "refused": refused}
    lines = [json.dumps(event) for event in (begin("import"), {**end("import", status="fails"), "error": error}, DONE)]
    log = tmp_path / "logs" / "x.log"
    (result,) = read_events(lines, exited(0), LIMITS, log=log, store=tmp_path, confined=refused).results[None]
    assert (result.status, result.error.type) == (status, "sandbox" if refused else "RuntimeFault")


@pytest.mark.parametrize(("confined", "status"), [(True, Status.ERROR), (False, Status.FAILS)])
@pytest.mark.parametrize(
    "words", ["Permission denied", "Error: EACCES: permission denied, open '/x'", "connect EPERM 10.0.0.1"]
)
def test_what_a_confined_process_was_refused_before_it_died_is_an_error(tmp_path, words, confined, status):
    log = tmp_path / "x.log"
    log.write_text(f"{words}\nthe end\n")
    lines = [json.dumps(begin("import"))]
    (result,) = read_events(lines, exited(-6), LIMITS, log=log, store=tmp_path, confined=confined).results[None]
    assert result.status is status


@pytest.mark.parametrize("code", [0, 1, -11])
def test_between_stages_only_the_probe_itself_can_have_died(tmp_path, code):
    result = told(tmp_path, begin("import"), end("import"), ended=exited(code))
    assert result.results[None][-1].status is Status.ERROR
    assert "the probe's own code" in result.results[None][-1].error.message


def test_a_process_that_says_nothing_is_an_error(tmp_path):
    result = told(tmp_path, ended=exited(1))
    assert [one.status for one in result.results[None]] == [Status.ERROR]


def test_dying_after_done_changes_nothing(tmp_path):
    result = told(tmp_path, begin("import"), end("import"), DONE, ended=exited(-11))
    assert [one.status for one in result.results[None]] == [Status.WORKS]


@pytest.mark.parametrize("again", ["load", "decode"])
def test_a_stage_that_comes_again_is_of_another_process(tmp_path, again):
    stages = ["load", "decode", again]
    output = told(tmp_path, *(event(stage, "v") for stage in stages for event in (begin, end)), DONE, ended=exited(0))
    *_, problem = output.results["v"]
    assert problem.status is Status.ERROR
    assert problem.error.message.endswith(f"cannot be believed: line 6 of its events is none ({again} comes again)")


def test_messages_do_not_say_where_the_store_is(tmp_path):
    error = {"type": "OSError", "message": f"no {tmp_path}/artifacts/x", "traceback": None}
    error |= {"where": "package", "refused": False}
    event = {**end("load", "v", "fails"), "error": error}
    assert (
        told(tmp_path, begin("load", "v"), event, DONE, ended=exited(0)).results["v"][0].error.message
        == "no <store>/artifacts/x"
    )


def test_a_tail_is_short_and_printable(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"\n".join(b"line %d \x1b[31m\x00\xff" % number for number in range(10_000)))
    text = tail(log)
    assert len(text.splitlines()) == 20
    assert text.splitlines()[-1].startswith("line 9999 ")
    assert "\x1b" not in text
    assert "\x00" not in text
    assert tail(tmp_path / "none") == ""


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "[" * 100_000,
        "7",
        "{}",
        '{"event": "other"}',
        '{"event": "begin", "stage": "nowhere", "subject": null, "time": 1}',
        json.dumps({**end("import", status="fails"), "error": None}),
        json.dumps({**end("import"), "data": {"findings": 7}}),
        json.dumps({**end("import"), "seconds": math.inf}),
        json.dumps({**DONE, "peak_rss": "x"}),
    ],
)
def test_what_is_no_event_is_an_error_of_the_probe(tmp_path, line):
    lines = [json.dumps(one) for one in (begin("export", "v"), end("export", "v"), begin("load", "v"))]
    found = read_events([*lines, line, json.dumps(DONE)], exited(0), LIMITS, log=tmp_path / "logs" / "x.log", store=tmp_path)
    export, load = found.results["v"]
    assert (export.status, load.stage, load.status, load.error.type) == (Status.WORKS, Stage.LOAD, Status.ERROR, "events")
    assert load.error.message.startswith("what the probe tells cannot be believed: line 4 of its events is none (")
    assert found.distributions == {}


@pytest.mark.parametrize("kind", ["fifo", "folder", "gone"])
def test_a_file_of_events_that_the_probe_has_replaced_is_its_error(tmp_path, kind):
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(begin("load", "v")) + "\n", encoding="utf-8")
    heard = []
    watch = _Watch(path, lambda *stage: heard.append(stage))
    assert watch.last_sign() > 0
    path.unlink()
    if kind != "gone":
        os.mkfifo(path) if kind == "fifo" else path.mkdir()
    lines = watch.read_all()
    log = tmp_path / "logs" / "x.log"
    (load,) = read_events(lines, exited(0), LIMITS, log=log, store=tmp_path, problem=watch.problem).results["v"]
    words = {"fifo": "is a FIFO, not a regular file", "folder": "is a folder, not a regular file", "gone": "is gone"}[kind]
    assert heard == [("load", "v")]
    assert (load.stage, load.status) == (Stage.LOAD, Status.ERROR)
    assert load.error.message == f"what the probe tells cannot be believed: its file of events {words}"
