"""Progress: a live display on a terminal, plain lines elsewhere. Writes to stderr only."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.execution.events import AtStage, Damage, Dealt, Estimated, Event, Judged, Listener, Note, Resolving, Working
from harness.execution.scheduler import TaskEnded, TaskStarted
from harness.foreign_text import line
from harness.model import Status
from harness.report import cost
from harness.report.formats.text import STYLES
from harness.report.tables import GLYPH_LIMIT, GLYPHS, counted
from harness.tasks.interface import Task
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.messages import headline


@contextlib.contextmanager
def listener(console: Console, *, quiet: bool) -> Iterator[Listener]:
    """A listener for the pipeline that shows progress on `console` while the block runs; `quiet` shows damage alone."""
    if quiet:
        yield partial(show_damage, console)
        return
    state = State()
    if not console.is_terminal:
        yield _Lines(console, state).on_event
        return
    with Live(console=console, refresh_per_second=4, transient=True, get_renderable=lambda: render(state)):

        def on_event(event: Event) -> None:
            state.on_event(event)
            if text := _message(event):
                console.print(text, markup=False)

        yield on_event


def show_damage(console: Console, event: Event) -> None:
    """Show `event` if it is damage, which every command reports."""
    if isinstance(event, Damage):
        console.print(event.text, markup=False, highlight=False, soft_wrap=True)


class State:
    """The state that is displayed. Events come from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.resolving: Resolving | None = None
        self.todo: Counter[type[Task]] = Counter()
        self.spent: dict[type[Task], list[float]] = {}
        self.running: dict[Task, tuple[float, str]] = {}
        self.cells = 0
        self.sets = 0
        self.verdicts: Counter[Status] = Counter()
        self.jobs = 1
        self.started = time.monotonic()

    def on_event(self, event: Event) -> None:
        """Take `event` into account."""
        with self._lock:
            match event:
                case Resolving():
                    self.resolving, self.cells = event, event.cells
                case Dealt():
                    self.cells = event.cells
                case Working() if not event.trial:
                    self.todo = Counter(map(type, event.tasks))
                    self.jobs, self.cells = event.jobs, event.cells or self.cells
                case TaskStarted():
                    self.running[event.task] = (time.monotonic(), "")
                case AtStage():
                    self.running[event.task] = (self.running.get(event.task, (time.monotonic(), ""))[0], event.stage)
                case TaskEnded():
                    began, _ = self.running.pop(event.task, (time.monotonic(), ""))
                    self.spent.setdefault(type(event.task), []).append(time.monotonic() - began)
                    self.todo[type(event.task)] -= 1
                case Judged(extra=True):
                    self.sets += 1
                case Judged():
                    self.verdicts[event.verdict.status] += 1
                case Note() | Estimated():
                    pass

    def seconds_left(self) -> float | None:
        """An estimate from the mean time of each kind of task so far; None before every kind has been seen."""
        with self._lock:
            left = 0.0
            for kind, count in self.todo.items():
                if count > 0:
                    times = self.spent.get(kind)
                    if not times:
                        return None
                    left += count * sum(times) / len(times)
            return left / self.jobs

    def snapshot(self) -> list[tuple[Task, float, str]]:
        """(task, seconds since its start, stage) of the running tasks."""
        with self._lock:
            return [(task, time.monotonic() - began, stage) for task, (began, stage) in self.running.items()]


def render(state: State) -> Group:
    """The display of `state`."""
    judged = sum(state.verdicts.values())
    parts = [
        Text(f"{GLYPHS[status]} {count} {status.value}  ", style=STYLES[status]) for status, count in state.verdicts.items()
    ]
    counts = f"{judged}/{state.cells} cells" if state.cells else counted(state.sets, "set") + " judged"
    head = Text.assemble(f"{counts}  ", *parts, f"{_clock(time.monotonic() - state.started)}")
    left = state.seconds_left()
    if left:
        head.append(f", about {_clock(left)} left")
    if not judged and state.resolving:
        head = Text(f"resolving: {state.resolving.done}/{state.resolving.total}")
    table = Table.grid(padding=(0, 2))
    for task, seconds, stage in state.snapshot():
        table.add_row(f"  {seconds:4.0f} s", line(task.label), Text(line(stage), style="bold"))
    return Group(head, table)


class _Lines:
    """Prints a line for each cell as soon as it has a verdict."""

    def __init__(self, console: Console, state: State) -> None:
        self._console = console
        self._state = state

    def on_event(self, event: Event) -> None:
        self._state.on_event(event)
        match event:
            case Note() | Estimated():
                self._print(_message(event))
            case Resolving() if event.done == event.total:
                self._print(f"resolved {counted(event.cells, 'cell')} ({event.total} distinct resolutions)")
            case Dealt():
                self._print(f"shard {event.shard}: {event.cells or 'none'} of {counted(event.of, 'cell')}")
            case Working() if not event.trial:
                counts = Counter(task.kind for task in event.tasks)
                work = ", ".join(counted(count, name) for name, count in counts.items())
                self._print(f"{counted(len(event.tasks), 'task')} to do ({work}), {event.jobs} at a time")
            case Judged(extra=True):
                self._print(_line(event.verdict))
            case Judged():
                self._print(f"[{sum(self._state.verdicts.values())}/{self._state.cells}] {_line(event.verdict)}")
            case _:
                pass

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


def _message(event: Event) -> str:
    """What the user should read of an event; nothing of most events."""
    match event:
        case Note():
            return event.text
        case Estimated():
            return cost.sentence(event.cost)
        case _:
            return ""


def _line(verdict: Verdict) -> str:
    statuses = [variant.status for variant in verdict.variants]
    glyphs = (
        "".join(GLYPHS[status] for status in statuses)
        if len(statuses) <= GLYPH_LIMIT
        else " ".join(f"{GLYPHS[status]}{statuses.count(status)}" for status in GLYPHS if status in statuses)
    )
    reason = next((_reason(variant) for variant in verdict.variants if variant.status is verdict.status and variant.stage), "")
    return f"{verdict.cell.id}  {verdict.status.value} {glyphs}  {reason}".rstrip()


def _reason(variant: VariantVerdict) -> str:
    return f"{variant.stage}: {headline(variant.error.message, 120)}" if variant.error else variant.reason or ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
