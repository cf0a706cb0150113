"""The events of a probe: what a journal writes is what the host reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.execution.process.probe_events import event_in
from harness.probe.journal import Journal
from harness.probe.outcome import NotRun, ProbeFailure


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "events.jsonl"
    return path, Journal(str(path))


def read(path: Path) -> list[dict]:
    lines = path.read_text().splitlines()
    for line in lines:
        event_in(line)  # raises where the host would refuse it
    return [json.loads(line) for line in lines]


def test_a_stage_that_works_has_its_data(events):
    path, journal = events
    with journal.stage("load", "v") as stage:
        stage.data["findings"] = []
    begin, end = read(path)
    assert stage.works
    assert (begin["event"], begin["stage"], begin["subject"]) == ("begin", "load", "v")
    assert (end["status"], end["error"], end["data"]) == ("works", None, {"findings": []})


@pytest.mark.parametrize(
    ("exc", "status", "message"),
    [
        (ProbeFailure("it differs, that is all"), "fails", "it differs, that is all"),
        (ValueError("a package failed"), "fails", "a package failed"),
        (SystemExit(3), "fails", "SystemExit: 3"),
        (MemoryError("no memory is left"), "error", "no memory is left"),
    ],
)
def test_an_exception_ends_the_stage_and_is_described(events, exc, status, message):
    path, journal = events
    with journal.stage("export") as stage:
        stage.data["ir"] = 8
        raise exc
    _, end = read(path)
    assert not stage.works
    assert (end["status"], end["data"]["ir"]) == (status, 8)
    assert end["error"]["message"].startswith(message)


def test_what_cannot_exist_is_not_run_with_the_reason(events):
    path, journal = events
    with journal.stage("export"):
        raise NotRun("no such opset")
    assert (read(path)[-1]["status"], read(path)[-1]["data"]) == ("not-run", {"reason": "no such opset"})


def test_an_interrupt_is_passed_on_and_leaves_the_stage_open(events):
    path, journal = events
    with pytest.raises(KeyboardInterrupt), journal.stage("export"):
        raise KeyboardInterrupt
    assert [event["event"] for event in read(path)] == ["begin"]


def test_a_step_that_may_kill_the_process_is_recorded_before_it(events):
    path, journal = events
    with journal.stage("import", "i") as stage:
        stage.doing("creating a session")
    assert [event["event"] for event in read(path)] == ["begin", "doing", "end"]


def test_the_last_events_are_those_the_host_reads(events):
    path, journal = events
    journal.left("i", -11)
    journal.done({"numpy": "2.0.0"})
    left, done = read(path)
    assert left == {"event": "left", "subject": "i", "code": -11}
    assert (done["subject"], done["distributions"], done["peak_rss"] > 0) == (None, {"numpy": "2.0.0"}, True)


def test_the_events_go_on_where_a_package_has_closed_every_descriptor(events, tmp_path):
    path, journal = events
    with journal.stage("export"):
        os.close(journal._descriptor)
        # The number is free, and the next file gets it.
        own = os.open(tmp_path / "package.txt", os.O_WRONLY | os.O_CREAT)
        assert own == journal._descriptor
    os.close(own)
    assert [event["event"] for event in read(path)] == ["begin", "end"]
    assert (tmp_path / "package.txt").read_text() == ""
