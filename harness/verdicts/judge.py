"""Results → verdicts: a pure function of the plan, the locks and the facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.environments.resolver import Resolved
from harness.matrix.plan import deciding
from harness.matrix.schema import Variants
from harness.model import Cell, Failure, Stage, StageResult, Status, Variant
from harness.stack import HELPERS
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.records import Records, stages
from harness.verdicts.cross_checks import CrossChecks, Runtimes, told

NOT_REACHED = "not run yet"


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantVerdict:
    """One variant of one cell."""

    variant: Variant
    status: Status
    results: tuple[StageResult, ...]
    """The stages it went through, in order; the last one decides."""
    opinions: Mapping[str, StageResult] = field(default_factory=dict)
    """What other runtimes made of the same artifact, where this one failed to run it: name → the stage that decided."""
    controls: Mapping[str, StageResult] = field(default_factory=dict)
    """What the same gave with one thing changed: `feedback keep-cross`, `binding numpy`, `model t5` → the deciding stage."""

    @property
    def last(self) -> StageResult:
        """The stage that decided: the first that did not work, or parity."""
        return self.results[-1]

    @property
    def stage(self) -> Stage | None:
        """The first stage that did not work; None where all did."""
        return None if self.status is Status.WORKS else self.last.stage

    @property
    def error(self) -> Failure | None:
        """Why."""
        return self.last.error

    @property
    def outcomes(self) -> Sequence[str]:
        """How a flaky variant ended, first and when it was repeated; empty for every other."""
        return self.last.data.get("outcomes", ()) if self.status is Status.FLAKY else ()

    @property
    def reason(self) -> str | None:
        """Why it was not run."""
        return self.last.data.get("reason") if self.status is Status.NOT_RUN else None

    @property
    def open(self) -> bool:
        """Whether a run would say more; what the probe itself did not run cannot exist."""
        return self.status is Status.NOT_RUN and self.last.data.get("open", False)

    def because(self, reason: str) -> VariantVerdict:
        """The same, with the reason why nobody has run it yet."""
        if not self.open:
            return self
        last = replace(self.last, data={**self.last.data, "reason": reason})
        return replace(self, results=(*self.results[:-1], last))


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One cell."""

    resolved: Resolved
    status: Status
    variants: tuple[VariantVerdict, ...]

    @property
    def cell(self) -> Cell:
        """The cell itself."""
        return self.resolved.cell

    @property
    def open(self) -> bool:
        """Whether nothing is known of it that a run would not better."""
        return self.status is Status.NOT_RUN and any(one.open for one in self.variants)

    def because(self, reason: str) -> Verdict:
        """The same, with the reason why nobody has run it yet."""
        return replace(self, variants=tuple(one.because(reason) for one in self.variants))


def judge(
    resolved: Resolved, tasks: CellTasks | None, facts: Records, wanted: Variants, runtimes: Runtimes | None = None
) -> Verdict:
    """The verdict on a cell from what is known now, with what `runtimes` and the evaluator said where it failed."""
    judged = tuple(_judge_variant(variant, _chain(resolved, tasks, facts, variant)) for variant in resolved.planned.variants)
    if tasks is not None and runtimes is not None:
        opinions = told(tasks, facts, runtimes)
        judged = tuple(_with(one, opinions[one.variant]) if one.variant in opinions else one for one in judged)
    names = set(deciding(wanted, resolved.cell, resolved.planned.variants))
    status = _cell_status([one for one in judged if one.variant in names], wanted.require)
    return Verdict(resolved=resolved, status=status, variants=judged)


def _with(verdict: VariantVerdict, opinions: CrossChecks) -> VariantVerdict:
    return replace(verdict, opinions=opinions.runtimes, controls=opinions.consumers)


def _judge_variant(variant: Variant, results: Sequence[StageResult]) -> VariantVerdict:
    for number, result in enumerate(results):
        if not result.ok:
            return VariantVerdict(variant=variant, status=result.status, results=tuple(results[: number + 1]))
    if results and results[-1].stage is Stage.PARITY:
        return VariantVerdict(variant=variant, status=Status.WORKS, results=tuple(results))
    following = list(Stage)[list(Stage).index(results[-1].stage) + 1] if results else Stage.RESOLVE
    unknown = StageResult(stage=following, status=Status.NOT_RUN, data={"reason": NOT_REACHED, "open": True})
    return VariantVerdict(variant=variant, status=Status.NOT_RUN, results=(*results, unknown))


def _cell_status(judged: Sequence[VariantVerdict], require: str) -> Status:
    """`any`: one working variant is enough, and only all failing ones fail. Otherwise all that can exist must work.

    An error never hides as a fact, nor does a flaky variant, nor what is still to be run.
    """
    decisive, otherwise = (Status.WORKS, Status.FAILS) if require == "any" else (Status.FAILS, Status.WORKS)
    found = {one.status for one in judged}
    for status in (decisive, Status.ERROR, Status.FLAKY):
        if status in found:
            return status
    unfinished = any(one.open for one in judged)
    return otherwise if otherwise in found and not unfinished else Status.NOT_RUN


def _chain(resolved: Resolved, tasks: CellTasks | None, facts: Records, variant: Variant) -> list[StageResult]:
    """What is known of a variant's stages, in order, up to the first gap."""
    if tasks is None or not resolved.result.ok:
        return [resolved.result]
    if reason := dict(resolved.dropped).get(HELPERS.get(variant.exporter, "")):
        failure = Failure(type="unsatisfiable", message=f"{HELPERS[variant.exporter]} cannot be added: {reason}")
        return [StageResult(stage=Stage.RESOLVE, status=Status.FAILS, error=failure, finished=resolved.result.finished)]
    chain = [resolved.result]
    installs = [stages(facts.get(task.key)) for task in tasks.installs]
    exporting = stages(facts.get(tasks.export.key))
    reference = [result for result in exporting if result.stage is Stage.EAGER or not result.ok]
    # What cannot be imported by itself has not been tried beside anything.
    alone = [result for result in exporting if result.stage is Stage.IMPORT and not result.ok]
    imports = _side_imports(tasks, facts) if tasks.together is None else alone or stages(facts.get(tasks.together.key))
    for step in (_one_of(Stage.INSTALL, installs), imports, reference, *_variant_steps(tasks, facts, variant)):
        chain += step
        if not step or not all(result.ok for result in step):
            break
    return chain


def _variant_steps(tasks: CellTasks, facts: Records, variant: Variant) -> list[list[StageResult]]:
    exported = facts.get(tasks.export.variant_key(variant))
    artifact = exported.artifact if exported else None
    run: list[StageResult] = []
    if artifact:
        imported = [result for result in stages(facts.get(tasks.run.key)) if not result.ok]
        run = imported or stages(facts.get(tasks.run.variant_key(variant, artifact)))
    return [stages(exported), run]


def _side_imports(tasks: CellTasks, facts: Records) -> list[StageResult]:
    """A handoff cell imports on both sides, in processes of their own.

    The run side is not tried where nothing could be exported: the export side's word is enough then, whatever is known of
    the run side from other cells.
    """
    exported = any(tasks.export.artifact(variant, facts) for variant in tasks.resolved.planned.variants)
    sides = [stages(facts.get(key)) for key in (tasks.export.key, *([tasks.run.key] if exported else []))]
    return _one_of(Stage.IMPORT, [[result for result in side if result.stage is Stage.IMPORT] for side in sides if side])


def _one_of(stage: Stage, parts: Sequence[Sequence[StageResult]]) -> list[StageResult]:
    """Several results of one stage as one: the first that did not work, or the sum; nothing while one is unknown."""
    flat = [result for part in parts for result in part]
    for result in flat:
        if not result.ok:
            return [result]
    if not flat or not all(parts):
        return []
    return [
        StageResult(
            stage=stage,
            status=Status.WORKS,
            seconds=round(sum(result.seconds for result in flat), 3),
            finished=max(result.finished for result in flat),
        )
    ]
