"""What is shown while it runs."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from values import resolved, result, tasks_of

from harness.cli import progress
from harness.cli.progress import State, listener, render
from harness.execution.events import AtStage, Judged, Note, Resolving, Working
from harness.execution.scheduler import TaskEnded, TaskStarted
from harness.model import Stage, Status
from harness.verdicts.judge import judge


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


@pytest.fixture
def tasks():
    return tasks_of(resolved())


def do(state: State, clock: Clock, task, seconds: float) -> None:
    state.on_event(TaskStarted(task=task))
    clock.now += seconds
    state.on_event(TaskEnded(task=task))


def test_the_estimate_is_mean_times_count_over_jobs(clock, tasks):
    others = [tasks_of(resolved(onnxruntime=version)) for version in ("1.17.0", "1.18.0")]
    runs = [tasks.run, *(other.run for other in others)]
    state = State()
    state.on_event(Working(tasks=(tasks.export, *runs), jobs=2, cells=3))
    assert state.seconds_left() is None
    do(state, clock, tasks.export, 10)
    assert state.seconds_left() is None
    do(state, clock, runs[0], 4)
    assert state.seconds_left() == pytest.approx(4)
    do(state, clock, runs[1], 8)
    assert state.seconds_left() == pytest.approx(3)
    do(state, clock, runs[2], 6)
    assert state.seconds_left() == 0


def test_the_snapshot_shows_what_runs_for_how_long_and_where_it_is(clock, tasks):
    state = State()
    state.on_event(TaskStarted(task=tasks.export))
    clock.now += 2
    state.on_event(AtStage(task=tasks.export, stage="eager"))
    clock.now += 1
    assert state.snapshot() == [(tasks.export, 3.0, "eager")]
    state.on_event(TaskEnded(task=tasks.export))
    assert state.snapshot() == []


def shown(state: State) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(render(state))
    return out.getvalue()


def test_the_board_counts_verdicts_and_names_tasks(clock, tasks):
    state = State()
    state.on_event(Resolving(done=3, total=7, cells=9))
    assert "resolving: 3/7" in shown(state)
    state.on_event(Working(tasks=(tasks.export,), jobs=1, cells=7))
    failed = replace(resolved(), result=result(Stage.RESOLVE, Status.FAILS))
    state.on_event(Judged(verdict=judge(failed, None, None, tasks_wanted())))
    state.on_event(TaskStarted(task=tasks.export))
    clock.now += 65
    text = shown(state)
    assert "1/7 cells" in text
    assert "✗ 1 fails" in text
    assert "1:05" in text
    assert "export torch 2.1.2 tf 4.46.3 onnx 1.16.2" in text


def test_a_question_is_no_cell_of_the_matrix(clock, tasks):
    failed = replace(resolved(), result=result(Stage.RESOLVE, Status.FAILS))
    verdict = judge(failed, None, None, tasks_wanted())
    state = State()
    state.on_event(Working(tasks=(tasks.export,), jobs=1, cells=0))
    for _ in range(2):
        state.on_event(Judged(verdict=verdict, extra=True))
    assert "2 sets judged" in shown(state)
    state.on_event(Working(tasks=(tasks.export,), jobs=1, cells=7))
    state.on_event(Judged(verdict=verdict))
    state.on_event(Working(tasks=(tasks.export,), jobs=1, cells=0))
    state.on_event(Judged(verdict=verdict, extra=True))
    assert "1/7 cells  ✗ 1 fails" in shown(state)


def tasks_wanted():
    from harness.matrix.schema import Variants

    return Variants()


def test_plain_lines_where_there_is_no_terminal():
    out = io.StringIO()
    with listener(Console(file=out, width=80), quiet=False) as listen:
        listen(Note(text="[torch] is not markup " + "x" * 100))
        listen(Resolving(done=1, total=2, cells=3))
        listen(Resolving(done=2, total=2, cells=3))
    note, resolved_line = out.getvalue().splitlines()
    assert note == "[torch] is not markup " + "x" * 100
    assert resolved_line.startswith("resolved 3 cells")


def test_quiet_is_silent():
    out = io.StringIO()
    with listener(Console(file=out), quiet=True) as listen:
        listen(Note(text="hush"))
    assert out.getvalue() == ""


def test_a_live_board_leaves_nothing_but_the_notes_behind():
    out = io.StringIO()
    with listener(Console(file=out, force_terminal=True, width=80), quiet=False) as listen:
        listen(Note(text="torch: cpu builds"))
        listen(Resolving(done=1, total=1, cells=1))
    assert "torch: cpu builds" in out.getvalue()


def test_a_note_on_a_terminal_is_not_markup():
    out = io.StringIO()
    with listener(Console(file=out, force_terminal=True, width=80, highlight=False), quiet=False) as listen:
        listen(Note(text="torch: … ([uv] torch-backend overrides)"))
    assert "[uv]" in out.getvalue()
