"""Which tasks have no stored result yet, and which stored results a run invalidates."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from harness.tasks.interface import Task
from harness.tasks.records import Records, stages


def outstanding(tasks: Iterable[Task], records: Records) -> list[Task]:
    """The distinct tasks without a stored result, after the installs and exports that they need.

    An export that several tasks need has the imports of all of them beside it.
    """
    tasks = list(tasks)
    equal: dict[Task, list[Task]] = {}
    for task in tasks:
        equal.setdefault(task, []).append(task)
    return [task.combined(equal[task], records) if task in equal else task for task in _outstanding(tasks, records)]


def _outstanding(tasks: Iterable[Task], records: Records) -> list[Task]:
    found: dict[Task, None] = {}
    for task in tasks:
        if task not in found and task.is_pending(records):
            for key in task.lost_artifacts(records):
                records.hide(key)
            for need in task.needs:
                found.update(dict.fromkeys(_outstanding([need], records)))
                if need.installs:
                    # Its result may be known; its environment is needed again.
                    found[need] = None
            found[task] = None
    return list(found)


def invalidate(tasks: Iterable[Task], records: Records, *, everything: bool, statuses: Collection[str]) -> None:
    """Hide the stored results of `tasks` until they are made again: `everything`, or only those with one of the `statuses`."""
    # All keys first: once an export is hidden, the keys of its runs are not known any more.
    for key in to_invalidate(tasks, records, everything=everything, statuses=statuses):
        records.ignore(key)


def to_invalidate(tasks: Iterable[Task], records: Records, *, everything: bool, statuses: Collection[str]) -> set[str]:
    """The keys of the stored results of `tasks` that this run has to make again, and has not yet."""
    if not (everything or statuses):
        return set()
    keys = {key for task in tasks for key in task.keys(records) if not records.is_made(key)}
    known = {key: stages(records.get(key)) for key in keys}
    return {key for key in keys if known[key] and (everything or any(result.status in statuses for result in known[key]))}


def concerned(task: Task, records: Records) -> set[str]:
    """The keys of everything that `task` reads or produces."""
    return {key for item in (task, *task.needs) for key in item.keys(records)}
