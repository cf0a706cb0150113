"""Failures from `load` on, with what further processes export.

An exporter may write another graph in each process: it walks a set, or has a race. A failure that repeats with one artifact is
a fact about that artifact. It is one about versions only if it comes with what another process exports, too. If that process
leaves the same artifact, nothing else is to be run. If it leaves another one, more of them must fail alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.execution.process.repetition import compared
from harness.model import Stage, StageResult, Status, Variant
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.further_export import LAST_ATTEMPT, ExportAgain
from harness.tasks.graph_run import Run
from harness.tasks.records import Records, has_error, is_above_limits, stages
from harness.tasks.repetitions import TIMES_IF_CHANCE
from harness.verdicts.signature import failure_kind


class _Attempt(NamedTuple):
    """A further export, and how it ended."""

    number: int
    artifact: str | None
    end: list[StageResult]
    remembered: bool
    """Whether later runs know of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ran:
    """A variant that was run with what the first process exported."""

    run: Run
    """The one that counts for its cell."""
    variant: Variant
    artifact: str
    results: list[StageResult]

    @property
    def key(self) -> str:
        return self.run.variant_key(self.variant, self.artifact)

    @property
    def fails(self) -> bool:
        """Whether it failed, and because of what is in the artifact: another graph would have the same stamp."""
        end = self.results[-1]
        return end.status is Status.FAILS and end.stage.number >= Stage.LOAD.number and not is_above_limits(end)

    def attempts(self, records: Records) -> Iterator[_Attempt]:
        """Every further export; no results where it is not known how it ended."""
        for number in range(1, LAST_ATTEMPT + 1):
            again = _again(self.run, [self.variant], number)
            artifact = again.artifact(self.variant, records)
            key = self.run.variant_key(self.variant, artifact) if artifact else again.variant_key(self.variant)
            yield _Attempt(number, artifact, stages(records.get(key)), records.is_remembered(key))


def needed(cells: Iterable[CellTasks], records: Records, untried: Callable[[object], bool]) -> list[Run]:
    """The runs, each with a further export that is not known yet, by which a failure of `cells` is to be confirmed.

    Runs that share an export share the further one. `untried` says of a name whether its work may be done.
    """
    open_ = ((ran, _next(ran, records)) for ran in _ran(cells, records) if ran.fails)
    return _runs(
        (ran.run, ran.variant, attempt)
        for ran, attempt in open_
        if attempt is not None and untried(("exported again", ran.key, attempt))
    )


def last(failures: Iterable[tuple[Run, Variant]]) -> list[Run]:
    """The runs of `failures` with the exports that are made when everything else has run."""
    return _runs((run, variant, LAST_ATTEMPT) for run, variant in failures)


def known(cells: Iterable[CellTasks], records: Records) -> list[Run]:
    """The runs that may have confirmed the failures of `cells` already."""
    failures = [ran for ran in _ran(cells, records) if ran.fails]
    return _runs((ran.run, ran.variant, attempt) for ran in failures for attempt in range(1, LAST_ATTEMPT + 1))


def _runs(attempts: Iterable[tuple[Run, Variant, int]]) -> list[Run]:
    """The runs of variants with further exports, by the number of these; what shares an export shares the further one."""
    found: dict[tuple[str, int], dict[str, tuple[Run, dict[Variant, None]]]] = {}
    for run, variant, attempt in attempts:
        sharing = found.setdefault((run.export.key, attempt), {})
        sharing.setdefault(run.key, (run, {}))[1][variant] = None
    made = []
    for (_, attempt), sharing in found.items():
        exported = {variant.export_id: variant for _, variants in sharing.values() for variant in variants}
        for run, variants in sharing.values():
            again = _again(run, exported.values(), attempt)
            made.append(replace(run, export=again, variants=tuple(variants), undivided=()))
    return made


def settle(cells: Iterable[CellTasks], records: Records, *, working: bool = False) -> None:
    """Record as flaky what failed and, with another export, did not fail alike.

    With `working` also what works and fails with another export: where stores are merged, each may have its own first one.
    """
    for ran in _ran(cells, records):
        results, remember = ran.results, True
        attempts = [attempt for attempt in ran.attempts(records) if attempt.end]
        if ran.fails:
            for attempt in attempts:
                if attempt.number == LAST_ATTEMPT and has_error(attempt.end):
                    continue  # it was confirmed before, and an error does not take that back
                if results[-1].status is Status.FAILS:
                    results, remember = compared(results, attempt.end), remember and attempt.remembered
        elif working and results[-1].ok:
            failing = (attempt.end for attempt in attempts if attempt.artifact and attempt.end[-1].status is Status.FAILS)
            results = next((compared(end, results) for end in failing), results)
        if results != ran.results:
            if results[-1].status is Status.FLAKY and ran.fails:
                records.repeated.chance.add(failure_kind(ran.results[-1]))
            records.put(ran.key, results, remember=remember)


def _next(ran: _Ran, records: Records) -> int | None:
    """The number of the next export that a failure needs; None if it is confirmed."""
    wanted = records.repeated.times(failure_kind(ran.results[-1]))
    for attempt in ran.attempts(records):
        if attempt.artifact != ran.artifact and attempt.end:
            wanted = TIMES_IF_CHANCE
        if attempt.number > wanted:
            break
        if not attempt.end:
            return attempt.number
    return None


def _again(run: Run, variants: Iterable[Variant], attempt: int) -> ExportAgain:
    export = run.export
    return ExportAgain(closure=export.closure, model=export.model, variants=tuple(variants), attempt=attempt)


def _ran(cells: Iterable[CellTasks], records: Records) -> Iterator[_Ran]:
    """Each result of a run that `cells` rest on, once."""
    seen = set()
    for cell in (cell.counting(records) for cell in cells):
        for variant in cell.resolved.planned.variants:
            artifact = cell.export.artifact(variant, records)
            key = cell.run.variant_key(variant, artifact) if artifact else None
            if artifact and key not in seen and (results := stages(records.get(key or ""))):
                seen.add(key)
                yield _Ran(run=cell.run, variant=variant, artifact=artifact, results=results)
