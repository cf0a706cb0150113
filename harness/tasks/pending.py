"""What of a task is still to be done, told by what is known; and having it done again."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable

from harness.model import Stage, Status, Variant
from harness.tasks.records import Records, stages
from harness.tasks.tasks import Evaluate, Export, Import, Install, Run, Task, needs


def artifact_of(export: Export, variant: Variant, facts: Records) -> str | None:
    """The digest of what the export of `variant` has left to run; None where there is nothing, or it is not known."""
    record = facts.get(export.variant_key(variant))
    return record.artifact if record and all(result.ok for result in record.stages) else None


def runnable(run: Run | Evaluate, facts: Records) -> list[tuple[Variant, str]]:
    """(variant, artifact digest) of every variant whose export has left something to run."""
    found = ((variant, artifact_of(run.export, variant, facts)) for variant in run.variants)
    return [(variant, artifact) for variant, artifact in found if artifact]


def missing(task: Task, facts: Records) -> bool:
    """Whether `task` has something to do that the store does not know yet and that can be done."""
    if not isinstance(task, Install) and _cannot_be(Install(closure=task.closure), facts):
        return False
    match task:
        case Install():
            return facts.get(task.key) is None
        case Export():
            return bool(missing_exports(task, facts) or missing_imports(task, facts)) or facts.get(task.key) is None
        case Run() | Evaluate():
            return missing(task.export, facts) or bool(missing_runs(task, facts))


def _cannot_be(install: Install, facts: Records) -> bool:
    return any(result.status in {Status.FAILS, Status.FLAKY} for result in stages(facts.get(install.key)))


def missing_imports(task: Export, facts: Records) -> list[Import]:
    """Imports without a result; none where the export side cannot be imported even by itself."""
    if any(result.stage is Stage.IMPORT and not result.ok for result in stages(facts.get(task.key))):
        return []
    return [one for one in task.imports if facts.get(one.key) is None and not _cannot_be(Install(closure=one.parts[1]), facts)]


def forget_lost(run: Run | Evaluate, facts: Records) -> None:
    """Take an export for unknown whose files are gone or damaged and a run still needs them; the next one replaces them."""
    for variant, artifact in missing_runs(run, facts):
        if not facts.store.artifacts.intact(artifact):
            facts.hide(run.export.variant_key(variant))


def missing_exports(task: Export, facts: Records) -> list[Variant]:
    """Export variants without a result; none where eager PyTorch has failed already."""
    reference = stages(facts.get(task.key))
    if reference and not all(result.ok for result in reference):
        return []
    return [variant for variant in task.variants if facts.get(task.variant_key(variant)) is None]


def missing_runs(task: Run | Evaluate, facts: Records) -> list[tuple[Variant, str]]:
    """Runnable variants without a result; none where the export side's process failed or the run side cannot be imported."""
    if not all(result.ok for key in (task.export.key, task.key) for result in stages(facts.get(key))):
        return []
    # By key: the evaluator knows no bindings, and what differs by them alone is one evaluation.
    wanted = {task.variant_key(*one): one for one in runnable(task, facts)}
    return [one for key, one in wanted.items() if facts.get(key) is None]


def repeat(tasks: Iterable[Task], facts: Records, *, everything: bool, statuses: Collection[str]) -> None:
    """Have the results of `tasks` made again: `everything`, or only those with one of the `statuses`."""
    # All keys first: once an export is ignored, nobody knows any more which runs rest on it.
    for key in to_repeat(tasks, facts, everything=everything, statuses=statuses):
        facts.ignore(key)


def to_repeat(tasks: Iterable[Task], facts: Records, *, everything: bool, statuses: Collection[str]) -> set[str]:
    """The keys of results of `tasks` that this run has to make again, and has not yet."""
    if not (everything or statuses):
        return set()
    keys = {key for task in tasks for key in _keys(task, facts) if not facts.is_made(key)}
    return {key for key in keys if everything or any(result.status in statuses for result in stages(facts.get(key)))}


def concerned(task: Task, facts: Records) -> set[str]:
    """Where everything is stored that `task` looks at or finds out."""
    return {key for one in (task, *needs(task)) for key in _keys(one, facts)}


def _keys(task: Task, facts: Records) -> list[str]:
    """Where the results of `task` are stored, as far as that is known yet."""
    match task:
        case Install():
            return [task.key]
        case Export():
            return [task.key, *map(task.variant_key, task.variants), *(one.key for one in task.imports)]
        case Run() | Evaluate():
            return [task.key, *itertools.starmap(task.variant_key, runnable(task, facts))]
