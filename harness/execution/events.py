"""The events of a run, and who listens to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.execution.cost import Cost
from harness.execution.scheduler import TaskEnded, TaskStarted
from harness.matrix.shard import Shard
from harness.tasks.interface import Task
from harness.verdicts.judge import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A line the user should see."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage(Note):
    """A file of the store is damaged, and counts as absent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolving:
    """How many of the distinct resolutions are done."""

    done: int
    total: int
    cells: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Dealt:
    """Only a share is done here: so many `cells`, `of` all that are planned."""

    shard: Shard
    cells: int
    of: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Working:
    """Work is about to begin."""

    tasks: tuple[Task, ...]
    jobs: int
    cells: int
    """Of the matrix; 0 if the work is for a question about other cells."""
    needed_by: Mapping[Task, Sequence[str]] = field(default_factory=dict)
    """Task → ids of the cells that wait for it."""
    trial: bool = False
    """Whether it belongs to a search, whose rounds are not announced."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimated:
    """About what the work costs that begins now; nothing was fetched for it yet."""

    cost: Cost


@dataclass(frozen=True, kw_only=True, slots=True)
class AtStage:
    """A task has come to this stage."""

    task: Task
    stage: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """Everything a cell rests on is known."""

    verdict: Verdict
    extra: bool = False
    """Whether it is an extra cell: the progress display does not count it among those of the matrix."""


Event = Note | Resolving | Dealt | Estimated | Working | AtStage | Judged | TaskStarted | TaskEnded
Listener = Callable[[Event], None]


def once(listen: Listener) -> Listener:
    """`listen` for a command that opens its store several times: each damage is reported once."""
    reported: set[str] = set()

    def on_event(event: Event) -> None:
        if isinstance(event, Damage):
            if event.text in reported:
                return
            reported.add(event.text)
        listen(event)

    return on_event
