"""Whether the stamps of an artifact, its IR version and opsets, are above what its onnxruntime runs: *format gate*. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.diagnose.causes.diagnosis import SETTLE, Diagnosis, likely, opinions, proven, refusal
from harness.model import Cause, Stage
from harness.stack import EVALUATOR
from harness.tasks.records import ABOVE
from harness.verdicts.messages import is_above
from harness.verdicts.remedy_effects import RemedyEffect
from harness.verdicts.report_schema import ReportedCell, ReportedVariant


def diagnosed(
    cell: ReportedCell, variant: ReportedVariant, changes: Sequence[RemedyEffect], *, runs_here: bool
) -> Diagnosis | None:
    """The cause if the stamps are above the limits that were measured; None if they are not, or if that is not the cause.

    `runs_here`: this onnxruntime runs a graph with the same stamps, with another session, caller or secondary pin.
    """
    found = [finding.partition(": ")[2] for finding in variant.findings if finding.startswith(ABOVE)]
    if found and variant.stage is Stage.LOAD:
        # It cannot be loaded, whatever else may be wrong: there is no cross-check (verdicts/cross_checks.py).
        measured = [f"the artifact has {sentence}, measured with one-node models" for sentence in dict.fromkeys(found)]
        return proven(Cause.FORMAT_GATE, refusal(cell, variant), *measured)
    evidence = opinions(variant)
    if is_above(variant.error or ""):
        if stamp := next((changed.text for changed in changes if changed.only(frozenset({"ir-version"}))), None):
            return proven(Cause.FORMAT_GATE, refusal(cell, variant), *evidence, f"with {stamp} the same graph works here")
        return likely(
            Cause.FORMAT_GATE, refusal(cell, variant), *evidence, f"{SETTLE}what this onnxruntime runs was not measured"
        )
    elsewhere = any(text == "works" for name, text in variant.opinions.items() if name != EVALUATOR)
    if found and elsewhere and not runs_here:
        return likely(
            Cause.FORMAT_GATE, refusal(cell, variant), *found, *evidence, f"{SETTLE}the same graph with a lower opset"
        )
    return None
