"""A cause with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.model import Cause, Certainty
from harness.verdicts.messages import headline
from harness.verdicts.report_model import ReportedVariant

SETTLE = "to settle it: "
"""How the sentence begins that says what is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """Whose fault one failure is."""

    cause: Cause | None
    """None where that is open."""
    certainty: Certainty
    evidence: tuple[str, ...]
    """What was run and what it gave, or why it is open; one sentence each."""

    def of(self, variant: ReportedVariant) -> ReportedVariant:
        """`variant` with this diagnosis."""
        return replace(variant, cause=self.cause, certainty=self.certainty, evidence=list(self.evidence))


def proven(cause: Cause, *evidence: str) -> Diagnosis:
    """Runs that differ in one thing show it."""
    return Diagnosis(cause=cause, certainty=Certainty.PROVEN, evidence=evidence)


def likely(cause: Cause, *evidence: str) -> Diagnosis:
    """Not all was asked that would show it; the last sentence says what would."""
    return Diagnosis(cause=cause, certainty=Certainty.LIKELY, evidence=evidence)


def undecided(*evidence: str) -> Diagnosis:
    """Nobody knows; the last sentence says what would tell."""
    return Diagnosis(cause=None, certainty=Certainty.OPEN, evidence=evidence)


def brief(message: str | None) -> str:
    """A message as it may stand inside a sentence."""
    return headline(message or "it said nothing", 200).rstrip(".")
