"""Where the time of a run went."""

from __future__ import annotations

import packages
import pytest
from values import resolved, tasks_of

from harness.execution.events import AtStage, Working
from harness.execution.scheduler import TaskEnded, TaskStarted
from harness.execution.stopwatch import Stopwatch


def test_spans_lanes_and_floor():
    now = [10.0]
    heard = []
    stopwatch = Stopwatch(listen=heard.append, cores=2, clock=lambda: now[0])
    cell = tasks_of(resolved())

    def at(seconds: float, event) -> None:
        now[0] = 10.0 + seconds
        stopwatch.on_event(event)

    at(1, Working(tasks=cell.all, jobs=2, cells=1, needed_by={cell.export: ["a", "b"]}))
    at(1, TaskStarted(task=cell.installs[0]))
    at(3, TaskEnded(task=cell.installs[0]))
    at(3, TaskStarted(task=cell.export))
    at(4, AtStage(task=cell.export, stage="eager"))
    at(6, AtStage(task=cell.export, stage="export pair"))
    at(7, TaskEnded(task=cell.export))
    at(7, TaskStarted(task=cell.run))
    at(8, TaskEnded(task=cell.run))
    now[0] = 18.5
    timings = stopwatch.timings()
    assert (timings.wall, timings.prepared, timings.jobs) == (8.5, 1.0, 2)
    assert (timings.busy(installs=True), timings.busy(installs=False)) == (2.0, 5.0)
    assert timings.probing == (3.0, 8.0)
    assert timings.floor == pytest.approx(timings.cpu / 2)
    assert len(heard) == 9
    _, export, run = timings.spans
    assert [(stage.name, stage.began, stage.ended) for stage in export.stages] == [
        ("eager", 4.0, 6.0),
        ("export pair", 6.0, 7.0),
    ]
    assert (export.cells, run.cells, run.stages) == (("a", "b"), (), ())


def test_a_search_alone_has_times_too(project):
    project.publish(packages.onnxruntime("1.17.0", on_run="raise RuntimeError('a bug')"), packages.onnxruntime("1.17.1"))
    project.configure({"onnxruntime": ["1.17.0"]})
    project.main("run")
    project.remedies = True
    answer = project.main("run", "--timings", "--jobs", "2")
    assert "remedies: " in answer.err
    assert "probes: 2 at once" in answer.err


def test_a_run_says_where_its_time_went(project):
    answer = project.main("run", "--timings", "--quiet")
    assert answer.code == 0, answer.err
    assert "where the time went" in answer.err
    assert "export torch 2.1.0 tf 4.46.3 onnx 1.16.2" in answer.err
    assert "floor on" in answer.err
    nothing = project.main("run", "--timings", "--quiet")
    assert "probes:" not in nothing.err
    assert "resolve" in nothing.err
    assert "where the time went" not in project.main("run", "--quiet").err
