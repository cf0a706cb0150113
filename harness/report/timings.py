"""`--timings` in a terminal: a line for each kind of task, the lanes, and how far from the floor it was."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from harness.execution.timings import Timings

_KINDS = ("install", "export", "run", "evaluate")


def show(timings: Timings, out: Console) -> None:
    """Print where the time went; seconds of tasks are wall time, of which several pass at once."""
    table = Table(title="where the time went", title_justify="left", header_style="bold")
    for name in ("work", "tasks", "seconds", "longest", "which"):
        table.add_column(name, justify="right" if name in {"tasks", "seconds", "longest"} else "left")
    table.add_row("resolve", "", f"{timings.prepared:.1f}", "", "")
    for name in _KINDS:
        spans = [span for span in timings.spans if span.task.kind == name]
        if spans:
            longest = max(spans, key=lambda span: span.seconds)
            seconds = sum(span.seconds for span in spans)
            table.add_row(name, str(len(spans)), f"{seconds:.1f}", f"{longest.seconds:.1f}", longest.task.label)
    out.print(table)
    began, ended = timings.probing
    available = (ended - began) * timings.jobs
    if available:
        busy = timings.busy(installs=False)
        out.print(
            f"probes: {timings.jobs} at once from {began:.1f} s to {ended:.1f} s, busy for {busy / available:.0%} of that; "
            f"installs: busy for {timings.busy(installs=True):.1f} s"
        )
    ratio = f", wall time is {timings.wall / timings.floor:.2f} times that" if timings.floor else ""
    out.print(
        f"wall {timings.wall:.1f} s; CPU {timings.cpu:.1f} s ({timings.own_cpu:.1f} s of it the harness), "
        f"floor on {timings.cores} cores {timings.floor:.1f} s{ratio}"
    )
