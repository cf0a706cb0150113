"""Records → verdicts: a pure function of plan, locks and records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.environments.lock_records import without_build
from harness.environments.resolved import Resolved
from harness.matrix.schema import Variants
from harness.matrix.variants import deciding
from harness.model import Cell, Failure, Stage, StageResult, Status, Variant
from harness.stack import HELPERS
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.records import Records, stages
from harness.verdicts import cross_checks
from harness.verdicts.cross_checks import CrossChecks, Runtimes
from harness.verdicts.signature import signature

NOT_REACHED = "not run yet"


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantVerdict:
    """The verdict on one variant of one cell."""

    variant: Variant
    status: Status
    results: tuple[StageResult, ...]
    """The stages that it went through, in order; the last one decides."""
    opinions: Mapping[str, StageResult] = field(default_factory=dict)
    """If this runtime failed to run the artifact: name of another runtime → the result of the stage that decided there."""
    controls: Mapping[str, StageResult] = field(default_factory=dict)
    """One change (`feedback keep-cross`, `binding numpy`, `model t5`) → the result of the stage that decided with it."""

    @property
    def last(self) -> StageResult:
        """The result that decided: of the first stage that did not work, or of parity."""
        return self.results[-1]

    @property
    def stage(self) -> Stage | None:
        """The first stage that did not work; None if all did."""
        return None if self.status is Status.WORKS else self.last.stage

    @property
    def error(self) -> Failure | None:
        """Why that stage did not work."""
        return self.last.error

    @property
    def signature(self) -> str | None:
        """The fingerprint of that failure: equal faults have equal signatures."""
        return signature(self.last.stage, self.error) if self.error else None

    @property
    def outcomes(self) -> Sequence[str]:
        """How a flaky variant ended, first and when it was repeated; empty for all others."""
        return self.last.data.get("outcomes", ()) if self.status is Status.FLAKY else ()

    @property
    def reason(self) -> str | None:
        """Why it was not run."""
        return self.last.data.get("reason") if self.status is Status.NOT_RUN else None

    @property
    def open(self) -> bool:
        """Whether a run would give a result. A variant that the probe did not run cannot exist, and is not open."""
        return self.status is Status.NOT_RUN and self.last.data.get("open", False)

    @property
    def missing(self) -> Mapping[str, Any]:
        """The module that is missing, as the probe reports it: `module`, and the `distribution` that has it; else empty."""
        return self.last.data.get("missing") or {}

    @property
    def missing_module(self) -> str | None:
        """The module that is missing, and that no distribution of the cell has; None if it failed for another reason."""
        module = self.missing.get("module")
        return module if isinstance(module, str) else None

    def with_reason(self, reason: str) -> VariantVerdict:
        """The same, with the reason why it was not run yet."""
        if not self.open:
            return self
        last = replace(self.last, data={**self.last.data, "reason": reason})
        return replace(self, results=(*self.results[:-1], last))


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The verdict on one cell."""

    resolved: Resolved
    status: Status
    variants: tuple[VariantVerdict, ...]

    @property
    def cell(self) -> Cell:
        """The cell itself."""
        return self.resolved.cell

    @property
    def open(self) -> bool:
        """Whether it was not run, and a run would give a result."""
        return self.status is Status.NOT_RUN and any(variant.open for variant in self.variants)

    def with_reason(self, reason: str) -> Verdict:
        """The same, with the reason why it was not run yet."""
        return replace(self, variants=tuple(variant.with_reason(reason) for variant in self.variants))


def judge(
    resolved: Resolved, tasks: CellTasks | None, records: Records, variants: Variants, runtimes: Runtimes | None = None
) -> Verdict:
    """The verdict on a cell from `records`; `variants` says which variants decide. With `runtimes` it has cross-checks."""
    tasks = tasks.counting(records) if tasks is not None else None
    shared = _shared_steps(tasks, records) if tasks is not None else []
    verdicts = [
        _of_variant(variant, _chain(resolved, tasks, records, variant, shared)) for variant in resolved.planned.variants
    ]
    if tasks is not None and runtimes is not None and any(verdict.status is not Status.WORKS for verdict in verdicts):
        checks = cross_checks.known(tasks, records, runtimes)
        pairs = [(verdict, checks.get(verdict.variant, CrossChecks())) for verdict in verdicts]
        verdicts = [replace(verdict, opinions=own.runtimes, controls=own.consumers) for verdict, own in pairs]
    decisive = set(deciding(variants, resolved.cell, resolved.planned.variants))
    status = _cell_status([verdict for verdict in verdicts if verdict.variant in decisive], variants.require)
    return Verdict(resolved=resolved, status=status, variants=tuple(verdicts))


def _of_variant(variant: Variant, results: Sequence[StageResult]) -> VariantVerdict:
    for number, result in enumerate(results):
        if not result.ok:
            return VariantVerdict(variant=variant, status=result.status, results=tuple(results[: number + 1]))
    if results and results[-1].stage is Stage.PARITY:
        return VariantVerdict(variant=variant, status=Status.WORKS, results=tuple(results))
    following = list(Stage)[results[-1].stage.number + 1] if results else Stage.RESOLVE
    unknown = StageResult(stage=following, status=Status.NOT_RUN, data={"reason": NOT_REACHED, "open": True})
    return VariantVerdict(variant=variant, status=Status.NOT_RUN, results=(*results, unknown))


def _cell_status(verdicts: Sequence[VariantVerdict], require: str) -> Status:
    """The status of a cell with these verdicts on its deciding variants.

    With `any` a variant that works is enough, and the cell fails only if all fail. Otherwise all that can exist must work.
    An error or a flaky variant never counts as a fact, nor does a variant that is still to be run.
    """
    decisive, otherwise = (Status.WORKS, Status.FAILS) if require == "any" else (Status.FAILS, Status.WORKS)
    statuses = {verdict.status for verdict in verdicts}
    for status in (decisive, Status.ERROR, Status.FLAKY):
        if status in statuses:
            return status
    unresolved = any(verdict.status is Status.NOT_RUN and verdict.last.stage is Stage.RESOLVE for verdict in verdicts)
    unfinished = unresolved or any(verdict.open for verdict in verdicts)
    return otherwise if otherwise in statuses and not unfinished else Status.NOT_RUN


Steps = list[list[StageResult]]
"""The results of stages that follow each other; a step without results is not known yet."""


def _chain(resolved: Resolved, tasks: CellTasks | None, records: Records, variant: Variant, shared: Steps) -> list[StageResult]:
    """The results of a variant's stages, in order, up to the first that is unknown or did not work."""
    if tasks is None or not resolved.result.ok:
        return [resolved.result]
    if reason := dict(resolved.dropped).get(HELPERS.get(variant.exporter, "")):
        failure = Failure(type="unsatisfiable", message=f"{HELPERS[variant.exporter]} cannot be added: {reason}")
        refused = StageResult(stage=Stage.RESOLVE, status=Status.FAILS, error=failure, finished=resolved.result.finished)
        return [without_build(refused)]
    chain = [resolved.result]
    for step in (*shared, *_variant_steps(tasks, records, variant)):
        chain += step
        if not step or not all(result.ok for result in step):
            break
    return chain


def _shared_steps(tasks: CellTasks, records: Records) -> Steps:
    """What all variants of a cell go through: installs, imports, PyTorch alone."""
    installs = [stages(records.get(task.key)) for task in tasks.installs]
    exporting = tasks.export.reference(records)
    reference = [result for result in exporting if result.stage is Stage.EAGER or not result.ok]
    # If the export side cannot be imported by itself, it was not imported beside the run side.
    alone = [result for result in exporting if result.stage is Stage.IMPORT and not result.ok]
    imports = _side_imports(tasks, records) if tasks.together is None else alone or tasks.export.imported(records)
    return [_combined(Stage.INSTALL, installs), imports, reference]


def _variant_steps(tasks: CellTasks, records: Records, variant: Variant) -> Steps:
    artifact = tasks.export.artifact(variant, records)
    run: list[StageResult] = []
    if artifact:
        imported = [result for result in tasks.run.counted(lambda run: run.key, records) if not result.ok]
        run = imported or tasks.run.counted(lambda run: run.variant_key(variant, artifact), records)
    return [tasks.export.exported(variant, records), run]


def _side_imports(tasks: CellTasks, records: Records) -> list[StageResult]:
    """The stage `import` of a handoff cell, which each side does in a process of its own.

    If nothing was exported, the run side has nothing to do. Then its imports do not count, even if other cells have them.
    """
    exported = any(tasks.export.artifact(variant, records) for variant in tasks.resolved.planned.variants)
    sides = [tasks.export.reference(records), *([stages(records.get(tasks.run.key))] if exported else [])]
    return _combined(Stage.IMPORT, [[result for result in side if result.stage is Stage.IMPORT] for side in sides if side])


def _combined(stage: Stage, parts: Sequence[Sequence[StageResult]]) -> list[StageResult]:
    """Several results of one stage as one: the first that did not work, or the sum; empty while one is unknown."""
    results = [result for part in parts for result in part]
    for result in results:
        if not result.ok:
            return [result]
    if not results or not all(parts):
        return []
    return [
        StageResult(
            stage=stage,
            status=Status.WORKS,
            seconds=round(sum(result.seconds for result in results), 3),
            finished=max(result.finished for result in results),
        )
    ]
