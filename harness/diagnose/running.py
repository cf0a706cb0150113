"""Whose fault it is that an artifact is not run correctly, told by what others made of the same artifact.

In this order, for what fails at load, decode or parity:

1. its stamp is above what this onnxruntime was measured to run: *format gate*
2. another onnxruntime and the reference evaluator run it, consumed in the same way: *runtime*
3. this onnxruntime runs it, consumed in another way: *consumer protocol*
4. two independent runtimes, this one and the evaluator, cannot run it: *exporter*
5. what else was said makes one of them likely, or leaves it open
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.diagnose.diagnosis import Diagnosis, brief, likely, proven, undecided
from harness.diagnose.models import MODEL
from harness.diagnose.words import is_above
from harness.model import Cause, Certainty, Stage, Status
from harness.opinions import ABOVE, EVALUATOR
from harness.report.contract import ReportedCell, ReportedVariant
from harness.select import VARIANT_FIELDS

_NO_FLAW = (*ABOVE, "unnamed-dimension")
"""Findings that tell nothing of what a graph computes."""


def diagnosed(cell: ReportedCell, variant: ReportedVariant) -> Diagnosis:
    """Whose fault it is that `variant` fails at load, decode or parity."""
    if found := _above(cell, variant):
        return found
    accepting = [name for name, text in variant.opinions.items() if text == "works"]
    others = [name for name in accepting if name != EVALUATOR]
    consumers = {name: text == "works" for name, text in variant.controls.items() if not name.startswith(MODEL)}
    heard = [_own(cell, variant), *_said(variant), *_consumed(consumers, cell)]
    if EVALUATOR in accepting and others:
        return proven(Cause.RUNTIME, *heard)
    if any(consumers.values()) and not others:
        return proven(Cause.CONSUMER_PROTOCOL, *heard)
    if (kept := _kept(cell, variant)) is not None:
        return _as_when_kept(cell, variant, kept)
    return _by_opinions(variant, accepting, others, heard)


def _by_opinions(variant: ReportedVariant, accepting: list[str], others: list[str], heard: list[str]) -> Diagnosis:
    refusing = [name for name, text in variant.opinions.items() if _refuses(text)]
    if others:
        return likely(Cause.RUNTIME, *heard, "to settle it: an onnx whose reference evaluator runs the artifact")
    if accepting:
        return likely(Cause.RUNTIME, *heard, "to settle it: an onnxruntime that runs the artifact")
    heard += _flaws(variant)
    if EVALUATOR in refusing:
        return proven(Cause.EXPORTER, *heard)
    if refusing:
        return likely(Cause.EXPORTER, *heard, "to settle it: a runtime that shares no code with onnxruntime")
    return undecided(*heard, "open: no other runtime has run the same artifact, or could; `run` asks those of the matrix")


def _flaws(variant: ReportedVariant) -> list[str]:
    """What the lint of the graph and of its run found, one for each kind."""
    found: dict[str, list[str]] = {}
    for finding in variant.findings:
        if not finding.startswith(_NO_FLAW):
            found.setdefault(finding.partition(":")[0], []).append(finding)
    return [
        f"the graph has a {brief(several[0])}" + (f" (and {len(several) - 1} more)" if len(several) > 1 else "")
        for several in found.values()
    ]


def _above(cell: ReportedCell, variant: ReportedVariant) -> Diagnosis | None:
    """The artifact's stamps against what this onnxruntime was measured to run."""
    found = [finding.partition(": ")[2] for finding in variant.findings if finding.startswith(ABOVE)]
    if found and variant.stage is Stage.LOAD:
        # What is above it cannot be loaded, whatever else may ail it: nobody is asked (opinions.py).
        measured = [f"the artifact has {sentence}, measured with one-node models" for sentence in dict.fromkeys(found)]
        return proven(Cause.FORMAT_GATE, _own(cell, variant), *measured)
    heard = _said(variant)
    if is_above(variant.error or ""):
        settle = "to settle it: what this onnxruntime runs was not measured"
        return likely(Cause.FORMAT_GATE, _own(cell, variant), *heard, settle)
    if found and any(text == "works" for name, text in variant.opinions.items() if name != EVALUATOR):
        settle = "to settle it: the same graph with a lower opset"
        return likely(Cause.FORMAT_GATE, _own(cell, variant), *found, *heard, settle)
    return None


def _kept(cell: ReportedCell, variant: ReportedVariant) -> ReportedVariant | None:
    """The same variant with keep-cross, of one with feed-all, where that fails too."""
    if variant.feedback != "feed-all":
        return None
    for one in cell.variants:
        same = all(getattr(one, name) == getattr(variant, name) for name in VARIANT_FIELDS if name != "feedback")
        if same and one.feedback == "keep-cross" and one.status is Status.FAILS:
            return one
    return None


def _as_when_kept(cell: ReportedCell, variant: ReportedVariant, kept: ReportedVariant) -> Diagnosis:
    """What ails the artifact whatever is fed back ails it here; that it is all there is shows an equal fault only."""
    found = diagnosed(cell, kept)
    heard = f"with feedback keep-cross the same artifact fails too, at {kept.stage}: what is fed back is not all that ails it"
    certainty = found.certainty if kept.signature == variant.signature else min(found.certainty, Certainty.LIKELY, key=_SURE)
    return replace(found, certainty=certainty, evidence=(_own(cell, variant), heard, *found.evidence))


_SURE = [Certainty.OPEN, Certainty.LIKELY, Certainty.PROVEN].index


def _own(cell: ReportedCell, variant: ReportedVariant) -> str:
    return f"onnxruntime {cell.pins.get('onnxruntime')} in {cell.id} fails at {variant.stage}: {brief(variant.error)}"


def _said(variant: ReportedVariant) -> list[str]:
    """What other runtimes made of the artifact; an error of ours is nothing that they said."""
    return [
        f"{name} runs the same artifact correctly" if text == "works" else f"{name}, the same artifact: {told(text)}"
        for name, text in variant.opinions.items()
        if not text.startswith((Status.ERROR, Status.FLAKY))
    ]


def _consumed(consumers: Mapping[str, bool], cell: ReportedCell) -> list[str]:
    """What the same artifact did in the same runtime when it was consumed otherwise: where that works, or in one sentence."""
    runtime = f"onnxruntime {cell.pins.get('onnxruntime')}"
    if consumers and not any(consumers.values()):
        return [f"with {' or '.join(consumers)} the same artifact does not work in {runtime} either"]
    return [f"with {name} the same artifact works in {runtime}" for name, works in consumers.items() if works]


def told(text: str) -> str:
    """`fails at decode: …`, the message cut and the stage not."""
    where, colon, message = text.partition(": ")
    return f"{where}: {brief(message)}" if colon else text


def _refuses(text: str) -> bool:
    """Whether an opinion is a word against the artifact; what is above that runtime, or was not run, is none."""
    return text.startswith("fails at ") and not is_above(text)
