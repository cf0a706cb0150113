"""`--timings` as a page: a row for each kind of task, and how far the run was from the least time it could take."""

from __future__ import annotations

from collections.abc import Iterator

from harness.execution.stopwatch import Timings
from harness.report.page import Page, Paragraph, Table

_KINDS = ("install", "export", "run", "evaluate")


def page(timings: Timings) -> Page[Timings]:
    """Where the time went; seconds of tasks are wall time, and several tasks run at once."""
    began, ended = timings.probing
    available = (ended - began) * timings.jobs
    busy = timings.busy(installs=False) / available if available else 0
    probes = (
        f"probes: {timings.jobs} at once from {began:.1f} s to {ended:.1f} s, busy for {busy:.0%} of that; "
        f"installs: busy for {timings.busy(installs=True):.1f} s"
    )
    ratio = f", wall time is {timings.wall / timings.floor:.2f} times that" if timings.floor else ""
    wall = (
        f"wall {timings.wall:.1f} s; CPU {timings.cpu:.1f} s ({timings.own_cpu:.1f} s of it the harness), "
        f"floor on {timings.cores} cores {timings.floor:.1f} s{ratio}"
    )
    return Page(
        title="where the time went",
        blocks=[
            Table(header=["work", "tasks", "seconds", "longest", "which"], rows=list(_rows(timings))),
            *([Paragraph(text=probes)] if available else []),
            Paragraph(text=wall),
        ],
        data=None,
        source=timings,
    )


def _rows(timings: Timings) -> Iterator[list[str]]:
    yield ["resolve", "", f"{timings.prepared:.1f}", "", ""]
    for name in _KINDS:
        spans = [span for span in timings.spans if span.task.kind == name]
        if spans:
            longest = max(spans, key=lambda span: span.seconds)
            seconds = sum(span.seconds for span in spans)
            yield [name, str(len(spans)), f"{seconds:.1f}", f"{longest.seconds:.1f}", longest.task.label]
