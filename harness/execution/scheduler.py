"""The work graph over an Executor: what is ready runs, cell by cell; results arrive as events.

Two lanes: probes use cores and are limited by `--jobs`; installs use the network and the disk, and never take a core's
place from a probe. Memory is shared out too: what would not fit beside what runs waits for its turn, and
something smaller goes first; so does something else where a probe would wait for what another one is importing.
"""

from __future__ import annotations

import bisect
import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

from harness.tasks.pending import forget_lost, missing, missing_imports
from harness.tasks.records import Records
from harness.tasks.tasks import Evaluate, Export, Import, Install, Run, Task, imported_alike, needs


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskStarted:
    """A task began."""

    task: Task


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskEnded:
    """A task came to its end; its results are in the store."""

    task: Task


Event = TaskStarted | TaskEnded

INSTALLS = 2
"""At once on a machine: one links what uv's cache holds while another one fetches what it lacks."""


def outstanding(tasks: Iterable[Task], facts: Records) -> list[Task]:
    """The distinct tasks that the store has no result for, with the installs and exports that they need.

    An export that several ask for has the imports of all of them beside it.
    """
    tasks = list(tasks)
    beside: dict[Export, dict[Import, None]] = {}
    for task in tasks:
        if isinstance(task, Export):
            beside.setdefault(task, {}).update(dict.fromkeys(missing_imports(task, facts)))
    todo = _outstanding(tasks, facts)
    return [replace(task, imports=tuple(beside.get(task, ()))) if isinstance(task, Export) else task for task in todo]


def _outstanding(tasks: Iterable[Task], facts: Records) -> list[Task]:
    wanted: dict[Task, None] = {}
    for task in tasks:
        if isinstance(task, (Run, Evaluate)):
            forget_lost(task, facts)
        if task not in wanted and missing(task, facts):
            for need in needs(task):
                wanted.update(dict.fromkeys(_outstanding([need], facts)))
                if isinstance(need, Install):
                    wanted[need] = None
            wanted[task] = None
    return list(wanted)


def execute(
    tasks: Iterable[Task],
    perform: Callable[[Task], None],
    executor: Executor,
    *,
    probes: int,
    installs: int = 1,
    on_event: Callable[[Event], None],
    order: Mapping[Task, int],
    deadline: float = math.inf,
    memory: Callable[[Task], float] = lambda _task: 0.0,
    available: float = math.inf,
) -> bool:
    """Run `tasks`, each after the ones it needs; returns when all have ended, and whether all were begun.

    After `deadline`, by the monotonic clock, none is begun any more. What runs needs no more than `available` bytes by
    what `memory` says of each task, unless it is one task alone.

    `order` is the place of the first cell that waits for a task: cells come to their verdicts one after another, and
    what shares an environment runs while it is there. Raises what `on_event` raises, and KeyboardInterrupt at once: the
    caller stops the children.
    """
    # Equal tasks stand for each other, and these are the ones that know all that is to be done.
    known = {task: task for task in tasks}
    sorter = TopologicalSorter({task: [known[need] for need in needs(task) if need in known] for task in known})
    sorter.prepare()
    number = itertools.count()
    ready: dict[bool, list[tuple[int, int, int, Task]]] = {True: [], False: []}
    free = {True: installs, False: probes}
    running: dict[Future[None], Task] = {}
    alike: dict[Task, frozenset[tuple[str, ...]]] = {}
    imported: set[tuple[str, ...]] = set()

    def fits(task: Task) -> bool:
        probes_now = [one for one in running.values() if not isinstance(one, Install)]
        return not probes_now or memory(task) + sum(map(memory, probes_now)) <= available

    def turn(queue: Sequence[tuple[int, int, int, Task]]) -> int | None:
        """The place in `queue` of the probe that is to begin now."""
        importing = frozenset[tuple[str, ...]]().union(*(alike[task] for task in running.values())) - imported
        least: tuple[float, int | None] = (math.inf, None)
        for place, (*_, task) in enumerate(queue):
            if fits(task) and (waits_for := len(alike[task] & importing)) < least[0]:
                least = (waits_for, place)
                if waits_for == 0:
                    break
        return least[1]

    while sorter.is_active():
        for task in sorter.get_ready():
            alike[task] = imported_alike(task)
            bisect.insort(ready[isinstance(task, Install)], (order.get(task, 0), _RANK[type(task)], next(number), task))
        for lane, queue in ready.items():
            while free[lane] and time.monotonic() < deadline:
                place = (0 if queue else None) if lane else turn(queue)
                if place is None:
                    break
                *_, task = queue.pop(place)
                free[lane] -= 1
                on_event(TaskStarted(task=task))
                running[executor.submit(perform, task)] = task
        if not running:
            return False
        # The timeout lets a signal reach the main thread between completions.
        finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
        for future in finished:
            task = running.pop(future)
            free[isinstance(task, Install)] += 1
            future.result()
            imported |= alike[task]
            sorter.done(task)
            on_event(TaskEnded(task=task))
    return True


_RANK: dict[type[Task], int] = {Install: 0, Export: 1, Run: 2, Evaluate: 2}
"""Within a cell the longest first: exports take many times what a run takes, and runs wait for them."""
