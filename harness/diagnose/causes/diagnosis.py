"""A cause with its evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.model import Cause, Certainty, Status
from harness.verdicts.messages import headline
from harness.verdicts.report_schema import ReportedCell, ReportedVariant

SETTLE = "to settle it: "
"""How the sentence about missing evidence begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """The cause of one failure."""

    cause: Cause | None
    """None if it is open."""
    certainty: Certainty
    evidence: tuple[str, ...]
    """Runs and their outcomes, or why the cause is open; one sentence each."""

    def of(self, variant: ReportedVariant) -> ReportedVariant:
        """`variant` with this diagnosis."""
        return replace(variant, cause=self.cause, certainty=self.certainty, evidence=list(self.evidence))


def proven(cause: Cause, *evidence: str) -> Diagnosis:
    """Runs that differ in one thing show it."""
    return Diagnosis(cause=cause, certainty=Certainty.PROVEN, evidence=evidence)


def likely(cause: Cause, *evidence: str) -> Diagnosis:
    """A run that would prove it is missing; the last sentence names it."""
    return Diagnosis(cause=cause, certainty=Certainty.LIKELY, evidence=evidence)


def undecided(*evidence: str) -> Diagnosis:
    """The cause is open; the last sentence says what would show it."""
    return Diagnosis(cause=None, certainty=Certainty.OPEN, evidence=evidence)


def brief(message: str | None) -> str:
    """A message, cut so that it fits into a sentence."""
    return headline(message or "it said nothing", 200).rstrip(".")


def brief_outcome(text: str) -> str:
    """`fails at decode: …` with the message cut."""
    end, colon, message = text.partition(": ")
    return f"{end}: {brief(message)}" if colon else text


def refusal(cell: ReportedCell, variant: ReportedVariant) -> str:
    """The sentence about a failure in the runtime of its own cell."""
    return f"{cell.runtime} in {cell.id} fails at {variant.stage}: {brief(variant.error)}"


def opinions(variant: ReportedVariant) -> list[str]:
    """Sentences about the artifact in other runtimes; errors of the harness and flaky outcomes prove nothing."""
    return [
        f"{name} runs the same artifact correctly" if text == "works" else f"{name}, the same artifact: {brief_outcome(text)}"
        for name, text in variant.opinions.items()
        if not text.startswith((Status.ERROR, Status.FLAKY))
    ]
