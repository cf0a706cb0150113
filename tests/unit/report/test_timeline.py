"""What ran in which lane, as a trace and as a picture."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from values import resolved, tasks_of

from harness.execution.stopwatch import StageSpan, TaskSpan, Timings
from harness.report import timeline

CELL = tasks_of(resolved())
HOSTILE = "</title><script>alert(1)</script>\x1b[31m&amp;"


def timings(*spans: TaskSpan, **given: float) -> Timings:
    """Two probes at once on four cores; the first task can begin after a second."""
    return Timings(**{"wall": 10.0, "cpu": 12.0, "own_cpu": 1.0, "prepared": 1.0, "jobs": 2, "cores": 4, **given}, spans=spans)


INSTALL = TaskSpan(task=CELL.installs[0], began=1.0, ended=2.0)
EXPORT = TaskSpan(
    task=CELL.export,
    began=2.0,
    ended=5.0,
    stages=(StageSpan(name="eager", began=2.5, ended=3.0), StageSpan(name="export pair", began=3.0, ended=5.0)),
    cells=("a", "b"),
)
RUN = TaskSpan(task=CELL.run, began=5.0, ended=7.0, cells=("a",))
BESIDE = TaskSpan(task=CELL.run, began=4.0, ended=9.0, cells=("b",))
SEVERAL = timings(INSTALL, EXPORT, BESIDE, RUN)


def test_a_lane_does_one_task_after_the_other():
    assert [(lane.name, lane.spans, lane.idle) for lane in timeline.lanes(SEVERAL)] == [
        ("probe 1", [EXPORT, RUN], [(1.0, 2.0), (7.0, 9.0)]),
        ("probe 2", [BESIDE], [(1.0, 4.0)]),
        ("install 1", [INSTALL], ()),
    ]


def test_a_lane_that_is_never_used_is_idle():
    lanes = timeline.lanes(timings(EXPORT))
    assert [(lane.name, lane.idle) for lane in lanes] == [("probe 1", [(1.0, 2.0)]), ("probe 2", [(1.0, 5.0)])]


def test_a_run_that_had_nothing_to_do():
    nothing = timings(prepared=10.0)
    assert timeline.lanes(nothing) == []
    assert "0 tasks" in ET.fromstring(timeline.picture(nothing)).findtext("{*}desc")
    assert {event["name"] for event in events(nothing) if event["ph"] == "X"} == {"resolve", "CPU time ÷ cores"}


def events(measured: Timings) -> list[dict]:
    return json.loads(timeline.trace(measured))["traceEvents"]


def test_the_trace_has_a_thread_for_each_lane():
    made = events(SEVERAL)
    named = {event["tid"]: event["args"]["name"] for event in made if event["name"] == "thread_name"}
    assert named == {0: "resolve", 1: "least time", 2: "probe 1", 3: "probe 2", 4: "install 1"}
    times = [(event["tid"], event["name"], event["cat"], event["ts"], event["dur"]) for event in made if event["ph"] == "X"]
    assert times == [
        (0, "resolve", "resolve", 0, 1_000_000),
        (1, "CPU time ÷ cores", "floor", 0, 3_000_000),
        (2, CELL.export.label, "export", 2_000_000, 3_000_000),
        (2, "eager", "stage", 2_500_000, 500_000),
        (2, "export pair", "stage", 3_000_000, 2_000_000),
        (2, CELL.run.label, "run", 5_000_000, 2_000_000),
        (3, CELL.run.label, "run", 4_000_000, 5_000_000),
        (4, CELL.installs[0].label, "install", 1_000_000, 1_000_000),
    ]
    assert [event["args"] for event in made if event.get("cat") == "export"] == [{"cells": ["a", "b"]}]
    assert {event["pid"] for event in made} == {1}


def test_the_trace_counts_the_probes_at_work():
    counted = [(event["ts"] / 1e6, event["args"]["probes"]) for event in events(SEVERAL) if event["ph"] == "C"]
    assert counted == [(2.0, 1), (4.0, 2), (5.0, 1), (5.0, 2), (7.0, 1), (9.0, 0)]


def drawn(measured: Timings) -> tuple[list[tuple[str, str]], str]:
    """(class or pattern, tooltip) of each rectangle that has one, and all text of the picture."""
    root = ET.fromstring(timeline.picture(measured))
    groups = [(group.find("{*}rect"), group.findtext("{*}title")) for group in root.iterfind(".//{*}g")]
    shapes = [(rect, title) for rect, title in groups if title]
    shapes += [(rect, rect.findtext("{*}title")) for rect in root.iterfind(".//{*}rect") if rect.findtext("{*}title")]
    return [(rect.get("class") or rect.get("fill"), title) for rect, title in shapes], " ".join(root.itertext())


def test_the_picture_shows_tasks_with_stages_and_cells_and_what_was_idle():
    shapes, text = drawn(SEVERAL)
    assert ("task export", f"{CELL.export.label}: 3.0 s\neager: 0.5 s\nexport pair: 2.0 s\nfor a, b") in shapes
    assert ("url(#idle)", "probe 2: idle for 3.0 s") in shapes
    assert ("resolve", "resolve: 1.0 s until the first task could begin") in shapes
    assert len(shapes) == 8
    assert "10.0 s with 2 probes at once; the least time is 3.0 s" in text


def test_places_in_the_picture_follow_the_time():
    root = ET.fromstring(timeline.picture(SEVERAL))
    (floor,) = [line for line in root.iterfind(".//{*}line") if line.get("class") == "floor"]
    (export,) = [rect for rect in root.iterfind(".//{*}rect") if rect.get("class") == "task export"]
    assert (floor.get("x1"), floor.findtext("{*}title")) == ("450.0", "CPU time ÷ 4 cores: 3.0 s")
    assert (export.get("x"), export.get("width")) == ("330.0", "360.0")


def test_a_tooltip_names_five_cells():
    shapes, _ = drawn(timings(TaskSpan(task=CELL.run, began=1.0, ended=2.0, cells=tuple("abcdefg"))))
    assert ("task run", f"{CELL.run.label}: 1.0 s\nfor a, b, c, d, e, and 2 more") in shapes


def test_foreign_text_only_shows():
    stage = StageSpan(name=HOSTILE, began=1.0, ended=2.0)
    measured = timings(TaskSpan(task=CELL.run, began=1.0, ended=2.0, stages=(stage,), cells=(HOSTILE,)))
    picture = timeline.picture(measured)
    assert "<script" not in picture
    assert "\x1b" not in picture
    shapes, _ = drawn(measured)
    shown = HOSTILE.replace("\x1b", "\\x1b")
    assert ("task run", f"{CELL.run.label}: 1.0 s\n{shown}: 1.0 s\nfor {shown}") in shapes
    assert [event["name"] for event in events(measured) if event.get("cat") == "stage"] == [HOSTILE]


@pytest.mark.parametrize("wall", [0.0, 0.004, 7.0, 400.0, 86_400.0])
def test_there_are_about_ten_ticks(wall):
    root = ET.fromstring(timeline.picture(timings(wall=wall, cpu=0.0)))
    ticks = [line for line in root.iterfind(".//{*}line") if line.get("class") == "tick"]
    assert 5 <= len(ticks) <= 13
