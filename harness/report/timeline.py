"""`run --timeline`: which lane did what and when, as a Chrome trace or as a picture.

A lane is a place of the scheduler: `--jobs` of them have probes, others installs. A task is in one lane from its beginning
to its end; with dask's workers it is in flight meanwhile, on whatever machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.execution.stopwatch import TaskSpan, Timings
from harness.foreign_text import escaped_json
from harness.report import templating

_SHOWN = 5
"""Cells that a tooltip of the picture names; a trace names all."""
_WIDTH, _LEFT, _ROW = 1200, 90, 24
"""Of the stretch of time, of the names of lanes, and the height of a lane, in units of the picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """What ran in one place, one task after the other."""

    name: str
    spans: Sequence[TaskSpan]
    idle: Sequence[tuple[float, float]]
    """(begin, end) of the stretches in which it had nothing to do while tasks ran elsewhere; none for installs."""


def lanes(timings: Timings) -> list[Lane]:
    """Probes, as many as may run at once, and then installs."""
    probes = _dealt(span for span in timings.spans if not span.task.installs)
    probes += [[] for _ in range(timings.jobs - len(probes))] if timings.spans else []
    installs = _dealt(span for span in timings.spans if span.task.installs)
    begin, end = timings.prepared, max((span.ended for span in timings.spans), default=0.0)
    return [
        *(Lane(name=f"probe {n}", spans=spans, idle=list(_gaps(spans, begin, end))) for n, spans in enumerate(probes, 1)),
        *(Lane(name=f"install {n}", spans=spans, idle=()) for n, spans in enumerate(installs, 1)),
    ]


def _dealt(spans: Iterable[TaskSpan]) -> list[list[TaskSpan]]:
    """Each span in the first lane that is free when it begins."""
    made: list[list[TaskSpan]] = []
    for span in sorted(spans, key=lambda span: (span.began, span.ended)):
        free = next((lane for lane in made if lane[-1].ended <= span.began), None)
        if free is None:
            made.append(free := [])
        free.append(span)
    return made


def _gaps(spans: Sequence[TaskSpan], begin: float, end: float) -> Iterator[tuple[float, float]]:
    edges = [begin, *(edge for span in spans for edge in (span.began, span.ended)), end]
    # From the end of one span to the beginning of the next.
    yield from ((left, right) for left, right in list(pairwise(edges))[::2] if right > left)


def trace(timings: Timings) -> str:
    """JSON of trace events, which chrome://tracing and Perfetto read: a thread for each lane, stages inside tasks."""
    rows: list[tuple[str, Iterable[dict[str, Any]]]] = [
        ("resolve", [_complete("resolve", "resolve", 0.0, timings.prepared)]),
        ("least time", [_complete("CPU time ÷ cores", "floor", 0.0, timings.floor, cpu=timings.cpu, cores=timings.cores)]),
        *((lane.name, _tasks(lane)) for lane in lanes(timings)),
    ]
    events: list[dict[str, Any]] = [{"ph": "M", "name": "process_name", "pid": 1, "args": {"name": "export-matrix run"}}]
    for number, (name, made) in enumerate(rows):
        place = {"pid": 1, "tid": number}
        events.append({"ph": "M", "name": "thread_name", **place, "args": {"name": name}})
        events.append({"ph": "M", "name": "thread_sort_index", **place, "args": {"sort_index": number}})
        events += [{**event, **place} for event in made]
    events += _busy(timings)
    return escaped_json(json.dumps({"displayTimeUnit": "ms", "traceEvents": events}, indent=1)) + "\n"


def _tasks(lane: Lane) -> Iterator[dict[str, Any]]:
    for span in lane.spans:
        yield _complete(span.task.label, span.task.kind, span.began, span.ended, cells=span.cells)
        for stage in span.stages:
            yield _complete(stage.name, "stage", stage.began, stage.ended)


def _complete(name: str, category: str, began: float, ended: float, **arguments: object) -> dict[str, Any]:
    """An event with a beginning and a duration, in microseconds."""
    times = {"ts": round(began * 1e6), "dur": round(ended * 1e6) - round(began * 1e6)}
    return {"ph": "X", "name": name, "cat": category, **times, "args": arguments}


def _busy(timings: Timings) -> Iterator[dict[str, Any]]:
    """How many probes ran at a time, as a counter."""
    probes = [span for span in timings.spans if not span.task.installs]
    changes = sorted([(span.began, 1) for span in probes] + [(span.ended, -1) for span in probes])
    running = 0
    for at, change in changes:
        running += change
        yield {"ph": "C", "name": "probes at work", "pid": 1, "ts": round(at * 1e6), "args": {"probes": running}}


def picture(timings: Timings) -> str:
    """An SVG; raises ReportError where a template of the user is wrong."""
    drawn = lanes(timings)
    whole = max(timings.wall, timings.floor, 1e-3)
    return templating.render(
        "timeline.svg",
        timings=timings,
        lanes=drawn,
        kinds=list(dict.fromkeys(span.task.kind for lane in drawn for span in lane.spans)),
        ticks=list(_ticks(whole)),
        x=lambda seconds: round(_LEFT + seconds / whole * _WIDTH, 1),
        left=_LEFT,
        row=_ROW,
        width=_LEFT + _WIDTH + 40,
        cells=_cells,
    )


def _cells(span: TaskSpan) -> str:
    more = len(span.cells) - _SHOWN
    return ", ".join([*span.cells[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _ticks(seconds: float) -> Iterator[float]:
    """About ten round times."""
    step = next(step * 10.0**power for power in range(-4, 9) for step in (1, 2, 5) if seconds / (step * 10.0**power) <= 12)
    yield from (round(number * step, 4) for number in range(int(seconds / step) + 1))


FORMS = {".json": trace, ".svg": picture}
"""Suffix of a file → what is written to it."""


def write(timings: Timings, path: Path) -> None:
    """Write the timeline in the form that the suffix of `path` names. Raises OSError."""
    path.write_text(FORMS[path.suffix](timings), encoding="utf-8")
