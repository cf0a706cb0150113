"""Why an artifact is not run correctly: the same artifact in other runtimes, or consumed in another way.

In this order, for what fails at load, decode or parity:

1. its stamp is above what this onnxruntime was measured to run: *format gate* (format_gate.py)
2. a change of secondary pins alone, run on this variant, makes it work: *version conflict*
3. another onnxruntime and the reference evaluator run it, consumed in the same way: *runtime*
4. this onnxruntime runs it, consumed in another way: *consumer protocol*
5. this onnxruntime runs it with another option of its session: *runtime*
6. two independent runtimes, this one and the evaluator, fail in the same way at the same place: *exporter* (failure_kinds.py)
7. everything else makes one of them likely, or leaves the cause open

A missing implementation in a runtime is never held against the artifact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.diagnose.causes import bindings, format_gate
from harness.diagnose.causes.diagnosis import SETTLE, Diagnosis, brief, likely, opinions, proven, refusal, undecided
from harness.diagnose.causes.failure_kinds import Reason, RuntimeFailure, against, failure_of
from harness.diagnose.nearest_cell import Neighbours, model_code, run_numpy
from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Cause, Certainty, Stage, Status
from harness.stack import EVALUATOR, EXPORTING, RUNTIMES
from harness.tasks.records import ABOVE
from harness.verdicts import process_findings
from harness.verdicts.control_model import MODEL
from harness.verdicts.remedy_effects import CONSUMER, SESSION, RemedyEffect, effects
from harness.verdicts.report_schema import ReportedCell, ReportedVariant, identity

_NO_FLAW = (*ABOVE, *process_findings.RULES, "unnamed-dimension")
"""Findings that do not concern the results of a graph."""

_NAMED = 2
"""Number of other cells that are named."""

_BROKEN_PROMISES = ("frozen-dimension", "dimension-bound-twice")
"""Findings that the sizes in a graph are not those of the request, or not those of its run."""

_MAIN = {*EXPORTING, *RUNTIMES}
"""The exporter, the runtime and the code of built-in models: another version of them changes the very suspect."""

_ONE_RUNTIME = [{name} for name in RUNTIMES]
"""The axes of a change of the runtime alone."""


def diagnosed(cell: ReportedCell, variant: ReportedVariant, neighbours: Neighbours) -> Diagnosis:
    """The cause why `variant` fails at load, decode or parity."""
    changes = effects(variant)
    if found := format_gate.diagnosed(cell, variant, changes, runs_here=_runs_here(cell, variant, changes)):
        return found
    if bounds := next((changed for changed in changes if changed.versions and not changed.pins), None):
        return _between_versions(cell, variant, bounds)
    elsewhere = _elsewhere(cell, variant, changes, neighbours)
    accepting = [name for name, text in variant.opinions.items() if text == "works"]
    others = [*(name for name in accepting if name != EVALUATOR), *elsewhere]
    remade = [] if others else _remade(changes)
    evidence = [
        refusal(cell, variant),
        *opinions(variant),
        *bindings.sentences(cell, variant, _failure(variant)),
        *elsewhere,
        *remade,
    ]
    consumers = _consumers(variant, changes)
    consumed = _consumed(consumers, cell)
    if EVALUATOR in accepting and others:

        def held(name: str) -> bool:
            return neighbours.numpy_held(cell, bindings.named(name))

        # An onnxruntime loads a graph without numpy, which passes it the arrays of a run.
        alone = variant.stage is Stage.LOAD or elsewhere or any(map(held, others))
        if alone:
            return proven(Cause.RUNTIME, *evidence, *consumed)
        return likely(Cause.RUNTIME, *evidence, *consumed, f"{SETTLE}numpy {run_numpy(cell)} beside {others[0]}")
    main = {*_MAIN, *model_code(cell)}
    if beside := next((changed for changed in changes if changed.versions and not changed.versions & main), None):
        return _between_versions(cell, variant, beside)
    evidence += consumed
    if any(consumers.values()) and not others and not remade:
        return proven(Cause.CONSUMER_PROTOCOL, *evidence)
    if (kept := _kept(cell, variant)) is not None:
        return _as_when_kept(cell, variant, kept, neighbours)
    if found := _by_session(cell, variant, changes, evidence):
        return found
    return _by_opinions(cell, variant, evidence, evaluated=EVALUATOR in accepting, others=bool(others or remade))


def _between_versions(cell: ReportedCell, variant: ReportedVariant, changed: RemedyEffect) -> Diagnosis:
    return proven(
        Cause.VERSION_CONFLICT,
        refusal(cell, variant),
        *opinions(variant),
        f"with {changed.text} alone the same cell works",
    )


def _elsewhere(
    cell: ReportedCell, variant: ReportedVariant, changes: Sequence[RemedyEffect], neighbours: Neighbours
) -> list[str]:
    """Sentences about other runtimes that run the same artifact, and are no opinion: in other cells, or as a remedy.

    The artifact of a remedy is the same only if no onnxruntime brings anything into the export.
    """
    found = {
        name: f"{name} in {other.id}"
        for other in neighbours.same_artifact(cell, variant)
        if (variant.stage is Stage.LOAD or run_numpy(other) == run_numpy(cell))
        and (name := str(other.runtime)) not in variant.opinions
    }
    for changed in changes if neighbours.exports_apart(cell) else ():
        if changed.versions in _ONE_RUNTIME and changed.text not in variant.opinions:
            found.setdefault(changed.text, changed.text)
    named = list(found.values())[:_NAMED]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return [f"the same artifact works in {', '.join(named)}{more}"] if found else []


def _remade(changes: Sequence[RemedyEffect]) -> list[str]:
    """A sentence about another runtime in which the variant works, perhaps as another artifact."""
    found = [changed.text for changed in changes if changed.versions in _ONE_RUNTIME][:1]
    return [f"with {text} alone the same variant works; what else that brings may change the artifact" for text in found]


def _consumers(variant: ReportedVariant, changes: Sequence[RemedyEffect]) -> dict[str, bool]:
    """Change of the consumer → whether the artifact works with it in this onnxruntime."""
    found = {name: text == "works" for name, text in variant.controls.items() if not name.startswith(MODEL)}
    return {**found, **{changed.text: True for changed in changes if changed.only(CONSUMER)}}


def _by_session(
    cell: ReportedCell, variant: ReportedVariant, changes: Sequence[RemedyEffect], evidence: list[str]
) -> Diagnosis | None:
    """The same artifact, fed in the same way, works in the same onnxruntime with another option of the session."""
    option = next((changed.text for changed in changes if changed.only(SESSION)), None) or _works_with_option(cell, variant)
    if option is None:
        return None
    evidence = [*evidence, f"with {option} the same artifact works in the same {cell.runtime}"]
    if broken := [flaw for flaw in _flaws(variant) if _is_broken(flaw)]:
        # A runtime may rely on the sizes in the graph.
        return likely(Cause.EXPORTER, *evidence, *broken, f"{SETTLE}the same graph with sizes that hold")
    return proven(Cause.RUNTIME, *evidence)


def _works_with_option(cell: ReportedCell, variant: ReportedVariant) -> str | None:
    """The option of a session in which alone a working variant of the cell differs from `variant`."""
    for other in cell.variants:
        differing = [name for name in VARIANT_FIELDS if getattr(other, name) != getattr(variant, name)]
        named = [name.replace("_", "-") for name in differing]
        if other.status is Status.WORKS and named and SESSION.issuperset(named):
            return ", ".join(f"{name} {getattr(other, field)}" for name, field in zip(named, differing, strict=True))
    return None


def _by_opinions(
    cell: ReportedCell, variant: ReportedVariant, evidence: list[str], *, evaluated: bool, others: bool
) -> Diagnosis:
    """The cause by opinions. `evaluated`: the evaluator runs the artifact correctly; `others`: another onnxruntime does."""
    failure = _failure(variant)
    if others and not evaluated:
        return likely(Cause.RUNTIME, *evidence, f"{SETTLE}an onnx whose reference evaluator runs the artifact")
    if failure.reason is Reason.LIMIT:
        unable = "the checker accepts the graph, and this onnxruntime says itself that it does not implement it"
        if evaluated:
            return proven(Cause.RUNTIME, *evidence, unable)
        return likely(Cause.RUNTIME, *evidence, unable, f"{SETTLE}an onnx whose reference evaluator runs the artifact")
    if evaluated:
        return likely(Cause.RUNTIME, *evidence, f"{SETTLE}an onnxruntime that runs the artifact")
    return _refused(cell, variant, failure, [*evidence, *_flaws(variant)])


def _refused(cell: ReportedCell, variant: ReportedVariant, failure: RuntimeFailure, evidence: list[str]) -> Diagnosis:
    """The cause if no runtime runs the artifact: it depends on whether they refuse it for the same reason."""
    # Another binding of the same library is no other runtime.
    apart = {name: text for name, text in variant.opinions.items() if not bindings.is_sibling(cell, name)}
    refusing = {name: found for name, text in apart.items() if (found := against(text))}
    broken = any(map(_is_broken, _flaws(variant)))
    evaluator = refusing.pop(EVALUATOR, None)
    if evaluator and (failure.same(evaluator) or (broken and failure.reason is evaluator.reason is Reason.SIZE)):
        return proven(Cause.EXPORTER, *evidence)
    remade = next((changed for changed in effects(variant) if changed.versions), None)
    if remade:
        evidence = [*evidence, f"with {remade.text} alone the same variant works in this onnxruntime"]
    if evaluator:
        evidence = [*evidence, f"this onnxruntime and {EVALUATOR} do not fail in the same way at the same place"]
    if broken or remade or any(map(failure.same, refusing.values())) or (evaluator and failure.reason is evaluator.reason):
        return likely(
            Cause.EXPORTER, *evidence, f"{SETTLE}a runtime that shares no code with onnxruntime and fails in the same way"
        )
    return undecided(*evidence, "open: no other runtime has run the same artifact, or could; `run` asks those of the matrix")


def _failure(variant: ReportedVariant) -> RuntimeFailure:
    assert variant.stage
    return failure_of(variant.stage, variant.error or "", (variant.node or {}).get("op_type"))


def _is_broken(flaw: str) -> bool:
    return flaw.removeprefix(_FLAW).startswith(_BROKEN_PROMISES)


_FLAW = "the graph has a "


def _flaws(variant: ReportedVariant) -> list[str]:
    """Sentences about the findings in the graph and in its run, one for each kind."""
    found: dict[str, list[str]] = {}
    for finding in variant.findings:
        if not finding.startswith(_NO_FLAW):
            found.setdefault(finding.partition(":")[0], []).append(finding)
    return [
        f"{_FLAW}{brief(several[0])}" + (f" (and {len(several) - 1} more)" if len(several) > 1 else "")
        for several in found.values()
    ]


def _runs_here(cell: ReportedCell, variant: ReportedVariant, changes: Sequence[RemedyEffect]) -> bool:
    """Whether this onnxruntime runs a graph with the same stamps, with another session, caller or secondary pin."""
    consumed = any(_consumers(variant, changes).values()) or _works_with_option(cell, variant) is not None
    return consumed or any(changed.only(SESSION | CONSUMER) or (changed.versions and not changed.pins) for changed in changes)


def _kept(cell: ReportedCell, variant: ReportedVariant) -> ReportedVariant | None:
    """For a variant with feed-all, the same variant with keep-cross, if that fails too."""
    if variant.feedback != "feed-all":
        return None
    same = identity(replace(variant, feedback="keep-cross"))
    return next((other for other in cell.variants if identity(other) == same and other.status is Status.FAILS), None)


def _as_when_kept(cell: ReportedCell, variant: ReportedVariant, kept: ReportedVariant, neighbours: Neighbours) -> Diagnosis:
    """The cause with keep-cross holds with feed-all too; only an equal fault shows that it is the whole cause."""
    found = diagnosed(cell, kept, neighbours)
    ails = "what is fed back is not all that ails it"
    kept_too = f"with feedback keep-cross the same artifact fails too, at {kept.stage}: {ails}"
    certainty = found.certainty if kept.signature == variant.signature else min(found.certainty, Certainty.LIKELY, key=_SURE)
    return replace(found, certainty=certainty, evidence=(refusal(cell, variant), kept_too, *found.evidence))


_SURE = [Certainty.OPEN, Certainty.LIKELY, Certainty.PROVEN].index


def _consumed(consumers: Mapping[str, bool], cell: ReportedCell) -> list[str]:
    """Sentences about the same artifact in the same runtime, consumed in other ways."""
    if consumers and not any(consumers.values()):
        return [f"with {' or '.join(consumers)} the same artifact does not work in {cell.runtime} either"]
    return [f"with {name} the same artifact works in {cell.runtime}" for name, works in consumers.items() if works]
