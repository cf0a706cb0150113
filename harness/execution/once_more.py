"""Failures run once more, when everything else has run.

A package that fails twice by chance and then works would make a remedy, or a proof, of whatever was changed meanwhile. So one
failure of each signature, variant and task is run again after all changes: what fails then was not mended by the time that
passed. A second record beside that of the failure says how it ended.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.execution import exported_again
from harness.execution.process.repetition import compared
from harness.execution.session import Session
from harness.execution.work import Origin, Work
from harness.model import Stage, Status, Variant
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.graph_run import Run
from harness.tasks.interface import Task
from harness.tasks.keys import key_of
from harness.tasks.pending import outstanding
from harness.tasks.records import Records, is_above_limits, stages
from harness.tasks.repetitions import WORDLESS, FailureKind
from harness.verdicts.judge import VariantVerdict, Verdict

_NOT_OF_THE_PROBE = {Stage.RESOLVE, Stage.INSTALL}

_PARTS = 64
"""Into so many parts all failures of a store are dealt, which are claimed as a whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFailure:
    """A failure, where it is stored, and the task that gives it."""

    key: str
    kind: FailureKind
    task: Task
    tasks: CellTasks
    run: tuple[Run, Variant] | None
    """Of a failure with an artifact: the run that gave it, and the variant."""


def work(session: Session, verdicts: Iterable[tuple[CellTasks | None, Verdict]]) -> Work | None:
    """The failures among `verdicts` that are still to be run once more; their results are held back until `record_outcomes`.

    None if another run has done something about one of them since: then these verdicts are to be judged again.
    """
    chosen = [found for found in unconfirmed(session, verdicts) if session.untried(("once more", found.key))]
    if not _claimed(session, chosen):
        return None
    for found in chosen:
        session.records.hold_back(found.key)
    # What failed with an artifact may do so because of that one alone, and by chance with each that was made until now.
    exported = exported_again.last(found.run for found in chosen if found.run)
    session.invalidate_runs(exported)
    own = [task for found in chosen for task in (found.tasks.export, found.tasks.run)]
    tasks = outstanding([*own, *exported], session.records)
    if not tasks:
        # Nothing can run them again, and what is known of them counts.
        session.records.held_back()
        session.release_claims()
    return Work(tasks=tuple(tasks), origin=Origin.ONCE_MORE)


def _claimed(session: Session, chosen: Sequence[StoredFailure]) -> bool:
    """Have no other run on this store run these once more until `record_outcomes`; False if one has changed them meanwhile."""
    records, before = session.records, {found.key: session.records.get(found.key) for found in chosen}
    # What an earlier call has left would be waited for in vain.
    session.release_claims()
    # All runs claim in one order, so that no two wait for each other.
    for part in sorted({_part(key) for key in before}):
        session.claim(part)
    # Another run may have ended long ago, so whether this one had to wait says nothing.
    if before:
        records.read_anew([*before, *map(second_key, before)])
    changed = any(records.get(found.key) != before[found.key] or _is_confirmed(found, records) for found in chosen)
    if changed:
        session.release_claims()
    return not changed


def _part(key: str) -> str:
    """What is claimed for the failure under `key`, and others: each claim takes a descriptor, and failures may be thousands."""
    return key_of("once more", int(key[:2], 16) % _PARTS)


def record_outcomes(session: Session) -> bool:
    """Record how the failures ended that were run once more; returns whether there were any."""
    try:
        return _record_outcomes(session.records)
    finally:
        session.release_claims()


def _record_outcomes(records: Records) -> bool:
    held = records.held_back()
    # Who was told to make it anew (`--force`) has no claim on it.
    records.read_anew(held)
    for key, again in held.items():
        known = records.get(key)
        if known is None or again is None or not any(result.status is Status.FAILS for result in known.stages):
            # The budget was over, an environment is gone, or it is no failure any more.
            continue
        results = compared(known.stages, again.stages)
        if results[-1].status is Status.FLAKY:
            records.put(key, results)
        elif results[-1].status is Status.FAILS:
            if results != list(known.stages):
                # It failed again, with another message.
                records.put(key, results)
            records.put(second_key(key), again.stages)
    return bool(held)


def unconfirmed(session: Session, verdicts: Iterable[tuple[CellTasks | None, Verdict]]) -> list[StoredFailure]:
    """One failure of each task, variant and kind, if none of these has been run once more, and each crash.

    All of a kind that was flaky anywhere.
    """
    records, groups = session.records, dict[tuple[str, str, FailureKind], dict[str, StoredFailure]]()
    for tasks, cell in verdicts:
        for variant in cell.variants if tasks else ():
            kind = (variant.last.stage, variant.signature or "")
            if variant.status is Status.FLAKY:
                records.repeated.chance.add(kind)
            elif variant.status is Status.FAILS and kind[0] not in _NOT_OF_THE_PROBE:
                assert tasks is not None
                if found := _failing(tasks, variant, kind, records):
                    where = found.key if variant.error and variant.error.type in WORDLESS else found.task.key
                    groups.setdefault((where, variant.variant.id, kind), {})[found.key] = found
    chosen: dict[str, StoredFailure] = {}
    for (*_, kind), failing in groups.items():
        open_ = {key: found for key, found in failing.items() if not _is_confirmed(found, records)}
        if kind in records.repeated.chance:
            chosen |= open_
        elif len(open_) == len(failing):
            chosen |= itertools.islice(open_.items(), 1)
    return list(chosen.values())


def _is_confirmed(found: StoredFailure, records: Records) -> bool:
    """Whether it was run once more, and failed alike, after the results that count now were made."""
    known, again = (stages(records.get(key)) for key in (found.key, second_key(found.key)))
    return bool(known and again) and again[-1].finished >= known[-1].finished


def second_key(key: str) -> str:
    """The key of the second record of a failure."""
    return key_of("once more", key)


def _failing(tasks: CellTasks, variant: VariantVerdict, kind: FailureKind, records: Records) -> StoredFailure | None:
    """Where the result that decided on a variant is stored; None if another process has changed the store."""
    counting = tasks.counting(records)
    export, run, artifact = counting.export, counting.run, counting.export.artifact(variant.variant, records)
    keys: dict[str, Task] = {export.key: tasks.export, export.variant_key(variant.variant): tasks.export, run.key: tasks.run}
    keys |= {item.key: tasks.export for item in export.imports}
    if artifact:
        keys[run.variant_key(variant.variant, artifact)] = tasks.run
    found = next((key for key in keys if variant.last in stages(records.get(key))), None)
    if found is None:
        return None
    with_artifact = None
    if artifact and found == run.variant_key(variant.variant, artifact) and not is_above_limits(variant.last):
        with_artifact = (run, variant.variant)
    return StoredFailure(key=found, kind=kind, task=keys[found], tasks=tasks, run=with_artifact)
